"""What becomes of bad files, cut-off runs and run folders from strangers?

    python benchmarks/safety.py                # all of it, some minutes
    python benchmarks/safety.py --only files   # one part; the rows of the others stay
    python benchmarks/safety.py --small        # less of everything, to see that it runs; writes nothing

The trials themselves are in bad_input.py; tests/test_safety.py has the same in small. Runs are cut off in processes of their
own, by kill -9, by Ctrl-C, or by a limit on the size of files, at moments drawn by a seed.
It writes safety.csv and safety.txt (machine and date) beside itself, and ends with status 1 if anything came out wrong.
"""
import argparse, csv, io, json, os, random, re, resource, shutil, signal, subprocess, sys, tempfile, time, traceback, warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from html import escape
from pathlib import Path
from xml.etree import ElementTree
import matplotlib.pyplot as plt, numpy as np
from PIL import Image
from sklearn.metrics import adjusted_rand_score
import bad_input as bad
from results import last_rows, write_table
from unsupervised_cluster.all import *
from unsupervised_cluster.cli import main as command
from unsupervised_cluster.core import file_hash
from unsupervised_cluster.images import image_files, open_image
from unsupervised_cluster.runs import RUN_FILES, WORK
from unsupervised_cluster.saved_runs import Run
from unsupervised_cluster.sharing import cell_text

FIELDS = ['part','what','tried','outcome','wrong']
HERE = Path(__file__).resolve().parent
QUICK = '--features bottleneck --size 32 --epochs 4 --bs 4 --k 3 --quiet'.split()
COMPARING = '--features contrastive --size 32 --k 3 --quiet'.split()

def row(part, what, tried, outcome, wrong=0): return dict(part=part, what=what, tried=tried, outcome=outcome, wrong=wrong)

@contextmanager
def silence():
    "Nothing is printed"
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(said): yield said

@contextmanager
def as_anybody():
    "Without the right of root to read every file"
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try: yield
    finally: os.seteuid(0)

def child(call, *args, **env):
    "A fresh Python that imports this module and does `call`, which may use `args`, a list of texts"
    code = f'import sys; sys.path.insert(0, {str(HERE)!r}); from safety import *; args = sys.argv[1:]; {call}'
    return subprocess.Popen([sys.executable, '-W', 'ignore', '-c', code, *map(str, args)], text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **env))

def result(process, timeout=600):
    "What it printed last, as JSON; an error if it died or hung"
    try: out,err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    if process.returncode: raise RuntimeError(f'status {process.returncode}: {err[-2000:]}')
    return json.loads(out.splitlines()[-1])

# ---- Bad files

def became(kind, path, table, rows, report):
    "What became of a file, and whether that is right: in the table, in the CSV and in the report"
    name,reasons = table.name_of(path),{o.path:o.reason for o in table.broken}
    if path in reasons:
        said = rows[name]['problem']==reasons[path] and escape(reasons[path]) in report
        return f'set aside: {reasons[path]}', said and bool(kind.reason) and re.match(kind.reason, reasons[path])
    if path not in table.paths: return 'overlooked', False
    seen = kind.colours is None or bad.shows(open_image(path), kind.colours)
    return 'clustered' if seen else 'clustered, but not as what it shows', seen and not kind.reason and rows[name]['cluster']!=''

def files(top, args):
    "A folder with every kind of file, verified, clustered and reported in one go"
    top.chmod(0o755)
    kinds = [*bad.images(), *bad.broken(), *bad.special(), *bad.names()]
    sample_photos(top/'photos', n=12, max_side=64)
    paths = [o.put(top/'photos') for o in kinds]
    found = image_files(top/'photos')
    for path in [o for o in bad.CHANGES if o in paths]: bad.CHANGES.pop(path)(path)
    with as_anybody(): table = check_images(found, top/'photos')
    clusterer = ImageClusterer(n_clusters=3, verbose=0).fit(table)
    clusterer.save(top/'run')
    with (top/'run/clusters.csv').open(newline='', encoding='utf-8-sig') as f:
        rows = {o['path']:o for o in ({k:cell_text(v) for k,v in row.items()} for row in csv.DictReader(f))}
    report = (top/'run/report.html').read_text(encoding='utf-8', errors='surrogateescape')
    for kind,path in zip(kinds, paths):
        outcome,right = became(kind, path, clusterer.images_, rows, report)
        yield row('files', kind.what, 1, outcome, int(not right))

# ---- Mutants of good files

def mutant(data, chance):
    "Bytes with one to eight damages: a bit or a byte changed, some lost, some doubled, the end cut off"
    data = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        i,n = chance.randrange(len(data)),chance.randint(1, 40)
        what = chance.choice(['bit','byte','byte','head','lost','doubled','cut'])
        if what=='head': i = chance.randrange(min(200, len(data))) # Where a format says how large it is
        if what=='bit': data[i] ^= 1<<chance.randrange(8)
        elif what in ('byte','head'): data[i] = chance.randrange(256)
        elif what=='lost': del data[i:i+n]
        elif what=='doubled': data[i:i] = data[i:i+n]
        elif chance.random()<.2: del data[max(1, i):]
        data = data or bytearray(b'\0')
    return bytes(data)

#: How the photos are encoded that are then damaged
ENCODINGS = dict(JPEG=[dict(), dict(progressive=True)], PNG=[dict(), dict(bits=8)], GIF=[dict(), dict(save_all=True, append_images=True)],
                 WEBP=[dict(), dict(lossless=True)], TIFF=[dict(), dict(compression='tiff_lzw'), dict(compression='jpeg')])

def memory(what):
    "Memory of this process in MB: now, 'VmRSS', or at its highest, 'VmHWM'"
    return int(re.search(rf'{what}:\s*(\d+)', Path('/proc/self/status').read_text())[1])/1024

def read_mutants(folder, format, n):
    "Decode `n` mutants; how many were images, the longest time in seconds, the memory it took in MB"
    chance,folder,found,longest = random.Random(f'{format} {n}'),Path(folder),dict(read=0, refused=0),0.
    photos = [open_image(o) for o in sorted((folder/'photos').glob('*.jpg'))]
    whole = []
    for im in photos:
        for how in ENCODINGS[format]:
            if 'append_images' in how: how = dict(how, append_images=photos[:2])
            whole.append(bad.encoded(im.quantize(64) if 'bits' in how else im, format, **how))
    Path('/proc/self/clear_refs').write_text('5') # The highest memory so far is forgotten
    before = memory('VmRSS')
    for _ in range(int(n)):
        path = folder/f'mutant.{format.lower()}'
        path.write_bytes(mutant(chance.choice(whole), chance))
        start = time.perf_counter()
        try: open_image(path)
        except BrokenImageError: found['refused'] += 1
        else: found['read'] += 1
        longest = max(longest, time.perf_counter()-start)
    print(json.dumps(dict(found, seconds=longest, memory=max(0, memory('VmHWM')-before))))

def mutants(top, args):
    "Damaged photos of each format, in a process of their own"
    sample_photos(top/'photos', n=4, max_side=96)
    for format in ENCODINGS:
        n = 40 if args.small else 400
        o = result(child('read_mutants(*args)', top, format, n))
        yield row('mutants', format, n, f'{o["read"]} read, {o["refused"]} set aside; at most {o["seconds"]:.2f} s each, '
                  f'at most {o["memory"]:,.0f} MB of memory more', n-o['read']-o['refused'])

# ---- Large images

def tiff(path, mode, side, **kwargs):
    "A TIFF of one colour"
    Image.new(mode, (side,side), 1).save(path, 'TIFF', **kwargs)

def rgb(path, side, **kwargs):
    "A file in the format of its name, a gradient in each of two directions"
    x,y = (o('L').resize((side,side)) for o in (Image.linear_gradient, Image.radial_gradient))
    Image.merge('RGB', (x,y,x)).save(path, **kwargs)

#: Name and what makes it, of so many pixels on each side: what takes most memory in each format, within the limits or not
BIG = {'16-bit grey PNG':('deep.png', lambda o,n: o.write_bytes(bad.huge_png(n, n, 16))),
       'PNG with transparency':('alpha.png', lambda o,n: o.write_bytes(bad.huge_png(n, n, 8, 6))),
       'grey PNG with transparency':('grey.png', lambda o,n: o.write_bytes(bad.huge_png(n, n, 8, 4))),
       '16-bit colour PNG':('colour.png', lambda o,n: o.write_bytes(bad.huge_png(n, n, 16, 2))),
       'float TIFF':('float.tif', lambda o,n: tiff(o, 'F', n)),
       'float TIFF, packed':('packed.tif', lambda o,n: tiff(o, 'F', n, compression='tiff_adobe_deflate')),
       'float TIFF, packed in one strip':('strip.tif', lambda o,n: tiff(o, 'F', n, compression='tiff_adobe_deflate', tiffinfo={278:n})),
       'TIFF to be turned':('turned.tif', lambda o,n: tiff(o, 'RGB', n, tiffinfo={274:6})),
       'CMYK TIFF':('cmyk.tif', lambda o,n: tiff(o, 'CMYK', n)),
       'progressive JPEG':('progressive.jpg', lambda o,n: rgb(o, n, progressive=True, subsampling=0)),
       'WebP':('large.webp', lambda o,n: rgb(o, n, method=0)), 'AVIF':('large.avif', lambda o,n: rgb(o, n, speed=10)),
       'JPEG 2000':('large.jp2', lambda o,n: rgb(o, n, irreversible=True, quality_mode='rates', quality_layers=[200])),
       'GIF':('large.gif', lambda o,n: Image.new('P', (n,n)).save(o))}

def read_large(n_workers, folder, *names):
    "Verify and decode files; the memory that each of the two took in MB, and what was set aside"
    Path('/proc/self/clear_refs').write_text('5')
    before,n,paths = memory('VmRSS'),int(n_workers),[Path(folder)/o for o in names]
    table = check_images(paths, n_workers=n)
    first = memory('VmHWM')-before
    Path('/proc/self/clear_refs').write_text('5')
    before = memory('VmRSS')
    if len(table): decode_images(table, n_workers=n)
    print(json.dumps(dict(check=first, decode=memory('VmHWM')-before, read=len(table), reasons=[o.reason for o in table.broken])))

def large(top, args):
    "Images of up to 170 megapixels, one at a time and all at once, in processes of their own"
    side,most = 3000 if args.small else 13_000,1500
    for what,(name,make) in BIG.items():
        make(top/name, side)
        o = result(child('read_large(*args)', 1, top, name))
        became = f'set aside: {o["reasons"][0]}' if o['reasons'] else 'decoded'
        right = max(o['check'], o['decode'])<most and all(reason.startswith('too large') for reason in o['reasons'])
        yield row('large', f'{what}, {side**2/1e6:.0f} megapixels', 1, f'{became}; {o["check"]:,.0f} MB to verify, {o["decode"]:,.0f} MB to decode',
                  int(not right))
    names = [o for o,_ in BIG.values()]*2
    for n in (2,8):
        o = result(child('read_large(*args)', n, top, *names))
        yield row('large', f'all of them twice, {n} at a time', len(names), f'{o["read"]} decoded, {len(o["reasons"])} set aside; '
                  f'{o["check"]:,.0f} MB to verify, {o["decode"]:,.0f} MB to decode', int(max(o['check'], o['decode'])>=most))

# ---- Run folders from strangers

def attacked(run, trials, kept=bad.MIXED):
    "What each trial says of a copy of `run`: the error, or None where there was none or something of it ran; `kept` keep the hashes"
    for what,change in trials.items():
        copy = run.with_name('hostile')
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy)
        change(copy)
        if what not in kept: bad.forge(copy)
        try: ImageClusterer.load(copy)
        except ClusterError as e: error = re.sub(rf'{re.escape(tempfile.gettempdir())}/tmp\w*/?', '', str(e).replace(str(copy), 'RUN').splitlines()[0])
        else: error = None
        yield what,None if (run.parent/'attacked').exists() else error

def memory_of_trials(run, whats):
    "What each of some trials says, and the memory in MB that this process takes more for it at most"
    trials,found = bad.HOSTILE | bad.HOSTILE_ENCODER,[]
    for what in whats:
        Path('/proc/self/clear_refs').write_text('5')
        before,((_,error),) = memory('VmRSS'),attacked(run, {what:trials[what]})
        found.append((error, memory('VmHWM')-before))
    return found

def make_runs(top):
    "A run by gradients and one by the bottleneck, of a few small photos, and what is done to each"
    images = sample_photos(top/'photos', n=12, max_side=64)
    yield ImageClusterer(n_clusters=2, verbose=0).fit(images).save(top/'gradients'),bad.HOSTILE | bad.HOSTILE_IMAGES | bad.MIXED | bad.HOSTILE_ENCODER
    quick = dict(features='bottleneck', size=32, epochs=1, verbose=0)
    yield ImageClusterer(n_clusters=2, **quick).fit(images).save(top/'bottleneck'),bad.HOSTILE_AUTOENCODER

def make_all(top):
    "A run of each kind, of a few small photos"
    images,quick = sample_photos(top/'photos', n=12, max_side=64),dict(n_clusters=2, size=32, epochs=1, verbose=0)
    for name in ('gradients','bottleneck','pooled','fisher','contrastive'):
        more = {} if name=='gradients' else quick
        yield ImageClusterer(**dict(dict(n_clusters=2, verbose=0), **more), features=name).fit(images).save(top/f'run {name}')
    yield ImageClusterer(n_clusters=2, clusterer='spectral', verbose=0).fit(list(images)).save(top/'run spectral')

def hostile(top, args):
    "Everything that is done to a run folder"
    for run,trials in make_runs(top):
        for what,error in attacked(run, trials):
            yield row('hostile', what, 1, 'loaded' if error is None else f'refused: {error[:150]}', int(error is None))
    yield from changed(top, args)

#: What is done with a run after it is loaded, and each is to work or to explain why not
USES = dict(predict=lambda o,top: o.predict(top/'photos'), transform=lambda o,top: o.transform(top/'photos'),
            update=lambda o,top: o.update(top/'photos'), save=lambda o,top: o.save(top/'saved'),
            report=lambda o,top: write_report(o.clustering_, top/'report.html', o.features_, o.choice_, o.stable_),
            export=lambda o,top: export_folders(o.clustering_, Path(tempfile.mkdtemp(dir=top)), 'symlink'),
            explore=lambda o,top: explore(o), show=lambda o,top: (repr(o.run_), o.clustering_._repr_html_(), o.images_._repr_html_()))

def changed_run(run, seed, uses):
    "What becomes of a run with one value changed: what was done, how it ended, seconds; anything else than a ClusterError comes out"
    top,chance = run.parent,random.Random(seed)
    copy = top/'hostile'
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    what,start = bad.odd_run(copy, chance),time.perf_counter()
    if chance.random()<.2: what += f' and {bad.odd_run(copy, chance)}' if (copy/'run.json').stat().st_size<10**6 else ''
    start,loaded = time.perf_counter(),None
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try: loaded = ImageClusterer.load(copy).set_params(verbose=0)
        except ClusterError as e: return what,f'refused: {e}',time.perf_counter()-start
        for name in uses:
            try: USES[name](loaded, top)
            except ClusterError as e: return what,f'{name} refused: {e}',time.perf_counter()-start
            finally: plt.close('all')
    return what,'fine',time.perf_counter()-start

def read_changed(run, first, n):
    "Runs with something changed, from a seed on; how many of each end, and what went wrong, as JSON"
    run,found,wrong = Path(run),dict(refused=0, later=0, fine=0),[]
    Path('/proc/self/clear_refs').write_text('5')
    longest,before = 0.,memory('VmRSS')
    for seed in range(int(first), int(first)+int(n)):
        uses = [*USES] if seed%5==0 else ['predict','show']
        try: what,end,seconds = changed_run(run, seed, uses)
        except Exception as e: # The very thing that is looked for
            place = traceback.extract_tb(e.__traceback__)
            own = [f'{Path(o.filename).name}:{o.lineno}' for o in place if 'unsupervised_cluster' in o.filename]
            wrong.append(f'seed {seed}: {type(e).__name__}: {str(e)[:150]} at {own[-1:]}')
            continue
        found['fine' if end=='fine' else 'refused' if end.startswith('refused') else 'later'] += 1
        longest = max(longest, seconds)
        if seconds>10: wrong.append(f'seed {seed}: {seconds:.0f} s: {what}')
    print(json.dumps(dict(found, wrong=wrong, seconds=longest, memory=max(0, memory('VmHWM')-before))))

def changed(top, args):
    "Any value or array of a run folder changed, with the hashes that belong to it"
    n = 40 if args.small else 1000
    for run in make_all(top):
        o = result(child('read_changed(*args)', run, 0, n), timeout=3600)
        wrong = o['wrong']+([f'{o["memory"]:,.0f} MB'] if o['memory']>1000 else [])
        yield row('hostile', f'any value or array changed, {run.name}', n, f'{o["refused"]} refused, {o["later"]} refused when used, '
                  f'{o["fine"]} as good as before; at most {o["seconds"]:.1f} s each, {o["memory"]:,.0f} MB of memory more'
                  + ''.join(f'; {x}' for x in wrong[:3]), len(wrong))

# ---- Runs that are cut off

def start_runs():
    "For each line of input, a process that runs the command; its number, and when it has ended its status, are printed"
    for line in sys.stdin:
        point,words = json.loads(line)
        if not (pid := os.fork()): # Nothing has run in here yet, so there are no threads that a copy would lack
            status = 1
            signal.signal(signal.SIGINT, signal.default_int_handler) # A shell may have had it ignored
            try:
                if point: die_at(point)
                with silence(): status = command(words)
            finally: os._exit(status)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)

def die_at(point):
    "Be killed at the n-th call of a function of `os`, before or after it"
    name,n,when = point.split(':')
    real,calls = getattr(os, name),[]
    def dying(*args, **kwargs):
        calls.append(1)
        if len(calls)==int(n) and when=='before': os.kill(os.getpid(), signal.SIGKILL)
        real(*args, **kwargs)
        if len(calls)==int(n) and when=='after': os.kill(os.getpid(), signal.SIGKILL)
    setattr(os, name, dying)

class Starter:
    "A Python that has imported all, and starts runs as copies of itself: the import takes longer than the run"
    def __init__(self): self.process = child('start_runs()')
    def __enter__(self): return self
    def __exit__(self, *args): self.process.kill()
    def start(self, words, point=None):
        "Begin a run, which may die at a point"
        self.process.stdin.write(json.dumps([point, words])+'\n')
        self.process.stdin.flush()
        self.pid = int(self.process.stdout.readline())
    def end(self): return int(self.process.stdout.readline())
    def cut(self, words, seconds, sign):
        "A run that gets a signal after some seconds, if it is not over by then; its status"
        self.start(words)
        time.sleep(seconds)
        with suppress(ProcessLookupError): os.kill(self.pid, sign)
        return self.end()

class Place:
    "Photos, a run folder with an older run in it, and what a new run that is not cut off would find"
    def __init__(self, top, n=24, words=QUICK):
        self.top,self.photos,self.out = top,top/'photos',top/'place/run'
        sample_photos(self.photos, n=n, max_side=64)
        self.words = [str(self.photos), '--out', str(self.out), *words]
        self.hashes = {o.name:file_hash(o) for o in self.photos.iterdir()}
        with silence():
            for k,name in ((2,'old'),(3,'new')): command([*self.words, '--k', str(k), '--out', str(top/name)])
        self.old,self.new = (self.labels(top/o) for o in ('old','new'))

    def labels(self, run): return Run.load(run).clustering.labels.tolist()
    def begin(self):
        "Only the older run is there"
        shutil.rmtree(self.out.parent, ignore_errors=True)
        shutil.copytree(self.top/'old', self.out)

    def check(self):
        "After a cut: the run folder is the older run or the new one; and a second run ends as one that was not cut"
        kept = {o.name:file_hash(o) for o in self.photos.iterdir()}==self.hashes
        whole = self.labels(self.out) in (self.old, self.new)
        resumed = (self.out/WORK/'training.safetensors').exists()
        with silence() as said: status = command(self.words)
        same = status==0 and self.labels(self.out)==self.new
        alone = [o.name for o in self.out.parent.iterdir()]==[self.out.name] and {o.name for o in self.out.iterdir()}<=set(RUN_FILES)
        if not (kept and whole and same and alone): print(kept, whole, same, alone, said.getvalue(), list(self.out.parent.rglob('*')))
        return kept and whole and same and alone, resumed

def at_random(what, sign, place, starter, n):
    "Runs that get a signal at a random moment"
    chance,found = random.Random(0),[]
    place.begin()
    starter.start(place.words)
    start = time.perf_counter() # Now, as it took its time to import
    starter.end()
    longest = time.perf_counter()-start
    for _ in range(n):
        place.begin()
        status = starter.cut(place.words, chance.uniform(0, longest), sign)
        found.append((*place.check(), status==0))
    right,resumed,over = (sum(o) for o in zip(*found))
    return row('killed', f'{what} at a random moment', n, f'{n-over} were cut off, the others were over before; '
               f'{right} of {n} lost nothing and then ended as if nothing had happened, {resumed} by going on with '
               'a training', n-right)

def killed(top, args):
    "Runs that are stopped at random moments"
    few,(place,other) = -(-args.runs//5),(Place(top/o[1], words=o) for o in (QUICK,COMPARING))
    with Starter() as starter:
        yield at_random('kill -9', signal.SIGKILL, place, starter, args.runs)
        yield at_random('Ctrl-C', signal.SIGINT, place, starter, few)
        yield at_random('kill -9, features contrastive,', signal.SIGKILL, other, starter, few)
        yield from at_points(place, starter, args.runs)
    yield from full_disk(place)
    yield from two_at_once(place)

#: Moments at which little stands between a run and its loss
POINTS = [f'replace:{n}:{when}' for n in range(5, 25) for when in ('before','after')]

def at_points(place, starter, n):
    "Runs that are killed at the calls that rename things"
    right,some = 0,POINTS[:n]
    for o in some:
        place.begin()
        starter.start(place.words, o)
        right += starter.end()==-signal.SIGKILL and place.check()[0]
    yield row('killed', 'kill -9 right before or after something is renamed', len(some), f'{right} whole, and then continued', len(some)-right)

def full(*argv):
    "The command with less and less room for a file"
    found = []
    for most in (300_000, 100_000, 40_000, 10_000, 3000, 1000, 100, 0):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        with silence() as said: status = command(argv)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        found.append((most, status, said.getvalue().strip().splitlines()[-1:]))
    print(json.dumps(found))

def full_disk(place):
    "Runs whose files may not become larger than so many bytes, as on a full disk"
    place.begin()
    found = result(child('full(*args)', *place.words))
    stopped = [text for _,status,text in found if status==1 and text and text[0].startswith('unsupervised_cluster: ')]
    right = len(stopped)+sum(status==0 for _,status,_ in found)
    whole,_ = place.check()
    yield row('killed', 'no room for a file', len(found), f'{len(stopped)} ended with an explanation, the older run stayed', len(found)-right+(not whole))

def two_at_once(place):
    "Two runs into one folder"
    place.begin()
    with Starter() as a, Starter() as b:
        for seed,o in ((42,a),(43,b)): o.start([*place.words, '--seed', str(seed)])
        ends = [o.end() for o in (a,b)]
    right = ends==[0,0] and Run.load(place.out).arguments['seed'] in (42,43)
    yield row('killed', 'two runs into one folder at a time', 2, 'both ended well, one of them stands' if right else f'{ends}', int(not right))

# ---- Many images

def many(top, args):
    "10,000 images, 3 % of them broken, from the folder to the report"
    n,chance,kinds,folder = args.images,np.random.default_rng(0),[*bad.broken()],top/'photos'
    kinds = [o for o in kinds if callable(o.make) or len(o.make)<100_000]
    folder.mkdir()
    for i in range(n):
        kind = kinds[i//33%len(kinds)] if i%33==0 and i//33<n*.03 else None
        shape = chance.integers(0, 4)
        x = chance.integers(0, 60, (32,32,3)).astype(np.uint8)+np.uint8(60)
        x[(slice(8,24),slice(None,None,4),slice(None)) if shape==0 else (slice(None,None,4),) if shape==1 else
          (slice(None),slice(0,16)) if shape==2 else (slice(0,16),)] = 220
        name = f'{i:05}' if kind is None else f'{i:05} {kind.name}'
        if kind is None: bad.Image.fromarray(x).save(folder/f'{name}.png', compress_level=1)
        else: (folder/name).write_bytes(kind.make)
    lost = sum(' ' in o.name for o in folder.iterdir())
    start = time.process_time()
    with silence(): status = command([str(folder), '--out', str(top/'run'), '--quiet'])
    seconds = time.process_time()-start
    found = Run.load(top/'run').clustering
    right = status==0 and len(found)==n-lost and len(found.images.broken)==lost and (found.labels>=0).all()
    yield row('many', f'{n:,} images, {lost} of them broken', n, f'{len(found):,} clustered, {len(found.images.broken)} set aside, '
              f'each with its reason; {seconds:.0f} s of the processor', int(not right))

# ---- Threads

def labels_of(folder, features):
    "Labels of a run"
    more = dict(size=64, epochs=4, bs=8) if features=='bottleneck' else {}
    print(json.dumps(ImageClusterer(n_clusters=6, features=features, verbose=0, **more).fit(folder).labels_.tolist()))

def threads(top, args):
    "The same seed, with one thread, again with one, and with two"
    n = 60 if args.small else 240
    sample_photos(top/'photos', n=n, max_side=128)
    for features in ('gradients','bottleneck'):
        one,again,two = (result(child('labels_of(*args)', top/'photos', features, OMP_NUM_THREADS=str(o))) for o in (1,1,2))
        other = sum(a!=b for a,b in zip(one, two))
        yield row('threads', f'{features}, {n} photos', 3, f'again with one thread: {"the same labels" if one==again else "OTHER LABELS"}; '
                  f'with two: {other} of {n} labels differ (adjusted Rand index {adjusted_rand_score(one, two):.3f})', int(one!=again))

# ---- Exports, and what takes them back

EXPORTS = 'copy','link','move'

def exported(top, how, n=6):
    "Photos and an export of them: the clustering, and where each photo went"
    (top/'photos').mkdir(parents=True)
    for i in range(n): bad.picture(colours=((i*40,0,0),(0,i*40,90))).save(top/f'photos/{i}.jpg')
    images = find_images(top/'photos')
    c = Clustering(np.arange(n)%2, np.ones((n,2)), np.zeros((2,1)), images)
    if how: export_folders(c, top/'out', how, move_originals=True)
    return c,{o:top/f'out/cluster {i%2}'/o.name for i,o in enumerate(images.paths)}

def undone(top, trusted=False):
    "Undo the export in `top/'out'`: how many photos went, how many stayed, and how many contents were lost or changed outside"
    real = (top/'out').resolve()
    outside = lambda: {o:os.readlink(o) if o.is_symlink() else o.read_bytes() for o in top.rglob('*')
                       if not o.is_relative_to(real) and (o.is_symlink() or o.is_file())}
    before,others = bad.photos_left(top),outside()
    try: report = undo_export(top/'out', trusted)
    except ClusterError: done,kept = 0,0
    else: done,kept = report.done,len(report.problems)
    after = outside()
    return done,kept,len(before-bad.photos_left(top))+sum(after.get(k)!=v for k,v in others.items())

def after_changes(top):
    "Each kind of change, after each kind of export"
    for n,(what,change) in enumerate(bad.EXPORT_CHANGES.items()):
        found = []
        for how in EXPORTS:
            c,went = exported(top/f'{n}{how}', how)
            change(top/f'{n}{how}', went)
            found += [undone(top/f'{n}{how}', o) for o in (False, True)]
        done,kept,lost = (sum(o) for o in zip(*found[::2]))
        lost += sum(o[2] for o in found[1::2])
        right = done==18 if what in bad.EXPORT_KEPT else True
        yield row('exports', what, 18, f'{done} taken back, {kept} left where they were, {lost} lost', lost+(not right))

def after_chance(top, n):
    "Changes at random; and lists that are forged on top of them"
    for kind in (*EXPORTS,'symlink','a forged list'):
        chance,found = random.Random(kind),[]
        for i in range(n):
            c,went = exported(top/f'{kind} {i}', 'link' if ' ' in kind else kind)
            for _ in range(chance.randrange(12)):
                with suppress(OSError, IndexError): bad.random_change(top/f'{kind} {i}', chance)
            if ' ' in kind and (top/f'{kind} {i}/out').is_dir():
                files = [o for o in (top/f'{kind} {i}/out').glob('*/*') if o.is_file() and not o.is_symlink()]
                pairs = [(o, chance.choice([*(top/f'{kind} {i}').rglob('*')])) for o in files for _ in range(2)]
                bad.forge_list(top/f'{kind} {i}/out', chance.choice(EXPORTS), pairs)
            found += [undone(top/f'{kind} {i}', o) for o in (False, True)]
        done,kept,lost = (sum(o) for o in zip(*found))
        yield row('exports', f'{kind}: up to 11 changes at random', n, f'{done} taken back, {kept} left where they were, {lost} lost', lost)

def cut_off(work, name, n):
    "Do something in a copy of this process that dies at the n-th call of a function of `os`; whether it died"
    if child := os.fork(): return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])==-signal.SIGKILL
    try:
        die_at(f'{name}:{n}:before')
        with silence(): work()
    finally: os._exit(0)

def after_death(top, n):
    "Exports and undos that are killed at any call that changes something"
    for how in (*EXPORTS,'symlink'):
        tried,wrong = 0,0
        for undo in (False, True):
            for name in ('link','unlink','rename','rmdir','symlink'):
                for i in range(1, n+1):
                    place = top/f'{how} {undo} {name} {i}'
                    c,went = exported(place, how if undo else None)
                    whole = bad.photos_left(place)
                    work = lambda: undo_export(place/'out') if undo else export_folders(c, place/'out', how, move_originals=True)
                    if not cut_off(work, name, i): break
                    tried += 1
                    kept = bad.photos_left(place)==whole
                    if (place/'out').exists() and any((place/'out').iterdir()): kept = kept and not undo_export(place/'out').problems
                    with suppress(FileNotFoundError): (place/'out').rmdir() # Only an empty one
                    home = {o.read_bytes() for o in (place/'photos').iterdir()}==whole
                    wrong += not (kept and home)
        yield row('exports', f'{how}: kill -9 of an export or of its undo', tried, f'{tried-wrong} lost nothing, and were then taken back', wrong)

def forged_places(top):
    "A forged list of a move, with an image and with a program"
    places = [top/o for o in ('Pictures','.ssh','.config/app')]
    for o in (*places, top/'out/x'): o.mkdir(parents=True)
    names = ('new.jpg','.new.jpg','new','new.jpg.sh','a/new.jpg','../new.jpg')
    trials = [(kind, place, name) for kind in ('an image','a program') for place in places for name in names]
    for kind,place,name in trials:
        if kind=='an image': bad.picture().save(top/'out/x/a.jpg')
        else: (top/'out/x/a.jpg').write_text('#!/bin/sh')
        bad.forge_list(top/'out', 'move', [(top/'out/x/a.jpg', f'{place}/{name}')], place=place.stat().st_ino+1)
        undo_export(top/'out')
    wrong = sum(o.is_file() for place in places for o in place.rglob('*'))
    yield row('exports', 'a forged list that moves a file elsewhere', len(trials), f'{len(trials)-wrong} refused', wrong)

def strange_tables(top):
    "What a table from a stranger names, and an export of nothing"
    c,_ = exported(top, None)
    for o in ('.ssh/id_rsa','.ssh/key.jpg','notes.txt','photos/.git/a.jpg','photos/key'):
        (top/o).parent.mkdir(exist_ok=True)
        (top/o).write_text('PRIVATE KEY')
    (top/'photos/door.jpg').symlink_to('../.ssh/id_rsa')
    names = ('.ssh/id_rsa','.ssh/key.jpg','notes.txt','photos/.git/a.jpg','photos/key','photos/door.jpg','photos/../.ssh/id_rsa')
    paths = (*(top/o for o in names), Path('/etc/passwd'), Path('/proc/self/environ'))
    table = ImageTable(paths, np.ones((len(paths),2), int), root=top/'photos')
    wrong = 0
    for how in (*EXPORTS,'symlink'):
        try: wrong += export_folders(Clustering(np.zeros(len(paths), int), np.ones((len(paths),1)), np.zeros((1,1)), table), top/'out', how,
                                     move_originals=True).done
        except ExportError: wrong += (top/'out').exists()
    yield row('exports', 'a table that names keys and system files', 4*len(paths), f'{4*len(paths)-wrong} refused', wrong)

def exports(top, args):
    "Folders of clusters: what becomes of photos when something happens before they are taken back"
    yield from after_changes(top/'changes')
    yield from after_chance(top/'chance', 20 if args.small else 200)
    yield from after_death(top/'death', 3 if args.small else 40)
    yield from forged_places(top/'places')
    yield from strange_tables(top/'tables')

# ---- What a person has, in a run folder and beside it

#: Tests that are trials of this kind, by what they try
TESTS = {'test_runs.py':'what a person has in a run folder or beside it; corrections; two processes at once; mounts, links and locks; output that fails; '
                        'runs that name files elsewhere',
         'test_privacy.py':'what is sent on: pictures, report and table', 'test_editing.py':'edits of the explorer: crashes, several processes, files in the way'}

def kept(top, args):
    "The tests of these kinds, counted"
    for name,what in TESTS.items():
        words = [sys.executable, '-W', 'ignore', '-m', 'pytest', '-q', '-p', 'no:cacheprovider', f'--junitxml={top}/{name}.xml', HERE.parent/'tests'/name]
        subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        o = ElementTree.parse(top/f'{name}.xml').find('testsuite').attrib
        n,skipped,wrong = int(o['tests']),int(o['skipped']),int(o['failures'])+int(o['errors'])
        yield row('kept', f'{what} (tests/{name})', n-skipped, f'{n-skipped-wrong} as promised'+f', {skipped} could not be tried here'*bool(skipped), wrong)

PARTS = dict(files=files, large=large, mutants=mutants, hostile=hostile, killed=killed, kept=kept, exports=exports, many=many, threads=threads)

def main():
    "The command"
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--only', choices=PARTS, help='one part; the rows of the others stay')
    p.add_argument('--runs', type=int, default=50, help='runs that are killed (%(default)s)')
    p.add_argument('--images', type=int, default=10_000, help='images that are clustered in one go (%(default)s)')
    p.add_argument('--small', action='store_true', help='less of everything; writes nothing')
    args = p.parse_args()
    if args.small: args.runs,args.images = 3,400
    new = []
    for name in [args.only] if args.only else PARTS:
        with tempfile.TemporaryDirectory() as top:
            for o in PARTS[name](Path(top), args):
                print(*o.values(), sep='\t', flush=True)
                new.append(o)
    parts = {o['part'] for o in new}
    rows = [o for name in PARTS for o in (new if name in parts else last_rows('safety')) if o['part']==name]
    if not args.small: write_table('safety', FIELDS, rows)
    raise SystemExit(any(int(o['wrong']) for o in new))

if __name__=='__main__': main()
