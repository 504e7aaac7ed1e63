"""What does each index say about k, where k is known? One row per data set, space and index.

    python benchmarks/choose_k.py                 # twenty minutes on one busy core, most of it UMAP
    python benchmarks/choose_k.py --small         # a few seconds, to see that it runs; writes nothing
    python benchmarks/choose_k.py --features rooms.npy --truth 4 --name rooms   # rows of yours too; may be repeated

It writes choose_k.csv and choose_k.txt (machine and date) beside itself. Without umap-learn, UMAP is left out.
The true k is compared with what an index said, and with nothing before.
"""
import argparse, csv, os, platform, tempfile, time, warnings
from datetime import date
from pathlib import Path
import numpy as np
import sklearn
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_blobs
from sklearn.decomposition import PCA
from sklearn.preprocessing import scale
from unsupervised_cluster.advise_k import advise_k, few_rows
from unsupervised_cluster.indices import check_ks, gap_statistic, score_votes, stability
from unsupervised_cluster.pixels import decode_images
from unsupervised_cluster.samples import sample_photos

try: from umap import UMAP
except ImportError: UMAP = None

HERE = Path(__file__).resolve().parent
FIELDS = ['kind','data','space','index','truth','said','low','high','sure','seconds']

def photo_pixels(n):
    "Sample photos at 8 x 8 pixels: crops of twelve photographs"
    with tempfile.TemporaryDirectory() as tmp:
        images = sample_photos(Path(tmp)/'photos', n=n, max_side=96)
        return decode_images(images, size=8).pixels.reshape(n, -1)/255.

def data_sets(small):
    "Kind, name, rows and true k"
    n,rng = (120,np.random.default_rng(7)) if small else (400,np.random.default_rng(7))
    yield 'none', 'normal', rng.normal(size=(n,10)), 1
    yield 'none', 'even', rng.uniform(size=(n,10)), 1
    if small: return
    yield 'none', 'long normal', rng.normal(size=(n,10))*([4]+[1]*9), 1
    yield 'none', 'heavy tails', rng.standard_t(4, size=(n,10)), 1
    for k,std in ((2,2),(3,3),(5,2),(5,3),(8,2),(8,3),(12,1),(12,2)):
        yield 'blobs', f'{k} blobs, width {std}', make_blobs(n, 10, centers=k, cluster_std=std, center_box=(-5,5),
                                                            random_state=100+k)[0], k
    for name,load,k in (('iris',load_iris,3),('wine',load_wine,3),('breast cancer',load_breast_cancer,2)):
        yield 'tables', name, scale(load().data), k
    yield 'images', 'digits 8 x 8', load_digits().data, 10
    yield 'images', 'sample photos 8 x 8', photo_pixels(300), 12

def embed_umap(rows, seed):
    "The usual embedding before clustering: 10 dimensions, 15 neighbours, no least distance"
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return UMAP(n_components=10, n_neighbors=15, min_dist=0., random_state=seed).fit_transform(rows)

def spaces(X):
    "Name, rows, and how they are embedded"
    yield 'rows', X, None
    if X.shape[1]>30: yield 'PCA 10', PCA(10, random_state=0).fit_transform(X), None
    if UMAP is not None: yield 'UMAP 10', X, embed_umap

def timed(f, *args, **kwargs):
    "What `f` gives, and the seconds"
    start = time.perf_counter()
    return f(*args, **kwargs),time.perf_counter()-start

def measure(X, embed, max_k, max_rows):
    "Name, k, low, high, sure and seconds of each index"
    advice,seconds = timed(advise_k, X, max_k, embed, max_rows=max_rows)
    yield 'advice', advice.k, advice.low, advice.high, advice.sure, seconds
    plain = advice.votes[1]
    yield plain.name, plain.k, '', '', '', ''
    Z = few_rows(X, max_rows)
    if embed: Z = np.asarray(embed(Z, 42), float)
    ks = check_ks(range(1, max_k+1), len(Z))
    votes,seconds = timed(score_votes, Z, ks)
    for o in votes: yield o.name, o.k, '', '', '', seconds
    for f in (lambda: gap_statistic(Z, ks, n_refs=5), lambda: stability(Z, ks, n_pairs=5)):
        o,seconds = timed(f)
        yield o.name, o.k, *(o.span or ('','')), '', seconds

def main():
    "The command"
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--features', action='append', default=[], help='rows, shape (n, d), saved by numpy.save')
    p.add_argument('--truth', action='append', type=int, default=[], help='their true number of clusters')
    p.add_argument('--name', action='append', default=[], help='what to call them')
    p.add_argument('--small', action='store_true', help='120 rows, 6 candidates; writes nothing')
    args = p.parse_args()
    if not len(args.features)==len(args.truth)==len(args.name): p.error('each --features needs a --truth and a --name')
    sets = [*data_sets(args.small), *(('images', name, np.load(f).astype(float), k)
                                      for f,k,name in zip(args.features, args.truth, args.name))]
    rows,start = [],time.perf_counter()
    for kind,name,X,truth in sets:
        for space,Z,embed in spaces(X):
            for index,said,low,high,sure,seconds in measure(Z, embed, 6 if args.small else 14, 1000):
                rows.append(dict(zip(FIELDS, (kind, name, space, index, truth, '' if said is None else said, low, high, sure,
                                              seconds and f'{seconds:.2f}'))))
            here = [f'{o["index"]} {o["said"]}' for o in rows if (o['data'],o['space'])==(name,space)]
            print(f'{name:22} {space:8} k = {truth:2}:', ', '.join(here), flush=True)
    if args.small: return
    with (HERE/'choose_k.csv').open('w', newline='', encoding='utf-8') as f:
        out = csv.DictWriter(f, FIELDS)
        out.writeheader()
        out.writerows(rows)
    (HERE/'choose_k.txt').write_text(f'{date.today()}, {platform.machine()}, {os.environ.get("OMP_NUM_THREADS", "all")} '
        f'threads, scikit-learn {sklearn.__version__}: {len(sets)} data sets, at most 1,000 rows of each, '
        f'{(time.perf_counter()-start)/60:.0f} minutes\n')

if __name__=='__main__': main()
