"""What a test can check of the way the notebooks are written.

Each `rule_NN_...` takes a notebook and yields what breaks the rule: the cell, what is wrong with it and what to do.
Every notebook must yield nothing, and a small bad one must yield something, so that no rule sleeps."""
import ast,builtins,io,json,re,tokenize
from collections import Counter
from functools import cache
from pathlib import Path
import pytest
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parents[1]
NBS,LIB = ROOT/'nbs','unsupervised_cluster'
PATHS = [p for p in sorted(NBS.rglob('*.ipynb')) if not any(o[0] in '._' for o in p.relative_to(NBS).parts)]
MODULES = {p.stem[3:]:p.stem for p in PATHS if p.parent==NBS and re.match(r'\d\d_', p.stem)} # 'core' -> '00_core'
FUNCS,IMPORTS = (ast.FunctionDef,ast.AsyncFunctionDef),(ast.Import,ast.ImportFrom)
FRAMEWORK = re.compile('(before|after)_.+|forward|encodes|decodes|setups|__init__') # Methods that others call for us

class Cell:
    "A cell; of a code cell the directives, and the tree and the names of what stands below them"
    def __init__(self, i, d):
        self.i,self.d,self.kind,self.src,self.outputs = i,d,d['cell_type'],''.join(d['source']),d.get('outputs', [])
        code = self.src if self.kind=='code' else ''
        self.marks = re.findall(r'^#\s*\|\s*(\w+)', code, re.M)
        code = re.sub(r'^#\s*\|.*\n?', '', code, flags=re.M)
        self.body = TransformerManager().transform_cell(code) # `!ls` becomes a call
        self.lines,self.tree = self.body.strip().splitlines(),ast.parse(self.body)
        self.exported = not {'export','exports','exporti'}.isdisjoint(self.marks)
        self.names = {getattr(n, 'id', getattr(n, 'attr', None)) for n in self.find(ast.Name, ast.Attribute)}
        tests = [n for n in self.find(ast.Call) if re.match(r'(test|assert)_|expect_fail$|raises$', called(n))]
        self.asserts = bool(tests) or any(self.find(ast.Assert))

    def find(self, *types): return (n for n in ast.walk(self.tree) if isinstance(n, types))
    def comments(self):
        "The lines that have a comment"
        tokens = tokenize.generate_tokens(io.StringIO(self.body).readline)
        return {t.start[0] for t in tokens if t.type==tokenize.COMMENT}

class Page:
    "A notebook; `module` is the name of the module that it makes, None for a page of documentation"
    def __init__(self, text, stem, module):
        self.stem,self.module,self.size = stem,module,len(text.encode())
        d = json.loads(text)
        self.cells,self.metadata = [Cell(i, o) for i,o in enumerate(d['cells'])],d.get('metadata', {})
        self.code = [c for c in self.cells if c.kind=='code']
        self.exported,self.plain = [c for c in self.code if c.exported],[c for c in self.code if not c.exported]

@cache
def read(path):
    return Page(path.read_text('utf-8'), path.stem, path.stem[3:] if path.stem in MODULES.values() else None)

def called(n):
    "The last name of what the call `n` calls"
    return getattr(n.func, 'attr', getattr(n.func, 'id', ''))

def public(page, *types):
    "The public classes, functions and methods (and `__init__`) of the exported cells, each with its cell"
    for c in page.exported:
        tops = [] if 'exporti' in c.marks else [n for n in c.tree.body if isinstance(n, (*FUNCS, ast.ClassDef))]
        for n in tops:
            members = [m for m in n.body if isinstance(m, FUNCS)] if isinstance(n, ast.ClassDef) else []
            for o in [n, *members] if n.name[0]!='_' else []:
                if isinstance(o, types) and (o.name[0]!='_' or o.name=='__init__'): yield c,o

def decorated(n, pat): return any(re.search(pat, ast.unparse(o)) for o in n.decorator_list)
def is_prop(f): return decorated(f, r'property|as_prop|\.setter$')
def is_event(n):
    "Is it one statement under a name that the framework has documented, as `def after_fit(self): self.drop_hook()`?"
    return n.name!='__init__' and FRAMEWORK.fullmatch(n.name) and len(n.body)==1

def params(f):
    "The parameters of `f` but `self` and `cls`, each with the line on which it ends"
    a = f.args
    pos,kwarg = a.posonlyargs+a.args,None if decorated(f, 'delegates') else a.kwarg
    pairs = [*zip(pos, [None]*(len(pos)-len(a.defaults))+a.defaults), *zip(a.kwonlyargs, a.kw_defaults)]
    pairs += [(a.vararg, None), (kwarg, None)]
    return [(p, (default or p).end_lineno) for p,default in pairs if p and p.arg not in ('self','cls')]

def own(f):
    "The nodes of `f` without those of functions inside it"
    todo = list(f.body)
    while todo:
        yield (n := todo.pop())
        if not isinstance(n, (*FUNCS, ast.Lambda, ast.ClassDef)): todo += ast.iter_child_nodes(n)

def gives(f):
    "Does `f` return or yield a value?"
    return any(isinstance(n, (ast.Yield, ast.YieldFrom)) or isinstance(n, ast.Return) and n.value for n in own(f))

# --- The rules -------------------------------------------------------------------------------------------------------

def rule_01_title(page):
    first = next((c for c in page.cells if c.kind!='raw'), None)
    if not first or first.kind!='markdown' or not re.match(r'# \S.*\n\n> \S' if page.module else r'# \S', first.src):
        yield 0,'start with a title cell: "# noun"' + (', an empty line, "> one sentence"' if page.module else '')
    prose = [(c.i, re.sub(r'(?ms)^```.*?^```', '', c.src)) for c in page.cells if c.kind=='markdown']
    titles = [i for i,o in prose for _ in re.findall(r'^# ', o, re.M)]
    for i in titles[1:]: yield i,'a second H1: make it "##", a notebook has one title'

def rule_02_imports_first(page):
    if not page.module: return
    if len(page.cells)<3 or page.cells[1].src.strip()!=f'#| default_exp {page.module}':
        yield 1,f'the second cell must be "#| default_exp {page.module}"'
    for k,c in enumerate(page.exported):
        imports = [isinstance(n, IMPORTS) for n in c.tree.body]
        if k==0 and (c.i!=2 or not all(imports)): yield c.i,'the third cell must be exported and hold imports only'
        if k and any(imports): yield c.i,'move the import to the exported cell of imports at the top'

def rule_06_end(page):
    for c in page.cells:
        if not c.src.strip(): yield c.i,'delete the empty cell'
    if not page.module: return
    *_,head,last = page.cells
    if head.kind!='markdown' or not head.src.startswith('## Export -'):
        yield head.i,'the last cell but one must be "## Export -"'
    if last.marks!=['hide'] or 'nbdev_export()' not in last.src:
        yield last.i,'the last cell must be a hidden nbdev_export()'

def rule_07_sizes(page):
    for c in page.code:
        n = len(c.lines) if c.exported else sum(bool(re.match(r'\s*[^\s#]', o)) for o in c.lines)
        if c.exported and n>40 and page.module!='all': # That one is a list of imports
            yield c.i,f'{n} exported lines, at most 40: split the cell by helper functions'
        if not c.exported and n>15: yield c.i,f'{n} lines of code, at most 15: split the cell, with prose between'
        for o in c.src.splitlines():
            if len(o)>120: yield c.i,f'{len(o)} columns, at most 120: {o.strip()[:50]}...'
    n = sum(len(c.lines)+2 for c in page.exported) # nbdev puts two lines between cells
    if n>400: yield 0,f'the module has {n} lines, at most 400: which responsibility can move out?'

def rule_10_parameters(page):
    for c,f in public(page, *FUNCS):
        if is_prop(f) or is_event(f): continue
        lines,comments = Counter(line for _,line in params(f)),c.comments()
        if f.returns: lines[f.returns.end_lineno] += 1
        for p,line in params(f):
            if not p.annotation and p is not f.args.kwarg: yield c.i,f'parameter `{p.arg}` of `{f.name}` needs a type'
            if lines[line]>1 or line not in comments:
                yield c.i,f'parameter `{p.arg}` of `{f.name}` needs its own line and a comment: meaning, unit, range'

def rule_10_fields(page):
    for c,n in public(page, ast.ClassDef):
        fields = [o for o in n.body if isinstance(o, ast.AnnAssign)] if decorated(n, '^dataclass') else []
        for o in fields:
            if o.target.id[0]!='_' and o.end_lineno not in c.comments():
                yield c.i,f'field `{o.target.id}` of `{n.name}` needs a comment: meaning, unit, range'

def rule_12_returns(page):
    for c,f in public(page, *FUNCS):
        if is_prop(f) or is_event(f): continue
        if gives(f) and not f.returns: yield c.i,f'`{f.name}` gives a value: say its type'
        nothing = not f.returns or re.fullmatch(r'None|\w+\[None\]', ast.unparse(f.returns)) # As `Iterator[None]`
        if not nothing and f.returns.end_lineno not in c.comments():
            yield c.i,f'the return of `{f.name}` needs a comment on its line: meaning, shape, unit, range'

def rule_12_docstrings(page):
    for c,n in public(page, *FUNCS, ast.ClassDef):
        if n.name=='__init__' or is_event(n) or decorated(n, r'\.setter$|overload'): continue
        if not ast.get_docstring(n): yield c.i,f'`{n.name}` needs a docstring of one line'

def rule_15_shown_and_asserted(page):
    # What a cell shows may be asserted by a hidden one right below it
    tested = [b for c in page.plain if c.asserts for b in page.cells[max(0, c.i-1):c.i+1] if not b.exported]
    for c,n in public(page, *FUNCS, ast.ClassDef):
        if FRAMEWORK.fullmatch(n.name): continue
        near = [o for o in page.plain if c.i<o.i<=c.i+5]
        if not any(n.name in o.names for o in near): yield c.i,f'use `{n.name}` within five cells'
        if not any(n.name in o.names for o in tested): yield c.i,f'use `{n.name}` in a cell that asserts its effect'

def rule_18_errors(page):
    tests = [n for c in page.plain for n in c.find(ast.Call) if called(n) in ('expect_fail','raises')]
    tested = {o for n in tests if len(n.args)+len(n.keywords)>1 for o in re.findall(r'\w+', ast.unparse(n.args[0]))}
    if 'ValueError' in tested: tested.add('ArgumentError') # It is one
    for c in page.exported:
        raised = {called(n.exc) for n in c.find(ast.Raise) if isinstance(n.exc, ast.Call) and n.exc.args}
        if any(called(n)=='argument_error' for n in c.find(ast.Call)): raised.add('ArgumentError')
        for o in sorted(raised-tested):
            if o[:1].isupper(): yield c.i,f'`{o}` is raised: show it by expect_fail({o}, "part of its text")'

def rule_19_plots(page):
    for c,f in public(page, *FUNCS):
        if not re.match(r'plot(_|$)', f.name): continue
        if 'ax' not in [p.arg for p,_ in params(f)]: yield c.i,f'`{f.name}` needs `ax=None`: None makes a new figure'
        if not gives(f): yield c.i,f'`{f.name}` must return the axes that it drew on'
        if any(isinstance(n, ast.Call) and called(n)=='show' for n in own(f)): yield c.i,f'no show() in `{f.name}`'

def rule_20_figures(page):
    for c in page.code:
        shown = [f'{k} {v}' for o in c.outputs for k,v in o.get('data', {}).items()]
        if 'fig' in c.marks and 'eval' not in c.marks and not any(re.match('image/', o) or '<img' in o for o in shown):
            yield c.i,'a caption without a figure: run the notebook by `python nbs/_pandoc/run.py`'

def rule_21_bytes(page):
    most_page,most_image = (300,60) if page.module else (900,200)
    if page.size>most_page*1000: yield 0,f'{page.size//1000} kB, at most {most_page}: fewer or smaller figures'
    for c in page.code:
        data = [kv for o in c.outputs for kv in o.get('data', {}).items()]
        for n in (len(''.join(v))*3//4000 for k,v in data if k.startswith('image/')):
            if n>most_image: yield c.i,f'an image of {n} kB, at most {most_image}: smaller figsize or lower dpi'

def rule_25_no_silence(page):
    for c in page.code:
        if any(n.type is None for n in c.find(ast.ExceptHandler)): yield c.i,'a bare except: name the exception'
        if c.exported and any(c.find(ast.Assert)): yield c.i,'assert in exported code: raise an error instead'

def rule_27_named_imports(page):
    for c in page.exported:
        for n in c.find(ast.ImportFrom):
            if n.level: yield c.i,f'import from {LIB}.{n.module or "module"}: nbdev makes it relative'
            if n.names[0].name=='*' and page.module!='all': yield c.i,f'name what is imported from {n.module}'

def rule_29_builtins(page):
    for c in page.exported:
        for p in c.find(ast.arg):
            if hasattr(builtins, p.arg): yield c.i,f'parameter `{p.arg}` hides the builtin: choose another name'

def rule_30_lower_numbers(page):
    for c in page.code if page.module else []:
        used = [o.name for n in c.find(ast.Import) for o in n.names]
        for n in c.find(ast.ImportFrom): used += [f'{n.module}.{o.name}' for o in n.names if o.name[:2]!='__']
        for o in sorted({o.split('.')[1] for o in used if o.startswith(f'{LIB}.')}):
            if o not in MODULES: yield c.i,f'no notebook makes {LIB}.{o}'
            elif MODULES[o]>page.stem: yield c.i,f'{MODULES[o]} has a higher number: import only from lower ones'

def rule_30_imports_at_top(page):
    for c in page.exported if page.module not in ('cli','all') else []: # The commands start fast: they import late
        tries = [n for n in c.find(ast.Try) if any('ImportError' in ast.unparse(h.type) for h in n.handlers if h.type)]
        optional = {m for n in tries for m in ast.walk(n)}
        late = {n for f in c.find(*FUNCS) for n in ast.walk(f) if isinstance(n, IMPORTS)}
        if late-optional: yield c.i,'import at the top; in a function only what is optional, with except ImportError'

UNCLEAN = {
    r'(?<!\w)/(root|home|tmp|work|Users)/':'a path of one machine', r'0x[0-9a-f]{6,}':'the address of an object',
    r'Traceback \(most recent call':'a traceback', r'\w+Warning:':'a warning', r'<td>\d+:\d\d</td>':'a duration',
    r'<progress|progress-bar|Turns off some styling':'a progress bar', r'[\'"]model_id':'the number of a widget'}

def rule_40_outputs(page):
    for c in page.code:
        for o in c.outputs:
            text = ''.join(o.get('text', ''))
            if o['output_type']=='error': yield c.i,'the cell failed: mend it and run the notebook again'
            if o.get('name')=='stderr': yield c.i,f'output on stderr, {text[:50]!r}: remove its cause'
            data = [v for k,v in o.get('data', {}).items() if not k.startswith('image/')]
            text += '\n'.join(''.join(v) if isinstance(v, list) else str(v) for v in data)
            for pat,what in UNCLEAN.items():
                if re.search(pat, text): yield c.i,f'the saved output has {what}: show something that stays the same'

def rule_40_clean(page):
    ids = Counter(c.d.get('id') for c in page.cells)
    for o in set(page.metadata)-{'kernelspec'}: yield 0,f'{o} in the metadata of the notebook: take it out'
    for c in page.cells:
        if not c.d.get('id') or ids[c.d['id']]>1: yield c.i,'its id is missing or not unique: give it another'
        if any(o.get('execution_count') for o in (c.d, *c.outputs)): yield c.i,'execution count: run nbdev_clean'

RULES = {k:f for k,f in list(globals().items()) if k.startswith('rule_')}

@pytest.mark.parametrize('rule', RULES)
def test_notebooks_follow(rule):
    "All offenders against one rule"
    problems = [f'{path.relative_to(ROOT)}, cell {i}: {text}' for path in PATHS for i,text in RULES[rule](read(path))]
    if problems: pytest.fail('\n'.join(problems), pytrace=False)

def test_rule_42_no_orphans():
    made = {o for p in PATHS for c in read(p).code for o in re.findall(r'^#\|\s*default_exp (\S+)', c.src, re.M)}
    files = [p.relative_to(ROOT/LIB).with_suffix('').parts for p in (ROOT/LIB).rglob('*.py')]
    found = {'.'.join(o) for o in files if o[-1] not in ('__init__','_modidx')}
    assert not found-made, f'{found-made} are modules without a notebook: delete them'
    assert not made-found, f'{made-found} are notebooks without a module: run nbdev_export'

# --- Can the rules fail? ---------------------------------------------------------------------------------------------

GOOD = [('markdown', '# a\n\n> What it is for'), ('code', '#| default_exp a'),
    ('code', '#| export\nimport matplotlib.pyplot as plt\nfrom unsupervised_cluster.core import argument_error'),
    ('markdown', '## Halves'),
    ('code', '''#| export
@dataclass
class Half:
    "Half of a number"
    n:int # The number

    def value(self,
        digits:int=3, # How many
    )->float: # Half of `n`
        "The half, rounded"
        if digits<0: raise argument_error('digits', digits, '0 or more')
        return round(self.n/2, digits)'''),
    ('code', "!ls\ntest_eq(Half(4).value(), 2)\nwith expect_fail(ArgumentError, '0 or more'): Half(4).value(-1)"),
    ('code', '''#| export
def plot_half(
    n:int, # A number
    ax:plt.Axes|None=None, # Where to draw; a new figure if None
)->plt.Axes: # The axes drawn on
    "Draw half of `n`"
    return ax'''),
    ('code', 'ax = plot_half(4)'), ('code', '#| hide\nassert ax is None'),
    ('markdown', '## Export -'), ('code', '#| hide\nimport nbdev; nbdev.nbdev_export()')]

def made(old='', new='', output=None):
    "The good notebook with `old` replaced by `new`, and one saved output"
    cells = [dict(id=str(i), cell_type=k, source=o.replace(old, new) if old else o) for i,(k,o) in enumerate(GOOD)]
    cells[7]['outputs'] = [output or dict(output_type='stream', name='stdout', text=['shown'])]
    return Page(json.dumps(dict(cells=cells)), '01_a', 'a')

BAD = dict(
    rule_01_title=[('> What', 'What'), ('## Halves', '# Halves')],
    rule_02_imports_first=[('default_exp a', 'default_exp b'), ('as plt', 'as plt\nx = 1'),
        ('def plot', 'import re\ndef plot')],
    rule_06_end=[('## Export -', '## End'), ('#| hide\nimport', 'import'), ('## Halves', ' ')],
    rule_07_sizes=[('return ax', 'n\n    '*40+'return ax'), ('!ls', '1\n'*15), ('A number', 'very '*30),
        ('as plt', 'as plt'+'\nimport re'*400)],
    rule_10_parameters=[('n:int, #', 'n, #'), ('n:int, # A number', 'n:int,'), ('n:int, # A number\n', 'n:int,'),
        ('digits:int=3,', 'digits:int=3,*a,')],
    rule_10_fields=[('n:int # The number', 'n:int')],
    rule_12_returns=[('->float:', ':'), (' # Half of `n`', '')],
    rule_12_docstrings=[('"Draw half of `n`"', '0'), ('"The half, rounded"', '0'), ('"Half of a number"', '0')],
    rule_15_shown_and_asserted=[('plot_half(4)', 'Half(4)'), ('assert ax is None', 'ax'), ('.value(', '.n(')],
    rule_18_errors=[('ArgumentError', 'KeyError'), (", '0 or more')", ')'), ('raise argument_error', 'raise OSError')],
    rule_19_plots=[('ax:plt', 'axes:plt'), ('return ax', 'return'), ('return ax', 'plt.show()\n    return ax')],
    rule_20_figures=[('ax = plot_half(4)', '#| fig-cap: "Two"\nax = plot_half(4)')],
    rule_25_no_silence=[('!ls', 'try: 1\nexcept: pass'), ('return ax', 'assert n\n    return ax')],
    rule_27_named_imports=[('import argument_error', 'import *'), ('unsupervised_cluster.core', '.core')],
    rule_29_builtins=[('n:int, #', 'id:int, #')],
    rule_30_lower_numbers=[('cluster.core', 'cluster.results'), ('cluster.core', 'cluster.nowhere')],
    rule_30_imports_at_top=[('return ax', 'import json\n    return ax')])

def shown(k, v): return dict(output_type='display_data', data={k:v})
BAD_OUTPUTS = dict(
    rule_21_bytes=[shown('text/plain', 'x'*300_000), shown('image/png', 'A'*90_000)],
    rule_40_outputs=[dict(output_type='error'), dict(output_type='stream', name='stderr', text=['x']),
        *[shown('text/plain', [o]) for o in ("PosixPath('/tmp/x')", '<f at 0x7f12ab34c>', 'x.py:1: UserWarning: y')],
        *[shown('text/html', o) for o in ('<progress value', '<td>00:01</td>', 'Turns off some styling')],
        shown('widget-view+json', {'model_id': '12ab'})],
    rule_40_clean=[dict(output_type='execute_result', execution_count=3)])

@pytest.mark.parametrize('rule', RULES)
def test_good_passes(rule): assert list(RULES[rule](made()))==[]

@pytest.mark.parametrize('rule,old,new', [(k,*o) for k,v in BAD.items() for o in v], ids=lambda o: o[:25])
def test_bad_is_reported(rule, old, new): assert list(RULES[rule](made(old, new)))

@pytest.mark.parametrize('rule,output', [(k,o) for k,v in BAD_OUTPUTS.items() for o in v])
def test_bad_output_is_reported(rule, output): assert list(RULES[rule](made(output=output)))

def test_every_rule_can_fail(): assert {*BAD,*BAD_OUTPUTS}==set(RULES)
