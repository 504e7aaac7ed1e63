"""What is each change to the training worth? One row per recipe: the same photos, split, seed and number of epochs.
Seconds are the processor's, of training alone; the last two columns are the scores within those of the method's own
recipe and a twentieth more.

    python benchmarks/training.py                 # 300 sample photos at 64 pixels, 15 epochs
    python benchmarks/training.py --photos DIR    # your own
    python benchmarks/training.py --small         # a few seconds, to see that it runs

It writes training.csv, training.txt (machine and date) and training.jpg (the reconstructions) beside itself.
"""
import argparse, tempfile, time
from pathlib import Path
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage.metrics import structural_similarity
from fastai.callback.core import Callback
from results import HERE, last_rows, write_table
from unsupervised_cluster.all import *

FIELDS = ['group','recipe','weights','rate','epochs','seconds','mse','ssim','checkerboard','mse_same_seconds','ssim_same_seconds']
DEEP = dict(widths=(32,64,128,16), depth=3)
BATCH = 10
DRAWN = ('nearest, mse, adam 0.001','transposed','pixelshuffle','ssim','mse+ssim','perceptual, own autoencoder','rmsprop',
         '32-64-128-16','32-64-128-16, residual, dynamic','one cycle to 0.003, batches of 4','one cycle, 4, mse+ssim')

def recipes(perceptual):
    "Group, name, and what differs from the method's own recipe: arguments of the model, the Learner and the fit"
    yield 'the method', 'nearest, mse, adam 0.001', {}, {}, {}
    for o in (1, 2): yield 'the method', f'the same, seed {o}', dict(seed=o), {}, {}
    for o in ('transposed','pixelshuffle'): yield 'decoder', o, dict(decoder=o), {}, {}
    for o in ('l1','ssim','mse+ssim'): yield 'loss', o, {}, dict(loss_func=o), {}
    yield 'loss', 'perceptual, own autoencoder', {}, dict(loss_func=perceptual), {}
    yield 'loss', 'mse + 0.1 perceptual', {}, dict(loss_func=MixedLoss(['mse',perceptual], [1,.1])), {}
    for o in OPTIMIZERS: yield 'optimizer', o, {}, dict(opt_func=o, lr=None), {}
    yield 'depth', '32-64-128-16', DEEP, {}, {}
    yield 'depth', '32-64-128-16, residual', dict(DEEP, residual=True), {}, {}
    yield 'depth', '32-64-128-16, residual, dynamic', dict(DEEP, residual=True), {}, dict(cbs=[dynamic(DynamicRegularizer)])
    yield 'depth', '32-64-128-16, dynamic penalty', DEEP, {}, dict(cbs=[dynamic(DynamicPenalty)])
    for o in (3e-3, 1e-2): yield 'schedule', f'one cycle to {o:g}', {}, dict(lr=o), dict(schedule='one_cycle')
    yield 'schedule', 'one cycle to 0.003, batches of 4', dict(bs=4), dict(lr=3e-3), dict(schedule='one_cycle')
    yield 'schedule', 'the same, a third of the epochs', dict(bs=4), dict(lr=3e-3), dict(schedule='one_cycle', part=1/3)
    yield 'together', 'one cycle, 4, mse+ssim', dict(bs=4), dict(lr=3e-3, loss_func='mse+ssim'), dict(schedule='one_cycle')
    yield 'together', 'one cycle, 4, transposed', dict(bs=4, decoder='transposed'), dict(lr=3e-3), dict(schedule='one_cycle')

def dynamic(callback):
    "A dynamic regularization whose filter sees about an epoch, and whose strength can reach about 0.3 in 15 of them"
    return callback(state=DynamicStrength(length=17, step=2e-3))

def scores(model, pixels):
    "Mean squared error, SSIM, and the part of the error that alternates from pixel to pixel; uint8, shape (n, h, w, 3)"
    y,x = reconstruct(model, pixels).numpy(),pixels/255.
    ssim = [structural_similarity(a, b, channel_axis=-1, data_range=1., gaussian_weights=True, sigma=1.5,
                                  use_sample_covariance=False) for a,b in zip(x, y)]
    e = y-x
    board = (e[:,::2,::2]-e[:,1::2,::2]-e[:,::2,1::2]+e[:,1::2,1::2])/2
    return float((e**2).mean()),float(np.mean(ssim)),float((board**2).mean()/4/(e**2).mean())

class Watch(Callback):
    "The scores on the validation images and the processor seconds of training after each epoch"
    order = KeepHistory.order+5
    def __init__(self): self.scores,self.seconds,self.lap = [],[],0.
    def before_train(self): self.start = time.process_time()
    def after_train(self): self.lap += time.process_time()-self.start
    def after_epoch(self):
        self.seconds.append(self.lap)
        self.scores.append(scores(self.model, self.dls.store.pixels[self.dls.splits[1]]))

def run(store, epochs, seed=42, bs=BATCH, residual=False, learner_args={}, fit_args={}, **model_args):
    "A Learner after training by one recipe, with its `watch`"
    dls = autoencoder_dls(store, bs=bs)
    model = (ResidualAutoencoder if residual else ConvAutoencoder)(seed=seed, **model_args)
    rate,watch,fit_args = learner_args.get('lr', 1e-3),Watch(),dict(fit_args)
    learn = autoencoder_learner(dls, model, **dict(learner_args, lr=rate or 1e-3))
    if rate is None: learn.lr = find_rate(learn).rate
    epochs,cbs = max(1, round(epochs*fit_args.pop('part', 1))),[*fit_args.pop('cbs', []),watch]
    with learn.no_bar(), learn.no_logging(): fit_autoencoder(learn, epochs, patience=None, cbs=cbs, **fit_args)
    learn.watch = watch
    return learn

def at_seconds(watch, budget):
    "The last mse and ssim within the budget of seconds; '' if not one epoch fits"
    done = int((np.array(watch.seconds)<=budget).sum())
    mse,ssim,_ = watch.scores[done-1]
    return dict(mse_same_seconds=f'{mse:.5f}' if done else '', ssim_same_seconds=f'{ssim:.3f}' if done else '')

def compare(store, epochs, only=None):
    "The rows of the table, and the reconstructions by recipe; of the group `only`, if one is given"
    earlier = run(store, epochs)
    budget,valid = 1.05*earlier.watch.seconds[-1],store.pixels[earlier.dls.splits[1]]
    rows,drawn = [],{'photo':valid[:6]}
    for group,name,model_args,learner_args,fit_args in recipes(autoencoder_perceptual(earlier.model)):
        if only not in (None,group): continue
        learn = run(store, epochs, learner_args=learner_args, fit_args=fit_args, **model_args)
        mse,ssim,board = learn.watch.scores[-1]
        n = sum(o.numel() for o in learn.model.parameters())
        rows.append(dict(group=group, recipe=name, weights=n, rate=f'{learn.lr:.2g}', epochs=len(learn.history),
            seconds=f'{learn.watch.seconds[-1]:.1f}', mse=f'{mse:.5f}', ssim=f'{ssim:.3f}',
            checkerboard=f'{board:.3f}', **at_seconds(learn.watch, budget)))
        if name in DRAWN: drawn[name] = reconstruct(learn.model, valid[:6]).numpy()
        print(*(f'{k} {v}' for k,v in list(rows[-1].items())[1:]), sep='  ', flush=True)
    return rows,drawn

def merged(rows):
    "The rows of the last table, with `rows` in place of those of the same name"
    new = {(o['group'],o['recipe']):o for o in rows}
    return [new.get((o['group'],o['recipe']), o) for o in last_rows('training')]

def draw(drawn, path):
    "The reconstructions side by side, a row per recipe"
    fig,axs = plt.subplots(len(drawn), 1, figsize=(5.5,.8*len(drawn)), layout='constrained')
    for ax,(name,x) in zip(axs, drawn.items()):
        x = x if x.dtype==np.uint8 else np.round(x.clip(0, 1)*255).astype(np.uint8)
        ax.imshow(np.concatenate(list(x), axis=1))
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(name.replace(', ', '\n'), rotation=0, ha='right', va='center', fontsize=8)
    fig.savefig(path, dpi=100, pil_kwargs=dict(quality=85))
    plt.close(fig)

def main():
    "The command"
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--photos', help='a folder of photos (default: 300 sample photos)')
    p.add_argument('--size', type=int, default=64)
    p.add_argument('--epochs', type=int, default=15)
    p.add_argument('--only', metavar='GROUP', help='run one group again, such as "optimizer", and keep the other rows')
    p.add_argument('--small', action='store_true', help='60 photos at 32 pixels, 2 epochs; writes nothing')
    args = p.parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as tmp:
        images = find_images(args.photos) if args.photos else sample_photos(Path(tmp)/'photos', n=60 if args.small else 300)
        store = decode_images(images, 32 if args.small else args.size)
        rows,drawn = compare(store, 2 if args.small else args.epochs, args.only)
    if args.small: return
    if args.only: rows = merged(rows)
    write_table('training', FIELDS, rows, f': {len(images)} photos at {store.size} pixels')
    if not args.only: draw(drawn, HERE/'training.jpg')

if __name__=='__main__': main()
