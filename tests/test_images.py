"What a folder of images may hold, how large it may be, and what of it is nobody's photo"
import re, shutil, subprocess, sys, warnings
from pathlib import Path
import numpy as np, pytest
from PIL import Image
sys.path.insert(0, str(Path(__file__).resolve().parents[1]/'benchmarks'))
import bad_input as bad
from unsupervised_cluster import decoding
from unsupervised_cluster.cluster import cluster_features
from unsupervised_cluster.core import NoImagesError, write_json
from unsupervised_cluster.decoding import to_rgb
from unsupervised_cluster.export import export_folders
from unsupervised_cluster.images import BrokenImageError, JUNK_FOLDERS, check_images, find_images, image_files, open_image
from unsupervised_cluster.pixels import RESIZE_METHODS, decode_images
from unsupervised_cluster.results import Features

# ---- Every mode

def at_once(im):
    "RGB by the shortest way, whatever memory it takes"
    if im.mode in ('I','F') or im.mode.startswith('I;16'):
        x = np.nan_to_num(np.asarray(im, dtype=float))
        full = 1. if im.mode=='F' else 65535.
        lo,hi = (0.,full) if x.min()>=0 and x.max()<=full else (x.min(), x.max())
        im = Image.fromarray(np.round((x-lo)*(255/(hi-lo or 1))).astype(np.uint8))
    if im.has_transparency_data:
        im = im.convert('RGBA')
        im = Image.alpha_composite(Image.new('RGBA', im.size, 'white'), im)
    return im.convert('RGB')

def of_mode(mode, size=(1300,700)):
    "A gradient in any of Pillow's modes, with something transparent where there can be"
    grey = Image.radial_gradient('L').resize(size)
    x,rgb = np.asarray(grey).astype(float),Image.merge('RGB', (grey, Image.linear_gradient('L').resize(size), grey))
    if mode in ('I;16','I;16L','I;16B'): return Image.frombytes(mode, size, (x*257).astype('>u2' if mode[-1]=='B' else '<u2').tobytes())
    if mode=='I': return Image.fromarray((x*999).astype(np.int32)-5)
    if mode=='F': return Image.fromarray(np.where(x>200, np.nan, x/255).astype(np.float32))
    if mode=='P;bytes':
        im = rgb.quantize(64)
        im.info['transparency'] = bytes(range(0, 256, 4))
        return im
    if mode=='RGB;color': rgb.info['transparency'] = rgb.getpixel((5,5))
    if mode in ('RGBA','LA','PA'):
        rgb.putalpha(grey)
        return rgb.quantize(64).convert('PA') if mode=='PA' else rgb.convert(mode)
    return rgb.convert(mode.partition(';')[0])

MODES = ('1','L','P','P;bytes','RGB','RGB;color','RGBA','LA','PA','CMYK','YCbCr','HSV','I;16','I;16L','I;16B','I','F')

@pytest.mark.parametrize('mode', MODES)
def test_the_squares_of_an_image_are_that_of_the_whole(mode):
    im = of_mode(mode)
    assert to_rgb(im).tobytes()==at_once(im).tobytes()
    assert to_rgb(im, 7).tobytes()==at_once(im).reduce(7).tobytes()
    assert to_rgb(im.crop((0, 0, 1, 1))).tobytes()==at_once(im.crop((0, 0, 1, 1))).tobytes()

# ---- Large ones

def formats():
    "Name, how it is saved, and the mode: one of each kind that decoders treat differently"
    plain = [(o,{},'RGB') for o in ('jpg','png','webp','avif','bmp','tga','ppm','tif','jp2')]
    return [*plain, ('gif',{},'P'), ('png',{},'RGBA'), ('png',{},'LA'), ('png',{},'P;bytes'), ('png',{},'I;16'), ('tif',{},'F'),
            ('tif',{},'CMYK'), ('jpg',dict(progressive=True, subsampling=0),'CMYK'), ('webp',dict(lossless=True),'RGBA'),
            ('tif',dict(compression='tiff_lzw', tiffinfo={278:1500}),'F'), ('tif',dict(tiffinfo={274:6}),'RGB'),
            ('jp2',dict(tile_size=(256,256)),'RGB'), ('jp2',{},'I;16')]

@pytest.mark.parametrize('how', formats(), ids=str)
def test_what_passes_the_check_can_be_decoded(how, tmp_path, monkeypatch):
    "However much room there is: the check, the pictures and the pixels agree whether an image is too large"
    suffix,kwargs,mode = how
    of_mode(mode, (1500,1500)).save(path := tmp_path/f'x.{suffix}', **kwargs)
    whole,found = open_image(path),set()
    assert whole.size==(1500,1500)
    monkeypatch.setattr(decoding, 'LARGE', 600_000)
    for size in (2e6, 5e6, 8e6, 11e6, 16e6, 22e6, 30e6, 40e6, 99e6):
        monkeypatch.setattr('unsupervised_cluster.images.MOST', size)
        table = check_images([path])
        found.add(len(table))
        if not len(table):
            assert re.match('too large: 1500 x 1500 pixels take 0.0 GB', table.broken[0].reason)
            with pytest.raises(BrokenImageError, match='too large'): open_image(path)
            continue
        im = open_image(path)
        assert im.size in ((750,750), (500,500))
        off = np.abs(np.asarray(im, int)-np.asarray(whole.resize(im.size, Image.Resampling.BOX), int))
        assert np.median(off)<=2
        assert decode_images(table, 32).pixels.shape==(1,32,32,3)
    assert found=={0,1}

PEAK = '''
import re,sys
from pathlib import Path
from unsupervised_cluster import decoding
from unsupervised_cluster.images import check_images
from unsupervised_cluster.pixels import decode_images
def memory(what): return int(re.search(what+r':\\s*(\\d+)', Path('/proc/self/status').read_text())[1])/1000
def peak(f):
    Path('/proc/self/clear_refs').write_text('5')
    before = memory('VmRSS')
    f()
    return memory('VmHWM')-before
paths = sorted(Path(sys.argv[1]).iterdir())*3
decode_images([sys.argv[2]], 32)
decoding.LARGE,decoding.ROOM.size,decoding.ROOM.left = 4_000_000,300_000_000,300_000_000
for n in (2,8): print(*[round(peak(o)) for o in (lambda: check_images(paths, n_workers=n), lambda: decode_images(paths, 32, n_workers=n))])
'''

@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='it reads /proc')
def test_many_large_images_take_no_more_memory_than_one(tmp_path):
    bad.picture().save(tmp_path/'small.png')
    (tmp_path/'large').mkdir()
    for mode in ('RGBA','LA','I;16'): of_mode(mode, (6000,6000)).save(tmp_path/f'large/{mode}.png', compress_level=1)
    of_mode('F', (6000,6000)).save(tmp_path/'large/f.tif')
    done = subprocess.run([sys.executable, '-c', PEAK, tmp_path/'large', tmp_path/'small.png'], capture_output=True, text=True, timeout=300)
    assert done.returncode==0, done.stderr
    peaks = [int(o) for o in done.stdout.split()]
    assert len(peaks)==4 and max(peaks)<450, peaks # Twelve images of 72 or 144 MB

def test_a_panorama_needs_no_square_of_its_length(tmp_path):
    for size in ((60_000,30), (30,60_000)):
        Image.new('RGB', size, 'teal').save(path := tmp_path/'x.png')
        for method in RESIZE_METHODS: assert (decode_images([path], 16, method).pixels[0]==(0,128,128)).all()

@pytest.mark.parametrize('format', ['GIF','PNG','WEBP','TIFF','AVIF'])
def test_of_many_frames_only_the_first_is_decoded(format, tmp_path):
    frames = [bad.picture((64,48), (o,o)) for o in ((255,0,0),(0,0,255))*20]
    data = bad.encoded(frames[0], format, save_all=True, append_images=frames[1:])
    (tmp_path/'x').write_bytes(data)
    assert open_image(tmp_path/'x').getpixel((5,5))[0]>240
    if format not in ('WEBP','AVIF'): # Their libraries look for all frames first
        (tmp_path/'x').write_bytes(data[:-len(data)//4])
        assert open_image(tmp_path/'x').getpixel((5,5))[0]>240

# ---- Folders that are nobody's photos

@pytest.fixture
def photos(tmp_path):
    for i in range(3): bad.picture(colours=((i*50,9,9),(9,9,i*50))).save(tmp_path/f'{i}.jpg')
    return tmp_path

def put(folder, name='x.jpg'):
    folder.mkdir(parents=True)
    bad.picture().save(folder/name)

NAMES = sorted(JUNK_FOLDERS)+['@eaDir','$RECYCLE.BIN','System Volume Information','RECYCLER','Lost+Found','iPod Photo Cache',
    'Catalog Previews.lrdata','Photos Library.photoslibrary/resources/derivatives','Library.aplibrary/Thumbnails','appdata_oc1abcdefgh2',
    '.Trash-1000','.thumbnails','.picasaoriginals','.@__thumb','2019/summer/@eaDir/IMG_1.jpg']

@pytest.mark.parametrize('name', NAMES)
def test_a_folder_that_others_made_is_skipped_and_named(name, photos):
    put(photos/name)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        assert find_images(photos).names==['0.jpg','1.jpg','2.jpg']
    top = next(o for o in Path(name).parts if o not in ('2019','summer') and not o.endswith('library'))
    assert top[0]=='.' and not said or len(said)==1 and top in str(said[0].message) and 'everything=True' in str(said[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert len(find_images(photos, everything=True))==4-(top[0]=='.')
        assert len(find_images(photos/name))==1 # It is asked for
    assert len(image_files(photos))==3 and len(image_files(photos, everything=True))==4-(top[0]=='.')

@pytest.mark.parametrize('name', ['recycling','eaDir','@home','#beach','Trash','tmp','thumbnails','Previews','resources','lost','run','originals',
    'appdata_old','My.photoslibrary/originals/A','Old.photolibrary/Masters','Recycle Bin 2019','export','.hidden.not/../visible'])
def test_a_folder_of_photos_is_searched(name, photos):
    put(photos/name.replace('.hidden.not/../', ''))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert len(find_images(photos))==4

def test_many_skipped_folders_are_one_line(photos):
    for i in range(30): put(photos/f'{i}/@eaDir')
    for o in ('#recycle','@tmp','@Recycle','RECYCLER','__MACOSX','lost+found'): put(photos/o)
    (photos/'System Volume Information').mkdir() # No image in it: not a word
    with pytest.warns(UserWarning) as said: find_images(photos)
    text, = (str(o.message) for o in said)
    assert text.startswith('skipped 36 folders') and '@eaDir (30); ' in text and len(text)<300 and 'System' not in text

def test_only_junk_says_what_it_skipped(tmp_path):
    put(tmp_path/'photos/#recycle')
    with pytest.raises(NoImagesError, match='skipped 1 folder .* #recycle'): find_images(tmp_path/'photos')

def clustered(folder):
    "The photos of a folder in two clusters"
    return cluster_features(Features(np.eye(3, dtype=np.float32), find_images(folder)), 2)

def test_runs_and_exports_are_known_by_what_they_are(photos, tmp_path_factory):
    clustering,top = clustered(photos),tmp_path_factory.mktemp('exports')
    put(photos/'run', 'montage.png')
    write_json(photos/'run/run.json', 'Run', {})
    for how in ('copy','link','symlink'):
        export_folders(clustering, top/how, how=how)
        shutil.move(top/how, photos)
    (photos/'cut').mkdir()
    (photos/'cut/export.jsonl').write_text('{"how": "copy", "made": true}\n')
    bad.picture().save(photos/'cut/a.jpg')
    put(photos/'mine')
    for o in ('run.json','export.json'): (photos/'mine'/o).write_text('{"kind": "of mine"}')
    (photos/'mine/export.jsonl').mkdir()
    with pytest.warns(UserWarning, match='skipped 5 folders') as said: names = find_images(photos).names
    assert names==['0.jpg','1.jpg','2.jpg',str(Path('mine/x.jpg'))] and 'run, a saved run' in str(said[0].message)
    assert len(find_images(photos/'copy'))==3

def test_an_export_that_moved_the_photos_is_searched(photos):
    (photos/'camera').mkdir()
    for o in image_files(photos): o.rename(photos/'camera'/o.name)
    export_folders(clustered(photos/'camera'), photos/'sorted', how='move', move_originals=True)
    assert len(find_images(photos))==3

def test_an_export_to_a_folder_of_photos_is_searched(photos):
    for o in ('camera','others'): put(photos/o)
    export_folders(cluster_features(Features(np.eye(1, dtype=np.float32), find_images(photos/'camera')), 1), photos/'others')
    assert len(find_images(photos))==6
