"""The whole site: process the notebooks, render, link, index, check, and only then put it in its place."""
import json
import shutil
import sys
import tempfile
from pathlib import Path

from nbdev.serve import proc_nbs

from . import DocsError
from .check import site_problems
from .links import LinkWriter
from .notebook import Page, read_page
from .project import Project, check_sidebar, load_project, working_folder
from .render import ASSETS, render_page
from .search import page_records, write_index


def processed_notebooks(project:Project) -> Path:
    "Let nbdev process the notebooks: links, signatures, hidden cells. Only imports, exports and `show_doc` are run"
    with working_folder(project.root): cache = proc_nbs(force=True, n_workers=0)
    if not any(cache.rglob('*.ipynb')):
        raise DocsError('nbdev processed no notebook: has a folder above the project a name that begins with a dot?')
    return cache


def copy_files(cache:Path, site:Path):
    "All that lies beside the notebooks (pictures, style sheets), and our own style and script"
    shutil.copytree(cache, site, ignore=shutil.ignore_patterns('*.ipynb', '*.yml', '_*', '.*'))
    for name in ('site.css', 'site.js'): shutil.copy(ASSETS/name, site/name)
    (site/'.nojekyll').touch()


def read_pages(cache:Path, site:Path) -> dict[str,Page]:
    "All pages by the path of their notebook; every notebook with a fault is named, not only the first"
    pages,faults = {},[]
    for file in sorted(cache.rglob('*.ipynb')):
        path = file.relative_to(cache).as_posix()
        try: pages[path] = read_page(json.loads(file.read_text(encoding='utf-8')), path, site)
        except DocsError as e: faults.append(str(e))
    if faults: raise DocsError('\n'.join(faults))
    return pages


def write_pages(project:Project, pages:dict[str,Page], site:Path):
    "Render the pages, make their links ready, and index them"
    rendered = {o: render_page(project, pages, page) for o,page in pages.items()}
    links = LinkWriter(project, pages, rendered)
    records = []
    for o in [*project.listed(), *sorted(set(pages)-set(project.listed()))]:
        html = links.rewrite(pages[o], rendered[o])
        (site/pages[o].path).write_text(html, encoding='utf-8')
        records += page_records(pages[o], html)
    write_index(records, site)


def replace_folder(new:Path, dest:Path):
    "Put `new` in the place of `dest`, which must be a site if it is anything"
    if dest.exists():
        if any(dest.iterdir()) and not (dest/'index.html').is_file():
            raise DocsError(f'{dest} is not empty and holds no site (no index.html): nothing was written')
        shutil.rmtree(dest)
    dest.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(new, dest)


def build_site(
    root:Path, # The project
    dest:Path|None=None, # Where the site goes; None: `doc_path` of settings.ini
) -> Path: # Where it went
    "Build the site, or raise a `DocsError` and leave what was there as it was"
    project = load_project(root)
    dest = Path(dest or project.docs).resolve()
    for o in check_sidebar(project): print(f'Note: {o} is not in the sidebar of _quarto.yml', file=sys.stderr)
    cache = processed_notebooks(project)
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)/'site'
        copy_files(cache, site)
        write_pages(project, read_pages(cache, site), site)
        if problems := site_problems(site): raise DocsError('\n'.join(problems))
        replace_folder(site, dest)
    return dest
