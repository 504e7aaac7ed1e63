"""Links as they are in notebooks, turned into links between pages."""
import posixpath
import re
from html import escape, unescape
from urllib.parse import quote, unquote, urldefrag

from .content import parse
from .notebook import Page
from .project import Project

_anchor = re.compile(r'(<a\b[^>]*?\shref=")([^"]*)("[^>]*>)(.*?)</a>', re.S)
_elsewhere = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:|//')


def is_elsewhere(url:str) -> bool:
    "Does the link leave the site?"
    return bool(_elsewhere.match(url))


def nearest_id(wanted:str, ids:set[str]) -> str:
    "A method without a section of its own is found in that of its class; a name without any, at the top of the page"
    while wanted and wanted not in ids: wanted = wanted.rpartition('.')[0]
    return wanted


class LinkWriter:
    "Knows all pages, so that it can point from one to another"
    def __init__(self, project:Project, pages:dict[str,Page], rendered:dict[str,str]):
        self.site_url,self.pages = project.site_url,pages
        self.ids = {pages[o].path: set(parse(html).ids) for o,html in rendered.items()}

    def relative(self, page:Page, path:str, fragment:str) -> str:
        "From `page` to a place on the site"
        if path==page.path and fragment: return f'#{fragment}'
        url = posixpath.relpath(path, posixpath.dirname(page.path) or '.')
        return quote(url) + (f'#{fragment}' if fragment else '')

    def to_name(self, page:Page, url:str) -> str:
        "From `page` to a name of this package, which nbdev links by the published address; '' if that is of no use"
        path,fragment = urldefrag(url[len(self.site_url):])
        path = path or 'index.html'
        fragment = nearest_id(fragment, self.ids[path]) if path in self.ids else fragment
        return '' if path==page.path and not fragment else self.relative(page, path, fragment)

    def to_notebook(self, page:Page, url:str) -> str:
        "From `page` to the page of a notebook; unchanged if there is no such notebook, for the check to find"
        path,fragment = urldefrag(unquote(url))
        target = self.pages.get(posixpath.normpath(posixpath.join(posixpath.dirname(page.notebook), path)))
        return self.relative(page, target.path, fragment) if target else url

    def rewrite(self, page:Page, html:str) -> str:
        "The page with all its links made ready"
        def one(match:re.Match) -> str:
            "One link, or only its text where the link would lead to itself"
            url = unescape(match[2])
            if url.startswith(self.site_url):
                url = self.to_name(page, url)
                if not url: return match[4]
            elif not is_elsewhere(url) and urldefrag(url)[0].endswith('.ipynb'): url = self.to_notebook(page, url)
            return f'{match[1]}{escape(url)}{match[3]}{match[4]}</a>'
        return _anchor.sub(one, html)
