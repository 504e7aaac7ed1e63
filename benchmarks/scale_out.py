"""Beyond one process: does it give the same, what does it cost, and does it fit into memory?

    python benchmarks/scale_out.py               # about an hour of one core: 200,000 images, 2,000,000 rows
    python benchmarks/scale_out.py --only rows   # one part: train, dask, folder, rows, killed
    python benchmarks/scale_out.py --small       # some minutes, to see that it runs; writes nothing

It needs accelerate and dask[distributed]; faiss takes part where it is installed. Every way runs in a process of its own,
whose processor seconds (children included) and largest memory are taken; set OMP_NUM_THREADS=1 for seconds that other
work on the machine does not change much. It writes scale_out.csv and scale_out.txt (machine and date) beside itself.
"""
import argparse, importlib.util, json, os, resource, signal, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np

FIELDS = ['part','way','value','unit']
N_SHARD = 1000

def usage():
    "Processor seconds of this process and its children, and megabytes of the largest of them"
    own,others = resource.getrusage(resource.RUSAGE_SELF),resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own.ru_utime+own.ru_stime+others.ru_utime+others.ru_stime
    return dict(seconds=seconds, megabytes=max(own.ru_maxrss, others.ru_maxrss)/1024)

# What runs in a process of its own -----------------------------------------------------------------------------------

def train(tmp, n_processes, n_images):
    "Train on some processes; the weights go to a file"
    from unsupervised_cluster.all import decode_images, sample_photos, train_on_processes
    store = decode_images(sample_photos(f'{tmp}/photos', n=n_images, max_side=96), 64)
    learn = train_on_processes(store, n_processes, epochs=3, precision='full')
    np.savez(f'{tmp}/weights{n_processes}.npz', **{k:v.cpu().numpy() for k,v in learn.model.state_dict().items()})
    return dict(usage(), error=learn.history.valid_loss[-1])

def dask(tmp, backend, n_images):
    "Features by shards and the sweep of k, here or on a Dask cluster of two processes"
    from contextlib import nullcontext
    from joblib import parallel_config
    from unsupervised_cluster.all import decode_images, default_encoder, encode_shards, sample_photos, sweep_k
    images = sample_photos(f'{tmp}/photos', n=n_images, max_side=96)
    encoder = default_encoder('gradients').fit(decode_images(images.take(range(0, n_images, 2)), 64).pixels)
    if backend=='dask':
        from dask.distributed import Client, LocalCluster
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
        client,use = Client(cluster),parallel_config(backend='dask')
    else: use = nullcontext()
    with use:
        features = encode_shards(encoder, images, f'{tmp}/{backend}', 64, shard=20)
        sweep = sweep_k(features, range(1, 9), n_jobs=-1 if backend=='dask' else 1)
    np.savez(f'{tmp}/{backend}.npz', X=features.X, labels=sweep.labels)
    if backend=='dask':
        client.close()
        cluster.close()
    return usage()

def draw(tmp, n_images):
    "Small pictures of eight kinds: four shapes, each light or dark on noise; the kind stands in the name"
    from PIL import Image, ImageDraw
    rng = np.random.default_rng(0)
    for i in range(n_images):
        if i%N_SHARD==0: (folder := Path(f'{tmp}/many/{i//N_SHARD:04}')).mkdir(parents=True)
        kind,(x,y) = i%8,rng.integers(2, 10, 2).tolist()
        im = Image.fromarray(rng.integers(90, 166, (32,32,3), dtype=np.uint8))
        pen,box,fill = ImageDraw.Draw(im),(x, y, x+20, y+20),['white','black'][kind//4]
        if kind%4==0: pen.ellipse(box, fill)
        elif kind%4==1: pen.rectangle(box, fill)
        elif kind%4==2: pen.polygon([(x,y+20), (x+20,y+20), (x+10,y)], fill)
        else: pen.line([(x,y), (x+20,y+20), (x,y+20), (x+20,y)], fill, 4)
        im.save(folder/f'{i}-{kind}.png', compress_level=1)
    return usage()

def folder(tmp, n_sample):
    "From a folder to clusters: fit a sample, and the others by shards on two processes"
    from sklearn.metrics import adjusted_rand_score
    from unsupervised_cluster.all import ImageClusterer
    from unsupervised_cluster.images import image_files
    files = image_files(f'{tmp}/many')
    sample = np.sort(np.random.default_rng(0).permutation(len(files))[:n_sample])
    clusterer = ImageClusterer(n_clusters=8, features='pooled', size=32, epochs=3, bs=16, verbose=0)
    clusterer.fit([files[i] for i in sample])
    fitted = usage()
    found = clusterer.assign_shards(f'{tmp}/many', f'{tmp}/shards', N_SHARD, n_jobs=2)
    found.to_csv(f'{tmp}/clusters.csv')
    from joblib.externals.loky import get_reusable_executor
    get_reusable_executor().shutdown(wait=True) # So that its processes count as children
    truth = [int(o.stem[-1]) for o in found.images.paths]
    return dict(usage(), fit=fitted['seconds'], images=len(found), truth=adjusted_rand_score(truth, found.labels))

def make_rows(tmp, n):
    "Rows of 64 numbers in a file: a hundred clusters that touch"
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(100,64))*1.5
    X = np.lib.format.open_memmap(f'{tmp}/rows.npy', 'w+', np.float32, (n,64))
    for i in range(0, n, 100_000):
        part = X[i:i+100_000]
        part[:] = centers[rng.integers(0, 100, len(part))]+rng.normal(size=part.shape)*2
    return usage()

def rows(tmp, way):
    "A hundred clusters of the rows"
    from sklearn.cluster import MiniBatchKMeans
    from unsupervised_cluster.sampled import assign_blocks, sampled_kmeans
    X = np.load(f'{tmp}/rows.npy', mmap_mode='r')
    start = usage()['seconds']
    if way=='sampled_kmeans': centers = sampled_kmeans(X, 100)[1]
    elif way=='MiniBatchKMeans': centers = MiniBatchKMeans(100, n_init=5, random_state=0).fit(X).cluster_centers_
    else:
        import faiss
        found = faiss.Kmeans(64, 100, niter=25, nredo=5, seed=0)
        found.train(np.ascontiguousarray(X))
        found.index.search(np.ascontiguousarray(X), 1)
        centers = found.centroids
    end = usage()
    return dict(seconds=end['seconds']-start, megabytes=end['megabytes'], inertia=assign_blocks(X, np.asarray(centers))[1])

def shards(tmp, n_images):
    "Features by shards on two processes"
    from unsupervised_cluster.all import decode_images, default_encoder, encode_shards, sample_photos
    images = sample_photos(f'{tmp}/photos', n=n_images, max_side=96)
    encoder = default_encoder('gradients').fit(decode_images(images.take(range(20)), 64).pixels)
    todo = []
    features = encode_shards(encoder, images, f'{tmp}/shards', 64, shard=10, n_jobs=2,
                             progress=lambda o,total: todo.append(total) or o)
    np.save(f'{tmp}/features.npy', features.X)
    return dict(usage(), todo=todo[0])

# The parts -----------------------------------------------------------------------------------------------------------

def command(*words): return [sys.executable, '-W', 'ignore', __file__, '--child', *map(str, words)]

def child(*words):
    "What a part says that runs in a new process"
    return json.loads(subprocess.run(command(*words), text=True, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])

def cost(part, way, got):
    "The rows of what a way costs"
    yield dict(part=part, way=way, value=f'{got["seconds"]:.0f}', unit='processor s')
    yield dict(part=part, way=f'{way}: memory', value=f'{got["megabytes"]:.0f}', unit='MB')

def train_rows(tmp, small):
    found = {n:child('train', tmp, n, 40 if small else 100) for n in (1,2)}
    a,b = (np.load(f'{tmp}/weights{n}.npz') for n in (1,2))
    for n,got in found.items():
        yield from cost('train', f'{n} process'+'es'*(n>1), got)
        yield dict(part='train', way=f'{n} process'+'es'*(n>1)+': validation error', value=f'{got["error"]:.6f}', unit='MSE')
    yield dict(part='train', way='largest difference of a weight', value=f'{max(abs(a[k]-b[k]).max() for k in a):.0e}', unit='')

def dask_rows(tmp, small):
    found = {o:child('dask', tmp, o, 40 if small else 100) for o in ('local','dask')}
    a,b = (np.load(f'{tmp}/{o}.npz') for o in found)
    for o,got in found.items(): yield from cost('dask', o, got)
    yield dict(part='dask', way='largest difference of a feature', value=f'{abs(a["X"]-b["X"]).max():.0e}', unit='')
    yield dict(part='dask', way='labels of the sweep that differ', value=int((a['labels']!=b['labels']).sum()), unit='')

def folder_rows(tmp, small):
    n = 2000 if small else 200_000
    yield from cost('folder', f'{n:,} images drawn', child('draw', tmp, n))
    got = child('folder', tmp, 500 if small else 5000)
    yield from cost('folder', f'{got["images"]:,} images clustered', got)
    yield dict(part='folder', way='of which the fit of a sample', value=f'{got["fit"]:.0f}', unit='processor s')
    yield dict(part='folder', way='agreement with the kinds that were drawn', value=f'{got["truth"]:.3f}', unit='ARI')

def rows_rows(tmp, small):
    n = 20_000 if small else 2_000_000
    child('make_rows', tmp, n)
    ways = ['MiniBatchKMeans',*(['faiss'] if importlib.util.find_spec('faiss') else []),'sampled_kmeans']
    found = {o:child('rows', tmp, o) for o in ways}
    for o,got in found.items():
        yield from cost('rows', o, got)
        yield dict(part='rows', way=f'{o}: inertia', value=f'{got["inertia"]/found[ways[0]]["inertia"]:.4f}', unit=f'that of {ways[0]}')

def killed_rows(tmp, small):
    n = 60 if small else 100
    running = subprocess.Popen(command('shards', tmp, n), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    done = lambda: {o:o.stat().st_mtime_ns for o in Path(tmp).glob('shards/*.json')}
    while len(done())<2 and running.poll() is None: time.sleep(.05)
    os.killpg(running.pid, signal.SIGKILL) # The process and its workers, in the middle of what they do
    running.wait()
    before,got = done(),child('shards', tmp, n)
    again = child('shards', f'{tmp}/whole', n)
    same = np.array_equal(*(np.load(f'{o}/features.npy') for o in (tmp, f'{tmp}/whole')))
    yield dict(part='killed', way='shards in all', value=again['todo'], unit='')
    yield dict(part='killed', way='shards that were done when all processes were killed', value=len(before), unit='')
    yield dict(part='killed', way='shards that the second call did', value=got['todo'], unit='')
    yield dict(part='killed', way='shards done twice', value=sum(before[o]!=v for o,v in done().items() if o in before), unit='')
    yield dict(part='killed', way='features equal to those of a call that was not killed', value=same, unit='')

PARTS = dict(train=train_rows, dask=dask_rows, folder=folder_rows, rows=rows_rows, killed=killed_rows)

def main():
    "The command"
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--only', choices=PARTS, metavar='PART', help='one part; the other rows of the table stay')
    p.add_argument('--small', action='store_true', help='less of everything; writes nothing')
    p.add_argument('--child', nargs='+', help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.child:
        name,*words = args.child
        work = dict(train=train, dask=dask, draw=draw, folder=folder, make_rows=make_rows, rows=rows, shards=shards)[name]
        print(json.dumps(work(*(int(o) if o.isdigit() else o for o in words))))
        return
    found = []
    for name,make in PARTS.items():
        if args.only not in (None,name): continue
        with tempfile.TemporaryDirectory() as tmp:
            for o in make(tmp, args.small):
                found.append(o)
                print(*o.values(), sep='  ', flush=True)
    if args.small: return
    from results import last_rows, write_table # It imports torch, which a child that measures something else does not need
    if args.only: found = [*(o for o in last_rows('scale_out') if o['part']!=args.only),*found]
    write_table('scale_out', FIELDS, found)

if __name__=='__main__': main()
