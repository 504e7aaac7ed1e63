"""What the docs need to know about the project: its settings, its sidebar, its notebooks."""
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from nbdev.config import get_config

from . import DocsError, as_list


@dataclass(frozen=True)
class Entry:
    "One line of the sidebar: a page (`href`), or a section with entries of its own"
    text:str|None # What it says; None: the page's title
    href:str|None=None # Path of the notebook below the notebooks folder, or an address elsewhere
    contents:tuple['Entry',...]=()

    @property
    def is_notebook(self) -> bool:
        "Is it a page of this site?"
        return bool(self.href) and self.href.endswith('.ipynb') and '://' not in self.href

    def walk(self) -> Iterator['Entry']:
        "This entry and all below it, in reading order"
        yield self
        for entry in self.contents: yield from entry.walk()


@dataclass(frozen=True)
class Project:
    "The settings that shape the site"
    root:Path
    notebooks:Path # The folder of the notebooks
    docs:Path # Where the site goes
    title:str
    version:str # Of the library
    site_url:str # Address of the published site, with a final slash
    repo_url:str
    branch:str
    sidebar:tuple[Entry,...]
    css:tuple[str,...] # Style sheets below the notebooks folder
    image:str # What a link to the site shows elsewhere, below the notebooks folder; '' for nothing
    favicon:str # The sign of the site, below the notebooks folder; '' for none
    repo_actions:tuple[str,...] # Links to the repository that each page has: 'source', 'issue'
    page_navigation:bool # Has each page links to the one before and the one after?

    def source_url(self, path:str) -> str:
        "Where the repository shows the notebook at `path`"
        return f'{self.repo_url}/blob/{self.branch}/{self.notebooks.relative_to(self.root).as_posix()}/{path}'

    def listed(self) -> list[str]:
        "The notebooks in the sidebar, in reading order"
        return [entry.href for top in self.sidebar for entry in top.walk() if entry.is_notebook]

    def existing(self) -> list[str]:
        "The notebooks on disk that are meant for the site: nothing that begins with `_` or `.`"
        paths = (o.relative_to(self.notebooks) for o in self.notebooks.rglob('*.ipynb'))
        return sorted(o.as_posix() for o in paths if not any(part[0] in '_.' for part in o.parts))


@contextmanager
def working_folder(path:Path) -> Iterator[None]:
    "Make `path` the current folder for the length of the block: nbdev finds a project by where it is run"
    before = Path.cwd()
    os.chdir(path)
    try: yield
    finally: os.chdir(before)


def read_entry(item:str|dict) -> Entry:
    "A sidebar item of `_quarto.yml`"
    if isinstance(item, str): return Entry(None, item)
    unknown = set(item) - {'text','href','section','contents'}
    if unknown: raise DocsError(f'_quarto.yml: not handled in a sidebar item: {", ".join(sorted(unknown))}: {item}')
    contents = tuple(map(read_entry, as_list(item.get('contents'))))
    section = item.get('section')
    if section and section.endswith('.ipynb'): return Entry(None, section, contents)
    return Entry(item.get('text') or section, item.get('href'), contents)


def read_quarto_config(root:Path) -> dict:
    "The top-level `_quarto.yml`"
    path = root/'_quarto.yml'
    try: config = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError) as e: raise DocsError(f'_quarto.yml cannot be read: {e}') from e
    if not (config or {}).get('website', {}).get('sidebar', {}).get('contents'):
        raise DocsError('_quarto.yml: `website: sidebar: contents:` is missing: list the notebooks there')
    return config


def load_project(root:Path) -> Project:
    "Read `settings.ini` and `_quarto.yml`"
    with working_folder(root): settings = get_config()
    config = read_quarto_config(root)
    website,html = config['website'],config.get('format', {}).get('html', {})
    return Project(
        root=root, notebooks=root/settings.nbs_path.name, docs=root/settings.doc_path.name,
        title=website.get('title') or settings.title, version=settings.version,
        site_url=f'{settings.doc_host.rstrip("/")}/{settings.doc_baseurl.strip("/")}'.rstrip('/') + '/',
        repo_url=settings.git_url.rstrip('/'), branch=settings.branch,
        sidebar=tuple(map(read_entry, as_list(website['sidebar']['contents']))), css=tuple(as_list(html.get('css'))),
        image=website.get('image', ''), favicon=website.get('favicon', ''),
        repo_actions=tuple(as_list(website.get('repo-actions'))), page_navigation=bool(website.get('page-navigation')))


def check_sidebar(project:Project) -> list[str]:
    "Raise if a sidebar entry has no notebook or comes twice; return the notebooks that the sidebar leaves out"
    listed,existing = project.listed(),project.existing()
    missing = [o for o in listed if o not in existing]
    if missing:
        raise DocsError('_quarto.yml: these sidebar entries have no notebook; write it, or take the entry out:\n'
                        + '\n'.join(f'  {project.notebooks.name}/{o}' for o in missing))
    twice = sorted({o for o in listed if listed.count(o)>1})
    if twice: raise DocsError(f'_quarto.yml: listed more than once in the sidebar: {", ".join(twice)}')
    return [o for o in existing if o not in listed]
