"""Which clusters come out, and how near are they to the kinds that people see? Whole runs, from a folder to labels.

    python benchmarks/clusters.py                  # 500 sample photos and scikit-learn's digits
    python benchmarks/clusters.py --photos DIR     # and photos whose names end in _KIND
    python benchmarks/clusters.py --mnist DIR      # and MNIST digits in idx files, compressed by gzip
    python benchmarks/clusters.py --small          # a minute, to see that it runs; writes nothing

The kinds are for the scores only: nothing sees them before. The right number of clusters is given; the number that would
have been found is in the table beside it. Other tools run with their usual settings where they are installed: ClustPy's
DEC on the pixels, clustimage on the files. `seconds` are the processor's, of one run.
It writes clusters.csv and clusters.txt (machine and date) beside itself.
"""
import argparse, importlib, logging, tempfile, time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
import numpy as np
from sklearn.cluster import KMeans
from pictures import add_folders, known_images
from results import last_rows, write_table
from unsupervised_cluster.all import *

FIELDS = ['images','n','kinds','way','seeds','acc','acc_min','acc_max','nmi','ari','found_k','seconds']
BOTTLENECK = dict(features='bottleneck', size=112, epochs=10)

#: Ways to cluster each set, by the arguments of `ImageClusterer`
WAYS = {'sample photos': dict(gradients={}, pooled=dict(BOTTLENECK, features='pooled'),
                              fisher=dict(BOTTLENECK, features='fisher'), bottleneck=BOTTLENECK),
        'digits': dict(gradients={}, contrastive=dict(features='contrastive')),
        'MNIST': dict(gradients={}, contrastive=dict(features='contrastive'), bottleneck=dict(BOTTLENECK, size=28))}
PHOTO_WAYS = dict(gradients={}, fisher=dict(BOTTLENECK, features='fisher'), bottleneck=BOTTLENECK)

def plain(images, pixels, k, seed):
    "K-means on the pixels"
    return KMeans(k, n_init=3, random_state=seed).fit_predict(pixels.reshape(len(pixels), -1)/np.float32(255))

def clustpy_dec(images, pixels, k, seed):
    "ClustPy's deep embedded clustering (DEC) with its usual settings"
    from clustpy.deep import DEC
    return DEC(k, random_state=seed).fit(pixels.reshape(len(pixels), -1)/np.float32(255)).labels_

def clustimage_default(images, pixels, k, seed):
    "clustimage with its usual settings, but for the number of clusters; it has no seed"
    from clustimage import Clustimage
    logging.disable()
    names = [str(o) for o in images.paths]
    found = Clustimage(verbose='silent').fit_transform(names, min_clust=k, max_clust=k+1)
    order = {o:i for i,o in enumerate(found['pathnames'])}
    return np.array([found['labels'][order[o]] for o in names])

def others():
    "Names of other ways to cluster, as far as they are installed"
    found = dict(pixels=plain)
    for package,module,way in (('ClustPy DEC','clustpy.deep',clustpy_dec), ('clustimage','clustimage',clustimage_default)):
        try: importlib.import_module(module)
        except ImportError: print(f'{package} is not installed: left out', flush=True)
        else: found[package] = way
    return found

def row(name, way, kinds, runs, stable, seconds):
    "A row of the table"
    scores = [score_clustering(kinds, o) for o in runs]
    acc = [o['acc'] for o in scores]
    return dict(images=name, n=len(kinds), kinds=len(set(kinds.tolist())), way=way, seeds=len(runs),
        acc=f'{np.median(acc):.3f}', acc_min=f'{min(acc):.3f}', acc_max=f'{max(acc):.3f}',
        nmi=f'{np.median([o["nmi"] for o in scores]):.3f}', ari=f'{np.median([o["ari"] for o in scores]):.3f}',
        found_k=stable.k if stable else '', seconds=f'{np.median(seconds):.0f}')

def measure(name, images, kinds, ways, seeds, only=None):
    "The rows of one set of images, or the one of the way `only`"
    k,mix = len(set(kinds.tolist())),np.random.default_rng(0).permutation(len(images))
    images,kinds = images.take(mix),kinds[mix]
    for way,kwargs in ways.items():
        if only not in (None,way): continue
        runs,seconds,stable = [],[],None
        for seed in seeds:
            start = time.process_time()
            found = ImageClusterer(n_clusters=k, seed=seed, verbose=0, **kwargs).fit(images)
            seconds.append(time.process_time()-start)
            runs.append(found.labels_)
            if stable is None: stable = choose_groups(found.features_, found.kind_, seed=seed)[0]
        yield row(name, way, kinds, runs, stable, seconds)
    pixels = decode_images(images, min(64, usual_size('gradients', images))).pixels
    for way,labels in others().items():
        if only not in (None,way): continue
        n_runs = dict(pixels=len(seeds), clustimage=1).get(way, 1 if len(images)>5000 else 2)
        start,some = time.process_time(),seeds[:n_runs]
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            runs = [labels(images, pixels, k, o) for o in some]
        yield row(name, way, kinds, runs, None, [(time.process_time()-start)/len(runs)])

def renewed(old, new):
    "The `old` rows, those of `new` in place of the same images and way; others come after their images"
    at = lambda o: (o['images'],o['way'])
    found = {at(o):o for o in new}
    rows = [found.pop(at(o), o) for o in old]
    for o in found.values():
        same = [i for i,r in enumerate(rows) if r['images']==o['images']]
        rows.insert(same[-1]+1 if same else len(rows), o)
    return rows

def main():
    "The command"
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folders(p)
    p.add_argument('--seeds', type=int, default=5,
                   help="seeds (5); at most two for others' networks")
    p.add_argument('--only', metavar='NAME', help='one set of images, such as "digits"; the other rows of the table stay')
    p.add_argument('--way', metavar='NAME', help='one way, such as "contrastive"; the other rows of the table stay')
    p.add_argument('--small', action='store_true', help='fewer images, one seed; writes nothing')
    args = p.parse_args()
    keep_freed_memory()
    rows,seeds = [],list(range(1 if args.small else args.seeds))
    with tempfile.TemporaryDirectory() as tmp:
        for name,images,kinds in known_images(args.photos, args.mnist, Path(tmp), args.small):
            if args.only not in (None,name): continue
            for o in measure(name, images, kinds, WAYS.get(name, PHOTO_WAYS), seeds, args.way):
                rows.append(o)
                print(*(f'{k} {v}' for k,v in o.items()), sep='  ', flush=True)
    if args.small: return
    if args.only or args.way: rows = renewed(last_rows('clusters'), rows)
    write_table('clusters', FIELDS, rows)

if __name__=='__main__': main()
