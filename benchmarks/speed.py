"""How fast is it, and beside what? Ratios of the processor's seconds; each way runs in a process of its own, in turns.

    python benchmarks/speed.py              # about half an hour on one core
    python benchmarks/speed.py --only step  # one part: step, encode, load, sweep, train, job, scale
    python benchmarks/speed.py --small      # a few minutes, to see that it runs; writes nothing

Keras and clustimage take part where they are installed. It writes speed.csv and speed.txt (machine and date) beside itself.
Set OMP_NUM_THREADS=1 for seconds that other work on the machine does not change much.
"""
import argparse, importlib.util, json, os, resource, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np

FIELDS = ['part','way','value','unit','ratio']

def clock(work, n=1):
    "Processor seconds of `work`, the median of `n` times"
    seconds = []
    for _ in range(n):
        start = time.process_time()
        work()
        seconds.append(time.process_time()-start)
    return float(np.median(seconds))

def plain_net():
    "The autoencoder as one writes it down"
    from torch import nn
    conv = lambda a,b: nn.Conv2d(a, b, 3, padding=1)
    return nn.Sequential(conv(3,64), nn.ReLU(), nn.MaxPool2d(2), conv(64,8), nn.ReLU(), nn.MaxPool2d(2),
        conv(8,8), nn.ReLU(), nn.Upsample(scale_factor=2), conv(8,64), nn.ReLU(), nn.Upsample(scale_factor=2),
        conv(64,3), nn.Sigmoid())

def keras_step(bs, steps):
    "Images per second of Keras on TensorFlow"
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    import keras
    from keras import layers as L
    conv = lambda n: L.Conv2D(n, 3, padding='same', activation='relu')
    net = keras.Sequential([keras.Input((224,224,3)), conv(64), L.MaxPooling2D(), conv(8), L.MaxPooling2D(), conv(8),
        L.UpSampling2D(), conv(64), L.UpSampling2D(), L.Conv2D(3, 3, padding='same', activation='sigmoid')])
    net.compile('adam', 'mse')
    x = np.random.default_rng(0).random((bs,224,224,3), np.float32)
    net.train_on_batch(x, x)
    return bs*steps/clock(lambda: [net.train_on_batch(x, x) for _ in range(steps)])

def step(way, steps):
    "Images per second of training steps on random pixels"
    bs = 20
    if way=='Keras': return keras_step(bs, steps)
    import torch
    from torch.nn.functional import mse_loss
    from unsupervised_cluster.all import ConvAutoencoder, in_precision, keep_freed_memory
    if way!='plain torch': keep_freed_memory()
    ours = way in ('full','bf16')
    net = ConvAutoencoder() if ours else plain_net()
    x = torch.rand(bs, 3, 224, 224)
    if ours: x = x.to(memory_format=torch.channels_last)
    opt = torch.optim.Adam(net.parameters())
    def work():
        with in_precision(way if ours else 'full'): y = net(x)
        mse_loss(y.float(), x).backward()
        opt.step()
        opt.zero_grad()
    work()
    return bs*steps/clock(lambda: [work() for _ in range(steps)])

def encode(way, steps):
    "Images per second of encoding pixels to the bottleneck"
    import torch
    from unsupervised_cluster.all import ConvAutoencoder, encode_pixels, keep_freed_memory
    pixels = np.random.default_rng(0).integers(0, 256, (64,224,224,3), np.uint8)
    if way=='plain torch':
        net = plain_net()[:6].eval()
        def work():
            with torch.no_grad(): net(torch.tensor(pixels).permute(0,3,1,2).float().contiguous()/255)
    else:
        keep_freed_memory()
        net = ConvAutoencoder()
        work = lambda: encode_pixels(net, pixels, precision=way)
    work()
    return len(pixels)*steps/clock(lambda: [work() for _ in range(steps)])

def load(way, steps):
    "Images per second of the loader alone"
    from unsupervised_cluster.all import autoencoder_block, autoencoder_dls, decode_images, sample_photos
    with tempfile.TemporaryDirectory() as tmp:
        images = sample_photos(Path(tmp)/'photos', n=200)
        dls = (autoencoder_block().dataloaders(images.paths, bs=20, num_workers=0) if way=='decoding each epoch'
               else autoencoder_dls(decode_images(images)))
        n = len(dls.train_ds)
        return n*steps/clock(lambda: [sum(1 for _ in dls.train) for _ in range(steps)])

def scale(n):
    "Processor seconds per image and stage, and megabytes at most, for a folder of n photos"
    from unsupervised_cluster.all import (ConsensusClusterer, Features, decode_images, default_encoder, find_images,
        keep_freed_memory, sample_photos, split_views, stable_k, sweep_k)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as tmp:
        sample_photos(Path(tmp)/'photos', n=n, max_side=128)
        found,peak = {},lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024
        def stage(name, work):
            start = time.process_time()
            res = work()
            found[name] = (time.process_time()-start)/n
            return res
        images = stage('verify', lambda: find_images(Path(tmp)/'photos'))
        store = stage('decode', lambda: decode_images(images, 128))
        encoder = default_encoder('gradients')
        X = stage('encode', lambda: encoder.fit_transform(store.pixels))
        views = split_views(Features(X, images, 'gradients', encoder.shape_))
        stage('sweep', lambda: sweep_k(X, range(1, 15)))
        stage('choose k', lambda: stable_k(views))
        stage('cluster', lambda: ConsensusClusterer(12).fit(views))
        return dict(found, peak=peak())

def job(way, folder):
    "A whole job, from a folder to what there is to look at"
    if way=='clustimage':
        import matplotlib
        matplotlib.use('Agg')
        from clustimage import Clustimage
        Clustimage(verbose='silent').fit_transform(str(folder))
    else:
        from unsupervised_cluster.cli import main
        with tempfile.TemporaryDirectory() as tmp: main([str(folder), '--out', f'{tmp}/run', '--quiet'])

def child(*words):
    "Run a part in a new process; what it measured, and the processor's seconds of all of it"
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run([sys.executable, '-W', 'ignore', __file__, '--child', *map(str, words)], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.splitlines()[-1]
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return json.loads(found),end.ru_utime+end.ru_stime-start.ru_utime-start.ru_stime

def in_turns(part, ways, unit, steps, rounds=3):
    "Each way a few times, in turns; the ratio is to the first"
    found = {o:[] for o in ways}
    for _ in range(rounds):
        for o in ways: found[o].append(child(part, o, steps)[0])
    values = {k:float(np.median(v)) for k,v in found.items()}
    for k,v in values.items(): yield dict(part=part, way=k, value=f'{v:.0f}', unit=unit, ratio=f'{v/values[ways[0]]:.1f}')

def installed(module): return importlib.util.find_spec(module) is not None

def sweep_rows(small):
    "The elbow's sweep: scikit-learn on the rows, and on the rows turned into the dimensions that they span"
    from sklearn.cluster import KMeans
    from unsupervised_cluster.all import ConvAutoencoder, encode_pixels, decode_images, sample_photos, sweep_k
    with tempfile.TemporaryDirectory() as tmp:
        store = decode_images(sample_photos(Path(tmp)/'photos', n=100 if small else 300))
    X,ks,kept = encode_pixels(ConvAutoencoder(), store.pixels)[0],range(1, 15),{}
    plain = clock(lambda: kept.update({k:KMeans(k, n_init=10, random_state=42).fit(X) for k in ks}))
    fast = clock(lambda: kept.update(sweep=sweep_k(X, ks)))
    error = max(abs(kept[k].inertia_/i-1) for k,i in zip(ks, kept['sweep'].inertia))
    from sklearn.metrics import adjusted_rand_score
    same = min(adjusted_rand_score(kept[k].labels_, o) for k,o in zip(ks, kept['sweep'].labels))
    yield dict(part='sweep', way='scikit-learn', value=f'{plain:.2f}', unit='s', ratio='1.0')
    yield dict(part='sweep', way='sweep_k', value=f'{fast:.2f}', unit='s', ratio=f'{plain/fast:.1f}')
    yield dict(part='sweep', way='largest difference of an inertia', value=f'{error:.0e}', unit='', ratio='')
    yield dict(part='sweep', way='smallest agreement of labels (ARI)', value=f'{same:.3f}', unit='', ratio='')

def train_rows(small):
    "Errors of the recipes, and the time that they take; that of plain torch is computed from its steps"
    from unsupervised_cluster.all import decode_images, keep_freed_memory, sample_photos, train_autoencoder
    keep_freed_memory()
    plain = child('step', 'plain torch', 2 if small else 6)[0]
    with tempfile.TemporaryDirectory() as tmp:
        store = decode_images(sample_photos(Path(tmp)/'photos', n=40 if small else 998))
    n,history = round(.7*len(store)),{}
    for way,recipe,kwargs in (('classic','classic',dict(epochs=3 if small else 50, patience=None)),
                              ('fast','fast',dict(epochs=2) if small else {}),
                              ('fast, 4 epochs','fast',dict(epochs=2 if small else 4)),
                              ('fast, in full precision','fast',dict(epochs=2) if small else {})):
        got = {}
        seconds = clock(lambda: got.update(learn=train_autoencoder(store, recipe,
            precision='full' if 'full' in way else 'auto', **kwargs)))
        history[way] = got['learn'].history.valid_loss,seconds
    classic,s = history['classic']
    for e in (14, len(classic)):
        if e<=len(classic):
            yield dict(part='train', way=f'classic, {e} epochs: plain torch, computed', value=f'{e*n/plain:.0f}', unit='s', ratio='1.0')
            yield dict(part='train', way=f'classic, {e} epochs', value=f'{s*e/len(classic):.0f}', unit='s',
                       ratio=f'{e*n/plain/(s*e/len(classic)):.1f}')
            yield dict(part='train', way=f'classic, {e} epochs: validation error', value=f'{classic[e-1]:.5f}', unit='MSE', ratio='')
    for way,(errors,s) in list(history.items())[1:]:
        yield dict(part='train', way=way, value=f'{s:.0f}', unit='s', ratio='')
        yield dict(part='train', way=f'{way}: validation error', value=f'{errors[-1]:.5f}', unit='MSE', ratio='')

def job_rows(small):
    "Whole jobs; the processor's seconds of all their threads"
    from unsupervised_cluster.all import sample_photos
    ways = ['unsupervised_cluster', *(['clustimage'] if installed('clustimage') else [])]
    with tempfile.TemporaryDirectory() as tmp:
        sample_photos(Path(tmp)/'photos', n=60 if small else 998)
        seconds = {o:np.median([child('job', o, f'{tmp}/photos')[1] for _ in range(1 if small else 2)]) for o in ways}
    for k,v in seconds.items():
        yield dict(part='job', way=k, value=f'{v:.0f}', unit='s', ratio=f'{seconds[ways[-1]]/v:.1f}')

def scale_rows(small):
    "Seconds per image by the number of images"
    for n in (60,120) if small else (250,1000,4000):
        found = child('scale', n)[0]
        peak = found.pop('peak')
        for k,v in found.items(): yield dict(part='scale', way=f'{k}, {n:,} images', value=f'{v*1000:.2f}', unit='ms per image', ratio='')
        yield dict(part='scale', way=f'memory, {n:,} images', value=f'{peak:.0f}', unit='MB', ratio='')

def parts(small):
    "Name and rows of each part"
    steps = 2 if small else 6
    keras = ['Keras'] if installed('keras') and installed('tensorflow') else []
    yield 'step', lambda: in_turns('step', ['plain torch',*keras,'plain torch, memory kept','full','bf16'], 'images/s', steps)
    yield 'encode', lambda: in_turns('encode', ['plain torch','full','bf16'], 'images/s', steps)
    yield 'load', lambda: in_turns('load', ['decoding each epoch','from the store'], 'images/s', 1)
    yield 'sweep', lambda: sweep_rows(small)
    yield 'train', lambda: train_rows(small)
    yield 'job', lambda: job_rows(small)
    yield 'scale', lambda: scale_rows(small)

def main():
    "The command"
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--only', metavar='PART', help='one part; the other rows of the table stay')
    p.add_argument('--small', action='store_true', help='less of everything; writes nothing')
    p.add_argument('--child', nargs='+', help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.child:
        name,*words = args.child
        words = [int(o) if o.isdigit() else o for o in words]
        print(json.dumps(dict(step=step, encode=encode, load=load, scale=scale, job=job)[name](*words)))
        return
    rows = []
    for name,make in parts(args.small):
        if args.only not in (None,name): continue
        for o in make():
            rows.append(o)
            print(*o.values(), sep='  ', flush=True)
    if args.small: return
    from results import last_rows, write_table # It imports torch, which a child that measures something else does not need
    if args.only: rows = [*(o for o in last_rows('speed') if o['part']!=args.only),*rows]
    write_table('speed', FIELDS, rows)

if __name__=='__main__': main()
