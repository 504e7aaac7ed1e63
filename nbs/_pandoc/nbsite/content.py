"""What the pages hold, read with the standard library's parser: ids, links, and text by section."""
from html.parser import HTMLParser
from pathlib import Path

LINKING = {'a': 'href', 'link': 'href', 'img': 'src', 'script': 'src', 'source': 'src', 'iframe': 'src', 'video': 'src'}
VOID = set('area base br col embed hr img input link meta source track wbr'.split())
HEADINGS = {'h1','h2','h3','h4'}
UNSEARCHED = {'script','style','annotation','nav'}


class PageContent(HTMLParser):
    "Collects, from one page, its ids, its links, its prose (text outside code), and its text by section"
    def __init__(self):
        super().__init__()
        self.ids,self.links = [],[]
        self.prose,self.sections = [],[] # `sections`: [id of the heading, words of the heading, words of the text]
        self.open = [] # (tag, is it left out of the search?) of each open element

    def inside(self, *tags:str) -> bool:
        "Is one of `tags` open?"
        return any(tag in tags for tag,_ in self.open)

    def handle_starttag(self, tag, attrs):
        "Note the id and the link; a heading in the text begins a section"
        attrs = dict(attrs)
        if attrs.get('id'): self.ids.append(attrs['id'])
        if url := attrs.get(LINKING.get(tag)): self.links.append(url)
        if tag in HEADINGS and self.inside('main'): self.sections.append([attrs.get('id', ''), [], []])
        if tag not in VOID: self.open.append((tag, tag in UNSEARCHED or 'data-unsearched' in attrs))

    def handle_endtag(self, tag):
        "Close the element, and what was left open in it"
        if not self.inside(tag): return
        while self.open.pop()[0]!=tag: pass

    def handle_data(self, data):
        "Add text to the prose and to the section where it stands"
        if not self.inside('main'): return
        if not self.inside('code','pre','script','style','annotation'): self.prose.append(data)
        if not self.sections or any(unsearched for _,unsearched in self.open): return
        self.sections[-1][1 if self.inside(*HEADINGS) else 2].append(data)


def parse(html:str) -> PageContent:
    "Read one page"
    content = PageContent()
    content.feed(html)
    content.close()
    return content


def parse_site(site:Path) -> dict[Path,PageContent]:
    "Read every page of a built site"
    return {o.resolve(): parse(o.read_text(encoding='utf-8')) for o in sorted(site.rglob('*.html'))}
