"""Build the documentation from the notebooks, with pandoc in place of Quarto.

    python nbs/_pandoc/build.py                 the site, in `_docs`
    python nbs/_pandoc/build.py --dest FOLDER   the site, in FOLDER
    python nbs/_pandoc/build.py --readme        README.md, from nbs/index.ipynb

Where Quarto is installed, `nbdev_docs` builds a site of the same pages from the same `_quarto.yml`."""
import argparse
import sys
from pathlib import Path

from nbsite import DocsError
from nbsite.readme import write_readme
from nbsite.site import build_site

ROOT = Path(__file__).resolve().parents[2]


def main(argv=None):
    "Do what the command line says; the exit status is 1, and the reason is on stderr, if the docs are not right"
    parser = argparse.ArgumentParser(description='Build the docs site, or README.md, from the notebooks.')
    parser.add_argument('--readme', action='store_true', help='write README.md from nbs/index.ipynb, and no site')
    parser.add_argument('--dest', type=Path, metavar='DIR',
                        help='where the site goes (default: doc_path in settings.ini)')
    args = parser.parse_args(argv)
    if args.readme and args.dest: parser.error('--readme always writes README.md: leave out --dest')
    try: written = write_readme(ROOT) if args.readme else build_site(ROOT, args.dest)
    except DocsError as e:
        print(f'The docs are not right.\n{e}', file=sys.stderr)
        return 1
    print(f'Written: {written}')
    return 0


if __name__ == '__main__': sys.exit(main())
