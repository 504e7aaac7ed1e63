"Importing the package changes nothing outside it, and what only reads results starts without torch"
import ast,builtins,os,subprocess,sys
from configparser import ConfigParser
from pathlib import Path
import pytest
import unsupervised_cluster

ROOT = Path(__file__).resolve().parents[1]
LIB = ROOT/'unsupervised_cluster'

def python(code, *args, cwd=None):
    "What a fresh interpreter prints when it runs `code`"
    environ = {k:v for k,v in os.environ.items() if not k.startswith('KMP_')} # Which other tests may have set
    done = subprocess.run([sys.executable, '-c', code, *args], cwd=cwd, env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode==0, done.stderr
    return done.stdout.strip()

CHANGES = '''
import contextlib,importlib,io,locale,logging,multiprocessing,os,random,signal,sys,warnings
from pathlib import Path
lib,*first = sys.argv[1:]
lib,first = Path(lib),{o:importlib.import_module(o) for o in first}

#: Of a package that was imported before
STATES = {'numpy':lambda o: [str(o.random.get_state(legacy=False)), o.geterr(), o.get_printoptions()],
    'torch':lambda o: [o.get_rng_state().tolist(), o.get_num_threads(), o.get_default_dtype(), o.is_grad_enabled(),
                       o.backends.cudnn.benchmark, o.are_deterministic_algorithms_enabled(), str(o._tensor_str.PRINT_OPTS)],
    'matplotlib':lambda o: [str(o.rcParams.copy())],
    'pandas':lambda o: [o.get_option('display.max_colwidth')],
    'PIL.Image':lambda o: [o.MAX_IMAGE_PIXELS, o.core.get_block_size()],
    'PIL.ImageFile':lambda o: [o.LOAD_TRUNCATED_IMAGES, o.MAXBLOCK]}

def state():
    return dict(filters=list(warnings.filters), show=warnings.showwarning, random=random.getstate(), environ=dict(os.environ),
        path=list(sys.path), hooks=[sys.excepthook, sys.displayhook, sys.getrecursionlimit()], files=sorted(os.listdir()), cwd=os.getcwd(),
        locale=locale.setlocale(locale.LC_ALL), signals=[signal.getsignal(o) for o in sorted(signal.valid_signals())],
        logging=[logging.root.level, *logging.root.handlers], start=multiprocessing.get_start_method(allow_none=True),
        **{k:STATES[k](o) for k,o in first.items()})

before,printed = state(),io.StringIO()
with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
    for path in sorted(lib.rglob('*.py')):
        name = '.'.join((lib.name, *path.relative_to(lib).with_suffix('').parts)).removesuffix('.__init__')
        importlib.import_module(name)
after = state()
new = {k for k in os.environ if before['environ'].get(k)!=os.environ[k]}
changed = [k for k in before if before[k]!=after[k]]
print(changed, sorted(new), repr(printed.getvalue()))
'''

# What stays changed: scikit-learn's variables for OpenMP, which may read them later and end the process without them; what
# torch and others log with (the root is as it was); and on a Mac, how fastai starts processes
OPENMP = "['KMP_DUPLICATE_LIB_OK', 'KMP_INIT_AT_FORK']"
PACKAGES = ['numpy','torch','matplotlib','pandas','PIL.Image','PIL.ImageFile']

@pytest.mark.parametrize('first', [[], PACKAGES, ['fastai.vision.all','sklearn']], ids=['alone','after others','after fastai'])
def test_importing_changes_nothing(first, tmp_path):
    others = [o for o in first if o in PACKAGES]
    code = ''.join(f'import {o}\n' for o in first if o not in others)+CHANGES
    changed = python(code, str(LIB), *others, cwd=tmp_path)
    start = "'start'" if sys.platform=='darwin' and first[:1]!=['fastai.vision.all'] else ''
    alone = f"[{', '.join(filter(None, [repr('environ'), start]))}] {OPENMP} ''"
    assert changed==("[] [] ''" if 'sklearn' in first else alone), f'changed by an import, and printed: {changed}'

def test_importing_warns_of_nothing():
    for how in ('error','always'):
        done = subprocess.run([sys.executable, '-W', how, '-c', 'import unsupervised_cluster.all'], capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stdout, done.stderr)==(0, '', ''), how

@pytest.mark.parametrize('path', sorted(LIB.glob('[!_]*.py')), ids=lambda o: o.stem)
def test_what_changes_things_is_imported_quietly(path):
    quiet = False
    for n in ast.parse(path.read_text('utf-8')).body:
        if isinstance(n, ast.ImportFrom) and n.level: quiet |= n.module=='quiet'
        elif isinstance(n, (ast.Import,ast.ImportFrom)):
            names = {o.name for o in n.names} if isinstance(n, ast.Import) else {n.module}
            loud = {o for o in names if o.partition('.')[0] in ('torch','fastai','sklearn','scipy','kneed')}
            assert quiet or not loud, f'{path.name}: `from unsupervised_cluster.quiet import ...` must stand above {min(loud)}'

def test_a_noisy_import_is_noticed(tmp_path):
    (tmp_path/'noisy').mkdir()
    (tmp_path/'noisy'/'__init__.py').write_text('''
import locale,logging,os,random,signal,sys,warnings
import matplotlib,numpy as np,pandas,torch
from PIL import Image,ImageFile
warnings.simplefilter('ignore')
warnings.showwarning = print
random.seed(1)
os.environ['NOISY'] = '1'
sys.path.append('elsewhere')
sys.excepthook = print
open('left behind', 'w').close()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
logging.basicConfig(level='DEBUG')
np.random.seed(1)
torch.set_num_threads(torch.get_num_threads()+1)
matplotlib.rcParams['lines.linewidth'] = 7
pandas.options.display.max_colwidth = 600
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = True
print('hello')
''')
    all_of_it = ['filters','show','random','environ','path','hooks','files','signals','logging',*PACKAGES]
    found = python(CHANGES, str(tmp_path/'noisy'), *PACKAGES, cwd=tmp_path)
    assert found==f"{all_of_it} ['NOISY'] 'hello\\n'"

@pytest.mark.parametrize('module', ['core','results','images','cli'])
def test_light_import(module):
    heavy = python(f'''import sys,unsupervised_cluster.{module}
print(*sorted({{'torch','fastai','matplotlib'}} & set(sys.modules)))''')
    assert heavy=='', f'unsupervised_cluster.{module} imports {heavy}: import it where the work is done'

def test_version():
    settings = ConfigParser(delimiters=['='])
    settings.read(ROOT/'settings.ini', encoding='utf-8')
    assert unsupervised_cluster.__version__==settings['DEFAULT']['version']

@pytest.mark.parametrize('path', sorted(LIB.glob('[!_]*.py')), ids=lambda o: o.stem)
def test_every_name_is_known(path):
    "A cell that is not exported may import what an exported one uses: the notebook runs, and the module does not"
    tree = ast.parse(path.read_text('utf-8'))
    known = {*dir(builtins), '__file__'}
    for n in ast.walk(tree):
        if isinstance(n, (ast.Import,ast.ImportFrom)): known |= {(o.asname or o.name).split('.')[0] for o in n.names}
        elif isinstance(n, (ast.FunctionDef,ast.ClassDef)): known.add(n.name)
        elif isinstance(n, ast.arg): known.add(n.arg)
        elif isinstance(n, ast.ExceptHandler) and n.name: known.add(n.name)
        elif isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load): known.add(n.id)
    unknown = sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id not in known})
    assert not unknown, f'{path.name} uses {", ".join(unknown)}, which it does not import'
