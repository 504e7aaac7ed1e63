"The command, run as a person runs it: in a process of its own, on good and on bad input"
import csv, json, shutil, subprocess, sys
from pathlib import Path
import pytest
from PIL import Image
from unsupervised_cluster.runs import RUN_FILES
from unsupervised_cluster.samples import sample_photos

SMALL = ['--features', 'bottleneck', '--size', '32', '--epochs', '2', '--bs', '8']

def command(*args, cwd):
    "Exit status, standard output, standard error"
    words = [sys.executable, '-c', 'from unsupervised_cluster.cli import main; raise SystemExit(main())', *map(str, args)]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr

@pytest.fixture(scope='module')
def place(tmp_path_factory):
    "A folder with `photos`: thirty good images and one of each kind of broken one"
    top = tmp_path_factory.mktemp('command')
    images = sample_photos(top/'samples', n=30, max_side=80)
    shutil.copytree(top/'samples', top/'photos')
    good = images.paths[0].read_bytes()
    (top/'photos/cut.jpg').write_bytes(good[:len(good)//2])
    (top/'photos/zero.jpg').touch()
    (top/'photos/page.png').write_text('<html>')
    return top

@pytest.fixture(scope='module')
def first(place):
    "What the first run on `photos` said"
    return command('photos', *SMALL, cwd=place)

def test_run_folder(first, place):
    status, out, err = first
    assert (status, err) == (0, '')
    consensus = {'agreement.png','clusterer.safetensors'}
    assert {o.name for o in (place/'photos-clusters').iterdir()} == set(RUN_FILES)-consensus
    assert 'ImageTable: 30 images in photos, 3 set aside' in out
    assert 'training on 21 images, validating with 9' in out
    assert 'epoch   2/2' in out and '3 files were set aside' in out and 'photos-clusters/report.html' in out.replace('\\', '/')

def test_csv_names_every_file(first, place):
    with (place/'photos-clusters/clusters.csv').open(newline='', encoding='utf-8-sig') as f: rows = {o['path']:o for o in csv.DictReader(f)}
    assert len(rows) == 33
    assert rows['cut.jpg']['problem'].startswith('damaged') and rows['zero.jpg']['problem'] == 'empty file (0 bytes)'
    assert rows['page.png']['problem'].startswith('not an image')
    assert all(o['cluster'] != '' and 0 <= float(o['confidence']) <= 1 for k, o in rows.items() if k.startswith('photo_'))

def test_sizes_agree(first, place):
    run = json.loads((place/'photos-clusters/run.json').read_text())
    assert sum(run['sizes']) == run['images'] == 30 and run['set_aside'] == 3
    assert run['arguments']['seed'] == 42 and run['versions']['torch'] and len(run['inertia']) == 14

def test_pictures_are_whole(first, place):
    for o in ('montage','scree','losses'):
        with Image.open(place/f'photos-clusters/{o}.png') as im:
            im.load()
            assert min(im.size) > 100

def test_same_seed_same_clusters(first, place):
    status, out, _ = command('photos', *SMALL, '--out', 'again', cwd=place)
    assert status == 0
    assert (place/'again/clusters.csv').read_bytes() == (place/'photos-clusters/clusters.csv').read_bytes()

def test_saved_run_predicts_the_same(first, place, monkeypatch):
    from unsupervised_cluster.pipeline import ImageClusterer
    monkeypatch.chdir(place)
    loaded = ImageClusterer.load('photos-clusters').set_params(verbose=0)
    assert (loaded.predict('photos') == loaded.labels_).all()

def test_by_default_by_content(first, place):
    status, out, err = command('photos', '--out', 'content', cwd=place)
    assert status == 0 and 'gradients' in out and 'training' not in out
    assert {'run.json','report.html','clusters.csv','montage.png','scree.png','agreement.png'} <= {o.name for o in (place/'content').iterdir()}
    run = json.loads((place/'content/run.json').read_text())
    assert run['clusterer'] == 'consensus' and run['k_low'] <= run['k'] <= run['k_high'] and sum(run['sizes']) == 30

def test_photos_untouched(first, place):
    for o in (place/'samples').iterdir(): assert o.read_bytes() == (place/'photos'/o.name).read_bytes()

@pytest.mark.parametrize('args, words', [
    (['nowhere'], 'does not exist'),
    (['empty'], 'no file in empty is named like an image'),
    (['texts'], 'no file in texts is named like an image'),
    (['broken'], 'none of the 2 image files in broken can be read'),
    (['one'], 'needs at least 2 images'),
    (['samples', '--k', '31'], '`n_clusters` is 31, wanted a whole number from 1 to 30'),
    (['samples', '--features', 'bottleneck', '--size', '30'], 'divisible by 4'),
    (['samples', '--features', 'backbone'], 'timm'),
    (['samples', '--epochs', '0'], '`epochs` is 0'),
    (['samples', '--out', 'texts'], 'it holds a.txt'),
    ([], 'give a folder of images'),
], ids=lambda o: ' '.join(o) if isinstance(o, list) else '')
def test_bad_input(place, args, words):
    (place/'empty').mkdir(exist_ok=True)
    for o in ('texts','broken','one'): (place/o).mkdir(exist_ok=True)
    (place/'texts/a.txt').write_text('a')
    (place/'broken/zero.jpg').touch()
    (place/'broken/cut.jpg').write_bytes((place/'photos/cut.jpg').read_bytes())
    Image.new('RGB', (20,20)).save(place/'one/a.png')
    before = sorted(o.name for o in place.iterdir())
    status, out, err = command(*args, cwd=place)
    assert status == 1 and err.startswith('unsupervised_cluster: ') and words in err
    assert err.count('\n') == 1 and 'Traceback' not in err+out
    assert sorted(o.name for o in place.iterdir()) == before

def test_wrong_option(place):
    status, _, err = command('samples', '--colour', cwd=place)
    assert status == 2 and '--colour' in err and 'Traceback' not in err

def test_help(place):
    status, out, err = command('--help', cwd=place)
    assert (status, err) == (0, '') and '--samples' in out and 'FOLDER' in out
    assert max(map(len, out.splitlines())) <= 100

def test_samples_are_the_main_job(place):
    status, out, err = command('--samples', '12', '--k', '2', '--quiet', cwd=place)
    assert (status, err) == (0, '') and (place/'sample_photos-clusters/montage.png').exists()
    assert len(list((place/'sample_photos').glob('*.jpg'))) == 12
