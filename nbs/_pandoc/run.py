"""Run notebooks from top to bottom, save their outputs, and note in `saved.txt` that they belong together.

    python nbs/_pandoc/run.py             those whose code or outputs changed since they were last run
    python nbs/_pandoc/run.py NOTEBOOK... these
    python nbs/_pandoc/run.py --all       all of them: before a release, and after a change that many pages show"""
import argparse
import os
import sys
import time
from pathlib import Path

from nbclient.exceptions import CellExecutionError

from nbsite.project import load_project
from nbsite.saved import record, run_notebook, stale

ROOT = Path(__file__).resolve().parents[2]


def main(argv=None):
    "Do what the command line says; the exit status is 1 if a notebook failed, which is left as it was"
    parser = argparse.ArgumentParser(description='Run notebooks and save their outputs.')
    parser.add_argument('notebooks', nargs='*', type=Path, metavar='NOTEBOOK', help='default: those that are stale')
    parser.add_argument('--all', action='store_true', help='all of them')
    args = parser.parse_args(argv)
    project,failed = load_project(ROOT),[]
    given = [o.resolve().relative_to(project.notebooks).as_posix() for o in args.notebooks]
    os.environ['MPLBACKEND'] = 'module://matplotlib_inline.backend_inline' # Figures belong into the page
    os.environ['PYTHONWARNINGS'] = 'ignore::FutureWarning' # What other libraries plan does not
    for path in given or (project.existing() if args.all else stale(project)):
        start = time.perf_counter()
        try: run_notebook(project, path)
        except CellExecutionError as e:
            print(f'{path} failed:\n{e}', file=sys.stderr)
            failed.append(path)
        else:
            record(project, [path])
            print(f'{path}: {time.perf_counter()-start:.0f} s', flush=True)
    return int(bool(failed))


if __name__ == '__main__': sys.exit(main())
