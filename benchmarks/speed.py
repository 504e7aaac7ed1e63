"""How fast is it, and beside what? Ratios of the processor's seconds; each way runs in a process of its own, in turns.

    python benchmarks/speed.py              # about an hour and a half on one core
    python benchmarks/speed.py --only step  # one part: step, compile, encode, load, sweep, train, longer, gpu, job, scale,
                                            # memory
    python benchmarks/speed.py --small      # a few minutes, to see that it runs; writes nothing

Keras and clustimage take part where they are installed, a GPU where there is one. It writes speed.csv and speed.txt
(machine and date) beside itself. Set OMP_NUM_THREADS=1 and LOKY_MAX_CPU_COUNT=1 for seconds that other work on the
machine does not change much.
"""
import argparse, importlib.util, json, os, resource, subprocess, sys, tempfile, threading, time
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
    ours = way in ('full','bf16','compiled')
    net = ConvAutoencoder() if ours else plain_net()
    if way=='compiled': way,net = 'bf16',torch.compile(net)
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

class Stages:
    "Processor seconds of each stage, and the most memory that the process has of its own in it, in MB"
    def __init__(self): self.seconds,self.peak,self.now = {},{},None

    def own(self):
        "Memory without what is mapped from files; all of it, at its most, where Linux does not say"
        try: text = Path('/proc/self/status').read_text()
        except OSError: return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024
        return int(text.split('RssAnon:')[1].split()[0])/1024

    def watch(self):
        while (now := self.now) is not None:
            self.peak[now] = max(self.peak.get(now, 0), self.own())
            time.sleep(.02)

    def __call__(self, name, work):
        self.now = name
        watcher = threading.Thread(target=self.watch)
        watcher.start()
        start = time.process_time()
        try: return work()
        finally:
            self.seconds[name],self.now = time.process_time()-start,None
            watcher.join()

def scale(folder, n, features='gradients', size=64):
    "Processor seconds and memory of each stage, for the first n images of a folder; the bottleneck is not trained"
    from unsupervised_cluster.all import (ConvAutoencoder, Features, check_images, decode_images, default_encoder,
        keep_freed_memory, nuisance_report, write_report)
    from unsupervised_cluster.group import choose_groups, group_features
    from unsupervised_cluster.images import image_files
    keep_freed_memory()
    stage,files,kind = Stages(),image_files(folder)[:n],'kmeans' if features=='bottleneck' else 'consensus'
    images = stage('verify', lambda: check_images(files, folder))
    store = stage('decode', lambda: decode_images(images, size))
    encoder = default_encoder(features, ConvAutoencoder() if features=='bottleneck' else None)
    X = stage('encode', lambda: encoder.fit_transform(store.pixels))
    data = Features(X, images, features, encoder.shape_)
    choice,stable = stage('choose k', lambda: choose_groups(data, kind))
    found,_ = stage('cluster', lambda: group_features(data, 12, kind))
    nuisance = stage('look for nuisances', lambda: nuisance_report(found, store.pixels))
    with tempfile.TemporaryDirectory() as tmp:
        stage('report', lambda: write_report(found, f'{tmp}/report.html', data, choice, stable, nuisance=nuisance))
    mapped = sum(o.nbytes for o in (store.pixels, X) if isinstance(o, np.memmap))/1e6
    return dict(seconds=stage.seconds, peak=stage.peak, mapped=mapped)

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

def rates(work, ways, steps, rounds=3):
    "Each way a few times, in turns: the medians"
    found = {o:[] for o in ways}
    for _ in range(rounds):
        for o in ways: found[o].append(child(work, o, steps)[0])
    return {k:float(np.median(v)) for k,v in found.items()}

def in_turns(part, ways, unit, steps, work=None):
    "Rows of each way; the ratio is to the first"
    values = rates(work or part, ways, steps)
    for k,v in values.items(): yield dict(part=part, way=k, value=f'{v:.0f}', unit=unit, ratio=f'{v/values[ways[0]]:.1f}')

def installed(module): return importlib.util.find_spec(module) is not None
def keras_ways(): return ['Keras'] if installed('keras') and installed('tensorflow') else []

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

def longer_rows(small):
    "The fast recipe for 16 epochs, and how long 50 epochs of `classic` would take elsewhere, computed from steps"
    from unsupervised_cluster.all import decode_images, keep_freed_memory, sample_photos, train_autoencoder
    keep_freed_memory()
    steps = rates('step', [*keras_ways(),'plain torch, memory kept','plain torch'], *((2,1) if small else (6,3)))
    with tempfile.TemporaryDirectory() as tmp:
        store = decode_images(sample_photos(Path(tmp)/'photos', n=40 if small else 998))
    got,epochs,n = {},2 if small else 16,round(.7*len(store))
    seconds = clock(lambda: got.update(learn=train_autoencoder(store, 'fast', epochs=epochs)))
    for k,v in steps.items():
        yield dict(part='longer', way=f'classic, 50 epochs: {k}', value=f'{50*n/v:.0f}', unit='s',
                   ratio=f'{50*n/v/seconds:.1f}')
    way,learn = f'fast, {epochs} epochs',got['learn']
    yield dict(part='longer', way=f'{way}, {learn.precision.used}', value=f'{seconds:.0f}', unit='s', ratio='1.0')
    yield dict(part='longer', way=f'{way}: validation error', value=f'{learn.history.valid_loss[-1]:.5f}', unit='MSE', ratio='')

def job_rows(small):
    "Whole jobs; the processor's seconds of all their threads"
    from unsupervised_cluster.all import sample_photos
    ways = ['unsupervised_cluster', *(['clustimage'] if installed('clustimage') else [])]
    with tempfile.TemporaryDirectory() as tmp:
        sample_photos(Path(tmp)/'photos', n=60 if small else 998)
        seconds = {o:np.median([child('job', o, f'{tmp}/photos')[1] for _ in range(1 if small else 2)]) for o in ways}
    for k,v in seconds.items():
        yield dict(part='job', way=k, value=f'{v:.0f}', unit='s', ratio=f'{seconds[ways[-1]]/v:.1f}')

def compile_rows(small):
    "torch.compile, where there is what it needs"
    try: yield from in_turns('compile', ['bf16','compiled'], 'images/s', 2 if small else 6, work='step')
    except subprocess.CalledProcessError: print('compile: skipped, torch.compile does not work here (no C++ compiler?)')

def gpu_rows(small):
    "The method's 50 epochs on a GPU, and how much of what its matrix products reach"
    import torch
    if not torch.cuda.is_available():
        print('gpu: skipped, there is none')
        return
    from torch.utils.flop_counter import FlopCounterMode
    from unsupervised_cluster.all import ConvAutoencoder, decode_images, sample_photos, train_autoencoder
    def wall(work):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        return time.perf_counter()-start
    with FlopCounterMode(display=False) as flops: ConvAutoencoder()(torch.rand(1, 3, 224, 224)).mean().backward()
    A = torch.rand(8192, 8192, device='cuda', dtype=torch.bfloat16)
    A@A
    peak = 2*8192**3*10/wall(lambda: [A@A for _ in range(10)])
    with tempfile.TemporaryDirectory() as tmp:
        store = decode_images(sample_photos(Path(tmp)/'photos', n=40 if small else 998))
    got,epochs = {},2 if small else 50
    train = lambda: train_autoencoder(store, 'classic', epochs=epochs, patience=None, precision='bf16')
    seconds = wall(lambda: got.update(learn=train()))
    rate = epochs*len(got['learn'].dls.train_ds)/seconds
    name = torch.cuda.get_device_name()
    yield dict(part='gpu', way=f'classic, {epochs} epochs, {name}', value=f'{seconds:.1f}', unit='s', ratio='')
    yield dict(part='gpu', way='validation error', value=f'{got["learn"].history.valid_loss[-1]:.5f}', unit='MSE', ratio='')
    yield dict(part='gpu', way='training, with validation', value=f'{rate:.0f}', unit='images/s', ratio='')
    share = 100*rate*flops.get_total_flops()/peak
    yield dict(part='gpu', way='of what products of matrices reach', value=f'{share:.1f}', unit='%', ratio='')

def stage_rows(part, n, found, unit='ms per image'):
    "The seconds and the memory of each stage for n images"
    for k,v in found['seconds'].items():
        yield dict(part=part, way=f'{k}, {n:,} images', value=f'{1000*v/n:.3f}', unit=unit, ratio='')
    for k,v in found['peak'].items(): yield dict(part=part, way=f'{k}, {n:,} images', value=f'{v:.0f}', unit='MB', ratio='')
    yield dict(part=part, way=f'mapped from files, {n:,} images', value=f'{found["mapped"]:.0f}', unit='MB', ratio='')

def scale_rows(small):
    "Time per image and memory of each stage by the number of images, and how the time grows"
    from unsupervised_cluster.all import sample_photos
    sizes,each = (60,120) if small else (250,1000,4000,10_000,20_000),{}
    with tempfile.TemporaryDirectory() as tmp:
        sample_photos(Path(tmp)/'photos', n=max(sizes), max_side=64)
        for n in sizes:
            found = child('scale', f'{tmp}/photos', n)[0]
            each[n] = dict(found['seconds'], total=sum(found['seconds'].values()))
            yield from stage_rows('scale', n, dict(found, seconds=each[n]))
    large = [n for n in sizes if n>=1000 or small]
    for k in each[large[0]]:
        slope = np.polyfit(np.log(large), np.log([each[n][k] for n in large]), 1)[0]
        yield dict(part='scale', way=f'{k}: power of n', value=f'{slope:.2f}', unit='', ratio='')

def small_pictures(folder, n, side=64):
    "Write n pictures of stripes: 12 kinds by direction and width, each with a phase, a colour and noise of its own"
    from PIL import Image
    rng,(y,x) = np.random.default_rng(0),np.mgrid[:side,:side]
    for i in range(n):
        turn,width = np.pi*(i%4)/4,(4,7,12)[i//4%3]
        wave = np.sin((x*np.cos(turn)+y*np.sin(turn))*2*np.pi/width+rng.uniform(0, 7))[...,None]
        picture = 128+wave*rng.uniform(20, 60, 3)+rng.normal(0, 12, (side,side,3))
        if i%1000==0: (folder/f'{i//1000:03}').mkdir(parents=True)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder/f'{i//1000:03}'/f'{i:06}.jpg')

def memory_rows(small):
    "100,000 small pictures: what the process has in memory, by what is compared"
    n = 200 if small else 100_000
    with tempfile.TemporaryDirectory() as tmp:
        small_pictures(Path(tmp), n)
        for features,size in (('gradients',64),('bottleneck',112)):
            found = child('scale', tmp, n, features, size)[0]
            yield from stage_rows(f'memory, {features}', n, found)

def parts(small):
    "Name and rows of each part"
    steps = 2 if small else 6
    yield 'step', lambda: in_turns('step', ['plain torch',*keras_ways(),'plain torch, memory kept','full','bf16'], 'images/s', steps)
    yield 'compile', lambda: compile_rows(small)
    yield 'encode', lambda: in_turns('encode', ['plain torch','full','bf16'], 'images/s', steps)
    yield 'load', lambda: in_turns('load', ['decoding each epoch','from the store'], 'images/s', 1)
    yield 'sweep', lambda: sweep_rows(small)
    yield 'train', lambda: train_rows(small)
    yield 'longer', lambda: longer_rows(small)
    yield 'gpu', lambda: gpu_rows(small)
    yield 'job', lambda: job_rows(small)
    yield 'scale', lambda: scale_rows(small)
    yield 'memory', lambda: memory_rows(small)

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
    if args.only: rows = [*(o for o in last_rows('speed') if o['part'].split(',')[0]!=args.only),*rows]
    write_table('speed', FIELDS, rows)

if __name__=='__main__': main()
