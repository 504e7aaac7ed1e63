"""What must not be found on a built site: broken links, ids that come twice, markup that nothing has handled."""
from pathlib import Path
from urllib.parse import unquote, urldefrag

from .content import PageContent, parse_site
from .links import is_elsewhere

LEFTOVERS = {':::': 'a fenced div that is not closed, or not opened, or has no blank line around it',
             '{{<': 'a shortcode that is not handled', '#|': 'a cell option in the text',
             '](http': 'a link in a link: nbdev links names in backticks by itself'}


def broken_links(site:Path, pages:dict[Path,PageContent]) -> list[str]:
    "Links to files or sections of the site which are not there"
    problems = []
    for page,content in pages.items():
        for url in dict.fromkeys(content.links):
            if is_elsewhere(url): continue
            path,fragment = urldefrag(unquote(url))
            target = (page.parent/path).resolve() if path else page
            if not target.is_file(): problems.append(f'{page.relative_to(site)}: links to {url}: no such file')
            elif fragment and target in pages and fragment not in pages[target].ids:
                problems.append(f'{page.relative_to(site)}: links to {url}: no such section on that page')
    return problems


def repeated_ids(site:Path, pages:dict[Path,PageContent]) -> list[str]:
    "Two elements of a page with one id: a link would only ever reach the first"
    return [f'{page.relative_to(site)}: the id {o!r} comes twice' for page,content in pages.items()
            for o in sorted({o for o in content.ids if content.ids.count(o)>1})]


def leftovers(site:Path, pages:dict[Path,PageContent]) -> list[str]:
    "Markup that shows in the text of a page"
    problems = []
    for page,content in pages.items():
        text = ''.join(content.prose)
        for mark,why in LEFTOVERS.items():
            if (i := text.find(mark))>=0:
                around = ' '.join(text[max(0, i-40):i+40].split())
                problems.append(f'{page.relative_to(site)}: `{mark}` in the text ({why}): ... {around} ...')
    return problems


def site_problems(site:Path) -> list[str]:
    "All that is wrong with a built site, one line each"
    site = site.resolve()
    pages = parse_site(site)
    return broken_links(site, pages) + repeated_ids(site, pages) + leftovers(site, pages)
