"""Images whose kinds are known. The kinds are for scores afterwards: nothing sees them before."""
import gzip
from pathlib import Path
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from unsupervised_cluster.all import find_images, sample_photos, sample_truth

def as_pictures(arrays, folder):
    "Grey arrays as PNG files, in their order"
    folder.mkdir()
    for i,o in enumerate(arrays): Image.fromarray(o).save(folder/f'{i:05}.png')
    return find_images(folder)

def idx(path):
    "An idx file, compressed, as an array"
    with gzip.open(path) as f: data = f.read()
    n = data[3]
    shape = np.frombuffer(data, '>i4', n, 4)
    return np.frombuffer(data, np.uint8, offset=4+4*n).reshape(shape)

def known_images(photos, mnist, tmp, small=False):
    "Name, images and kinds of each set: sample photos and digits, and those that there are folders of"
    images = sample_photos(tmp/'photos', n=120 if small else 500)
    yield 'sample photos', images, np.array(sample_truth(images))
    digits,n = load_digits(),200 if small else None
    yield 'digits', as_pictures((digits.images[:n]*15.9).astype(np.uint8), tmp/'digits'), digits.target[:n]
    if photos:
        images = find_images(photos)
        kinds = np.unique([o.stem.rsplit('_', 1)[-1] for o in images.paths], return_inverse=True)[1]
        yield Path(photos).name, images, kinds
    if mnist:
        x,y = (idx(next(Path(mnist).glob(f'*{o}*'))) for o in ('images','labels'))
        yield 'MNIST', as_pictures(x, tmp/'mnist'), y

def add_folders(parser):
    "The arguments that say where more images are"
    parser.add_argument('--photos', help='a folder of photos whose names end in _KIND')
    parser.add_argument('--mnist', help='a folder with MNIST images and labels, idx, compressed')
