"""The search index: one record for each section of each page, in a script which also works from the disk."""
import json
from pathlib import Path

from .content import parse
from .notebook import Page
from .render import plain

FILE = 'search-index.js'
_start = 'window.SEARCH_INDEX = '


def squeezed(words:list[str]) -> str:
    "One line, with single spaces"
    return ' '.join(''.join(words).split())


def page_records(page:Page, html:str) -> list[dict]:
    "A record of where, page title, section title and text for each section"
    title,records = plain(page.title),[]
    for i,(anchor,heading,text) in enumerate(parse(html).sections):
        url = page.path if i==0 else f'{page.path}#{anchor}'
        records.append(dict(url=url, page=title, section='' if i==0 else squeezed(heading), text=squeezed(text)))
    return records


def write_index(records:list[dict], site:Path):
    "Write the index as a script: a page opened from the disk may load a script, but not JSON"
    lines = ',\n'.join(json.dumps(o, ensure_ascii=False) for o in records)
    (site/FILE).write_text(f'{_start}[\n{lines}\n];\n', encoding='utf-8')


def read_index(site:Path) -> list[dict]:
    "What `write_index` wrote"
    return json.loads((site/FILE).read_text(encoding='utf-8').removeprefix(_start).rstrip().removesuffix(';'))
