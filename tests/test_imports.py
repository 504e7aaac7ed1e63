"Importing the package changes nothing outside it, and what only reads results starts without torch"
import ast,builtins,subprocess,sys
from configparser import ConfigParser
from pathlib import Path
import pytest
import unsupervised_cluster

ROOT = Path(__file__).resolve().parents[1]
LIB = ROOT/'unsupervised_cluster'

def python(code, *args, cwd=None):
    "What a fresh interpreter prints when it runs `code`"
    done = subprocess.run([sys.executable, '-c', code, *args], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode==0, done.stderr
    return done.stdout.strip()

CHANGES = '''
import ast,contextlib,importlib,io,os,random,sys,warnings
from pathlib import Path
import matplotlib,numpy as np,torch
import fastai.vision.all
lib = Path(sys.argv[1])
# What others do when they are imported is not ours: their imports come first
for path in lib.rglob('*.py'):
    for n in ast.parse(path.read_text('utf-8')).body:
        if isinstance(n, ast.Import) or isinstance(n, ast.ImportFrom) and not n.level: exec(ast.unparse(n))

def state():
    return dict(filters=list(warnings.filters), random=random.getstate(), numpy=str(np.random.get_state(legacy=False)),
        torch=torch.get_rng_state().tolist(), threads=torch.get_num_threads(), rcparams=str(matplotlib.rcParams.copy()),
        environ=dict(os.environ), files=sorted(os.listdir()))

before,printed = state(),io.StringIO()
with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
    for path in sorted(lib.rglob('*.py')):
        name = '.'.join((lib.name, *path.relative_to(lib).with_suffix('').parts)).removesuffix('.__init__')
        importlib.import_module(name)
after = state()
print([k for k in before if before[k]!=after[k]], repr(printed.getvalue()))
'''

def test_importing_does_nothing(tmp_path):
    changed = python(CHANGES, str(LIB), cwd=tmp_path)
    assert changed=="[] ''", f'changed by an import, and printed: {changed}'

def test_a_noisy_import_is_noticed(tmp_path):
    (tmp_path/'noisy').mkdir()
    (tmp_path/'noisy'/'__init__.py').write_text('''
import os,random,warnings
import matplotlib,numpy as np,torch
warnings.simplefilter('ignore')
random.seed(1)
np.random.seed(1)
torch.manual_seed(1)
torch.set_num_threads(torch.get_num_threads()+1)
matplotlib.rcParams['lines.linewidth'] = 7
os.environ['NOISY'] = '1'
open('left behind', 'w').close()
print('hello')
''')
    all_of_it = ['filters','random','numpy','torch','threads','rcparams','environ','files']
    assert python(CHANGES, str(tmp_path/'noisy'), cwd=tmp_path)==f"{all_of_it} 'hello\\n'"

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
