"""Make the pictures of Home and of the gallery from what the library finds: `python tests/gallery.py`

Mostly photos, so they are JPEG. It takes a few minutes; `python tests/screenshots.py` takes those of the explorer."""
import tempfile
from pathlib import Path
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from unsupervised_cluster.all import (ImageClusterer,decode_images,map_2d,plot_map,plot_montage,plot_reconstructions,
                                      plot_scree,reconstruct,sample_photos,thumbnail,tile)

IMAGES = Path(__file__).resolve().parents[1]/'nbs/images'

def save(picture, name):
    "Save axes or an array as JPEG"
    path = IMAGES/f'{name}.jpg'
    if isinstance(picture, np.ndarray): im = Image.fromarray(picture)
    else:
        picture.figure.savefig(path, dpi=100, bbox_inches='tight', pad_inches=.05, pil_kwargs=dict(quality=95))
        plt.close(picture.figure)
        im = Image.open(path).convert('RGB')
    im.save(path, quality=78, optimize=True, progressive=True)
    print(path.name, im.size, f'{path.stat().st_size//1000} kB', flush=True)

def columns(clustering, n=3, side=100, gap=4):
    "A column of photos per cluster, the most typical at the top"
    paths = clustering.images.paths
    found = [[thumbnail(paths[i], side) for i in clustering.members(c, n)] for c in range(clustering.n_clusters)]
    return tile(list(zip(*found)), gap)

def card(picture):
    "What a link to the site shows in a chat: 1200 x 630 pixels"
    fig = plt.figure(figsize=(12,6.3), dpi=100, facecolor='white')
    fig.text(.05, .8, 'unsupervised_cluster', size=44, weight='bold', color='#0f766e')
    fig.text(.05, .7, 'Find the patterns in a folder of unlabelled images', size=25, color='#1d2529')
    ax = fig.add_axes((.05, .05, .9, .6))
    ax.imshow(picture)
    ax.axis('off')
    return ax

def photos(folder):
    "998 sample photos, as the command clusters them"
    c = ImageClusterer().fit(sample_photos(folder))
    picture = columns(c.clustering_)
    save(picture, 'montage')
    ax = card(picture)
    ax.figure.savefig(IMAGES/'card.jpg', pil_kwargs=dict(quality=85))
    save(plot_montage(c.clustering_, n=10, side=64), 'gallery_photos')
    save(c.stable_.plot(), 'gallery_agreement')
    _,ax = plt.subplots(figsize=(8,6), layout='constrained')
    save(plot_map(c.clustering_, map_2d(c.features_), n_cells=10, ax=ax), 'gallery_map')

def colours(images):
    "A part of them by the flattened bottleneck, and what the autoencoder draws of them"
    c = ImageClusterer(features='bottleneck', size=96).fit(images)
    save(plot_montage(c.clustering_, n=10, side=72), 'gallery_colours')
    save(plot_scree(c.choice_.sweep), 'gallery_scree')
    pixels = decode_images(images, 96).pixels[:8]
    save(plot_reconstructions(pixels, reconstruct(c.model_, pixels)), 'gallery_drawn')

def digits(folder):
    "1,797 handwritten digits of 8 x 8 pixels"
    folder.mkdir()
    for i,o in enumerate(load_digits().images): Image.fromarray(np.uint8(255-o*15.9)).save(folder/f'{i:04}.png')
    save(plot_montage(ImageClusterer(n_clusters=10).fit(folder).clustering_, n=14, side=48), 'gallery_digits')

def main():
    with tempfile.TemporaryDirectory() as top:
        photos(Path(top)/'photos')
        colours(sample_photos(Path(top)/'fewer', n=300, max_side=256))
        digits(Path(top)/'digits')

if __name__=='__main__': main()
