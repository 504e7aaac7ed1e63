"Run folders: what is beside them and in them stays, a run is never lost, and nothing is loaded from outside"
import csv, fcntl, json, os, shutil, signal, subprocess, sys, warnings
from dataclasses import replace
from pathlib import Path
import numpy as np, pytest
from PIL import Image
from unsupervised_cluster.clustering import Clustering
from unsupervised_cluster.core import ArgumentError, ClusterError, SavedFileError, file_hash, read_json, write_json
from unsupervised_cluster.editing import ClusterEditor
from unsupervised_cluster.export import export_folders
from unsupervised_cluster.images import find_images
from unsupervised_cluster.pipeline import ImageClusterer
from unsupervised_cluster.report import write_report
from unsupervised_cluster.results import ImageTable
from unsupervised_cluster.runs import RUN_FILES, WORK, check_run_folder, locked, run_folder
from unsupervised_cluster.samples import sample_photos
from unsupervised_cluster.saved_runs import Run

QUICK = dict(n_clusters=3, clusterer='kmeans', max_k=3, n_init=2, size=32, verbose=0)
WORDS = ['--k', '3', '--clusterer', 'kmeans', '--max-k', '3', '--size', '32', '--quiet']

@pytest.fixture(scope='module')
def first(tmp_path_factory):
    "Photos and a run of them"
    top = tmp_path_factory.mktemp('runs')
    sample_photos(top/'photos', n=12, max_side=64)
    ImageClusterer(**QUICK).fit(top/'photos').save(top/'run')
    return top

@pytest.fixture
def place(first, tmp_path):
    "A copy of both, to be changed"
    for o in ('photos','run'): shutil.copytree(first/o, tmp_path/o)
    return tmp_path

def new_run(place, folder='run', **more): return ImageClusterer(**dict(QUICK, **more)).fit(place/'photos').save(place/folder)

def command(*words, cwd, **more):
    code = 'from unsupervised_cluster.cli import main; raise SystemExit(main())'
    return subprocess.run([sys.executable, '-W', 'ignore', '-c', code, *map(str, words)], cwd=cwd, text=True, timeout=300, **more)

def told(call, *args, **kwargs):
    "What a call warns of"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        call(*args, **kwargs)
    return ' '.join(str(o.message) for o in said)

def everything(top): return {o.relative_to(top).as_posix():o.read_bytes() for o in sorted(top.rglob('*')) if o.is_file()}

# ---- What is the user's

BESIDE = ['.run-old-20261127/mine.txt', '.run-old-deadbeef/run.json', '.run-new-0123abcd/clusters.csv', '.run-training/mine.txt', 'run-new/mine.txt', 'run (2)/a']
INSIDE = ['.DS_Store', 'Thumbs.db', 'desktop.ini', '._run.json', '.~lock.clusters.csv#', '~$clusters.csv', '.ipynb_checkpoints/a.csv', 'notes.txt', 'kitchen/a.jpg',
          'clusters-kept.csv', 'edits.txt', f'{WORK}/mine.txt', f'{WORK}/new-00000001/mine.txt', f'{WORK}/new-mine/run.json', f'{WORK}/swap.txt']

@pytest.mark.parametrize('how', ['run','update'])
def test_nothing_of_the_users_is_touched(place, how):
    mine = {**{place/o:f'mine {o}' for o in BESIDE}, **{place/'run'/o:f'mine {o}' for o in INSIDE}}
    for path,text in mine.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = file_hash(place/'run/run.json')
    if how=='run': new_run(place, seed=7)
    else:
        c = ImageClusterer.load(place/'run').set_params(verbose=0)
        c.update(place/'photos')
        c.save(place/'run')
    assert {o:o.read_text() for o in mine}==mine and file_hash(place/'run/run.json')!=before
    assert ImageClusterer.load(place/'run').clustering_.n_clusters==3

@pytest.mark.parametrize('name', [o for o in RUN_FILES if o not in ('run.json','losses.png','agreement.png','encoder.safetensors','clusterer.safetensors')])
def test_what_was_changed_in_a_run_is_kept(place, name):
    mine = (place/'run'/name).read_bytes()+b' '
    (place/'run'/name).write_bytes(mine)
    said = told(new_run, place, seed=7)
    stem,suffix = os.path.splitext(name)
    assert (place/f'run/{stem}-kept{suffix}').read_bytes()==mine and f'{stem}-kept{suffix}' in said
    assert told(new_run, place, seed=8)=='' # What is ours is replaced without a word

def test_a_link_in_a_run_is_not_written_through(place):
    (place/'precious.csv').write_text('precious')
    (place/'run/clusters.csv').unlink()
    (place/'run/clusters.csv').symlink_to(place/'precious.csv')
    new_run(place)
    assert (place/'precious.csv').read_text()=='precious' and (place/'run/clusters-kept.csv').is_symlink()

def test_a_file_that_is_stale_but_changed_is_kept(place):
    "The new run has no such picture; the old one had, and somebody drew on it"
    head = read_json(place/'run/run.json', 'Run')
    (place/'run/losses.png').write_bytes(b'ours')
    write_json(place/'run/run.json', 'Run', dict(head, written=dict(head['written'], **{'losses.png':file_hash(place/'run/losses.png')})))
    shutil.copytree(place/'run', place/'run2')
    (place/'run2/losses.png').write_bytes(b'mine')
    for o in ('run','run2'): new_run(place, o)
    assert not (place/'run/losses.png').exists() and (place/'run2/losses-kept.png').read_bytes()==b'mine'

def test_a_run_of_the_first_version(place):
    "It has no hashes of tables and pictures: its table may have been corrected"
    head = read_json(place/'run/run.json', 'Run')
    del head['written'],head['images_at']
    write_json(place/'run/run.json', 'Run', head)
    table = (place/'run/clusters.csv').read_bytes()
    assert ImageClusterer.load(place/'run').clustering_.n_clusters==3
    assert 'clusters-kept.csv' in told(new_run, place, n_clusters=2) and (place/'run/clusters-kept.csv').read_bytes()==table
    assert sorted(o.name for o in (place/'run').iterdir() if 'kept' in o.name)==['clusters-kept.csv']

# ---- Corrections

def correct(path, change):
    "Change the cells of a table, as a person does"
    with path.open(newline='', encoding='utf-8-sig') as f: head,*rows = csv.reader(f)
    with path.open('w', newline='', encoding='utf-8-sig') as f: csv.writer(f).writerows([head, *([*o[:1], change(*o[:2]), *o[2:]] for o in rows)])
    return path.read_bytes()

def updated(place):
    c = ImageClusterer.load(place/'run').set_params(verbose=0)
    did = c.update(place/'photos')
    said = told(c.save, place/'run')
    return ImageClusterer.load(place/'run').set_params(verbose=0),did,said

@pytest.mark.parametrize('clusterer', ['kmeans','consensus','spectral'])
def test_an_update_takes_over_what_was_corrected_in_the_table(place, clusterer):
    old = ImageClusterer(**dict(QUICK, clusterer=clusterer)).fit(place/'photos')
    old.save(place/'run')
    names = old.images_.names
    mine = correct(place/'run/clusters.csv', lambda name,c: '7' if name==names[0] else '0' if c=='2' else c)
    shutil.copy(place/'photos'/names[0], place/'photos/zz.jpg')
    c,did,said = updated(place)
    assert 'clusters.csv were taken over' in repr(did) and 'clusters-kept.csv' in said
    assert (place/'run/clusters-kept.csv').read_bytes()==mine
    label = dict(zip(c.images_.names, c.labels_.tolist()))
    alone = [o for o in names if label[o]==label[names[0]]]
    assert alone==names[:1] and label['zz.jpg']==label[names[0]]
    groups = {frozenset(o for o in names[1:] if label[o]==k) for k in set(label.values())}-{frozenset()}
    wanted = {frozenset(o for o,l in zip(names[1:], old.labels_[1:]) if l in ls) for ls in ({0,2},{1})}-{frozenset()}
    assert groups==wanted
    assert (c.predict(place/'photos')==c.labels_).mean()>.8 # Who is new goes where the corrected ones are
    again,did,said = updated(place) # And they are taken over once
    assert did.note=='' and said=='' and (again.labels_==c.labels_).all()

def test_an_update_takes_over_what_was_edited(place):
    old = ImageClusterer.load(place/'run')
    ClusterEditor(old.clustering_, old.features_).merge([0,1]).rename(0, 'pots').save(place/'run/edits.json')
    mine = (place/'run/edits.json').read_bytes()
    c,did,said = updated(place)
    assert c.clustering_.names==('pots','') and c.n_clusters_==2 and 'edits-kept.json' in said
    assert (place/'run/edits-kept.json').read_bytes()==mine
    assert {frozenset(np.flatnonzero(c.labels_==k)) for k in (0,1)}=={frozenset(np.flatnonzero(np.isin(old.labels_, o))) for o in ((0,1),(2,))}

@pytest.mark.filterwarnings('ignore:the corrections')
def test_a_table_that_cannot_be_read_stops_nothing(place):
    (place/'run/clusters.csv').write_text('my notes')
    c,did,said = updated(place)
    assert 'were not taken over' in did.note and (place/'run/clusters-kept.csv').read_text()=='my notes' and c.n_clusters_==3

def test_a_table_that_was_only_saved_again_changes_nothing(place):
    (place/'run/clusters.csv').write_text((place/'run/clusters.csv').read_text('utf-8-sig').replace(',', ';'))
    before = ImageClusterer.load(place/'run').labels_
    c,did,_ = updated(place)
    assert did.note=='' and (c.labels_==before).all()

# ---- Two at once

def test_an_update_of_a_run_that_is_no_longer_there(place):
    a = ImageClusterer.load(place/'run').set_params(verbose=0)
    a.update(place/'photos')
    new_run(place, seed=7)
    before = everything(place/'run')
    with pytest.raises(ClusterError, match='is not the one that was loaded.* is complete, in '): a.save(place/'run')
    assert everything(place/'run')==before
    assert Run.load(place/'run-new').arguments['seed']==42
    ImageClusterer.load(place/'run').set_params(verbose=0).save(place/'run')

def test_nobody_is_waited_for_who_has_a_lock_of_his_own(place):
    fds = [os.open(o, os.O_RDONLY) for o in (place, place/'run')]
    for fd in fds: fcntl.flock(fd, fcntl.LOCK_EX)
    try: new_run(place)
    finally:
        for fd in fds: os.close(fd)

def test_a_swap_that_does_not_end_loses_nothing(place, monkeypatch):
    "A process that holds the lock for ever"
    import unsupervised_cluster.runs as runs
    real = runs.locked
    monkeypatch.setattr(runs, 'locked', lambda path, wait=0.: real(path, min(wait, .2)))
    (place/'run'/WORK).mkdir()
    with real(place/'run'/WORK/'swap.lock'):
        with pytest.raises(ClusterError, match='does not come to its end.* is complete, in '): new_run(place, seed=7)
    assert (Run.load(place/'run').arguments['seed'], Run.load(place/'run-new').arguments['seed'])==(42,7)

def test_a_place_that_fails_at_the_end_loses_nothing(place, monkeypatch):
    import unsupervised_cluster.runs as runs
    def fail(*args): raise OSError(5, 'Input/output error')
    monkeypatch.setattr(runs, '_may_go', lambda folder: None if 'swap' not in str(list((folder/WORK).glob('*'))) else fail())
    with pytest.raises(ClusterError, match='Input/output error.* is complete, in '): new_run(place, seed=7)
    assert (Run.load(place/'run').arguments['seed'], Run.load(place/'run-new').arguments['seed'])==(42,7)

# ---- Where a run may go

def test_links_stand_for_what_they_lead_to(place):
    (place/'link').symlink_to('run')
    (place/'later').symlink_to('new/run')
    for o in ('link','later'): new_run(place, o, seed=7)
    assert (place/'link').is_symlink() and Run.load(place/'run').arguments['seed']==7 and Run.load(place/'new/run').arguments['seed']==7
    (place/'loop').symlink_to('loop')
    with pytest.raises((ClusterError, OSError)): new_run(place, 'loop')

@pytest.mark.parametrize('files', [['a.txt'], ['clusters.csv'], ['run.json'], ['run'], ['.a','b']])
def test_a_folder_of_somebody_else_is_refused(tmp_path, files):
    for o in files: (tmp_path/o).write_text('{}')
    before = everything(tmp_path)
    with pytest.raises(ArgumentError, match='nothing of yours'): check_run_folder(tmp_path)
    assert everything(tmp_path)==before

def test_a_first_run_that_fails_leaves_no_folder(place):
    with pytest.raises(KeyboardInterrupt), run_folder(place/'new/run'): raise KeyboardInterrupt
    assert not (place/'new/run').exists()
    (place/'empty').mkdir()
    with pytest.raises(KeyboardInterrupt), run_folder(place/'empty'): raise KeyboardInterrupt
    assert list((place/'empty').iterdir())==[]

MOUNT = 'mkdir -p vol; mount -t tmpfs none vol || exit 77; exec "$@"'

def test_a_mount_point_is_a_place_too(place):
    words = [sys.executable, '-W', 'ignore', '-c', 'from unsupervised_cluster.cli import main; import os; n = [main() for _ in range(2)]; '
             'print(n, sorted(os.listdir("vol")))', 'photos', '--out', 'vol', *WORDS]
    done = subprocess.run(['unshare', '-rm', 'sh', '-c', MOUNT, 'sh', *words], cwd=place, text=True, capture_output=True, timeout=300)
    if done.returncode==77 or 'unshare' in done.stderr: pytest.skip('this machine lets nobody mount')
    files = sorted(set(RUN_FILES)-{'losses.png','agreement.png','encoder.safetensors','clusterer.safetensors'})
    assert done.stdout.splitlines()[-1]==f'[0, 0] {files}', done.stderr

# ---- Output that cannot be printed

OUTPUTS = {'a pipe that is closed':'{} | head -c 1 >/dev/null', 'a full disk':'{} >/dev/full', 'a full disk for errors':'{} 2>/dev/full', 'nothing is open':'{} <&- >&- 2>&-',
           'errors into a closed pipe':'{} 2>&1 | true'}

@pytest.mark.parametrize('how', OUTPUTS)
def test_output_that_fails_loses_no_run(place, how):
    line = f'{sys.executable} -W ignore -c "from unsupervised_cluster.cli import main; raise SystemExit(main())" photos --out new --k 3 --clusterer kmeans --max-k 3 --size 32'
    done = subprocess.run(['bash', '-c', 'set -o pipefail; '+OUTPUTS[how].format(line)], cwd=place, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr if '2>' not in OUTPUTS[how] else '')==(0, '')
    assert Run.load(place/'new').clustering.n_clusters==3

def test_a_terminal_that_is_closed_loses_no_run(place):
    import pty
    lead,follow = pty.openpty()
    code = 'from unsupervised_cluster.cli import main; raise SystemExit(main())'
    process = subprocess.Popen([sys.executable, '-W', 'ignore', '-c', code, 'photos', '--out', 'new', *WORDS[:-1]], cwd=place, stdin=follow, stdout=follow, stderr=follow,
                               start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, __import__('termios').TIOCSCTTY, 0))
    os.close(follow)
    os.read(lead, 1)
    os.close(lead) # A hangup, and nowhere to print to
    assert process.wait(300)==0 and Run.load(place/'new').clustering.n_clusters==3

def test_a_script_whose_output_fails_loses_no_fit(place):
    code = 'from unsupervised_cluster.pipeline import ImageClusterer; ImageClusterer(n_clusters=2, size=32, max_k=3).fit("photos").save("new")'
    subprocess.run(['bash', '-c', f"{sys.executable} -W ignore -c '{code}' 2>/dev/null | true"], cwd=place, timeout=300)
    assert Run.load(place/'new').clustering.n_clusters==2

def test_a_seed_beyond_all_bounds(place):
    for seed in ('9'*20, '-1', str(2**32)):
        done = command('photos', '--seed', seed, *WORDS, cwd=place, capture_output=True)
        assert done.returncode==1 and done.stderr.startswith('unsupervised_cluster: `--seed` is') and done.stderr.count('\n')==1

# ---- Another working directory

def test_paths_are_right_from_everywhere(place, monkeypatch):
    monkeypatch.chdir(place)
    for given in ('photos', './photos/../photos', sorted(os.path.join('photos', o) for o in os.listdir('photos'))):
        monkeypatch.chdir(place)
        c = ImageClusterer(**QUICK).fit(given)
        shutil.rmtree('out', ignore_errors=True)
        c.save('here')
        (place/'sub').mkdir(exist_ok=True)
        monkeypatch.chdir(place/'sub')
        loaded = ImageClusterer.load('../here').set_params(verbose=0)
        for o in (c, loaded):
            assert export_folders(o.clustering_, place/'out').done==12
            shutil.rmtree(place/'out')
            assert repr(o.update())=='Update: 0 added, 0 changed, 0 removed, 12 kept'
        assert (loaded.predict([place/'photos'/c.images_.names[0]])==c.labels_[:1]).all()

def test_images_and_run_that_were_moved_together(place):
    c = ImageClusterer.load(place/'run')
    (place/'disk').mkdir()
    for o in ('photos','run'): (place/o).rename(place/'disk'/o)
    moved = ImageClusterer.load(place/'disk/run').set_params(verbose=0)
    assert moved.images_.names==c.images_.names and export_folders(moved.clustering_, place/'out').done==12
    assert repr(moved.update())=='Update: 0 added, 0 changed, 0 removed, 12 kept'

# ---- Strangers

def forged(run, **changes):
    "A run whose table of images says something else, with hashes that fit"
    from safetensors import safe_open
    from safetensors.numpy import save_file
    def change(d): d.update(changes)
    for name in ('features.json',):
        d = json.loads((run/name).read_text())
        change(d['images'])
        (run/name).write_text(json.dumps(d))
    with safe_open(run/'clustering.safetensors', 'np') as f: head,arrays = json.loads(f.metadata()['json']),{k:f.get_tensor(k) for k in f.keys()}
    change(head['images'])
    save_file(arrays, run/'clustering.safetensors', dict(json=json.dumps(head)))
    d = json.loads((run/'run.json').read_text())
    d['files'] = {o:file_hash(run/o) for o in d['files']}
    (run/'run.json').write_text(json.dumps(d))

def secrets(place):
    (place/'private/.ssh').mkdir(parents=True)
    (place/'private/.ssh/id_rsa').write_text('KEY')
    Image.new('RGB', (64,64), 'red').save(place/'private/me.png')
    return [place/'private/.ssh/id_rsa', place/'private/me.png', '/etc/passwd', place/'photos/../private/me.png', place/'photos/.hidden/me.png']

def test_a_strangers_run_names_nothing_outside_of_its_root(place):
    paths = [str(o) for o in ImageClusterer.load(place/'run').images_.paths]
    for i,secret in enumerate(secrets(place)):
        for j,more in enumerate((dict(), dict(root=None), dict(root=None, base=None), dict(root='/'), dict(base='/'), dict(root=None, base='/'), dict(broken=[[str(secret), 'x']]))):
            run = place/f'run{i}{j}'
            shutil.copytree(place/'run', run)
            forged(run, **dict(dict(paths=[str(secret), *paths[1:]]) if 'broken' not in more else {}, **more))
            for load in (ImageClusterer.load, Run.load):
                with pytest.raises(SavedFileError, match='outside=True'): load(run)
            assert ImageClusterer.load(run, outside=True).clustering_.n_clusters==3

def test_a_strangers_list_names_nothing_outside(place):
    secret = secrets(place)[1]
    head = json.loads((place/'run/run.json').read_text())
    (place/'run/run.json').write_text(json.dumps(dict(head, given=[str(secret)])))
    with pytest.raises(SavedFileError, match='outside=True'): ImageClusterer.load(place/'run')

def test_a_table_by_hand_is_saved_and_loaded(place):
    "Of a list, from several folders"
    (place/'more').mkdir()
    shutil.copy(next((place/'photos').glob('*.jpg')), place/'more/a.jpg')
    table = ImageTable((place/'more/a.jpg', *find_images(place/'photos').paths), np.full((13,2), 64))
    table.save(place/'t.json')
    assert ImageTable.load(place/'t.json').names==table.names and table.names[0]==os.path.join('more','a.jpg')
    c = ImageClusterer(**QUICK).fit(list(table.paths))
    c.save(place/'list')
    assert (ImageClusterer.load(place/'list').labels_==c.labels_).all()

def test_an_update_of_a_folder_by_any_of_its_names(place, monkeypatch):
    monkeypatch.chdir(place)
    for o in ('photos', './photos', 'photos/', place/'photos', '../'+place.name+'/photos'):
        assert repr(ImageClusterer.load('run').set_params(verbose=0).update(o))=='Update: 0 added, 0 changed, 0 removed, 12 kept'
    assert command('photos', '--out', 'run', '--update', '--quiet', cwd=place, capture_output=True).returncode==0

# ---- A swap that does not come to its end

def seed_of(folder): return Run.load(folder).arguments['seed']

def test_an_error_in_the_middle_of_a_swap_loses_nothing(place, monkeypatch):
    "A file that cannot be replaced, as one that is open on Windows; and an impatient Ctrl-C"
    real = os.replace
    for error in (PermissionError(13, 'Permission denied'), KeyboardInterrupt()):
        def fail(a, b, name=None):
            if Path(b).name=='features.npy' and Path(b).parent.name=='run': raise error
            real(a, b)
        with monkeypatch.context() as m:
            m.setattr(os, 'replace', fail)
            with pytest.raises((ClusterError, KeyboardInterrupt)) as said: new_run(place, seed=7)
            if isinstance(error, OSError): assert 'half in its place' in str(said.value) and WORK in str(said.value)
        assert seed_of(place/'run')==7 and not (place/'run'/WORK).exists()
        new_run(place)

def test_an_error_at_the_last_file_of_a_first_run(place, monkeypatch):
    real = os.replace
    def fail(a, b):
        if Path(b)==place/'new/run.json': raise OSError(5, 'Input/output error')
        real(a, b)
    with monkeypatch.context() as m:
        m.setattr(os, 'replace', fail)
        with pytest.raises(ClusterError, match='half in its place'): new_run(place, 'new')
    assert seed_of(place/'new')==42
    new_run(place, 'new', seed=7)

@pytest.mark.parametrize('what', ['link','dangling','file'])
def test_a_work_folder_that_is_none_is_refused(place, what):
    work = place/'run'/WORK
    (place/'elsewhere').mkdir()
    if what=='file': work.write_text('mine')
    else: work.symlink_to('../elsewhere' if what=='link' else '../nowhere')
    before = everything(place)
    with pytest.raises(ArgumentError, match='remove or rename it'): new_run(place, seed=7)
    assert everything(place)==before and seed_of(place/'run')==42

@pytest.mark.parametrize('name', ['swap.json','swap.lock','training.safetensors','training.lock'])
def test_folders_with_our_names_in_the_work_folder(place, name):
    (place/'run'/WORK/name).mkdir(parents=True)
    (place/'run'/WORK/name/'mine.txt').write_text('mine')
    done = command('photos', '--out', 'run', '--seed', '7', *WORDS, cwd=place, capture_output=True)
    assert (place/'run'/WORK/name/'mine.txt').read_text()=='mine' and 'Traceback' not in done.stderr
    assert 7 in [seed_of(o) for o in (place/'run', place/'run-new') if o.exists()]

def test_a_place_that_is_taken_during_the_computation(place):
    "The command writes the run beside it"
    from unsupervised_cluster import cli
    c = ImageClusterer(**QUICK).fit(place/'photos')
    (place/'new').mkdir()
    (place/'new/notes.txt').write_text('mine')
    with pytest.raises(ClusterError, match='it holds notes.txt.*The run is in .*new-new'): cli._save(c, place/'new')
    assert seed_of(place/'new-new')==42 and everything(place/'new')=={'notes.txt':b'mine'}

@pytest.mark.parametrize('name', ['a\0b', 'x'*300, '\ud800'])
def test_names_that_no_folder_can_have(place, name):
    for call in (lambda: new_run(place, name), lambda: check_run_folder(place/name), lambda: ImageClusterer.load(place/name)):
        with pytest.raises(ClusterError): call()

def test_a_loop_of_links(place):
    (place/'loop').symlink_to('loop')
    for words in (['photos', '--out', 'loop'], ['loop']):
        done = command(*words, *WORDS, cwd=place, capture_output=True)
        assert done.returncode==1 and done.stderr.count('\n')==1 and 'Traceback' not in done.stderr

# ---- More of corrections

@pytest.mark.parametrize('what', ['fifo','device','folder','dangling','loop'])
def test_something_else_in_the_place_of_the_table(place, what):
    table = place/'run/clusters.csv'
    table.unlink()
    if what=='fifo': os.mkfifo(table)
    if what=='device': table.symlink_to('/dev/zero')
    if what=='folder': table.mkdir()
    if what in ('dangling','loop'): table.symlink_to('clusters.csv' if what=='loop' else 'nowhere')
    c,did,said = updated(place)
    assert did.note=='' and c.n_clusters_==3 and 'clusters-kept.csv' in said and os.path.lexists(place/'run/clusters-kept.csv')

def test_older_corrections_do_not_come_back(place):
    old = ImageClusterer.load(place/'run')
    ClusterEditor(old.clustering_, old.features_).rename(0, 'cats').save(place/'run/edits.json')
    assert updated(place)[0].clustering_.names[0]=='cats'
    named = (place/'run/clusters.csv').read_text('utf-8-sig').replace('cats', 'felines')
    (place/'run/clusters.csv').write_text(named)
    for _ in range(3): assert updated(place)[0].clustering_.names[0]=='felines'

def test_a_correction_survives_a_change_of_its_file(place):
    old = ImageClusterer.load(place/'run').set_params(verbose=0)
    name = old.images_.names[0]
    to = (old.labels_[0]+1)%3
    correct(place/'run/clusters.csv', lambda o,c: str(to) if o==name else c)
    for i in range(3):
        os.utime(place/'photos'/name, (i+5, i+5))
        c,did,_ = updated(place)
        assert did.changed==1 and c.labels_[0]==to

def test_corrections_that_cannot_be_read_are_said(place):
    (place/'run/edits.json').write_text('{"kind":')
    os.utime(place/'run/edits.json', (2e9, 2e9))
    mine = correct(place/'run/clusters.csv', lambda o,c: '0' if c=='2' else c)
    c,did,_ = updated(place)
    assert 'the corrections in edits.json were not taken over' in did.note and 'clusters.csv were taken over' in did.note
    assert (place/'run/clusters-kept.csv').read_bytes()==mine
    c = ImageClusterer.load(place/'run')
    assert c.n_clusters_==2 and (place/'run/edits.json').read_text()=='{"kind":' # The table, which is sound, was taken over
