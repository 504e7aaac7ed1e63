"The report: parsed, and opened in a browser from the file system, with file names as nobody would wish for"
import os, re, shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
import numpy as np
import pytest
from unsupervised_cluster.choose_k import choose_k
from unsupervised_cluster.cluster import cluster_features
from unsupervised_cluster.history import History
from unsupervised_cluster.images import find_images
from unsupervised_cluster.nuisance import nuisance_report
from unsupervised_cluster.pixels import decode_images
from unsupervised_cluster.report import write_report
from unsupervised_cluster.results import BrokenFile, Features
from unsupervised_cluster.samples import sample_photos
from unsupervised_cluster.sharing import shown_name
from unsupervised_cluster.stable_k import stable_k

HOSTILE = ['<img src=x onerror=alert(1)>.jpg', '"><script>alert(2)<%2fscript>.jpg', "' onmouseover='alert(3).jpg",
           '{{ 7*191 }}{% raw %}.jpg', 'two\nlines.jpg', 'gpj.\u202eexe.jpg', '&lt;b&gt;&amp;.jpg', 'naïve 🦤.jpg', 'x'*240+'.jpg',
           'javascript:alert(4).jpg', os.fsdecode(b'caf\xe9.jpg')]
VOID = {'meta','link','img','br','wbr'}

class Page(HTMLParser):
    "Tags with their attributes, text outside of the style sheet, and whether the tags fit each other"
    def __init__(self, path):
        super().__init__()
        self.tags, self.text, self.open, self.misfits = [], '', [], []
        self.source = Path(path).read_text(encoding='utf-8')
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID: self.open.append(tag)

    def handle_startendtag(self, tag, attrs): self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop()!=tag: self.misfits.append((tag, self.getpos()))

    def handle_data(self, data):
        if 'style' not in self.open: self.text += data

    def all(self, tag): return [a for t,a in self.tags if t==tag]

@pytest.fixture(scope='module')
def place(tmp_path_factory):
    "A folder with forty photos, some with a hostile name, and three files that cannot be read"
    top = tmp_path_factory.mktemp('report')
    photos = sample_photos(top/'photos', n=40, max_side=120).paths
    for path,name in zip(photos, HOSTILE):
        try: path.rename(top/'photos'/name)
        except OSError: assert not name.isascii() or '\n' in name # Not every file system takes every name
    (top/'photos'/'<b>cut<b>.jpg').write_bytes(photos[-1].read_bytes()[:400])
    (top/'photos/empty.png').touch()
    (top/'photos/page.gif').write_text('<html><script>alert(5)</script>')
    return top

@pytest.fixture(scope='module')
def found(place):
    "All that a report can be given, by name"
    images = find_images(place/'photos')
    store = decode_images(images, size=8)
    features = Features(store.pixels.reshape(40, -1).astype(np.float32)/255, images, 'pixels')
    clustering = cluster_features(features, 4)
    summary = dict(made='2026-01-02T03:04:05+00:00', arguments=dict(features='<i>pixels</i>', seed=7, n_clusters=None),
                   versions=dict(python='3'), size=8, seconds=dict(decode=.5), sizes=clustering.sizes.tolist())
    return dict(clustering=clustering, features=features, choice=choose_k(features, range(1,9)), stable=stable_k(features.X),
                nuisance=nuisance_report(clustering, store.pixels), history=History((.2,.1), (.2,.15), (1.,1.)), summary=summary)

@pytest.fixture(scope='module')
def report(place, found): return write_report(path=place/'report.html', **found)

@pytest.fixture(scope='module')
def page(report): return Page(report)

def test_whole(page):
    assert page.misfits==[] and page.open==[]
    ids = [a['id'] for _,a in page.tags if 'id' in a]
    assert len(ids)==len(set(ids)), 'an id is there twice'
    links = [a['href'] for a in page.all('a')]
    assert links and {o[1:] for o in links}<=set(ids) and all(o[0]=='#' for o in links)
    labels = {a['aria-labelledby'] for _,a in page.tags if 'aria-labelledby' in a}
    assert labels<=set(ids)

def test_nothing_from_outside(page):
    assert not {'script','iframe','object','embed','base','form','audio','video'} & {t for t,_ in page.tags}
    for tag,attrs in page.tags:
        for k,v in attrs.items():
            assert not k.startswith('on'), (tag, k)
            if k in ('src','href','xlink:href','srcset','action','poster','data'): assert v.startswith(('data:','#')), (tag, v[:80])
    style = re.search('<style>(.*)</style>', page.source, re.S)[1]
    assert 'url(' not in style and '@import' not in style
    policy = [a['content'] for a in page.all('meta') if a.get('http-equiv')=='Content-Security-Policy']
    assert policy==["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert 'http:' not in page.source and 'https:' not in page.source

def test_names_are_text(page, found):
    names = [shown_name(o) for o in found['clustering'].images.names]
    alts = {a['alt'] for a in page.all('img')}
    assert {o for o in names if '<' in o or '{' in o or '\\x' in o}<=alts
    for o in HOSTILE[:4]: assert o in page.text or o not in names, o
    assert '<b>cut<b>.jpg' in page.text and 'empty file (0 bytes)' in page.text and '<i>pixels</i>' in page.text
    assert all('style' in a for a in page.all('i')), 'only bars are <i>'
    assert '\u202e' not in page.text and r'two\x0alines' in page.text+''.join(alts)
    assert str(7*191) not in page.text

def test_every_picture_says_what_it_is(page):
    assert all(a.get('alt') or 'width' not in a for a in page.all('img'))  # Without a width they only repeat others
    assert all(a.get('aria-label') or a.get('aria-hidden') for a in page.all('svg'))
    assert page.all('html')[0]['lang']=='en' and len(page.all('h1'))==1 and len(page.all('main'))==1
    levels = [int(t[1]) for t,_ in page.tags if re.fullmatch('h[1-6]', t)]
    assert all(b<=a+1 or (a,b)==(2,4) for a,b in zip(levels, levels[1:]))
    assert all('scope' in a for a in page.all('th'))

def test_what_was_found(page, found):
    assert 'fall into 4 clusters' in page.text and '3 files could not be read' in page.text
    assert 'Scree plot' in page.text and 'found again' in page.text and '--seed 7' in page.text and '2026-01-02 03:04 UTC' in page.text
    assert all(f'{o:,} images' in page.text for o in found['clustering'].sizes if o>1)

def test_what_each_index_says(page):
    table = re.search('<table class="votes">.*?</table>', page.source, re.S)[0]
    rows = [re.sub('<[^>]*>', ' ', o) for o in re.findall('<tr.*?</tr>', table, re.S)]
    said = ['found again','silhouette','Calinski-Harabasz','Davies-Bouldin','elbow','gap statistic','prediction strength']
    assert len(rows)==8 and all(name in row for name,row in zip(said, rows[1:]))
    assert ['not computed' in o for o in rows[1:]]==[False]*5+[True]*2 and table.count('<svg class="tiny"')==5

def test_only_the_clustering(place, found):
    page = Page(write_report(found['clustering'], place/'short.html'))
    assert page.misfits==[] and [a['id'] for a in page.all('section')]==['clusters','odd','aside','made']

@pytest.mark.parametrize('change', ['one', 'none', 'lost', 'gone', 'two'])
def test_odd_results(place, found, change):
    "One cluster, an empty one, images without one, files that vanished, two images"
    c,X = found['clustering'],found['features']
    if change=='one': c = cluster_features(X, 1)
    if change=='none': c = replace(c, labels=np.zeros(40, int))
    if change=='lost': c = replace(c, labels=np.full(40, -1))
    if change=='gone': c = replace(c, images=replace(c.images, paths=tuple(o.with_name('gone'+o.name[:9]) for o in c.images.paths)))
    if change=='two': X = Features(X.X[:2], X.images.take([0,1])); c = cluster_features(X, 2)
    page = Page(write_report(c, place/f'{change}.html', replace(X, images=c.images), found['choice']))
    assert page.misfits==[] and len(page.all('img'))>=2
    assert {o['href'][1:] for o in page.all('a')}<={a['id'] for _,a in page.tags if 'id' in a}

def test_many_broken_files_stay_readable(place, found):
    c = found['clustering']
    many = tuple(BrokenFile(Path(f'{i}.jpg'), 'empty file (0 bytes)') for i in range(3000))
    page = Page(write_report(replace(c, images=replace(c.images, broken=many)), place/'many.html'))
    assert '3,000 files: empty file' in page.text and page.text.count('empty file')<600

def test_whole_or_not_at_all(place, found, monkeypatch):
    (place/'kept.html').write_text('old')
    monkeypatch.setattr('pathlib.Path.write_text', lambda *args, **kwargs: (_ for _ in ()).throw(OSError('disk full')))
    with pytest.raises(OSError): write_report(found['clustering'], place/'kept.html')
    monkeypatch.undo()
    assert (place/'kept.html').read_text()=='old' and not list(place.glob('.kept*'))

# --- In a browser ------------------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    "The installed Chromium, without a display and with an environment of its own"
    program = next(filter(None, map(shutil.which, ('chromium','chromium-browser','google-chrome'))), None)
    if program is None and not os.environ.get('CI'): pytest.skip('there is no Chromium on this machine')
    assert program, 'CI needs Chromium: apt-get install chromium'
    from playwright.sync_api import sync_playwright
    home = tmp_path_factory.mktemp('home')
    args = ['--no-sandbox'] if hasattr(os, 'geteuid') and os.geteuid()==0 else []
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=program, args=args, env=dict(PATH=os.defpath, HOME=str(home), LANG='C.UTF-8'))
        yield b
        b.close()

def look(browser, report, **options):
    "The opened page, what it said and what it asked for"
    page,said,asked = browser.new_page(**options),[],[]
    page.on('console', lambda o: said.append(o.text))
    page.on('pageerror', lambda o: said.append(str(o)))
    page.on('dialog', lambda o: (said.append(o.message), o.dismiss()))
    page.on('request', lambda o: asked.append(o.url))
    page.goto(report.as_uri())
    page.wait_for_load_state('load')
    return page,said,[o for o in asked if not o.startswith('data:')]

@pytest.mark.parametrize('width,scheme', [(1200,'light'),(1200,'dark'),(390,'light'),(320,'dark')])
def test_in_a_browser(browser, report, width, scheme):
    page,said,asked = look(browser, report, viewport=dict(width=width, height=800), color_scheme=scheme)
    assert (said, asked)==([], [report.as_uri()])
    pictures = page.evaluate('[...document.images].map(o => o.complete && o.naturalWidth)')
    assert len(pictures)>50 and all(pictures)
    assert page.evaluate('Promise.all([...document.querySelectorAll("svg image")].map(o => { const i = new Image();'
                         'i.src = o.href.baseVal; return i.decode().then(() => i.naturalWidth) }))')
    assert page.evaluate('document.documentElement.scrollWidth')<=width, 'it scrolls sideways'
    light = page.evaluate('getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)')
    assert (sum(light)>600)==(scheme=='light')
    assert HOSTILE[0] in page.inner_text('body')
    page.close()

CONTRAST = '''() => { const lum = c => { const [r,g,b] = c.match(/[0-9.]+/g).slice(0,3).map(v => (v /= 255) <= .04045 ? v/12.92 :
    ((v+.055)/1.055)**2.4); return .2126*r+.7152*g+.0722*b };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/rgba.*, 0(\\.\\d+)?\\)/.test(c)) return c } return 'rgb(255,255,255)' };
  return [...document.querySelectorAll('h1,h2,h3,h4,p,a,td,th,dt,dd,figcaption,code')].map(e => {
    const [a,b] = [lum(getComputedStyle(e).color), lum(ground(e))].sort((x,y) => y-x); return (a+.05)/(b+.05) }) }'''

@pytest.mark.parametrize('scheme', ['light','dark'])
def test_contrast(browser, report, scheme):
    page,_,_ = look(browser, report, color_scheme=scheme)
    assert min(page.evaluate(CONTRAST))>=4.5
    page.close()

def test_on_paper(browser, report):
    page,_,_ = look(browser, report, color_scheme='dark')
    page.emulate_media(media='print')
    assert page.evaluate('getComputedStyle(document.body).backgroundColor')=='rgb(255, 255, 255)'
    assert not page.is_visible('nav') and page.is_visible('#clusters')
    assert page.pdf(format='A4')[:5]==b'%PDF-'
    page.close()

def test_the_policy_works(browser, page, place):
    "Even where a script or an outside address had come in, the page's own rules keep them from running and loading"
    policy = re.search('<meta http-equiv="Content-Security-Policy".*?>', page.source)[0]
    (place/'bad.html').write_text(f'<!doctype html>{policy}<script>alert(1)</script><img src="outside.png">', encoding='utf-8')
    opened,said,_ = look(browser, place/'bad.html')
    assert len([o for o in said if 'violates' in o])==2 and '1' not in said
    opened.close()
