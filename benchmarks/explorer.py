"""How long does one wait in the explorer, with 1,000 images and with 10,000? A browser on Voila, as a person uses it.

    python benchmarks/explorer.py           # some minutes
    python benchmarks/explorer.py --small   # 1,200 images, once, to see that it runs; writes nothing

The images are sample photos with a longest side of 320 pixels; they are clustered by very small copies, which takes no time,
into 12 clusters. `seconds` are from the click until it is to be seen, the median of `--repeats` fresh starts; `memory` is
that of the kernel at the end, beside what the same kernel needs before the explorer is opened.
It writes explorer.csv and explorer.txt (machine and date) beside itself, and needs what tests/browser.py needs.
"""
import argparse, re, statistics, sys, tempfile, time
from pathlib import Path
import numpy as np
from playwright.sync_api import expect
from results import write_table
from unsupervised_cluster.all import Features, cluster_features, decode_images, sample_photos, sweep_k
sys.path.insert(0, str(Path(__file__).resolve().parents[1]/'tests'))
from browser import browse, serve, write_notebook

FIELDS = ['what','images','value','unit']
CELLS = '''from pathlib import Path
import numpy as np
from unsupervised_cluster.all import *
resident = lambda: int(next(o for o in Path('/proc/self/status').read_text().splitlines() if 'VmRSS' in o).split()[1])/1000
clustering,features = Clustering.load('clustering.safetensors'),Features.load('features.npy')
sweep = KSweep((4,12), np.array([2.,1.]), np.load('sweep.npy'))
before = resident()
explorer = explore(clustering, features, sweep)
explorer''','''import ipywidgets as w
button,said = w.Button(description='How much memory?'),w.HTML()
def say(_): said.value = f'<p class="said">{before:.0f} then {resident():.0f} MB</p>'
button.on_click(say)
w.VBox([button, said])'''

def prepare(folder, n):
    "Photos, very small copies as features, 12 clusters, labels for 4, and the notebook"
    images = sample_photos(folder/'photos', n=n, max_side=320)
    store = decode_images(images, size=8)
    features = Features(store.pixels.reshape(n, -1).astype(np.float32)/255, images, 'very small copies')
    cluster_features(features, 12, n_init=2).save(folder/'clustering.safetensors')
    features.save(folder/'features.npy')
    np.save(folder/'sweep.npy', sweep_k(features, (4,12), n_init=2).labels)
    write_notebook(folder/'page.ipynb', *CELLS)

class Stopwatch:
    "Seconds by what was done"
    def __init__(self): self.seconds = {}
    def __call__(self, what, act, seen):
        start = time.perf_counter()
        act()
        seen()
        self.seconds[what] = time.perf_counter()-start

def visit(page, n):
    "Do each thing once; seconds by what was done, and the memory before and after"
    explorer,watch = page.locator('.uc-explorer'),Stopwatch()
    button = lambda name: explorer.get_by_role('button', name=name, exact=True)
    rows,says = page.locator('.uc-row'),lambda text: lambda: expect(page.get_by_role('status')).to_contain_text(text)
    tiles = lambda where,k: lambda: expect(page.locator(where).locator('.uc-tile').nth(k-1)).to_be_visible()
    expect(rows).to_have_count(12)
    handle = page.locator('.uc-k .noUi-handle')
    watch('another k', lambda: handle.press('ArrowLeft'), lambda: expect(rows).to_have_count(4))
    watch('undo that', button('↶ Undo').click, lambda: expect(rows).to_have_count(12))
    watch('open a cluster', rows.first.get_by_role('button', name='Open').click, tiles('.uc-page', min(40, n//24)))
    watch('the next page', button('Next ›').click, lambda: expect(explorer).to_contain_text('41 to'))
    watch('click an image', page.locator('.uc-page .uc-tile').first.click, tiles('.uc-small', 8))
    page.locator('.uc-side').get_by_label('Move to').select_option('cluster 3')
    watch('move it', button('Move').click, says('Moved 1 image'))
    watch('undo the move', button('↶ Undo').click, says('Undone: moved'))
    watch('the map, first time', button('Map').click, tiles('.uc-pins', 10))
    watch('zoom in', button('Zoom in').click, lambda: expect(button('Zoom out')).to_be_enabled())
    page.get_by_role('button', name='How much memory?').click()
    memory = re.findall(r'\d+', page.locator('.said').inner_text())
    return watch.seconds | dict(zip(('memory before','memory after'), map(float, memory)))

def measure(n, repeats):
    "Medians over fresh starts of the browser and the kernel"
    found = []
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)/'work'
        prepare(folder, n)
        for i in range(repeats):
            place = Path(top)/f'{i}'
            with serve('voila', folder, place) as url, browse(place) as open_page:
                start = time.perf_counter() # A page of Voila comes when its notebook has run
                page = open_page(url, 'voila/render/page.ipynb')
                page.locator('.uc-row .uc-tile').nth(20).wait_for()
                found.append({'start Voila, Python and the explorer':time.perf_counter()-start} | visit(page, n))
                assert open_page.watch.errors==open_page.watch.outside==[], (open_page.watch.errors, open_page.watch.outside)
    return [dict(what=k, images=n, value=f'{statistics.median(o[k] for o in found):.2f}',
                 unit='MB' if 'memory' in k else 'seconds') for k in found[0]]

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--small', action='store_true', help='1,200 images, once; writes nothing')
    parser.add_argument('--repeats', type=int, default=3, help='fresh starts (%(default)s)')
    args = parser.parse_args()
    expect.set_options(timeout=120_000)
    rows = []
    for n in (1200,) if args.small else (1000,10_000):
        for o in measure(n, 1 if args.small else args.repeats):
            rows.append(o)
            print(*o.values(), sep='\t', flush=True)
    if not args.small: write_table('explorer', FIELDS, rows)

if __name__=='__main__': main()
