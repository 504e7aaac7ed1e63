"""Take the pictures of the explorer that its how-to shows, from a real browser: `python tests/screenshots.py`

A widget does not live in a saved page, so the page has pictures of it. They are JPEG: they are mostly photos."""
import io, tempfile
from pathlib import Path
from PIL import Image
from playwright.sync_api import expect
from browser import browse, run_all, serve, write_notebook
from unsupervised_cluster.pipeline import ImageClusterer
from unsupervised_cluster.samples import sample_photos

IMAGES = Path(__file__).resolve().parents[1]/'nbs/images'
CELL = '''from unsupervised_cluster.all import *
explorer = explore('{}')
explorer'''
RUNS = dict(content=dict(), autoencoder=dict(features='bottleneck', size=64, epochs=20, lr=3e-3, bs=4, n_clusters=9))

def save(shown, name):
    "Save what `shown`, a page or a part of it, looks like"
    im = Image.open(io.BytesIO(shown.screenshot(animations='disabled'))).convert('RGB')
    im.save(IMAGES/f'explore_{name}.jpg', quality=78, optimize=True, subsampling=0)
    print(f'explore_{name}.jpg', im.size, f'{(IMAGES/f"explore_{name}.jpg").stat().st_size//1000} kB')

def pick(page, within, i):
    "Click a tile, and wait for what is said of it"
    within.locator('.uc-tile').nth(i).click()
    expect(page.locator('.uc-small .uc-tile')).to_have_count(8)

def tour(page):
    "The views of the explorer, one after the other"
    shown,button = page.locator('.uc-explorer'),lambda name: page.locator('.uc-explorer').get_by_role('button', name=name, exact=True)
    page.locator('.uc-row').nth(2).wait_for()
    name = page.locator('.uc-row').first.get_by_role('textbox')
    name.fill('a name of your own')
    name.press('Enter')
    expect(page.get_by_role('status')).to_contain_text('Named')
    pick(page, page.locator('.uc-row').nth(1), 1)
    save(shown, 'rows')
    page.locator('.uc-row').nth(1).get_by_role('button', name='Open').click()
    button('Least typical first').click()
    button('Pick several').click()
    for i in (0, 2): pick(page, page.locator('.uc-page'), i)
    expect(button('Move 3')).to_be_visible() # With the one that was picked before
    save(shown, 'cluster')
    button('Pick several').click()
    button('Map').click()
    page.locator('.uc-pins .uc-tile').nth(9).wait_for()
    save(shown, 'map')
    button('Export').click()
    button('Show what would be written').click()
    page.locator('.uc-main table').wait_for()
    save(shown, 'export')

def main():
    expect.set_options(timeout=120_000)
    with tempfile.TemporaryDirectory() as top:
        top = Path(top)
        images = sample_photos(top/'work/photos', 120, max_side=400)
        for name,kwargs in RUNS.items():
            ImageClusterer(**kwargs, verbose=0).fit(images).save(top/f'work/{name}')
            write_notebook(top/f'work/{name}.ipynb', CELL.format(name))
        with serve('voila', top/'work', top) as url, browse(top, width=1160) as open_page:
            tour(open_page(url, 'voila/render/content.ipynb'))
        with serve('lab', top/'work', top, dark=True) as url, browse(top, dark=True, height=940) as open_page:
            page = open_page(url, 'lab/tree/autoencoder.ipynb')
            run_all(page)
            page.keyboard.press('Control+b') # More room: without the list of files
            page.locator('.uc-row').nth(2).wait_for()
            pick(page, page.locator('.uc-row').nth(2), 0)
            save(page, 'dark')
        with serve('voila', top/'work', top) as url, browse(top, width=420, height=860) as open_page:
            page = open_page(url, 'voila/render/autoencoder.ipynb')
            page.locator('.uc-row').nth(2).wait_for()
            pick(page, page.locator('.uc-row').first, 0)
            save(page, 'narrow')

if __name__=='__main__': main()
