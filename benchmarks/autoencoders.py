"""Does a better autoencoder make the Fisher vectors of its bottleneck see more? Trainings, and three readings of each.

    python benchmarks/autoencoders.py                # sample photos and scikit-learn's digits
    python benchmarks/autoencoders.py --photos DIR   # and photos whose names end in _KIND
    python benchmarks/autoencoders.py --only NAME    # one network or one set of images; the other rows of the table stay
    python benchmarks/autoencoders.py --small        # a minute, to see that it runs; writes nothing

A reading is a way from a trained network to numbers. `usual`: `FisherBottleneck` as it is, with three codebooks.
`dense`: a patch at every place, in three sizes. `root`: dense, and each patch as the root of its shares, like RootSIFT.
The kinds are for the scores only, and the right number of clusters is given. Seconds are the processor's, of
training, encoding and clustering. It writes autoencoders.csv and autoencoders.txt (machine and date) beside itself, after
every network.
"""
import argparse, tempfile, time
from dataclasses import replace
from functools import partial
from pathlib import Path
import numpy as np
import torch
import torch.nn.functional as F
from fastai.callback.core import Callback
from fastai.callback.hook import hook_output
from sklearn.datasets import load_digits
from torch import Tensor,nn
from results import last_rows, write_table
from unsupervised_cluster.all import *
from clusters import as_pictures

FIELDS = ['images','n','kinds','group','network','reading','seeds','acc','acc_min','acc_max','nmi','ari','seconds']
WIDE = dict(widths=(32,32))

# What the network sees and what it is to draw -----------------------------------------------------------------------

def grey(x):
    "Brightness of images, float, shape (n, 3, h, w), as three equal channels"
    return (x*x.new_tensor([.299,.587,.114])[:,None,None]).sum(1, keepdim=True).expand(-1, 3, -1, -1)

def blur(x, sigma=4.):
    "A Gaussian mean around each pixel, shape (n, c, h, w)"
    r = min(int(3*sigma), min(x.shape[2:])-1)
    w = torch.exp(-torch.arange(-r, r+1, device=x.device)**2/(2*sigma**2))
    w = (w/w.sum()).expand(x.shape[1], 1, 1, -1)
    wide = F.pad(x, (r,r,r,r), mode='reflect')
    return F.conv2d(F.conv2d(wide, w, groups=len(w)), w.mT, groups=len(w))

def local_contrast(x, floor=.03):
    "The grey image without its local mean, by its local deviation, around 0.5"
    d = grey(x)-blur(grey(x))
    return (.5+.2*d/(blur(d*d).sqrt()+floor)).clamp(0, 1)

def gradients(x, floor=.015):
    "The two derivatives of the grey image around 0.5, and their length, by their local mean square"
    m = F.pad(grey(x)[:,:1], (1,1,1,1), mode='replicate')
    gx,gy = (m[:,:,1:-1,2:]-m[:,:,1:-1,:-2])/2,(m[:,:,2:,1:-1]-m[:,:,:-2,1:-1])/2
    length = torch.hypot(gx, gy)
    drawn = torch.cat([gx, gy, 2*length], 1)*.2/(blur(length**2).sqrt()+floor)
    return (drawn+x.new_tensor([.5,.5,0])[:,None,None]).clamp(0, 1)

def seen_as(store, change):
    "A store with other pixels, by a function of images, float in [0, 1], shape (n, 3, h, w)"
    if change is None: return store
    parts = [change(float_batch(store.pixels[i:i+64])) for i in range(0, len(store), 64)]
    return replace(store, pixels=(torch.cat(parts)*255).round().byte().permute(0, 2, 3, 1).numpy())

class Denoise(Callback):
    "Add noise to the training images; the target stays clean (Vincent et al. 2008)"
    def __init__(self, deviation=.1): self.deviation = deviation
    def before_batch(self):
        if self.training: self.learn.xb = (self.x+self.deviation*torch.randn_like(self.x),)

class Mask(Callback):
    "Make patches of the training images grey; the target is the whole image (Pathak et al. 2016)"
    def __init__(self, part=.5, side=8): self.part,self.side = part,side
    def before_batch(self):
        if not self.training: return
        n,_,h,w = self.x.shape
        hide = (torch.rand(n, 1, -(-h//self.side), -(-w//self.side), device=self.x.device)<self.part).to(self.x)
        hide = hide.repeat_interleave(self.side, 2).repeat_interleave(self.side, 3)[:,:,:h,:w]
        self.learn.xb = (self.x*(1-hide)+.5*hide,)

class Draw(Callback):
    "Let the network draw something else than the image"
    def __init__(self, target): self.target = target
    def before_batch(self): self.learn.yb = (self.target(self.y.as_subclass(Tensor)),)

class Sparse(Callback):
    "Make each channel of the bottleneck seldom busy: a penalty on mean / root mean square, whatever its scale"
    def __init__(self, weight=3e-3): self.weight = weight
    def before_fit(self): self.hook = hook_output(self.learn.model.bottleneck, detach=False)
    def after_loss(self):
        if not self.training: return
        z = self.hook.stored
        busy = z.mean((0, 2, 3))/(z.pow(2).mean((0, 2, 3))+1e-6).sqrt()
        self.learn.loss_grad = self.learn.loss_grad+self.weight*busy.mean()
    def after_fit(self): self.hook.remove()

class Oriented(nn.Module):
    "No autoencoder: in the bottleneck's place, the lengths of gradients in eight directions, at a quarter of the size"
    def __init__(self):
        super().__init__()
        self.bottleneck,self.unused = nn.AvgPool2d(4),nn.Parameter(torch.zeros(1))
    def encode(self, x): return self.bottleneck(orientation_maps(grey(x)[:,:1]))

# The networks -------------------------------------------------------------------------------------------------------

def networks():
    "Group, name, what the network sees, its arguments, and callbacks of its training; None for no training"
    yield 'reference', 'oriented gradients, by hand', None, None, None
    yield 'reference', 'untrained', None, {}, None
    yield 'reference', 'untrained, contrast, 32-32', local_contrast, WIDE, None
    yield 'plain', 'plain', None, {}, []
    yield 'input', 'denoising', None, {}, [Denoise]
    yield 'input', 'masked', None, {}, [Mask]
    yield 'model', 'wider: 32-32', None, WIDE, []
    yield 'model', 'deeper: 32-64-32', None, dict(widths=(32,64,32), depth=2), []
    yield 'contrast', 'grey', grey, {}, []
    yield 'contrast', 'local contrast', local_contrast, {}, []
    yield 'contrast', 'grey, draws local contrast', grey, {}, [partial(Draw, local_contrast)]
    yield 'contrast', 'grey, draws gradients', grey, {}, [partial(Draw, gradients)]
    yield 'together', 'contrast, 32-32', local_contrast, WIDE, []
    yield 'together', 'contrast, 32-32, masked', local_contrast, WIDE, [Mask]
    yield 'together', 'contrast, 32-32, sparse', local_contrast, WIDE, [Sparse]

ELSEWHERE = ('oriented gradients, by hand','plain','denoising','masked','local contrast','contrast, 32-32',
             'contrast, 32-32, sparse')

def network(store, epochs, seed, model_args, cbs):
    "The model after its training on the images as it sees them"
    if model_args is None: return Oriented()
    model = ConvAutoencoder(seed=seed, **model_args)
    if cbs is None: return model
    learn = autoencoder_learner(autoencoder_dls(store, bs=4, seed=seed), model, lr=3e-3)
    with learn.no_bar(), learn.no_logging():
        fit_autoencoder(learn, epochs, schedule='one_cycle', patience=None, cbs=[o() for o in cbs])
    return learn.model

# The readings -------------------------------------------------------------------------------------------------------

class Dense(FisherBottleneck):
    "Patches of 4 x 4 cells at every place of the bottleneck, with cells of one, one and a half, and two places"
    root = False
    def describe(self, pixels):
        maps,res = torch.as_tensor(self.maps(pixels)),[]
        for cell in (1, 1.5, 2):
            cells = F.interpolate(maps, [max(1, int(o/cell)) for o in maps.shape[2:]], mode='area')
            side = min(4, *cells.shape[2:])
            rows = F.unfold(cells, side).mT
            if self.root: rows = (rows/(rows.sum(-1, keepdim=True)+.3)).sqrt() # A bottleneck is never below 0
            y,x = ((torch.arange(0, n-side+1)+side/2)/n-.5 for n in cells.shape[2:])
            res.append(torch.cat([rows, torch.cartesian_prod(y, x).flip(1).expand(len(rows), -1, -1)], -1))
        return torch.cat(res, 1).numpy()

class DenseRoot(Dense): root = True

READINGS = dict(usual=partial(default_encoder, 'fisher'), dense=lambda model, seed: Dense(seed=seed).attach(model),
                root=lambda model, seed: DenseRoot(seed=seed).attach(model))

def groups(encoder, store, k, seed):
    "Labels by the consensus"
    X = encoder.fit_transform(store.pixels)
    return group_features(Features(X, store.images, 'fisher', getattr(encoder, 'shape_', ())), k, seed=seed)[0].labels

# The table ----------------------------------------------------------------------------------------------------------

def sets(args, tmp):
    "Name, decoded images, kinds, and the networks to try, None for all"
    if args.photos:
        table = find_images(args.photos)
        kinds = np.unique([o.stem.rsplit('_', 1)[-1] for o in table.paths], return_inverse=True)[1]
        yield Path(args.photos).name, decode_images(table, 96), kinds, None
    photos = sample_photos(tmp/'photos', n=60 if args.small else 500)
    yield 'sample photos', decode_images(photos, 32 if args.small else 96), sample_truth(photos), ELSEWHERE
    if args.small: return
    digits = load_digits()
    images = as_pictures((digits.images*15.9).astype(np.uint8), tmp/'digits')
    yield 'digits', decode_images(images, 32), digits.target, ELSEWHERE

def row(runs, seconds, **names):
    "A row of the table"
    acc = [o['acc'] for o in runs]
    mean = lambda k: f'{np.mean([o[k] for o in runs]):.3f}'
    return dict(names, seeds=len(runs), acc=mean('acc'), acc_min=f'{min(acc):.3f}', acc_max=f'{max(acc):.3f}',
                nmi=mean('nmi'), ari=mean('ari'), seconds=f'{np.mean(seconds):.0f}')

def measure(store, kinds, seeds, epochs, change, model_args, cbs):
    "Scores and seconds of each reading of one network, over the seeds"
    runs,seconds,seen = {o:[] for o in READINGS},{o:[] for o in READINGS},seen_as(store, change)
    for seed in seeds:
        start = time.process_time()
        model = network(seen, epochs, seed, model_args, cbs)
        training = time.process_time()-start
        for name,encoder in READINGS.items():
            start = time.process_time()
            labels = groups(encoder(model=model, seed=seed), seen, len(set(kinds)), seed)
            runs[name].append(score_clustering(kinds, labels))
            seconds[name].append(training+time.process_time()-start)
    return runs,seconds

def measure_gradients(store, kinds, seeds):
    "Scores and seconds of the dense gradients, with which the bottleneck is compared"
    runs,seconds = [],[]
    for seed in seeds:
        start = time.process_time()
        labels = groups(default_encoder('gradients', seed=seed), store, len(set(kinds)), seed)
        runs.append(score_clustering(kinds, labels))
        seconds.append(time.process_time()-start)
    return {'usual':runs},{'usual':seconds}

def rows_of(name, store, kinds, networks_here, seeds, epochs, only=None):
    "The rows of one set of images, those of a network at a time"
    names = dict(images=name, n=len(kinds), kinds=len(set(kinds)))
    todo = [('reference','dense gradients',partial(measure_gradients, store, kinds, seeds))]
    todo += [(group,o,partial(measure, store, kinds, seeds, epochs, *args)) for group,o,*args in networks()
             if networks_here is None or o in networks_here]
    for group,o,run in todo:
        if only not in (None,name,o): continue
        runs,seconds = run()
        yield [row(runs[r], seconds[r], **names, group=group, network=o, reading=r) for r in runs]

def key(row):
    "What a row is about, so that they can be told apart and sorted"
    known = ['dense gradients',*(o[1] for o in networks())]
    return row['images'] in ('sample photos','digits'),row['images']=='digits',row['images'],\
        known.index(row['network']) if row['network'] in known else len(known),list(READINGS).index(row['reading'])

def merged(rows):
    "The last table with `rows` in place of those that are about the same"
    return [o for _,o in sorted({key(o):o for o in (*last_rows('autoencoders'),*rows)}.items())]

def write(rows, epochs):
    "The table, the machine and the date"
    write_table('autoencoders', FIELDS, rows, f': {epochs} epochs at 96 pixels, digits at 32')

def main():
    "The command"
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--photos', help='a folder of photos whose names end in _KIND')
    p.add_argument('--seeds', type=int, default=2)
    p.add_argument('--epochs', type=int, default=5)
    p.add_argument('--only', metavar='NAME', help='a network or a set of images, such as "plain" or "digits"')
    p.add_argument('--small', action='store_true', help='60 photos at 32 pixels, one seed, one epoch; writes nothing')
    args = p.parse_args()
    keep_freed_memory()
    seeds,epochs = range(1 if args.small else args.seeds),1 if args.small else args.epochs
    rows = []
    with tempfile.TemporaryDirectory() as tmp:
        for o in sets(args, Path(tmp)):
            for new in rows_of(*o, seeds, epochs, args.only):
                rows += new
                for r in new: print(*(f'{k} {v}' for k,v in list(r.items())[3:]), sep='  ', flush=True)
                if not args.small: write(merged(rows) if args.only else rows, epochs)

if __name__=='__main__': main()
