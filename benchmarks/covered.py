"""How much of the library do its own pages run?

    python benchmarks/covered.py            # some minutes; needs the package coverage; writes covered.csv and covered.txt
    python benchmarks/covered.py core runs  # these modules' pages only; writes nothing

The cells of each page run against the module that the page makes, not against a copy of its exported cells, so that coverage can
count the module's lines. A cell that changes a name of the page to try something has no effect on the module then, and may fail:
such cells are counted, and their lines count as far as they came.
"""
import contextlib, importlib, io, json, re, sys, warnings
from pathlib import Path
import coverage
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
NBS = HERE.parent/'nbs'

def pages(names):
    "The pages that make a module: its name, and the source of their cells"
    for path in sorted(NBS.glob('[0-9]*.ipynb')):
        sources = [''.join(o['source']) for o in json.loads(path.read_text(encoding='utf-8'))['cells'] if o['cell_type']=='code']
        found = next((m[1] for o in sources if (m := re.match(r'#\| default_exp (\w+)', o))), None)
        if found and found!='all' and (not names or found in names): yield found,sources

def run_page(name, sources):
    "Run the cells of a page against its module; how many ran, and the errors of the others"
    module,space,n,errors = importlib.import_module(f'unsupervised_cluster.{name}'),dict(__name__='__main__'),0,[]
    for source in sources:
        if re.match(r'#\| (default_exp|eval: *false|slow|cuda)', source) or 'nbdev_export()' in source: continue
        if source.startswith('#| export'):
            space.update({k:v for k,v in vars(module).items() if not k.startswith('__')})
            continue
        n += 1
        try: exec(compile(source, f'<{name}>', 'exec'), space)
        except (Exception, SystemExit) as e: errors.append(f'{name}: {type(e).__name__}: {str(e)[:100]}')
    return n,errors

def main(names):
    "Run the pages, and print and write the coverage of each module"
    plt.switch_backend('Agg')
    found = coverage.Coverage(source=['unsupervised_cluster'], data_file=None)
    ran,lost = 0,[]
    found.start()
    for name,sources in pages(names):
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter('ignore')
            n,errors = run_page(name, sources)
            plt.close('all')
        ran,lost = ran+n,lost+errors
        print(name, n, *errors, sep='\n  ', flush=True)
    found.stop()
    rows,total,hit = [],0,0
    for path in sorted((HERE.parent/'unsupervised_cluster').glob('[!_]*.py')):
        _,lines,_,missing,text = found.analysis2(str(path))
        if (names and path.stem not in names) or path.stem=='all': continue
        total,hit = total+len(lines),hit+len(lines)-len(missing)
        rows.append(dict(module=path.stem, lines=len(lines), covered=f'{100*(1-len(missing)/max(1, len(lines))):.1f}', missing=text))
        print(*rows[-1].values(), sep='\t')
    rows.append(dict(module='all of them', lines=total, covered=f'{100*hit/total:.1f}', missing=f'{len(lost)} of {ran} cells failed'))
    print(*rows[-1].values(), sep='\t')
    if not names:
        from results import write_table
        write_table('covered', list(rows[0]), rows)

if __name__=='__main__': main(sys.argv[1:])
