"""What is each change to the training worth? One row per recipe: the same photos, split, seed and number of epochs.

    python benchmarks/training.py                 # 300 sample photos at 96 pixels, 15 epochs
    python benchmarks/training.py --photos DIR    # your own
    python benchmarks/training.py --small         # a few seconds, to see that it runs

It writes training.csv, training.txt (machine and date) and training.jpg (the reconstructions) beside itself.
"""
import argparse, csv, platform, tempfile, time
from datetime import date
from pathlib import Path
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage.metrics import structural_similarity
from fastai.callback.core import Callback
from unsupervised_cluster.all import *

HERE = Path(__file__).resolve().parent
FIELDS = ['group','recipe','weights','rate','epochs','seconds','mse','ssim','mse_same_seconds']

def autoencoder(dls, residual=False, **kwargs):
    "A model seeded by the data; with `residual`, its innermost convolution becomes a perturbed residual branch"
    model = ConvAutoencoder(seed=dls.seed, **kwargs)
    if residual: model.decoder[0] = ResidualBranch(model.decoder[0], torch.Generator().manual_seed(dls.seed))
    return model

DEEP = dict(widths=(32,64,128,16), depth=3)

def recipes(perceptual):
    "Group, name, and what differs from the method's own recipe: arguments of the model, the Learner and the fit"
    yield 'the method', 'nearest, mse, adam 0.001', {}, {}, {}
    for o in ('transposed','pixelshuffle'): yield 'decoder', o, dict(decoder=o), {}, {}
    for o in ('l1','ssim','mse+ssim'): yield 'loss', o, {}, dict(loss_func=o), {}
    yield 'loss', 'perceptual, own autoencoder', {}, dict(loss_func=perceptual), {}
    yield 'loss', 'mse + 0.1 perceptual', {}, dict(loss_func=MixedLoss(['mse',perceptual], [1,.1])), {}
    for o in OPTIMIZERS: yield 'optimizer', o, {}, dict(opt_func=o, lr=.1 if o=='sgd' else 1e-3), {}
    yield 'depth', '32-64-128-16', DEEP, {}, {}
    yield 'depth', '32-64-128-16, residual', dict(DEEP, residual=True), {}, {}
    yield 'depth', '32-64-128-16, residual, dynamic', dict(DEEP, residual=True), {}, dict(cbs=[DynamicRegularizer()])
    yield 'depth', '32-64-128-16, dynamic penalty', DEEP, {}, dict(cbs=[DynamicPenalty()])
    for o in (1e-3, 3e-3, 1e-2): yield 'one cycle', f'adam {o:g}', {}, dict(lr=o), dict(schedule='one_cycle')

def scores(model, pixels):
    "Mean squared error and SSIM on images, uint8, shape (n, h, w, 3)"
    y,x = reconstruct(model, pixels).numpy(),pixels/255.
    ssim = [structural_similarity(a, b, channel_axis=-1, data_range=1., gaussian_weights=True, sigma=1.5,
                                  use_sample_covariance=False) for a,b in zip(x, y)]
    return float(((x-y)**2).mean()),float(np.mean(ssim))

def run(dls, model_args, learner_args, fit_args, epochs):
    "A Learner after training by one recipe"
    learn = autoencoder_learner(dls, autoencoder(dls, **model_args), **learner_args)
    with learn.no_bar(), learn.no_logging(): fit_autoencoder(learn, epochs, patience=None, **fit_args)
    return learn

def at_seconds(errors, seconds, budget):
    "The last validation error, mse, within the budget of seconds; None if not one epoch fits"
    done = np.cumsum(seconds)<=budget
    return errors[done.sum()-1] if done.any() else None

class ErrorEachEpoch(Callback):
    "Keep the mean squared error on the validation images after each epoch, whatever the loss is"
    order = KeepHistory.order+5
    def __init__(self): self.errors = []
    def after_epoch(self):
        store = self.dls.store
        y = reconstruct(self.model, store.pixels[self.dls.splits[1]]).numpy()
        self.errors.append(float(((store.pixels[self.dls.splits[1]]/255.-y)**2).mean()))

def compare(dls, epochs, budget_part=.5):
    "The rows of the table, and the reconstructions by recipe"
    earlier = run(dls, {}, {}, {}, epochs)
    budget,valid = sum(earlier.history.seconds)*budget_part,dls.store.pixels[dls.splits[1]]
    rows,drawn = [],{'photo':valid[:6]}
    for group,name,model_args,learner_args,fit_args in recipes(autoencoder_perceptual(earlier.model)):
        errors,start = ErrorEachEpoch(),time.perf_counter()
        fit_args = dict(fit_args, cbs=[*fit_args.get('cbs', []), errors])
        learn = run(dls, model_args, learner_args, fit_args, epochs)
        mse,ssim = scores(learn.model, valid)
        n = sum(o.numel() for o in learn.model.parameters())
        same = at_seconds(errors.errors, learn.history.seconds, budget)
        rows.append(dict(group=group, recipe=name, weights=n, rate=f'{learn.lr:.2g}', epochs=epochs,
            seconds=f'{sum(learn.history.seconds):.1f}', mse=f'{mse:.5f}', ssim=f'{ssim:.3f}',
            mse_same_seconds='' if same is None else f'{same:.5f}'))
        drawn[name] = reconstruct(learn.model, valid[:6]).numpy()
        print(f'{group:20} {name:34} mse {mse:.5f}  ssim {ssim:.3f}  {time.perf_counter()-start:.0f} s', flush=True)
    return rows,drawn

def draw(drawn, path):
    "The reconstructions side by side, a row per recipe"
    fig,axs = plt.subplots(len(drawn), 1, figsize=(6,1.02*len(drawn)), layout='constrained')
    for ax,(name,x) in zip(axs, drawn.items()):
        x = x if x.dtype==np.uint8 else np.round(x.clip(0, 1)*255).astype(np.uint8)
        ax.imshow(np.concatenate(list(x), axis=1))
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(name.replace(', ', '\n'), rotation=0, ha='right', va='center', fontsize=8)
    fig.savefig(path, dpi=90, pil_kwargs=dict(quality=85))
    plt.close(fig)

def main():
    "The command"
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--photos', help='a folder of photos (default: 300 sample photos)')
    p.add_argument('--size', type=int, default=96)
    p.add_argument('--epochs', type=int, default=15)
    p.add_argument('--small', action='store_true', help='60 photos at 32 pixels, 2 epochs; writes nothing')
    args = p.parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as tmp:
        images = find_images(args.photos) if args.photos else sample_photos(Path(tmp)/'photos', n=60 if args.small else 300)
        dls = autoencoder_dls(images, size=32 if args.small else args.size, bs=10)
        rows,drawn = compare(dls, 2 if args.small else args.epochs)
    if args.small: return
    with (HERE/'training.csv').open('w', newline='', encoding='utf-8') as f:
        out = csv.DictWriter(f, FIELDS)
        out.writeheader()
        out.writerows(rows)
    (HERE/'training.txt').write_text(f'{date.today()}, {platform.machine()}, {torch.get_num_threads()} threads, torch '
                                     f'{torch.__version__.split("+")[0]}: {len(images)} photos at {dls.store.size} pixels\n')
    draw(drawn, HERE/'training.jpg')

if __name__=='__main__': main()
