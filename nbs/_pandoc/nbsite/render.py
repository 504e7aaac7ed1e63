"""Markdown to HTML pages: pandoc, our template, and the navigation around the text."""
import re
import subprocess
from functools import lru_cache
from html import escape
from pathlib import Path

import pypandoc

from . import DocsError
from .notebook import Page
from .project import Entry, Project

ASSETS = Path(__file__).resolve().parents[1]/'assets'

_line_anchor = re.compile(r'<span id="(cb[0-9]+-[0-9]+)"><a href="#\1" aria-hidden="true" tabindex="-1"></a>')


def inline_html(text:str) -> str:
    "Plain text with `names` in backticks, as HTML"
    return re.sub(r'`([^`]+)`', r'<code>\1</code>', escape(text))


def plain(text:str) -> str:
    "The same without its backticks"
    return text.replace('`', '')


def sidebar_html(entries:tuple[Entry,...], pages:dict[str,Page], current:Page) -> str:
    "The sidebar as nested lists, with the current page marked"
    items = []
    for entry in entries:
        below = sidebar_html(entry.contents, pages, current) if entry.contents else ''
        page = pages.get(entry.href)
        text = inline_html(entry.text or (page.title if page else str(entry.href)))
        mark = ' aria-current="page"' if page==current else ''
        if entry.href: line = f'<a href="{escape(current.top+page.path if page else entry.href)}"{mark}>{text}</a>'
        else: line = f'<span class="section">{text}</span>'
        items.append(f'<li>{line}{below}</li>')
    return f'<ul>{"".join(items)}</ul>'


def neighbours(project:Project, pages:dict[str,Page], current:Page) -> tuple[Page|None, Page|None]:
    "The pages before and after the current one, in the sidebar's order"
    order = [pages[o] for o in project.listed()]
    if not project.page_navigation or current not in order: return None,None
    i = order.index(current)
    return order[i-1] if i else None, order[i+1] if i+1<len(order) else None


def page_variables(project:Project, pages:dict[str,Page], page:Page) -> dict[str,str]:
    "What the template wants to know, as HTML"
    before,after = neighbours(project, pages, page)
    values = dict(
        heading=inline_html(page.title), description=inline_html(page.description),
        pagetitle=escape(plain(page.title)), summary=escape(plain(page.description)),
        site=escape(project.title), top=page.top, sidebar=sidebar_html(project.sidebar, pages, page),
        url=escape(project.site_url+page.path), favicon=escape(project.favicon),
        image=escape(project.site_url+project.image) if project.image else '',
        repo=escape(project.repo_url), home='yes' if page.path=='index.html' else '')
    if 'source' in project.repo_actions: values['source'] = escape(project.source_url(page.notebook))
    if 'issue' in project.repo_actions: values['issue'] = escape(f'{project.repo_url}/issues/new')
    for name,other in dict(previous=before, next=after).items():
        if other: values |= {name: page.top+other.path, f'{name}title': inline_html(other.title)}
    return {k:v for k,v in values.items() if v}


@lru_cache(maxsize=None)
def pandoc_command() -> tuple[str,...]:
    "The part of the command that all pages share"
    return (pypandoc.get_pandoc_path(), '--from=markdown', '--to=html5', '--mathml', '--toc', '--toc-depth=3',
            '--wrap=preserve', '--fail-if-warnings', f'--lua-filter={ASSETS/"quarto.lua"}',
            f'--template={ASSETS/"page.html"}')


def render_page(project:Project, pages:dict[str,Page], page:Page) -> str:
    "The page's HTML, its links still as the notebook has them; lines of code lose the anchors that pandoc gives them"
    values = page_variables(project, pages, page)
    sheets = ['site.css', *project.css]
    command = [*pandoc_command(), *(f'--variable={k}={v}' for k,v in values.items()),
               *(f'--variable=css={page.top}{o}' for o in sheets)]
    done = subprocess.run(command, input=page.markdown, capture_output=True, encoding='utf-8')
    if done.returncode: raise DocsError(f'{page.notebook}: pandoc says: {done.stderr.strip()}')
    return _line_anchor.sub('<span>', done.stdout)
