"""README.md: `index.ipynb` as GitHub's markdown, with links that work from the top of the repository."""
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urldefrag

from execnb.nbio import read_nb
from nbdev.processors import FilterDefaults

from . import DocsError
from .links import is_elsewhere
from .notebook import MarkdownWriter, fence, write_cells
from .project import Project, load_project, working_folder

SOURCE = 'index.ipynb'
NOTICE = f'<!-- Written from nbs/{SOURCE} by `python nbs/_pandoc/build.py --readme`: change it there. -->'
ALERTS = ('note','tip','important','warning','caution')

_code = re.compile(r'(^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[ \t]*$|`[^`\n]+`)', re.S|re.M)
_callout = re.compile(r'^(?P<colons>:{3,})[ \t]*\{\.callout-(?P<kind>' + '|'.join(ALERTS) + r')(?P<rest>[^}\n]*)\}'
                      r'[ \t]*\n(?P<body>.*?)^(?P=colons)[ \t]*$', re.S|re.M)
_title = re.compile(r'\A\s*#{1,6}[ \t]+(?P<title>[^\n]+)\n')
_title_attribute = re.compile(r'title="(?P<title>[^"]*)"')
_sized_image = re.compile(r'!\[(?P<alt>[^\]]*)\]\((?P<url>[^)\s]+)\)\{[^}]*?width="?(?P<width>\d+(?:px|%)?)"?[^}]*\}')
_attributes = re.compile(r'(?<=\))\{[^}\n]*\}')
_urls = re.compile(r'(?P<before>\]\(|^\[[^\]\n]+\]:[ \t]+|(?:href|src)=")(?P<url>[^)\s"]+)', re.M)
_style = re.compile(r'<style.*?</style>', re.S)
_unhandled = re.compile(r'^:::.*|(?<![\w`])@(?:fig|tbl|sec|eq)-[\w-]+', re.M)


class ReadmeFilter(FilterDefaults):
    "nbdev's processors, less those which run code, link names to the site, or add a notice of their own"
    def base_procs(self):
        "Which processors are used"
        skipped = ('add_links','insert_warning','exec_show_docs','add_show_docs')
        return [o for o in super().base_procs() if o.__name__ not in skipped]


def outside_code(change:Callable[[str],str], text:str) -> str:
    "Apply `change` to the parts of `text` that are not code"
    parts,last = [],0
    for match in _code.finditer(text):
        parts += [change(text[last:match.start()]), match[0]]
        last = match.end()
    return ''.join([*parts, change(text[last:])])


def alert(match:re.Match) -> str:
    "One of Quarto's callouts as one of GitHub's alerts"
    body = match['body'].strip('\n')
    title = _title.match(body) or _title_attribute.search(match['rest'])
    if title and title.re is _title: body = body[title.end():]
    first = [f'[!{match["kind"].upper()}]', *([f'**{title["title"]}**', ''] if title else [])]
    return '\n'.join(f'> {o}' if o else '>' for o in first + body.strip('\n').splitlines())


def sized_image(match:re.Match) -> str:
    "An image with a width: GitHub knows that only in HTML"
    return f'<img src="{match["url"]}" alt="{match["alt"]}" width="{match["width"].removesuffix("px")}">'


class ReadmeWriter(MarkdownWriter):
    "Writes cells and outputs as GitHub shows them"
    def __init__(self, project:Project):
        super().__init__(project.root, SOURCE)
        self.prefix = project.notebooks.relative_to(project.root).as_posix()

    def from_root(self, match:re.Match) -> str:
        "A link that was relative to the notebooks folder"
        url = match['url']
        if is_elsewhere(url) or url[0] in '#/': return match[0]
        return match['before'] + posixpath.normpath(f'{self.prefix}/{url}')

    def github(self, text:str) -> str:
        "Text outside code, in GitHub's manner"
        text = _attributes.sub('', _sized_image.sub(sized_image, text))
        if left := _unhandled.search(text): raise DocsError(f'GitHub cannot show {left[0]!r}')
        return _urls.sub(self.from_root, text)

    def prose(self, text):
        "Markdown: callouts become alerts, links start at the top of the repository"
        return outside_code(self.github, _callout.sub(alert, text))

    def text(self, text, name='stdout'):
        "Printed text in a plain fence"
        return fence(text)

    def html(self, html):
        "HTML as it is, but without styles, which GitHub would print, and without the empty lines that would end it"
        return '\n'.join(o for o in _style.sub('', html).splitlines() if o.strip())

    def image(self, *args, **kwargs):
        "Refused: the file would have to be kept in the repository"
        raise DocsError('a picture among the outputs has no place in README.md: save it in nbs/images and show that')


def readme_text(project:Project) -> str:
    "What README.md should hold"
    path = project.notebooks/SOURCE
    if not path.is_file(): raise DocsError(f'{path} is missing: README.md is written from it')
    with working_folder(project.root):
        notebook = read_nb(path)
        ReadmeFilter()(notebook)
    try: meta,markdown = write_cells(notebook, ReadmeWriter(project))
    except DocsError as e: raise DocsError(f'{SOURCE}: {e}') from e
    top = [NOTICE, f'# {meta["title"]}', *([f'> {meta["description"]}'] if meta.get('description') else [])]
    return '\n\n'.join([*top, markdown.strip()]) + '\n'


def missing_files(text:str, root:Path) -> list[str]:
    "The relative links of README.md which lead nowhere"
    urls = []
    outside_code(lambda part: urls.extend(o['url'] for o in _urls.finditer(part)) or part, text)
    return [o for o in urls if not is_elsewhere(o) and o[0]!='#' and not (root/unquote(urldefrag(o)[0])).exists()]


def write_readme(root:Path) -> Path:
    "Write README.md, or raise a `DocsError` and leave it as it is"
    project = load_project(root)
    text = readme_text(project)
    if missing := missing_files(text, root): raise DocsError(f'{SOURCE}: links to nowhere: {", ".join(missing)}')
    path = root/'README.md'
    path.write_text(text, encoding='utf-8')
    return path
