"README.md, and the docs site as nbs/_pandoc builds it."
import json
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urldefrag

import pytest
from browser import browse

ROOT = Path(__file__).resolve().parent.parent
BUILDER = ROOT/'nbs/_pandoc'
sys.path.insert(0, str(BUILDER))

from nbsite import DocsError, check, notebook, project, readme, saved, search  # noqa: E402
from nbsite.content import parse_site  # noqa: E402


@pytest.fixture(scope='module')
def proj(): return project.load_project(ROOT)


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    "The site, built once, in a process of its own: processing the notebooks runs their exported cells"
    dest = tmp_path_factory.mktemp('docs')/'site'
    command = [sys.executable, BUILDER/'build.py', '--dest', dest]
    done = subprocess.run(command, capture_output=True, encoding='utf-8', cwd=ROOT)
    assert done.returncode==0, f'`python nbs/_pandoc/build.py` failed:\n{done.stderr[-4000:]}'
    return dest


# README.md ------------------------------------------------------------------------------------------------------------

def test_readme_is_in_step_with_index(proj):
    text = (ROOT/'README.md').read_text(encoding='utf-8')
    wanted = readme.readme_text(proj)
    assert text==wanted, 'README.md differs from nbs/index.ipynb: run `python nbs/_pandoc/build.py --readme`'


def test_readme_links_exist():
    assert not readme.missing_files((ROOT/'README.md').read_text(encoding='utf-8'), ROOT)


# Sidebar --------------------------------------------------------------------------------------------------------------

def test_every_notebook_is_in_the_sidebar_and_every_entry_has_a_notebook(proj):
    listed = proj.listed()
    assert len(listed)==len(set(listed)), 'a notebook comes twice in the sidebar of _quarto.yml'
    assert sorted(listed)==proj.existing(), 'the sidebar of _quarto.yml and the notebooks in nbs/ differ'


def test_sections_of_the_sidebar(proj):
    assert [o.text for o in proj.sidebar]==['Home','Tutorials','How-to','Explanations','Reference','Development']
    reference = next(o for o in proj.sidebar if o.text=='Reference')
    assert [o.text for o in reference.contents]==['Data','Training','Features','Clustering','Showing','Interfaces']


# Pages ----------------------------------------------------------------------------------------------------------------

def read_page(proj, path): return json.loads((proj.notebooks/path).read_text(encoding='utf-8'))['cells']


def pages_to_read(proj): return [o for o in proj.existing() if not o[0].isdigit() and o!='index.ipynb']


def test_saved_outputs_are_those_of_the_code(proj):
    old = saved.stale(proj)
    assert not old, f'run `python nbs/_pandoc/run.py` and look at what changed: {", ".join(old)}'


def test_a_changed_cell_or_output_is_noticed():
    def made(source, *outputs): return saved.fingerprint(dict(cells=[code_cell(source, *outputs)]))
    shown = dict(output_type='stream', name='stdout', text=['1\n','2'])
    before = made('#| hide\nprint(1)', shown)
    assert made('#| echo: false\nprint(1)\n', dict(shown, text='1\n2'))==before, 'only how it is shown or kept'
    assert before not in (made('print(2)', shown), made('print(1)'), made('print(1)', dict(shown, text='1')))


def test_each_page_says_for_whom_and_how_long_and_opens_in_colab(proj):
    for path in pages_to_read(proj):
        cells = read_page(proj, path)
        top = '\n'.join(''.join(o['source']) for o in cells[:4])
        assert '**For** ' in top and '**Takes** ' in top, f'{path}: say at the top for whom it is and how long it takes'
        colab = f'https://colab.research.google.com/github/{proj.repo_url.split("/", 3)[3]}/blob/{proj.branch}/nbs/{path}'
        code = any(o['cell_type']=='code' for o in cells)
        assert not code or colab in top, f'{path}: no link to {colab}'
        assert not code or '!git clone' in top, f'{path}: the hidden cell that installs the package on Colab is missing'


def test_the_page_of_the_command_shows_every_option(proj):
    from unsupervised_cluster.cli import build_parser
    text = json.dumps(read_page(proj, 'howto/command_line.ipynb'))
    assert not [o for a in build_parser()._actions for o in a.option_strings if o not in text]


# Site -----------------------------------------------------------------------------------------------------------------

def test_every_notebook_has_a_page(site, proj):
    assert len(list(site.rglob('*.html')))==len(proj.existing())
    assert (site/'index.html').is_file()


def test_links_and_anchors_resolve(site):
    pages = parse_site(site)
    assert sum(len(o.links) for o in pages.values()) > 10*len(pages), 'hardly any link was found: is the test blind?'
    assert not check.broken_links(site.resolve(), pages)


def test_no_markup_is_left_in_the_text(site):
    pages = parse_site(site)
    assert all(o.prose for o in pages.values()), 'a page without text: is the test blind?'
    assert not check.leftovers(site.resolve(), pages)


def test_ids_are_unique(site):
    assert not check.repeated_ids(site.resolve(), parse_site(site))


def test_each_page_has_a_sign_and_a_card(site, proj):
    for path in site.rglob('*.html'):
        head = path.read_text(encoding='utf-8').split('</head>')[0]
        assert f'content="{proj.site_url}{proj.image}"' in head and 'og:title' in head and 'rel="icon"' in head, path
    assert (site/proj.image).is_file() and (site/proj.favicon).is_file()


@pytest.mark.parametrize('word', ['elbow', 'bottleneck', 'ImageTable', 'Clustering', 'find_images'])
def test_search_finds(site, word):
    found = [o for o in search.read_index(site) if word.lower() in f'{o["section"]} {o["text"]}'.lower()]
    assert found, f'no record of the search index has {word!r}'


def test_search_leads_to_places_that_exist(site):
    pages = parse_site(site)
    for record in search.read_index(site):
        path,anchor = urldefrag(record['url'])
        page = pages[(site/path).resolve()]
        assert not anchor or anchor in page.ids, record['url']


def test_names_in_backticks_are_links(site):
    links = [link for page in parse_site(site).values() for link in page.links]
    assert any(o.endswith('results.html#clustering') or o=='#clustering' for o in links)


# In a browser ---------------------------------------------------------------------------------------------------------

@contextmanager
def served(folder):
    "The address at which `folder` is served, on this machine only"
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args): pass
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/'
        server.shutdown()


@pytest.mark.parametrize('width, dark', [(1280, False), (390, True)])
def test_each_page_opens_without_fault(site, tmp_path, width, dark):
    with served(site) as url, browse(tmp_path, dark=dark, width=width) as open_page:
        page = open_page(url, 'index.html')
        for path in sorted(site.rglob('*.html')):
            page.goto(url+path.relative_to(site).as_posix())
            wide = page.evaluate('document.documentElement.scrollWidth-document.documentElement.clientWidth')
            assert not wide, f'{path.name} is {wide} pixels wider than a window of {width}'
        assert not open_page.watch.errors and not open_page.watch.outside, vars(open_page.watch)


def test_home_fits_on_one_screen(site, tmp_path):
    with served(site) as url, browse(tmp_path, height=900) as open_page:
        next_pages = open_page(url, 'index.html').get_by_text('the method step by step').bounding_box()
        assert next_pages['y']+next_pages['height']<900, next_pages


@pytest.mark.parametrize('word', ['elbow', 'bottleneck'])
def test_search_works_from_the_disk_and_leads_there(site, tmp_path, word):
    with browse(tmp_path) as open_page:
        page = open_page('file://', f'{site}/index.html')
        page.get_by_role('searchbox').fill(word)
        page.locator('.hits a').first.click()
        page.wait_for_load_state()
        assert word in page.locator('main').inner_text().lower() and 'index.html' not in page.url


# What the builder refuses ---------------------------------------------------------------------------------------------

def code_cell(source, *outputs): return dict(cell_type='code', source=source, outputs=list(outputs), metadata={})


@pytest.mark.parametrize('cell, message', [
    (dict(cell_type='markdown', source='See {{< video a.mp4 >}}.'), 'shortcode is not handled'),
    (dict(cell_type='markdown', source='By {{< meta author >}}.'), 'no such value in the front matter'),
    (code_cell('1/0', dict(output_type='error', ename='ZeroDivisionError', evalue='by zero')), 'holds an error'),
    (code_cell('#| fig-colour: red\nplot()'), 'cell option not handled here: fig-colour')])
def test_a_cell_that_cannot_be_shown_is_refused(cell, message, tmp_path):
    with pytest.raises(DocsError, match=message):
        notebook.write_cells(dict(cells=[cell]), notebook.MarkdownWriter(tmp_path, 'page'))


@pytest.mark.parametrize('body, message', [
    ('<a href="gone.html">x</a>', 'a.html: links to gone.html: no such file'),
    ('<a href="10_gone.ipynb">x</a>', 'no such file'),
    ('<a href="#gone">x</a>', 'no such section'),
    ('<img src="gone.png">', 'no such file'),
    ('<p id="x"></p><p id="x"></p>', 'comes twice'),
    ('<p>::: {.callout-tip}</p>', 'a fenced div'),
    ('<p>{{&lt; video &gt;}}</p>', 'a shortcode'),
    ('<p>[<a href="https://example.org">x</a>](https://example.org)</p>', 'a link in a link')])
def test_a_page_with_a_fault_is_found(body, message, tmp_path):
    (tmp_path/'a.html').write_text(f'<html><main>{body}</main></html>', encoding='utf-8')
    problems = check.site_problems(tmp_path)
    assert len(problems)==1 and message in problems[0], problems


def test_a_page_without_fault_passes(tmp_path):
    body = '<h2 id="b">B</h2><a href="#b">b</a><a href="https://example.org/x">x</a><code>::: {{&lt; #|</code>'
    (tmp_path/'a.html').write_text(f'<html><main>{body}</main></html>', encoding='utf-8')
    assert not check.site_problems(tmp_path)


@pytest.mark.parametrize('text, wanted', [
    ('[a](10_images.ipynb#x) ![](images/a.png) `[a](b)`', '[a](nbs/10_images.ipynb#x) ![](nbs/images/a.png) `[a](b)`'),
    ('[a](https://example.org) [b](#c) [d](../LICENSE)', '[a](https://example.org) [b](#c) [d](LICENSE)'),
    ('![A cat](cat.png){width=30%}', '<img src="nbs/cat.png" alt="A cat" width="30%">'),
    ('::: {.callout-tip}\n## Do\nthis\n:::', '> [!TIP]\n> **Do**\n>\n> this')])
def test_readme_markdown(proj, text, wanted):
    assert readme.ReadmeWriter(proj).prose(text)==wanted


def test_a_sidebar_entry_without_notebook_is_named(proj):
    from dataclasses import replace
    wrong = replace(proj, sidebar=(*proj.sidebar, project.Entry('Gone', 'howto/gone.ipynb')))
    with pytest.raises(DocsError, match='nbs/howto/gone.ipynb'): project.check_sidebar(wrong)
