"""How many clusters does `ImageClusterer` find where the kinds are known, and does its range hold their number?

    python benchmarks/stable_k.py                             # sample photos and scikit-learn's digits, whole and in parts
    python benchmarks/stable_k.py --photos DIR --mnist DIR    # and the folders that benchmarks/clusters.py takes
    python benchmarks/stable_k.py --small                     # a minute, to see that it runs; writes nothing

A part has some of the kinds of a set: those with even numbers, those with odd ones, the first three, the first two, and
one alone, which is to be left in one piece (1 is what is wanted of it, though one kind may well have groups of its own).
Nothing sees the kinds before. It writes stable_k.csv and stable_k.txt (machine and date) beside itself.
"""
import argparse, tempfile, time
from pathlib import Path
import numpy as np
from pictures import add_folders, known_images
from results import write_table
from unsupervised_cluster.all import decode_images, default_encoder, stable_k, usual_size

FIELDS = ['images','part','n','truth','k','low','high','agreement','holds','seconds']

def parts(kinds, most, seed=0):
    "Name of each part, and the positions of its images, `most` at most"
    names = np.unique(kinds)
    chosen = {'all':names, 'even':names[::2], 'odd':names[1::2], 'first three':names[:3], 'first two':names[:2],
              'one':names[-1:]}
    if len(names)<6: del chosen['even'],chosen['odd']
    for name,some in chosen.items():
        rows = np.random.default_rng(seed).permutation(np.flatnonzero(np.isin(kinds, some)))
        yield name,np.sort(rows[:most])

def measure(images):
    "What is found of these images, and the processor's seconds that it took"
    start = time.process_time()
    store,encoder = decode_images(images, usual_size('gradients', images)),default_encoder('gradients')
    rows = encoder.fit_transform(store.pixels)
    return stable_k(np.split(rows, encoder.shape_[0], axis=1)),time.process_time()-start

def main():
    "The command"
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folders(p)
    p.add_argument('--small', action='store_true', help='few images; writes nothing')
    args = p.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as tmp:
        for name,images,kinds in known_images(args.photos, args.mnist, Path(tmp), args.small):
            for part,some in parts(kinds, 60 if args.small else 1500):
                found,seconds = measure(images.take(some))
                truth = len(set(kinds[some].tolist()))
                best = found.agreement[found.ks.index(found.k)] if found.k>1 else found.agreement.max()
                rows.append(dict(images=name, part=part, n=len(some), truth=truth, k=found.k, low=found.low,
                    high=found.high, agreement=f'{best:.2f}', holds=int(found.low<=truth<=found.high),
                    seconds=f'{seconds:.0f}'))
                print(*(f'{k} {v}' for k,v in rows[-1].items()), sep='  ', flush=True)
    if not args.small: write_table('stable_k', FIELDS, rows)

if __name__=='__main__': main()
