"""The explorer as a person uses it: in JupyterLab and in Voila, with a browser, a mouse and a keyboard.

Every wait is for something that is to be seen, none for a time."""
import csv, json, shutil
import pytest
from playwright.sync_api import expect
from browser import browse, run_all, serve, write_notebook
from unsupervised_cluster.pipeline import ImageClusterer
from unsupervised_cluster.samples import sample_photos

expect.set_options(timeout=60_000) # A busy machine may take its time: only what never comes is a failure
HOSTILE = '<img src=x onerror=alert(1)>.jpg'
CELLS = ('''from unsupervised_cluster.all import ImageClusterer,clusters_from_csv,explore,write_report
fitted = ImageClusterer(n_clusters=4, features='bottleneck', size=32, epochs=1, bs=16, verbose=0).fit('photos')
explorer = explore(fitted)
explorer''','''import json
if 'named' in ' '.join(explorer.editor.history): # Not before it was corrected
    c = explorer.clustering
    c.to_csv('again.csv')
    assert clusters_from_csv('again.csv', c.images).names==c.names and explore(c).clustering.names==c.names
    assert 'mugs' in write_report(c, 'again.html', fitted.features_).read_text(encoding='utf-8')
    print('taken:', json.dumps(dict(zip(c.images.names, c.labels.tolist()))))''')

@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "A notebook beside photos, one of them with a hostile name"
    folder = tmp_path_factory.mktemp('explorer')/'work'
    images = sample_photos(folder/'photos', n=60, max_side=160)
    shutil.copy(images.paths[3], folder/'photos'/HOSTILE)
    write_notebook(folder/'page.ipynb', *CELLS)
    return folder

def rows(page): return page.locator('.uc-row')
def status(page, text): expect(page.get_by_role('status')).to_contain_text(text)
def title(page, text): expect(page.locator('.uc-explorer')).to_contain_text(text)
def button(page, name): return page.locator('.uc-explorer').get_by_role('button', name=name, exact=True)

def pictures_load(page):
    "Does each tile that is seen have a picture that the browser can decode?"
    return page.evaluate('''async () => {
        const tiles = [...document.querySelectorAll('.uc-tile')];
        for (const o of tiles) {
            const im = new Image();
            im.src = getComputedStyle(o).getPropertyValue('--uc-picture').slice(4, -1);
            await im.decode();
            if (!im.naturalWidth) return 0;
        }
        return tiles.length;
    }''')

def look(page):
    "Rows with names, sizes and pictures"
    expect(rows(page)).to_have_count(4)
    title(page, '61 images in 4 clusters')
    expect(rows(page).first).to_contain_text('stability')
    assert pictures_load(page)>=16
    expect(button(page, '↶ Undo')).to_be_disabled()

def question(page):
    "An image tells its path, its places, what is like it; the hostile one by its name"
    rows(page).first.get_by_role('textbox').press('Tab') # To the button "Open", as without a mouse
    page.keyboard.press('Tab')
    page.keyboard.press('Enter')
    expect(page.locator('.uc-facts')).to_contain_text('to its centre')
    expect(page.locator('.uc-figures img')).to_have_count(2) # With what the autoencoder makes of it
    expect(page.locator('.uc-small .uc-tile')).to_have_count(8)

def find_hostile(page):
    "Open clusters until it is there, and pick it"
    for i in range(4):
        rows(page).nth(i).get_by_role('button', name='Open').click()
        expect(button(page, '‹ All clusters')).to_be_visible()
        found = page.locator('.uc-page').get_by_role('button', name=HOSTILE)
        if found.count(): break
        button(page, '‹ All clusters').click()
        expect(rows(page)).to_have_count(4)
    found.click()
    expect(page.locator('.uc-facts')).to_contain_text(HOSTILE)
    assert page.locator('img[src="x"]').count()==0
    button(page, '‹ All clusters').click()

def slide(page):
    "k to 5 by the keyboard, and back by undo"
    page.locator('.uc-k .noUi-handle').press('ArrowRight')
    title(page, '61 images in 5 clusters')
    expect(rows(page)).to_have_count(5)
    button(page, '↶ Undo').click()
    title(page, '61 images in 4 clusters')
    expect(rows(page)).to_have_count(4)

def correct(page):
    "A name, a moved image, undo, redo; which image it was"
    name = rows(page).nth(1).get_by_role('textbox')
    name.fill('mugs & <b>more</b>')
    name.press('Enter')
    status(page, 'Named cluster 1: mugs & <b>more</b>')
    tile = rows(page).nth(0).locator('.uc-tile').first
    moved = tile.inner_text()
    tile.click()
    expect(page.locator('.uc-facts')).to_contain_text(moved)
    page.locator('.uc-side').get_by_label('Move to').select_option('mugs & <b>more</b>')
    button(page, 'Move').click()
    status(page, 'Moved 1 image to mugs')
    expect(page.locator('.uc-facts')).to_contain_text('by hand')
    button(page, '↶ Undo').click()
    status(page, 'Undone: moved 1 image')
    button(page, '↷ Redo').click()
    status(page, 'Moved 1 image to mugs')
    button(page, 'Mark as odd').click()
    status(page, 'Marked 1 image as odd')
    button(page, '↶ Undo').click()
    status(page, 'Undone: marked')
    return moved

def reshape(page):
    "Merge two clusters, split one, mark several as odd and put them back; undo all of it, redo some of it, undo that"
    if button(page, '‹ All clusters').count(): button(page, '‹ All clusters').click()
    rows(page).nth(2).get_by_role('button', name='Open').click()
    page.locator('.uc-page').get_by_role('button').first.wait_for()
    page.get_by_label('Merge with').select_option('cluster 0')
    button(page, 'Merge').click()
    status(page, 'Merged cluster 2, cluster 0')
    title(page, '61 images in 3 clusters')
    page.get_by_label('Split into').select_option('3')
    button(page, 'Split').click()
    status(page, 'Split cluster 2 into 3')
    title(page, '61 images in 5 clusters')
    button(page, 'Pick several').click()
    for i in (0, 1): page.locator('.uc-page .uc-tile').nth(i).click()
    button(page, 'Mark as odd').click()
    status(page, 'as odd')
    title(page, ' odd')
    button(page, '‹ All clusters').click()
    expect(rows(page)).to_have_count(6) # The odd ones have a row of their own
    expect(rows(page).nth(5)).to_contain_text('image')
    button(page, 'Pick several').click()
    for text in ('marked','split','merged'):
        button(page, '↶ Undo').click()
        status(page, f'Undone: {text}')
    title(page, '61 images in 4 clusters')
    for text in ('Merged','Split'):
        button(page, '↷ Redo').click()
        status(page, text)
    for _ in range(2): button(page, '↶ Undo').click()
    title(page, '61 images in 4 clusters')

def see_map(page):
    button(page, 'Map').click()
    expect(page.locator('.uc-pins .uc-tile').nth(9)).to_be_visible()
    button(page, 'Zoom in').click()
    expect(button(page, 'Zoom out')).to_be_enabled()
    assert page.locator('.uc-map img').evaluate('o => o.naturalWidth')==900

def write_folders(page, folder, how, said):
    "What would be written is shown first; then it is written, and taken back"
    page.get_by_label('Images as').select_option(how)
    expect(button(page, 'Write these folders')).to_be_disabled()
    button(page, 'Show what would be written').click()
    expect(page.locator('.uc-main table')).to_contain_text('mugs')
    status(page, 'Nothing is written yet')
    assert not (folder/'clusters').exists()
    button(page, 'Write these folders').click()
    status(page, f'61 images {said}')
    found = list((folder/'clusters').rglob('*.jpg'))
    assert len(found)==61 and all(o.is_symlink()==(how=='links to the originals') for o in found)
    assert (folder/'clusters/export.json').exists() and len(list((folder/'photos').glob('*.jpg')))==61
    button(page, 'Take the folders back').click()
    status(page, '61 images removed')
    assert not (folder/'clusters').exists() and len(list((folder/'photos').glob('*.jpg')))==61

def take_away(page, folder, moved):
    "The table has what was corrected; folders come after a look, and go again"
    button(page, 'Export').click()
    button(page, 'Save CSV').click()
    status(page, 'Saved')
    with (folder/'clusters.csv').open(newline='', encoding='utf-8-sig') as f: table = {o['path']:o for o in csv.DictReader(f)}
    assert len(table)==61 and table[HOSTILE]['cluster']!=''
    assert table[moved]['name']=='mugs & <b>more</b>' and {o['name'] for o in table.values()}=={'', 'mugs & <b>more</b>'}
    for how,said in (('copies', 'copied'), ('links to the originals', 'linked')): write_folders(page, folder, how, said)
    return table

def read_back(page, table):
    "`explorer.clustering` in the next cell is what the table says, and everything else understands it"
    page.locator('.jp-Notebook .jp-Cell').nth(1).click()
    page.keyboard.press('Escape')
    page.keyboard.press('Control+Enter')
    expect(page.locator('.jp-Notebook .jp-Cell').nth(1).locator('.jp-OutputArea-output').first).to_contain_text('taken: ')
    labels = json.loads(page.locator('.jp-Notebook .jp-Cell').nth(1).locator('.jp-OutputArea-output').first.inner_text()[7:])
    assert labels=={k:int(o['cluster']) if o['cluster'] else -1 for k,o in table.items()}

@pytest.mark.parametrize('kind', ['lab','voila'])
def test_explorer(kind, folder, tmp_path):
    for o in [*folder.glob('clusters*'), *folder.glob('again*')]: o.unlink() if o.is_file() else shutil.rmtree(o)
    with serve(kind, folder, tmp_path, dark=kind=='voila') as url, browse(tmp_path, dark=kind=='voila') as open_page:
        page = open_page(url, 'lab/tree/page.ipynb' if kind=='lab' else 'voila/render/page.ipynb')
        if kind=='lab': run_all(page)
        look(page)
        question(page)
        slide(page)
        find_hostile(page)
        moved = correct(page)
        reshape(page)
        see_map(page)
        table = take_away(page, folder, moved)
        if kind=='lab': read_back(page, table)
        watch = open_page.watch
        assert (watch.outside, watch.errors, watch.dialogs)==([], [], [])

def rerun(page, cell=0):
    "Run a cell of the notebook that is open in JupyterLab"
    page.locator('.jp-Notebook .jp-Cell').nth(cell).locator('.cm-content').click()
    page.keyboard.press('Control+Enter')

def restart(page):
    "A new kernel, which runs the notebook again"
    page.get_by_role('menuitem', name='Kernel', exact=True).click()
    page.get_by_role('menuitem', name='Restart Kernel and Run All Cells').click()
    page.get_by_role('button', name='Confirm Kernel Restart').click()

def rename(page, i, text):
    name = rows(page).nth(i).get_by_role('textbox')
    name.fill(text)
    name.press('Enter')
    status(page, text)
    expect(page.locator('.uc-saved')).to_contain_text('Saved')

def test_edits_stay(tmp_path):
    "The cell is run again, the kernel is restarted, the page is closed: the edits are there, and in the run folder"
    folder = tmp_path/'work'
    fitted = ImageClusterer(n_clusters=4, features='bottleneck', size=32, epochs=1, bs=16, verbose=0)
    run = fitted.fit(sample_photos(folder/'photos', n=40, max_side=120)).save(folder/'run')
    write_notebook(folder/'page.ipynb', "from unsupervised_cluster.all import explore\nexplorer = explore('run')\nexplorer")
    with serve('lab', folder, tmp_path) as url, browse(tmp_path) as open_page:
        page = open_page(url, 'lab/tree/page.ipynb')
        run_all(page)
        expect(rows(page)).to_have_count(4)
        rename(page, 0, 'mugs')
        rename(page, 1, 'walls')
        rerun(page)
        status(page, 'Going on with 2 edits of 2')
        button(page, '↶ Undo').click()
        status(page, 'Undone: named cluster 1: walls')
        restart(page)
        status(page, '1 of them undone')
        button(page, '↷ Redo').click()
        status(page, 'Named cluster 1: walls')
        assert '"done": 2' in (run/'edits.json').read_text()
        page.close()
    with serve('voila', folder, tmp_path) as url, browse(tmp_path) as open_page:
        page = open_page(url, 'voila/render/page.ipynb')
        status(page, 'Going on with 2 edits of 2')
        expect(rows(page).nth(0).get_by_role('textbox')).to_have_value('mugs')
