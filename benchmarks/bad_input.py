"""What a folder of photos, or a run folder from a stranger, may hold: the trials of safety.py and of tests/test_safety.py."""
import base64, io, json, math, os, pickle, shutil, socket, struct, warnings, zipfile, zlib
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from PIL import Image, ImageCms
from safetensors import safe_open
from safetensors.numpy import save_file
from unsupervised_cluster.core import file_hash, write_json
from unsupervised_cluster.export import JOURNAL, MANIFEST
from unsupervised_cluster.runs import run_hashes

RED,BLUE,WHITE,BLACK = (220,60,40),(40,80,200),(255,255,255),(0,0,0)

def picture(size=(32,24), colours=(RED,BLUE)):
    "Two halves, left and right"
    w,h = size
    x = np.empty((h,w,3), np.uint8)
    x[:,:(w+1)//2],x[:,(w+1)//2:] = colours
    return Image.fromarray(x)

def encoded(im, format='PNG', **kwargs):
    "The bytes of an image file"
    out = io.BytesIO()
    im.save(out, format, **kwargs)
    return out.getvalue()

def shows(im, colours=(RED,BLUE)):
    "Whether an image is that of `picture`"
    at = lambda part: np.array(im.getpixel((int(im.width*part), im.height//2)), float)
    return all(np.abs(at(part)-o).max()<40 for part,o in zip((.25,.75), colours))

def chunk(kind, data): return struct.pack('>I', len(data))+kind+data+struct.pack('>I', zlib.crc32(kind+data))

def huge_png(width, height, depth=1, kind=0):
    "A white PNG of so many bits per channel, however large; of one, two (grey and alpha), three or four channels"
    press,bits = zlib.compressobj(1),depth*{0:1, 2:3, 4:2, 6:4}[kind]
    row = b'\0'+b'\xff'*-(-width*bits//8)
    data = b''.join([*(press.compress(row) for _ in range(height)), press.flush()])
    head = struct.pack('>IIBBBBB', width, height, depth, kind, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n'+chunk(b'IHDR', head)+chunk(b'IDAT', data)+chunk(b'IEND', b'')

def deep_png(kind):
    "A PNG of 16 bits per channel, of `picture`; Pillow writes none in colour"
    rgb = np.asarray(picture(colours=(RED,BLUE) if kind==2 else (WHITE,BLACK)), dtype='>u2')*257
    rows = (rgb if kind==2 else rgb[...,:1]).reshape(24, -1)
    data = b''.join(b'\0'+o.tobytes() for o in rows)
    head = chunk(b'IHDR', struct.pack('>IIBBBBB', 32, 24, 16, kind, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n'+head+chunk(b'IDAT', zlib.compress(data))+chunk(b'IEND', b'')

def in_the_middle(data, new):
    "Bytes with some in their middle replaced"
    i = len(data)//2
    return data[:i]+new+data[i+len(new):]

def rotated(orientation):
    "`picture` as a camera saves it that was held in one of eight ways"
    back = {2:Image.Transpose.FLIP_LEFT_RIGHT, 3:Image.Transpose.ROTATE_180, 4:Image.Transpose.FLIP_TOP_BOTTOM,
            5:Image.Transpose.TRANSPOSE, 6:Image.Transpose.ROTATE_90, 7:Image.Transpose.TRANSVERSE, 8:Image.Transpose.ROTATE_270}
    im,exif = picture(),Image.Exif()
    exif[0x112] = orientation
    return encoded(im.transpose(back[orientation]) if orientation in back else im, 'JPEG', exif=exif)

def with_alpha():
    "The left half is transparent, so white"
    im = picture().convert('RGBA')
    im.putalpha(Image.fromarray(np.repeat(np.array([[0,255]], np.uint8), 16, 1).repeat(24, 0)))
    return im

#: The left half red, the right one blue, in the arithmetic coding that few programs write
ARITHMETIC = base64.b64decode(
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpR'
    'Uk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//yQARCAAYACADASIAAhEB'
    'AxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD+kCaPaQFNMPp1E1DftaVg/9k=')

@dataclass(frozen=True)
class Kind:
    "A kind of file: what it is, its name, its bytes or what makes it, and what should become of it"
    what:str
    name:str|bytes
    make:object
    reason:str = '' # How the reason begins for which it is set aside; '' for an image that is clustered
    colours:tuple = (RED,BLUE) # Of the two halves that are to be seen; None where there is nothing to compare

    def put(self, folder):
        "Make it in `folder`"
        path = Path(os.fsdecode(os.path.join(os.fsencode(folder), os.fsencode(self.name))))
        if callable(self.make): self.make(path)
        else: path.write_bytes(self.make)
        return path

def images():
    "Files that are images, if not of the usual kind"
    im,jpeg = picture(),encoded(picture(), 'JPEG')
    others,grey = [picture(colours=o) for o in ((WHITE,BLACK),(BLACK,BLACK))],(WHITE,BLACK)
    half = Image.fromarray(np.repeat(np.array([[0,255]], np.uint8), 16, 1).repeat(24, 0))
    floats = np.where(np.arange(32)<16, 1, 0).astype(np.float32)[None].repeat(24, 0)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    clear = im.quantize(4)
    yield Kind('wrong suffix: a JPEG named .png', 'wrong.png', jpeg)
    yield Kind('1 x 1 pixel', '1x1.png', encoded(picture((1,1))), colours=(RED,RED))
    yield Kind('1 x 10,000 pixels', 'thin.png', encoded(picture((1,10_000))), colours=(RED,RED))
    yield Kind('10,000 x 1 pixels', 'flat.png', encoded(picture((10_000,1))))
    yield Kind('12,000 x 9,000 pixels', 'large.png', huge_png(12_000, 9_000), colours=(WHITE,WHITE))
    yield Kind('16-bit grey PNG', 'deep grey.png', deep_png(0), colours=grey)
    yield Kind('16-bit colour PNG', 'deep.png', deep_png(2))
    yield Kind('32-bit float TIFF', 'float.tif', encoded(Image.fromarray(floats), 'TIFF'), colours=grey)
    yield Kind('float TIFF with NaN and infinity', 'nan.tif', colours=None,
               make=encoded(Image.fromarray(np.where(floats>0, np.nan, np.inf).astype(np.float32)), 'TIFF'))
    yield Kind('16-bit grey TIFF, the other byte first', 'deep.tif', colours=grey,
               make=encoded(Image.frombytes('I;16B', (32,24), (floats*65535).astype('>u2').tobytes()), 'TIFF'))
    yield Kind('TIFF in L*a*b* colours', 'lab.tif', encoded(ImageCms.profileToProfile(
        im, *map(ImageCms.createProfile, ('sRGB','LAB')), outputMode='LAB'), 'TIFF'))
    yield Kind('TIFF packed in one strip', 'strip.tif', encoded(picture((320,240)), 'TIFF', compression='tiff_lzw', tiffinfo={278:240}))
    yield Kind('JPEG 2000 in tiles', 'tiles.jp2', encoded(picture((320,240)), 'JPEG2000', tile_size=(100,100)))
    yield Kind('AVIF', 'picture.avif', encoded(im, 'AVIF', quality=95))
    yield Kind('grey PNG with transparency', 'grey alpha.png', colours=(WHITE,BLACK),
               make=encoded(Image.merge('LA', (Image.new('L', (32,24)), half))))
    yield Kind('palette with a transparency for each colour', 'alphas.png', colours=(WHITE,BLUE),
               make=encoded(clear, transparency=bytes(255*(i!=clear.getpixel((2,2))) for i in range(4))))
    yield Kind('animated PNG', 'moves.png', encoded(im, save_all=True, append_images=others))
    yield Kind('CMYK JPEG', 'cmyk.jpg', encoded(im.convert('CMYK'), 'JPEG'))
    yield Kind('CMYK TIFF', 'cmyk.tif', encoded(im.convert('CMYK'), 'TIFF'))
    yield Kind('1-bit TIFF', 'bit.tif', encoded(others[0].convert('1'), 'TIFF', compression='group4'), colours=grey)
    yield Kind('palette with a transparent colour', 'palette.png', colours=(WHITE,BLUE),
               make=encoded(clear, transparency=clear.getpixel((2,2))))
    yield Kind('transparent PNG', 'alpha.png', encoded(with_alpha()), colours=(WHITE,BLUE))
    yield Kind('animated GIF', 'moves.gif', encoded(im, 'GIF', save_all=True, append_images=others))
    yield Kind('animated WebP', 'moves.webp', encoded(im, 'WEBP', save_all=True, append_images=others, lossless=True))
    yield Kind('progressive JPEG', 'progressive.jpg', encoded(im, 'JPEG', progressive=True))
    yield Kind('arithmetic JPEG', 'arithmetic.jpg', ARITHMETIC)
    yield Kind('TIFF of three pages', 'pages.tif', encoded(im, 'TIFF', save_all=True, append_images=others))
    for i in range(1, 9): yield Kind(f'EXIF rotation {i}', f'exif {i}.jpg', rotated(i))
    yield Kind('EXIF rotation 99', 'exif 99.jpg', rotated(99))
    yield Kind('broken EXIF', 'exif.jpg', encoded(im, 'JPEG', exif=b'Exif\0\0II*\0'+b'\xff'*40))
    yield Kind('ICC profile', 'icc.jpg', encoded(im, 'JPEG', icc_profile=srgb))
    yield Kind('broken ICC profile', 'bad icc.jpg', encoded(im, 'JPEG', icc_profile=b'\xff'*500))
    yield Kind('JPEG with other data after its end', 'more.jpg', jpeg+b'PK\3\4'+b'x'*500)
    yield Kind('JPEG damaged in the middle of its lines', 'lines.jpg', colours=None,
               make=in_the_middle(encoded(picture((320,240)), 'JPEG', quality=95), b'\x12'*20))

def stretch(path, data, size=2**32-2):
    "A file that begins with `data` and goes on with zeros, which take no room on the disk"
    with path.open('wb') as f:
        f.write(data)
        f.truncate(size)

def broken():
    "Files that are named like images and are none that can be used"
    im,png,jpeg,noise = picture(),encoded(picture()),encoded(picture((320,240)), 'JPEG'),np.random.default_rng(0)
    detailed = encoded(Image.fromarray(noise.integers(0, 255, (64,64,3), np.uint8)))
    yield Kind('truncated JPEG', 'cut.jpg', jpeg[:len(jpeg)//2], 'damaged: ')
    yield Kind('truncated PNG', 'cut.png', detailed[:len(detailed)//2], 'damaged: ')
    yield Kind('only the first bytes of a JPEG', 'head.jpg', jpeg[:20], 'not an image|damaged: ')
    yield Kind('zero bytes', 'zero.jpg', b'', 'empty file')
    yield Kind('text named .jpg', 'text.jpg', b'Dear Sir or Madam', 'not an image')
    yield Kind('HTML named .png', 'page.png', b'<!doctype html><script>alert(1)</script>', 'not an image')
    yield Kind('SVG named .png', 'svg.png', b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'not an image')
    yield Kind('PostScript named .jpg, a program to run', 'ps.jpg', b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 'not an image')
    yield Kind('zip named .png', 'zip.png', b'PK\3\4'+bytes(100), 'not an image')
    yield Kind('pickle named .jpg', 'pickle.jpg', pickle.dumps(range(9)), 'not an image')
    yield Kind('random bytes named .webp', 'noise.webp', noise.bytes(2000), 'not an image')
    yield Kind('PNG damaged in the middle', 'middle.png', in_the_middle(detailed, b'damaged'), 'damaged: ')
    yield Kind('PNG of 0 x 0 pixels', '0x0.png', png[:16]+bytes(8)+png[24:], 'damaged: |not an image')
    yield Kind('decompression bomb: 50,000 x 50,000', 'bomb.png', huge_png(50_000, 50_000), 'too large')
    yield Kind('30,000 x 20,000 pixels', 'huge.png', huge_png(30_000, 20_000), 'too large')
    yield Kind('PNG that claims 2**31 x 2**31', 'claims.png', png[:8]+chunk(b'IHDR', b'\x7f\xff\xff\xff'*2+png[24:29])+png[33:], 'too large|damaged: ')
    bomb = chunk(b'zTXt', b'Comment\0\0'+zlib.compress(bytes(2**26)))
    yield Kind('PNG with a text of 64 MB', 'comment.png', png[:33]+bomb+png[33:], 'damaged: ')
    yield Kind('WebP of 4 GB, most of them nowhere', 'sparse.webp', lambda o: stretch(o, encoded(im, 'WEBP')), 'damaged: ')
    yield Kind('PNG with a chunk of 2 GB, most of it nowhere', 'sparse.png', reason='damaged: ',
               make=lambda o: stretch(o, png[:33]+struct.pack('>I', 2**31-1)+b'prVt'))

def bind(path):
    "A socket under a name of any length"
    here,s = os.getcwd(),socket.socket(socket.AF_UNIX)
    os.chdir(path.parent)
    try: s.bind(path.name)
    finally: os.chdir(here)
    s.close()

def changing(path, change):
    "An image at the time of the search, and something else when it is read"
    path.write_bytes(encoded(picture()))
    CHANGES[path] = change

CHANGES = {}
def become_pipe(path):
    path.unlink()
    os.mkfifo(path)

def special():
    "What is no file, or does not stay one"
    yield Kind('link to an image', 'link.png', lambda o: o.symlink_to(Path(__file__).parents[1]/'nbs/images/montage.jpg'), colours=None)
    yield Kind('link to nothing', 'nothing.jpg', lambda o: o.symlink_to('nowhere'), 'a link to nothing')
    yield Kind('link to itself', 'itself.jpg', lambda o: o.symlink_to(o.name), 'a link to nothing')
    yield Kind('pipe (FIFO)', 'pipe.jpg', os.mkfifo, 'not a file')
    yield Kind('socket', 'socket.jpg', bind, 'not a file')
    yield Kind('link to /dev/zero', 'device.jpg', lambda o: o.symlink_to('/dev/zero'), 'not a file')
    yield Kind('vanishes between listing and reading', 'vanishes.jpg', lambda o: changing(o, Path.unlink), 'vanished')
    yield Kind('becomes a text in between', 'text.png', lambda o: changing(o, lambda o: o.write_text('text')), 'not an image')
    yield Kind('is cut short in between', 'shrinks.png', lambda o: changing(o, lambda o: os.truncate(o, 60)), 'damaged: |not an image')
    yield Kind('becomes a pipe in between', 'becomes.png', lambda o: changing(o, become_pipe), 'not a file')
    yield Kind('unreadable permissions', 'locked.jpg', lambda o: (o.write_bytes(encoded(picture(), 'JPEG')), o.chmod(0)), 'no permission')

#: Names of files, all of them images
NAMES = {'a name with spaces':'a b  c .png', 'with a newline':'a\nb.png', 'with an emoji':'\U0001f431.png', 'with <script>':'<script>alert(1)<script>.png',
         'of 255 bytes':'x'*251+'.png', 'that is no UTF-8':b'\xff\xfe.png', 'with quotes and commas':'a",\'b;.png', 'with a tab and a bell':'a\t\a.png',
         'that looks like an option':'--out.png', 'that reads backwards':'a\u202egnp.png', 'in capitals':'A.PNG', 'with a dollar and braces':'$x{y}%s.png'}

def names():
    "Files with names that programs stumble over"
    for what,o in NAMES.items(): yield Kind(f'a name {what}'.replace('a name a name', 'a name'), o, encoded(picture()))

# ---- Run folders from a stranger

class Attack:
    "What a pickle can do: run anything when it is loaded"
    def __init__(self, path): self.path = path
    def __reduce__(self): return exec, (f'open({str(self.path)!r}, "w").close()',)

def change_json(file, *keys, value):
    "Change one value of a JSON file of the run, or of the JSON in the header of a safetensors file"
    def change(run):
        path = run/file
        head,arrays = (json.loads(path.read_text()),None) if path.suffix=='.json' else arrays_of(path)
        at = head
        for k in keys[:-1]: at = at[k]
        at[keys[-1]] = value
        if arrays is None: path.write_text(json.dumps(head))
        else: save_file(arrays, path, metadata=dict(json=json.dumps(head)))
    return change

def arrays_of(path):
    "The JSON and the arrays of a safetensors file"
    with safe_open(path, 'np') as f: return json.loads(f.metadata()['json']),{k:f.get_tensor(k) for k in f.keys()}

def change_array(file, name, f):
    "Change one array of a safetensors file"
    def change(run):
        head,arrays = arrays_of(run/file)
        arrays[name] = np.ascontiguousarray(f(arrays[name]))
        save_file(arrays, run/file, metadata=dict(json=json.dumps(head)))
    return change

def replaced(file, data):
    "Put other bytes in place of a file"
    return lambda run: (run/file).write_bytes(data(run) if callable(data) else data)

def npy(x, **kwargs):
    "The bytes of a .npy file"
    out = io.BytesIO()
    np.save(out, x, **kwargs)
    return out.getvalue()

def npy_claim(shape, descr='<f4'):
    "A .npy file that claims to be large"
    head = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117)+'\n'
    return b'\x93NUMPY\1\0'+struct.pack('<H', len(head))+head.encode()+bytes(64)

def st_claim(header, size=None):
    "A safetensors file with this header, whose length may be a lie"
    return struct.pack('<Q', len(header) if size is None else size)+header

def zipped(name, data):
    "A zip, or an .npz"
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as z: z.writestr(name, data)
    return out.getvalue()

def pipe(file):
    "A pipe in place of a file"
    def change(run):
        (run/file).unlink()
        os.mkfifo(run/file)
    return change

def sparse(file, size):
    "A file of that many bytes, which take no room on the disk"
    def change(run):
        with (run/file).open('wb') as f: f.truncate(size)
    return change

def hollow_array(file, shape, name='x', dtype='F32'):
    "A safetensors file with the JSON of the one that is there, and with one array that takes no room on the disk"
    def change(run):
        with safe_open(run/file, 'np') as f: head = f.metadata()
        size = {'F32':4, 'I64':8}[dtype]*math.prod(shape)
        data = st_claim(json.dumps({'__metadata__':head, name:dict(dtype=dtype, shape=shape, data_offsets=[0,size])}).encode())
        (run/file).write_bytes(data)
        os.truncate(run/file, len(data)+size)
    return change

def hollow_rows(columns):
    "Rows of features, as many as there are, that take no room on the disk"
    def change(run):
        n = len(np.load(run/'features.npy'))
        data = npy_claim((n,columns))[:-64]
        (run/'features.npy').write_bytes(data)
        os.truncate(run/'features.npy', len(data)+4*columns*n)
    return change

def stuffed(file, text, n):
    "A JSON file with so many pieces of text in a list"
    return lambda run: (run/file).write_bytes((run/file).read_bytes().rstrip()[:-1]+b', "more": ['+text*n+b'0]}')

def one_codebook(**kwargs):
    "An encoder with one codebook in place of one with several, which has more arguments"
    def change(run):
        head,arrays = arrays_of(run/'model.safetensors')
        arrays = {k[2:]:o for k,o in arrays.items() if k.startswith('0.')}
        head |= dict(name='gradients', arguments=kwargs)
        save_file(arrays, run/'model.safetensors', metadata=dict(json=json.dumps(head)))
    return change

def attack(run): return pickle.dumps(Attack(run.parent/'attacked'))

def forge(run):
    "Write the hashes into run.json that the files have now"
    path = run/'run.json'
    if not path.is_file() or path.stat().st_size>10**7: return
    try: said = json.loads(path.read_text())
    except (ValueError, RecursionError): return
    large = any(o.stat().st_size>2**28 for o in run.iterdir()) # It takes a while, and they are to be refused before
    if isinstance(said, dict) and not large: path.write_text(json.dumps(said | dict(files=run_hashes(run))))

#: What is done to a run folder, by what it is; each is to be refused, and nothing of it to run
HOSTILE = {
    'a pickle in place of features.npy': replaced('features.npy', attack),
    'pickled objects in features.npy': replaced('features.npy', lambda run: npy(np.array([Attack(run.parent/'attacked')]), allow_pickle=True)),
    'a zip in place of features.npy': replaced('features.npy', lambda run: zipped('x.npy', npy(np.zeros((2,2))))),
    'features.npy that claims 4 TB': replaced('features.npy', npy_claim((10**6,10**6))),
    'features.npy that claims 10**30 numbers': replaced('features.npy', npy_claim((10**15,10**15))),
    'features.npy of less than nothing': replaced('features.npy', npy_claim((-5,3))),
    'features.npy of texts': replaced('features.npy', lambda run: npy(np.load(run/'features.npy').astype(str))),
    'features.npy of NaN': replaced('features.npy', lambda run: npy(np.load(run/'features.npy')*np.nan)),
    'features.npy of one image': replaced('features.npy', lambda run: npy(np.load(run/'features.npy')[:1])),
    'features.npy with a header that never ends': replaced('features.npy', npy_claim('('*50)),
    'a pipe in place of features.npy': pipe('features.npy'),
    'a zip in place of weights': replaced('model.safetensors', lambda run: zipped('data.pkl', attack(run))),
    'a pickle in place of weights': replaced('model.safetensors', attack),
    'weights with a header of 2**60 bytes': replaced('model.safetensors', st_claim(b'{}', 2**60)),
    'weights that are said to have 1 TB': replaced('model.safetensors', st_claim(
        json.dumps({'x':dict(dtype='F32', shape=[2**20,2**18], data_offsets=[0,2**40])}).encode())),
    'weights with overlapping places': replaced('model.safetensors', st_claim(json.dumps(
        {o:dict(dtype='F32', shape=[1], data_offsets=[0,4]) for o in 'ab'}).encode())+bytes(4)),
    'weights that are empty': replaced('model.safetensors', b''),
    'a pipe in place of weights': pipe('model.safetensors'),
    'weights cut short': lambda run: os.truncate(run/'model.safetensors', (run/'model.safetensors').stat().st_size//2),
    'clustering of another shape': change_array('clustering.safetensors', 'labels', lambda o: o[:3]),
    'labels of clusters that are not there': change_array('clustering.safetensors', 'labels', lambda o: o+99),
    'labels that are no whole numbers': change_array('clustering.safetensors', 'labels', lambda o: o+.5),
    'centres without a dimension': change_array('clustering.safetensors', 'centers', lambda o: o[:,0]),
    'centres of NaN': change_array('clustering.safetensors', 'centers', lambda o: o*np.nan),
    'clusters with names that are lists': change_json('clustering.safetensors', 'names', value=[[]]),
    'images without sizes': change_json('clustering.safetensors', 'images', 'sizes', value=[]),
    'images with the sizes 10**400': change_json('clustering.safetensors', 'images', 'sizes', value=[[10**400,1]]*12),
    'images whose paths are numbers': change_json('clustering.safetensors', 'images', 'paths', value=[1]*12),
    'run.json that is a list': replaced('run.json', b'[]'),
    'run.json of another kind': replaced('run.json', b'{"kind":"Trojan", "version":1}'),
    'run.json of the next version': change_json('run.json', 'version', value=2),
    'run.json nested 100,000 deep': replaced('run.json', b'['*100_000),
    'run.json of 8 GB': sparse('run.json', 2**33),
    'run.json that is no text': replaced('run.json', b'\xff\xfe\x00'),
    'run.json with a number of 10,000 digits': replaced('run.json', b'{"kind":'+b'9'*10_000+b'}'),
    'a pipe in place of run.json': pipe('run.json'),
    'arguments that are unknown': change_json('run.json', 'arguments', value=dict(system='rm -rf /')),
    'features of an unknown kind': change_json('run.json', 'arguments', 'features', value='os.system'),
    'features that are a list': change_json('run.json', 'arguments', 'features', value=['gradients']),
    'training that is no history': change_json('run.json', 'training', value='x'),
    'a size that is a text': change_json('run.json', 'size', value='../..'),
    'a size of 10**9': change_json('run.json', 'size', value=10**9),
    'numbers of clusters that are no numbers': change_json('run.json', 'ks', value='x'),
    'run.json with 40 MB of empty lists': stuffed('run.json', b'[],', 13_000_000),
    'run.json with 40 MB of empty tables': stuffed('run.json', b'{},', 13_000_000),
    'features.json with 40 MB of numbers': stuffed('features.json', b'0,', 40_000_000),
    'run.json that is a hole': sparse('run.json', 2**27),
    'features.npy of 12 GB that is a hole': hollow_rows(2**28),
    'features.npy of 1e300': replaced('features.npy', lambda run: npy(np.load(run/'features.npy').astype(float)*0+1e300)),
    'features.npy of complex numbers': replaced('features.npy', lambda run: npy(np.load(run/'features.npy').astype(complex))),
    'features.npy of whole numbers': replaced('features.npy', lambda run: npy(np.load(run/'features.npy').astype(int))),
    'features.npy of records': replaced('features.npy', lambda run: npy(np.zeros(12, [('a','f4')]))),
    'features.npy in the other order of bytes': replaced('features.npy', lambda run: npy(np.load(run/'features.npy').astype('>f4'))),
    'features.npy of one column more': replaced('features.npy', lambda run: npy(np.pad(np.load(run/'features.npy'), ((0,0),(0,1))))),
    'weights of 4 GB that are a hole': hollow_array('model.safetensors', [2**30]),
    'a clustering of 4 GB that is a hole': hollow_array('clustering.safetensors', [12,2**26], 'distances'),
    'a clustering of centres in too many dimensions': change_array('clustering.safetensors', 'centers', lambda o: np.pad(o, ((0,0),(0,1)))),
    'labels of 64 bits that are near the end': change_array('clustering.safetensors', 'labels', lambda o: o-2**62),
    'arguments for an argument': change_json('run.json', 'arguments', 'features__x', value=1),
    'a number of clusters that is a list': change_json('run.json', 'arguments', 'n_clusters', value=[2]),
    'a learning rate that is a text': change_json('run.json', 'arguments', 'lr', value='fast'),
    'batches of 0': change_json('run.json', 'arguments', 'bs', value=0),
    'a seed of 10**400': change_json('run.json', 'arguments', 'seed', value=10**400),
    'a size of 16,384': change_json('run.json', 'size', value=16384),
    'a size of 2.5': change_json('run.json', 'size', value=2.5),
    'a clusterer that is none': change_json('run.json', 'clusterer', value='eval'),
    'stamps that are a list': change_json('run.json', 'stamps', value=[1,2]),
    'stamps of texts': change_json('run.json', 'stamps', value={'photo_0001.jpg':'now'}),
    'paths with the byte 0': change_json('run.json', 'given', value=['a\0b']),
    'paths that no system has': change_json('run.json', 'given', value=['\ud800']),
    'a recipe that is a text': change_json('run.json', 'recipe', value='classic'),
    'seconds that are no number': change_json('run.json', 'seconds', value=dict(total='long')),
    'a reason of 5 MB': change_json('run.json', 'reason', value='x'*5_000_000),
    'numbers of clusters that do not rise': change_json('run.json', 'ks', 0, value=99),
    'inertia of infinity': change_json('run.json', 'inertia', 0, value=float('inf')),
    'a sweep with labels of other clusters': change_json('run.json', 'sweep_labels', 0, 0, value=10**9),
    'a stability that is a list': change_json('run.json', 'stable', value=[1]),
    'a folder in place of features.json': lambda run: ((run/'features.json').unlink(), (run/'features.json').mkdir()),
    'a link out of the run, to a file that is none of it': lambda run: ((run/'features.npy').unlink(), (run/'features.npy').symlink_to('/etc/hostname')),
}
#: Those that only the table of images and the clusters refuse
HOSTILE_IMAGES = {
    'features and clusters of other images': lambda run: (run/'features.json').write_text((run/'features.json').read_text().replace('photo_0', 'photo_9')),
    'a clustering of 800 MB of zeros': change_array('clustering.safetensors', 'centers', lambda o: np.zeros((len(o), 10**8), np.float32)),
    'a name of 5 MB': change_json('clustering.safetensors', 'names', value=['x'*5_000_000, 'y']),
    'a name that cannot be written': change_json('clustering.safetensors', 'names', value=['\ud800', 'y']),
    'distances of NaN': change_array('clustering.safetensors', 'distances', lambda o: o*np.nan),
    'distances of 1e300': change_array('clustering.safetensors', 'distances', lambda o: o*0.+1e300),
    'an image whose name no system has': change_json('clustering.safetensors', 'images', 'paths', 0, value='\ud800'),
    'an image with the byte 0 in its name': change_json('clustering.safetensors', 'images', 'paths', 0, value='a\0b'),
    'an image with a name of 5 MB': change_json('clustering.safetensors', 'images', 'paths', 0, value='x'*5_000_000),
    'a folder that is a number': change_json('clustering.safetensors', 'images', 'root', value=3),
}
#: What only the hashes in run.json tell; a stranger would write others, see `forge`
MIXED = {
    'a file of another run': lambda run: (run/'features.npy').write_bytes(npy(np.load(run/'features.npy')*np.float32(2))),
    'hashes of other files': change_json('run.json', 'files', value={'../../x':'0'*64}),
    'hashes that are a list': change_json('run.json', 'files', value=['x']),
}
#: Those for a run by an encoder without an autoencoder
HOSTILE_ENCODER = {
    'an unknown encoder': change_json('model.safetensors', 'name', value='__import__'),
    '10**9 encoders': change_json('model.safetensors', 'arguments', 'n', value=10**9),
    'an encoder with unknown arguments': change_json('model.safetensors', 'arguments', value=dict(x=1)),
    'an encoder of encoders': change_json('model.safetensors', 'arguments', 'name', value='codebooks'),
    'an encoder of a network that is loaded from elsewhere': change_json('model.safetensors', 'name', value='backbone'),
    'an encoder of another shape': change_array('model.safetensors', '0.whitening.mean_', lambda o: o[:3]),
    'a clusterer of another shape': change_array('clusterer.safetensors', 'rows', lambda o: o[:,:1]),
    'a clusterer with 10**9 clusters': change_json('clusterer.safetensors', 'arguments', 'n_clusters', value=10**9),
    'an encoder with a step of 1 and many Gaussians': one_codebook(step=1, n_gaussians=1024),
    'an encoder with 100,000 cells': one_codebook(cells=[4]*100_000),
    'an encoder with no cells': one_codebook(cells=[]),
    'an encoder with batches of 0': one_codebook(bs=0),
    'an encoder of 2**40 images in a batch': one_codebook(bs=2**40),
    'an encoder with a step that is a text': one_codebook(step='4'),
    'an encoder of NaN': change_array('model.safetensors', '0.whitening.mean_', lambda o: o*np.nan),
    'an encoder whose variances are 0': change_array('model.safetensors', '0.vectors.variances_', lambda o: o*0),
    'an encoder of 1e300': change_array('model.safetensors', '0.vectors.means_', lambda o: o*0.+1e300),
    'an encoder of other components': change_array('model.safetensors', '1.vectors.components_', lambda o: o[:,:9]),
    'a clusterer whose scales are 0': change_array('clusterer.safetensors', 'scales', lambda o: o*0),
    'a clusterer of NaN': change_array('clusterer.safetensors', 'rows', lambda o: o*np.nan),
    'a clusterer with widths of NaN': change_array('clusterer.safetensors', 'widths', lambda o: o*np.nan),
    'a clusterer with labels of other clusters': change_array('clusterer.safetensors', 'reference', lambda o: o-1),
    'a clusterer without neighbours': change_json('clusterer.safetensors', 'arguments', 'n_neighbors', value=0),
    'a clusterer of 4 GB that is a hole': hollow_array('clusterer.safetensors', [2**20,2**10], 'rows'),
    'an unknown clusterer': change_json('clusterer.safetensors', 'clusterer', value='eval'),
}
#: Those for a run by the bottleneck of an autoencoder
HOSTILE_AUTOENCODER = {
    'a model of terabytes': change_json('model.safetensors', 'config', 'widths', value=[10**6,10**6]),
    'a model with a depth of 10**9': change_json('model.safetensors', 'config', 'depth', value=10**9),
    'a model of weights that are NaN': change_array('model.safetensors', 'model.encoder.0.0.weight', lambda o: o*np.nan),
    'a model of 4 GB that is a hole': hollow_array('model.safetensors', [2**15,2**15], 'model.encoder.0.0.weight'),
    'a model with widths that are texts': change_json('model.safetensors', 'config', 'widths', value=['8']),
    'a model with 100,000 widths': change_json('model.safetensors', 'config', 'widths', value=[1]*100_000),
    'a size that the model cannot halve': change_json('run.json', 'size', value=30),
    'a size at which the model takes gigabytes': change_json('run.json', 'size', value=2048),
    'an encoder with batches of 0': change_json('encoder.safetensors', 'arguments', 'bs', value=0),
    'an encoder of arrays that it has none of': hollow_array('encoder.safetensors', [2**30]),
    'a history of texts': change_json('run.json', 'training', 'train_loss', value=['low']),
    'a history of 10**400': change_json('run.json', 'training', 'valid_loss', value=[10**400]),
    'an unknown model': change_json('model.safetensors', 'model', value='os.system'),
    'a model that is a list': change_json('model.safetensors', 'model', value=[]),
    'a model with a configuration that is a text': change_json('model.safetensors', 'config', value='x'),
    'a model with weights of whole numbers': change_array('model.safetensors', 'model.encoder.0.0.weight', lambda o: o.astype(np.int32)),
    'a model with a weight of another shape': change_array('model.safetensors', 'model.encoder.0.0.weight', lambda o: o[:1]),
}

# ---- What may happen to photos and to an export of them, before it is taken back

def each(change):
    "Remove each original, if it is still there, and put something in its place"
    def do(top, went):
        for a,b in went.items():
            data = b.read_bytes()
            a.unlink(missing_ok=True)
            change(a, b, data)
    return do

def in_place_of_the_folder(change):
    "Remove the folder of the originals, and put something in its place"
    def do(top, went):
        shutil.rmtree(top/'photos')
        change(top, [*went.values()])
    return do

def by_steps(a, b, data):
    "A link to a link to what was written"
    step = a.parent.parent/f'step {a.name}'
    step.symlink_to(b)
    a.symlink_to(step)

def folder_of_links(top, written):
    (top/'all').mkdir()
    for o in written: (top/'all'/o.name).symlink_to(o)
    (top/'photos').symlink_to(top/'all')

def move_there(top, written):
    (top/'out').rename(top/'photos')
    (top/'out').symlink_to(top/'photos')

def next_ones(top, went):
    "Each original is a link to what was written of another one"
    written = [*went.values()]
    for i,a in enumerate(went):
        a.unlink(missing_ok=True)
        a.symlink_to(written[i-1])

def painted_over(top, went):
    for a in went: a.write_bytes(b'painted over '+a.name.encode())

#: What happens, to be done with a folder and a dict from each original to what was written of it
EXPORT_CHANGES = {
    'each original became a link to what was written': each(lambda a, b, data: a.symlink_to(b)),
    'a relative link': each(lambda a, b, data: a.symlink_to(os.path.relpath(b, a.parent))),
    'a link to a link': each(by_steps),
    'a hard link': each(lambda a, b, data: os.link(b, a)),
    'a link to what was written of another one': next_ones,
    'a link to nothing': each(lambda a, b, data: a.symlink_to('nowhere')),
    'a link to itself': each(lambda a, b, data: a.symlink_to(a.name)),
    'a folder': each(lambda a, b, data: a.mkdir()),
    'a pipe': each(lambda a, b, data: os.mkfifo(a)),
    'another file': each(lambda a, b, data: a.write_bytes(b'other')),
    'another file of the same size': each(lambda a, b, data: a.write_bytes(b'x'*len(data))),
    'the same file again, from a backup': each(lambda a, b, data: a.write_bytes(data)),
    'each original was painted over': painted_over,
    'the originals are gone': in_place_of_the_folder(lambda top, written: None),
    'their folder became a link to what was written': in_place_of_the_folder(
        lambda top, written: (top/'photos').symlink_to(written[0].parent)),
    'a link to a folder of links': in_place_of_the_folder(folder_of_links),
    'the export itself, with a link at its old place': in_place_of_the_folder(move_there),
}
#: After these, another file of the same content is at the place of each original
EXPORT_KEPT = ('a hard link','the same file again, from a backup')

def forge_list(folder, how, pairs, **more):
    "A list of an export that never was: file and source of each step, with all that a forger can know"
    steps = [dict(file=str(Path(a).relative_to(folder)), source=str(b), bytes=os.path.getsize(a), sha256=file_hash(a), **more)
             for a,b in pairs]
    for o,(a,b) in zip(steps, pairs): o.setdefault('inode', os.lstat(a).st_ino)
    write_json(Path(folder)/MANIFEST, 'Export', dict(how=how, made=True, steps=steps))

def random_change(top, chance):
    "Files and folders change places, go, become links, or are written anew"
    files = [o for o in top.rglob('*') if o.is_symlink() or o.is_file()]
    a,b = chance.choice(files),chance.choice(files)
    place = chance.choice([a, a.parent, a.with_name(b.name), b.parent/a.name])
    if place in (top, top/'out') or place.name in (MANIFEST, JOURNAL): return
    what = chance.choice(['remove','rename','link','symlink','relative','copy','write','folder'])
    if place.is_dir() and not place.is_symlink():
        if what in ('remove','link','copy','write'): return
        place.rename(top/f'folder {chance.random()}')
    elif what!='write' and os.path.lexists(place):
        if chance.random()<.3: place.rename(top/f'kept {chance.random()}.jpg')
        else: place.unlink()
    if what=='rename': b.rename(place)
    if what=='link': os.link(b, place, follow_symlinks=False)
    if what=='symlink': place.symlink_to(b)
    if what=='relative': place.symlink_to(os.path.relpath(b, place.parent))
    if what=='copy': shutil.copy(b, place)
    if what=='write': place.write_bytes(chance.choice([b'', b'new', bytes([1])*1001]))
    if what=='folder': place.symlink_to(chance.choice([o for o in top.rglob('*') if o.is_dir()]))

def photos_left(folder):
    "The contents of the files that are no links and not empty: what an undo must leave, wherever links lead"
    is_list = lambda o: o.name in (MANIFEST, JOURNAL) or o.name[0]=='.' and o.suffix=='.json' # Whole, or being written
    found = {o.read_bytes() for o in Path(folder).rglob('*') if not is_list(o) and o.is_file() and not o.is_symlink()}
    return found-{b''}

# ---- Run folders with any value or array changed

#: What may stand in place of any value of JSON
ODD = [None, True, -1, 0, 3, 1.5, 1e308, float('nan'), float('inf'), 2**31, 2**63, 10**400, '', 'x', '0', 'x'*200_000, '\ud800', 'a\0b', '../..',
       '<script>alert(1)</script>', [], [[]], [None], [1]*5000, [[1]*9]*9, {}, {'x':{}}, {'features__x':1}]

def odd_json(data, chance):
    "The same data with the value at one place, a key or a member changed; what was done"
    at,place = data,[]
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = chance.choice(keys)
        place.append(str(key)[:30])
        if not isinstance(at[key], (dict,list)) or not at[key] or chance.random()<.35: break
        at = at[key]
    how = chance.choice(['odd']*7+['lost','more','doubled'])
    if how=='lost': del at[key]
    elif how=='more' and isinstance(at, dict): at[chance.choice(['system','features__x','\ud800','k'])] = chance.choice(ODD)
    elif how=='doubled' and isinstance(at, list): at.insert(key, at[key])
    else: at[key] = new = chance.choice(ODD)
    return f'{"/".join(place)} {how}' + (f' {new!r:.40}' if how=='odd' else '')

def _one(x, value):
    "An array with one number changed"
    x = x.copy()
    x.reshape(-1)[:1] = value
    return x

#: What may be done to any array
ODD_ARRAYS = dict(
    nan=lambda x: x*np.nan, one_nan=lambda x: _one(x.astype(float), np.nan), inf=lambda x: _one(x.astype(float), np.inf),
    zero=lambda x: x*0, negative=lambda x: -x, minus_one=lambda x: x*0-1, large=lambda x: x*1e30, huge=lambda x: x*0+1e300,
    largest=lambda x: (x*0+3e38).astype(np.float32), tiny=lambda x: (x*0+1e-40).astype(np.float32), small=lambda x: x*1e-17, limit=lambda x: x*0+1e18,
    float64=lambda x: x.astype(float), float16=lambda x: x.astype(np.float16), int64=lambda x: x.astype(np.int64), int8=lambda x: x.astype(np.int8),
    uint64=lambda x: x.astype(np.int64).astype(np.uint64), bool=lambda x: x.astype(bool), complex64=lambda x: x.astype(np.complex64),
    big=lambda x: x.astype(np.int64)+2**62, none=lambda x: x[:0] if x.ndim else np.zeros(0), first=lambda x: x[:1] if x.ndim else x[None],
    transposed=lambda x: x.T, flat=lambda x: x.reshape(-1), deeper=lambda x: x[None], twice=lambda x: np.concatenate([x,x]) if x.ndim else x,
    number=lambda x: np.float32(1), shuffled=lambda x: x.reshape(-1)[::-1].reshape(x.shape), wide=lambda x: np.zeros((1,10**6), np.float32))
#: And to rows in a .npy file, beside
ODD_ROWS = dict(object=lambda x: x.astype(object), text=lambda x: x.astype('U9'), swapped=lambda x: x.astype('>f4'),
                fields=lambda x: np.zeros(len(x), [('a','f4'),('b','f4')]), date=lambda x: x.astype('M8[s]'), fortran=np.asfortranarray)

def odd_arrays(arrays, chance):
    "One array changed, lost, renamed or added; what was done"
    names = sorted(arrays)
    how = chance.choice([*ODD_ARRAYS]*2+['lost','renamed','added'])
    name = chance.choice(names) if names else 'x'
    if how=='added' or not names: arrays[chance.choice(['x','agreement','0.x','opt.0.x','best.x'])] = np.zeros((2,2), np.float32)
    elif how=='lost': del arrays[name]
    elif how=='renamed': arrays[name+'x'] = arrays.pop(name)
    else:
        with np.errstate(all='ignore'), warnings.catch_warnings():
            warnings.simplefilter('ignore') # A complex number loses a part
            arrays[name] = np.ascontiguousarray(ODD_ARRAYS[how](arrays[name]))
    return f'{name} {how}'

def odd_run(run, chance):
    "Change one value or array of a run folder, in place, and its hashes with it; what was done"
    path = run/chance.choice(sorted(o.name for o in run.iterdir() if o.suffix in ('.json','.npy','.safetensors')) + ['run.json']*2)
    if path.suffix=='.json':
        said = json.loads(path.read_text())
        what = odd_json(said, chance)
        path.write_text(json.dumps(said))
    elif path.suffix=='.npy':
        what = chance.choice([*ODD_ARRAYS, *ODD_ROWS])
        try: plain = np.load(path).dtype.kind in 'fiub'
        except ValueError: plain = False # It has objects
        if not plain: return f'{path.name}: as it was changed before'
        with np.errstate(all='ignore'), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            np.save(path, (ODD_ARRAYS | ODD_ROWS)[what](np.load(path)))
    else:
        head,arrays = arrays_of(path)
        what = odd_json(head, chance) if chance.random()<.5 else odd_arrays(arrays, chance)
        save_file(arrays, path, metadata=dict(json=json.dumps(head)))
    forge(run)
    return f'{path.name}: {what}'
