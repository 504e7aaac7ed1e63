"Any sequence of commands is undone exactly, saved exactly, and always makes a clustering that all else understands"
import csv, gc, json, os, signal, subprocess, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
import pytest
from unsupervised_cluster.choose_k import KSweep
from unsupervised_cluster.cluster import cluster_features
from unsupervised_cluster.clustering import Clustering
from unsupervised_cluster.core import ClusterError,SavedFileError,write_json
from unsupervised_cluster.edit_history import EditHistory
from unsupervised_cluster import kept_edits,tools
from unsupervised_cluster.editing import ClusterEditor
from unsupervised_cluster.explore import explore
from unsupervised_cluster.kept_edits import open_edits,state_folder
from unsupervised_cluster.results import Features,ImageTable
from unsupervised_cluster.tools import save_table

N = 40

@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    "Nothing is kept in the real home; each test begins like a new process"
    monkeypatch.setenv('UNSUPERVISED_CLUSTER_STATE', str(tmp_path/'state'))
    new_process()
    yield tmp_path/'state'
    new_process()

def new_process():
    "Forget what only this process knows"
    for o in (kept_edits._OPEN, kept_edits._UNSAVED, tools._WRITTEN): o.clear()

def given(seed, n=N, odd=False, votes=False):
    "Features of n random images, their clustering, and labels for other numbers of clusters"
    rng = np.random.default_rng(seed)
    table = ImageTable(tuple(Path(f'{i}.jpg') for i in range(n)), np.full((n,2), 64))
    features = Features(rng.normal(size=(n,6)).astype(np.float32), table, 'random')
    clustering = cluster_features(features, 5, n_init=1, seed=seed)
    labels = clustering.labels.copy()
    if odd: labels[rng.choice(n, 3, replace=False)] = -1
    agreement = rng.random(n) if votes else None
    clustering = Clustering(labels, clustering.distances, clustering.centers, table, agreement)
    sweep = KSweep((2,3), np.array([2.,1.]), np.stack([np.arange(n)%2, np.arange(n)%3]))
    return clustering,features,sweep

def random_command(editor, rng):
    "Give a command that may or may not be possible now"
    cs,some = editor.state.clusters,rng.choice(N, rng.integers(1, 6), replace=False)
    c = int(rng.choice(cs))
    name = ['set_k','rename','merge','split','move','mark_odd','unmark_odd','undo','redo'][rng.integers(9)]
    args = dict(set_k=[int(rng.choice(editor.ks))], rename=[c, f'name {rng.integers(4)}'], split=[c, int(rng.integers(2, 4))],
                merge=[rng.choice(cs, min(len(cs), rng.integers(1, 4)), replace=False).tolist()],
                move=[some, [c, None][rng.integers(2)]], mark_odd=[some], unmark_odd=[some]).get(name, [])
    before = snapshot(editor)
    try: getattr(editor, name)(*args)
    except ClusterError: assert snapshot(editor)==before, f'{name} failed and changed something'

def snapshot(editor):
    "All that can be seen of an editor"
    s = editor.state
    return (s.labels.tolist(), s.odd.tolist(), s.by_hand.tolist(), dict(s.names), s.free, s.voted, editor.history)

def check(editor):
    "What holds at any moment"
    found,ids = editor.to_clustering(),editor.state.clusters
    assert (found.sizes>0).all() and found.sizes.sum()==len(found)-len(editor.odd)
    assert [o.size for o in editor.clusters]==found.sizes.tolist()
    assert np.array_equal(np.array([*ids,-1])[found.labels], editor.labels)
    assert len({editor.name_of(c) for c in ids})==len(ids)
    assert np.isfinite(found.distances).all() and max(ids)<editor.state.free
    confidence = found.confidence[found.labels>=0]
    assert ((0<=confidence)&(confidence<=1)).all()
    for i in (0, *editor.odd[:1]): assert repr(editor.why(int(i)))

@pytest.mark.parametrize('seed', range(40))
def test_any_commands_are_undone_redone_and_saved(seed, tmp_path):
    rng = np.random.default_rng(seed)
    clustering,features,sweep = given(seed, odd=seed%2, votes=seed%3==0)
    known = features if seed%4 else None
    editor = ClusterEditor(clustering, known, sweep)
    start = snapshot(editor)
    for _ in range(30):
        random_command(editor, rng)
        check(editor)
    editor.save(tmp_path/'edits.json')
    again = ClusterEditor.load(tmp_path/'edits.json', clustering, known, sweep=sweep)
    assert (snapshot(again), again.undone)==(snapshot(editor), editor.undone)
    while editor.undone: editor.redo()
    passed = [snapshot(editor)]
    while editor.history:
        editor.undo()
        passed.append(snapshot(editor))
    assert snapshot(editor)==start and editor.to_clustering().labels.tolist()==clustering.labels.tolist()
    for o in passed[-2::-1]:
        editor.redo()
        assert snapshot(editor)==o
    while again.undone: again.redo()
    while again.history: again.undo()
    assert snapshot(again)==start

def test_what_went_before_is_not_changed_by_commands():
    clustering,features,sweep = given(0, odd=True, votes=True)
    before = [getattr(clustering, o).copy() for o in ('labels','distances','centers','agreement')]
    editor = ClusterEditor(clustering, features, sweep).set_k(3).move([1,2], 0).split(1).mark_odd(4).merge([0,2])
    for was,o in zip(before, ('labels','distances','centers','agreement')): assert np.array_equal(was, getattr(clustering, o))
    clustering.labels[0] = clustering.labels[0] # The caller's own arrays stay writeable
    assert len(editor.history)==5

def test_without_features_the_merged_distances_are_those_with_them():
    clustering,features,_ = given(3)
    a,b = (ClusterEditor(clustering, o).merge([4,0,2]).to_clustering() for o in (features,None))
    assert np.allclose(a.distances, b.distances, atol=1e-4) and np.allclose(a.centers, b.centers, atol=1e-4)

def test_centres_that_coincide_without_features():
    table = ImageTable(tuple(Path(f'{i}.jpg') for i in range(4)), np.full((4,2), 64))
    same = Clustering(np.array([0,1,0,1]), np.ones((4,2)), np.zeros((2,3)), table)
    found = ClusterEditor(same).move(0, 1).to_clustering()
    assert np.allclose(found.distances, 1)

def test_the_clustering_is_understood_by_all_else(tmp_path):
    clustering,features,sweep = given(1, votes=True)
    editor = ClusterEditor(clustering, features, sweep).rename(1, 'a, "b"\t<c>').merge([1,2]).mark_odd([0,7])
    found = editor.to_clustering()
    found.save(tmp_path/'c.safetensors')
    again = Clustering.load(tmp_path/'c.safetensors')
    assert again.names==found.names and again.labels.tolist()==found.labels.tolist()
    found.to_csv(tmp_path/'c.csv')
    with (tmp_path/'c.csv').open(newline='', encoding='utf-8-sig') as f: lines = list(csv.DictReader(f))
    assert {o['name'] for o in lines}=={'','a, "b" <c>'} and [o['cluster'] for o in lines][:1]==['']
    assert '<c>' not in found._repr_html_() and '<c>' not in editor._repr_html_()
    assert ClusterEditor(found, features).state.names=={1:'a, "b" <c>'}

def test_all_odd_from_the_start_is_refused():
    clustering,features,_ = given(1)
    lost = Clustering(np.full(N, -1), clustering.distances, clustering.centers, clustering.images)
    with pytest.raises(ClusterError, match='must stay in a cluster'): ClusterEditor(lost, features)

@pytest.mark.parametrize('text', ['', 'x', '[]', '{"kind": "unsupervised_cluster.ClusterEdits", "version": 1}', '{"kind": "x"}'])
def test_files_that_are_not_edits(text, tmp_path):
    clustering,*_ = given(1)
    (tmp_path/'e.json').write_text(text)
    with pytest.raises(SavedFileError): ClusterEditor.load(tmp_path/'e.json', clustering)

def test_ten_thousand_images_are_quick():
    "A command on 10,000 images is done within a moment: no pairs of images, no copy of the features per command"
    import time
    n,rng = 10_000,np.random.default_rng(0)
    table = ImageTable(tuple(Path(f'{i}.jpg') for i in range(n)), np.full((n,2), 64))
    X = rng.normal(size=(n,192)).astype(np.float32)
    labels = np.arange(n)%12
    centers = np.stack([X[labels==c].mean(0) for c in range(12)])
    distances = np.linalg.norm(X[:,None]-centers, axis=2)
    editor = ClusterEditor(Clustering(labels, distances, centers, table), Features(X, table, 'random'))
    start = time.perf_counter()
    for i in range(10): editor.move(range(i*7, i*7+5), i).clusters
    assert time.perf_counter()-start<20

# --- Edits that are kept ---------------------------------------------------------------------------------------------

def run_with(clustering, folder):
    "A folder that has the part of a run which edits belong to"
    folder.mkdir(parents=True)
    clustering.save(folder/'clustering.safetensors')
    return folder

def contents(folder): return {str(o.relative_to(folder)):o.read_bytes() for o in Path(folder).rglob('*') if o.is_file()}

def full(*_, **__): raise OSError(28, 'No space left on device')

@pytest.mark.parametrize('in_run', [True,False])
@pytest.mark.parametrize('seed', range(8))
def test_any_commands_are_there_in_the_next_process(seed, in_run, tmp_path):
    rng = np.random.default_rng(seed)
    clustering,features,sweep = given(seed, odd=seed%2, votes=seed%3==0)
    folder = run_with(clustering, tmp_path/'run') if in_run else None
    editor = open_edits(clustering, features, sweep, folder)
    for i in range(30):
        random_command(editor, rng)
        if i%5==4:
            before = snapshot(editor),editor.undone
            new_process()
            assert open_edits(clustering, features, sweep, folder) is not editor
            new_process()
            editor = open_edits(clustering, features, sweep, folder)
            assert (snapshot(editor), editor.undone)==before and editor.problem==''
    assert len(list((folder or tmp_path/'state'/'edits').glob('*.json')))==1 # One file, again and again

def test_looking_writes_nothing(tmp_path):
    clustering,features,sweep = given(0)
    run = run_with(clustering, tmp_path/'run')
    before = contents(tmp_path)
    for o in (None,run): open_edits(clustering, features, sweep, o)
    explore(clustering, features).undo.click() # There is nothing to undo
    assert contents(tmp_path)==before

def test_the_file_has_edits_and_no_pictures_or_paths(tmp_path):
    clustering,features,_ = given(0)
    editor = open_edits(clustering, features).move([1,2], 0).rename(0, 'boats')
    data = json.loads(editor.path.read_text())
    assert set(data)=={'kind','version','start','done','steps'} and '.jpg' not in editor.path.read_text()
    if os.name=='posix': assert editor.path.parent.stat().st_mode & 0o077==0 # For nobody else

def test_one_editor_in_a_process():
    clustering,features,sweep = given(0)
    first = open_edits(clustering).rename(0, 'boats')
    again = Clustering(*(o.copy() for o in (clustering.labels, clustering.distances, clustering.centers)), clustering.images)
    assert open_edits(again, features, sweep) is first and first.ks==[2,3,5] # What it did not know, it takes
    assert np.allclose(first.to_clustering().centers, clustering.centers)
    first.set_k(3).split(0)
    for other in (replace(clustering, distances=clustering.distances+1), replace(clustering, names=tuple('abcde')),
                  replace(clustering, images=ImageTable(tuple(Path('x')/o.name for o in clustering.images.paths),
                                                        clustering.images.sizes))):
        assert open_edits(other) is not first

def test_edits_of_a_clustering_come_into_its_run_folder(tmp_path):
    clustering,*_ = given(0)
    first = open_edits(clustering).rename(0, 'boats')
    run = run_with(clustering, tmp_path/'run')
    assert open_edits(clustering, folder=run) is first and first.path==run/'edits.json' # In this process
    new_process()
    (run/'edits.json').unlink()
    second = open_edits(clustering, folder=run) # From the state of the user, in another one
    assert second.history==first.history and second.path==run/'edits.json' and open_edits(clustering) is second

def test_copies_of_a_run_have_edits_of_their_own(tmp_path):
    clustering,*_ = given(0)
    a,b = (open_edits(clustering, folder=run_with(clustering, tmp_path/o)).rename(0, o) for o in 'ab')
    a.rename(1, 'more of a')
    assert (len(a.history), len(b.history))==(2, 1) and a.path.parent!=b.path.parent

STRANGE = {
    'empty':b'', 'text':b'the second cluster is the kitchen', 'zeros':bytes(99), 'other kind':b'{"kind": "x"}',
    'later':b'{"kind": "unsupervised_cluster.ClusterEdits", "version": 99}', 'deep':b'['*100_000, 'list':b'[]',
    'half':b'{"kind": "unsupervised_cluster.ClusterEdits", "version": 1, "start": "', 'not text':b'\xff\xfe\x00'}

@pytest.mark.parametrize('what', [*STRANGE, 'folder', 'pipe', 'dangling', 'link', 'loop', 'foreign', 'bad step'])
def test_what_is_in_the_way_stays(what, tmp_path):
    clustering,features,_ = given(0)
    run,precious = run_with(clustering, tmp_path/'run'),tmp_path/'precious.txt'
    path = run/'edits.json'
    precious.write_text('precious')
    if what=='folder': path.mkdir()
    elif what=='pipe': os.mkfifo(path)
    elif what in ('dangling','link','loop'): path.symlink_to(dict(dangling=tmp_path/'none', link=precious, loop=path)[what])
    elif what=='foreign': ClusterEditor(given(1)[0]).rename(0, 'x').save(path)
    elif what=='bad step':
        ClusterEditor(clustering).rename(0, 'x').save(path)
        path.write_text(path.read_text().replace('"free": 5', '"free": -5'))
    else: path.write_bytes(STRANGE[what])
    before = os.lstat(path).st_ino,os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ''
    editor = open_edits(clustering, features, folder=run)
    assert 'edits.json' in editor.note and 'stays as it is' in editor.note and editor.history==[]
    editor.rename(0, 'boats')
    after = os.lstat(path).st_ino,os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ''
    assert after==before and precious.read_text()=='precious' and editor.path==run/'edits-2.json'
    new_process()
    assert open_edits(clustering, folder=run).history==editor.history

@pytest.mark.parametrize('what', ['text','gone','pipe','other edits'])
def test_what_comes_in_the_way_later_stays(what, tmp_path):
    clustering,*_ = given(0)
    run = run_with(clustering, tmp_path/'run')
    editor,path = open_edits(clustering, folder=run).rename(0, 'boats'),run/'edits.json'
    path.unlink()
    if what=='text': path.write_text('mine')
    elif what=='pipe': os.mkfifo(path)
    elif what=='other edits': ClusterEditor(clustering).rename(0, 'a').rename(0, 'b').save(path)
    before = path.read_bytes() if path.is_file() else ''
    editor.rename(1, 'cars').rename(2, 'trees')
    assert editor.path==(path if what=='gone' else run/'edits-2.json') and editor.problem==''
    if what!='gone': assert editor.note.count('changed elsewhere and stays') and (path.read_bytes() if before else '')==before
    new_process()
    again = open_edits(clustering, folder=run)
    assert again.history==editor.history and (what!='other edits' or '2 edits of' in again.note and str(path) in again.note)

CHILD = """import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_editing import given
from unsupervised_cluster.kept_edits import open_edits
clustering,features,sweep = given(0)
editor = open_edits(clustering, features, sweep, Path({run!r}))
print('open', len(editor.history), flush=True)
for line in sys.stdin:
    editor.rename(1, line.strip())
    print(len(editor.history), editor.path.name, flush=True)
"""

def child(run):
    code = CHILD.format(tests=str(Path(__file__).parent), run=str(run))
    found = subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    found.stdout.readline()
    return found

def tell(process, text):
    process.stdin.write(text+'\n')
    process.stdin.flush()
    return process.stdout.readline().split()

def test_another_process_edits_the_same_run_and_is_killed(tmp_path):
    clustering,features,sweep = given(0)
    run = run_with(clustering, tmp_path/'run')
    here = open_edits(clustering, features, sweep, run).rename(0, 'boats')
    other = child(run) # It begins with that
    assert tell(other, 'theirs')==['2', 'edits.json']
    here.rename(2, 'ours').rename(3, 'ours too')
    assert here.path==run/'edits-2.json' and 'changed elsewhere' in here.note
    assert tell(other, 'theirs again')==['3', 'edits.json']
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    for name,last in (('edits.json', 'theirs again'), ('edits-2.json', 'ours too')):
        assert ClusterEditor.load(run/name, clustering).history[-1].endswith(last)
    new_process()
    assert 'explore(..., edits=' in open_edits(clustering, folder=run).note
    assert open_edits(clustering, folder=run, edits=run/'edits-2.json').history==here.history

def test_what_another_process_added_comes_in_when_the_cell_is_run_again(tmp_path):
    clustering,features,sweep = given(0)
    run = run_with(clustering, tmp_path/'run')
    here = open_edits(clustering, features, sweep, run).rename(0, 'boats')
    other = child(run)
    tell(other, 'theirs')
    other.stdin.close()
    other.wait()
    again = open_edits(clustering, features, sweep, run)
    assert again is here and len(here.history)==2
    assert here.rename(2, 'ours').path==run/'edits.json' and len(ClusterEditor.load(here.path, clustering).history)==3

def test_a_run_that_took_the_place_of_another_is_not_written_to(tmp_path):
    clustering,*_ = given(0)
    run = run_with(clustering, tmp_path/'run')
    editor = open_edits(clustering, folder=run).rename(0, 'boats')
    clustering.save(run/'clustering.safetensors') # The same again
    assert editor.rename(1, 'cars').path==run/'edits.json'
    given(1)[0].save(run/'clustering.safetensors')
    before = contents(run)
    editor.rename(2, 'trees')
    assert contents(run)==before and editor.path.parent==state_folder()/'edits' and 'another clustering' in editor.note
    clustering.save(run/'clustering.safetensors')
    new_process()
    assert open_edits(clustering, folder=run).history==editor.history # These go on from those of the run

def test_edits_that_cannot_be_saved_are_not_lost(tmp_path, monkeypatch):
    (tmp_path/'state').write_text('no folder')
    clustering,features,_ = given(0)
    editor = open_edits(clustering, features).rename(0, 'boats').merge([1,2])
    history,mark = editor.history,id(editor)
    assert editor.problem and 'not saved' in repr(editor)
    del editor
    gc.collect()
    again = open_edits(clustering, features)
    assert id(again)==mark and again.history==history
    for o in (dict(fresh=True), dict(edits='x.json')):
        with pytest.raises(ClusterError, match='would be lost'): open_edits(clustering, features, **o)
    (tmp_path/'state').unlink()
    assert open_edits(clustering, features).problem=='' and open_edits(clustering, features, fresh=True).history==[]
    new_process()
    assert open_edits(clustering, features).history==history

def test_a_user_without_a_home(monkeypatch):
    for o in ('UNSUPERVISED_CLUSTER_STATE','XDG_STATE_HOME','LOCALAPPDATA'): monkeypatch.delenv(o, raising=False)
    monkeypatch.setattr(Path, 'home', lambda: (_ for _ in ()).throw(RuntimeError('no home')))
    editor = open_edits(given(0)[0]).rename(0, 'boats')
    assert state_folder() is None and editor.history and 'no folder' in editor.problem

def test_a_full_disk_is_said_and_the_next_edit_tries_again(tmp_path, monkeypatch):
    clustering,features,_ = given(0)
    editor = open_edits(clustering, features).rename(0, 'boats')
    kept = editor.path.read_bytes()
    with monkeypatch.context() as m:
        m.setattr(os, 'fsync', full)
        editor.rename(1, 'cars')
    assert 'No space left' in editor.problem and editor.path.read_bytes()==kept and len(list(editor.path.parent.iterdir()))==1
    assert editor.rename(2, 'trees').problem=='' and len(ClusterEditor.load(editor.path, clustering).history)==3

# --- What the explorer does with it ----------------------------------------------------------------------------------

def test_explorers_show_what_the_others_do():
    clustering,features,sweep = given(0)
    a,b,code = explore(clustering, features, sweep),explore(clustering, features, sweep),explore(clustering)
    b.gallery.open(1)
    a.editor.rename(1, 'boats')
    a._do('merge', [0,1])
    assert b.gallery.opened is None and b.gallery.message.startswith("In another explorer: Merged cluster 0, boats. Edits are")
    b._do('undo')
    assert a.redo.disabled is False and code.gallery.message=='In another explorer: Undone: merged cluster 0, boats'
    a.editor.set_k(2) # By code, without a word: the next command shows it
    b._do('rename', 0, 'x')
    assert len(a.clustering.sizes)==2 and a.k.value==b.k.value==2

def test_an_explorer_says_what_it_goes_on_with(tmp_path):
    clustering,features,sweep = given(0)
    explore(clustering, features, sweep).editor.rename(0, 'boats').merge([1,2])
    new_process()
    second = explore(clustering, features, sweep)
    assert second.gallery.message.startswith('Going on with 2 edits of 20') and 'Undo takes them' in second.gallery.message
    for _ in range(2): second.undo.click()
    new_process()
    assert 'all of them undone; Redo brings them back' in explore(clustering, features, sweep).gallery.message
    anew = explore(clustering, features, sweep, fresh=True)
    assert anew.gallery.message.startswith('Begun anew; 2 edits of 20') and anew.editor.undone==[]
    with pytest.raises(ClusterError): explore(clustering, features, sweep, fresh=True, edits='x.json')
    with pytest.raises(SavedFileError): explore(clustering, features, sweep, edits=tmp_path/'none.json')

def test_no_file_is_overwritten_by_a_table(tmp_path, monkeypatch):
    clustering,*_ = given(0)
    other,path = replace(clustering, names=tuple('abcde')),tmp_path/'t.csv'
    path.write_text('mine')
    first = save_table(clustering, path)
    assert first.name=='t-2.csv' and path.read_text()=='mine'
    assert save_table(other, path)==first and 'a' in first.read_text() # Its own may be replaced
    first.write_text(first.read_text()+'a note\n')
    new_process()
    assert save_table(other, path).name=='t-3.csv' and first.read_text().endswith('a note\n')
    monkeypatch.chdir(tmp_path)
    assert save_table(other, 't-3.csv').name=='t-3.csv' # However it is named
    (tmp_path/'l.csv').symlink_to(path)
    assert save_table(other, tmp_path/'l.csv').name=='l-2.csv' and path.read_text()=='mine'

@pytest.mark.parametrize('text', ['', '[]', '{"kind": "unsupervised_cluster.WrittenTables", "version": 1, "files": [1]}',
                                  '{"kind": "unsupervised_cluster.WrittenTables", "version": 1, "files": {"a": 1}}'])
def test_a_list_of_tables_that_is_damaged(text, tmp_path, state):
    state.mkdir()
    (state/'tables.json').write_text(text)
    assert [save_table(given(0)[0], tmp_path/'t.csv').name for _ in range(2)]==['t.csv']*2

def test_strange_names_of_files_are_an_answer_and_no_traceback(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clustering,features,_ = given(0)
    export = explore(clustering, features).export
    for o in ('', '.', '..', '~', '~nobody-of-this-name/x', 'a\0b', 'x'*300, str(tmp_path), '/'):
        export.csv.value = export.folder.value = o
        for button in (export.save, export.show): button.click()
        if not export.undo.disabled: export.undo.click()
    assert [o for o in tmp_path.iterdir() if o.name!='state']==[]

def test_nothing_is_put_aside_without_a_word():
    "Whatever a command does to names and corrections is in its message, with the way back"
    clustering,features,sweep = given(0)
    rng = np.random.default_rng(0)
    shown = explore(clustering, features, sweep)
    for _ in range(200):
        cs,names = shown.editor.state.clusters,dict(shown.editor.state.names)
        c,some = int(rng.choice(cs)),rng.choice(N, rng.integers(1, 12), replace=False).tolist()
        command = [('merge', rng.choice(cs, min(2, len(cs)), replace=False).tolist()), ('move', some, c), ('mark_odd', some),
                   ('rename', c, f'name {rng.integers(9)}'), ('set_k', int(rng.choice([2,3,5]))), ('split', c, 2)][rng.integers(6)]
        if not shown.gallery.do(*command) or command[0]=='rename': continue
        gone = set(names.values())-set(shown.editor.state.names.values())
        if gone: assert 'Undo' in shown.gallery.message and ('begun anew' in shown.gallery.message.lower() or min(gone) in shown.gallery.message)

def test_edits_of_earlier_clusters_are_mentioned(tmp_path):
    "A run came into the place of one that was edited"
    from unsupervised_cluster.explore import explore
    from unsupervised_cluster.pipeline import ImageClusterer
    from unsupervised_cluster.samples import sample_photos
    photos,quick = sample_photos(tmp_path/'photos', n=12, max_side=64),dict(clusterer='kmeans', max_k=3, n_init=2, size=32, verbose=0)
    ImageClusterer(n_clusters=3, **quick).fit(photos).save(tmp_path/'run')
    explore(tmp_path/'run').editor.rename(0, 'boats')
    with pytest.warns(UserWarning, match='it is now edits-kept.json'): ImageClusterer(n_clusters=2, **quick).fit(photos).save(tmp_path/'run')
    assert 'also has edits of earlier clusters, which do not fit these: edits-kept.json' in explore(tmp_path/'run').status.value
