"Any sequence of commands is undone exactly, saved exactly, and always makes a clustering that all else understands"
import csv
from pathlib import Path
import numpy as np
import pytest
from unsupervised_cluster.choose_k import KSweep
from unsupervised_cluster.cluster import cluster_features
from unsupervised_cluster.clustering import Clustering
from unsupervised_cluster.core import ClusterError,SavedFileError,write_json
from unsupervised_cluster.edit_history import EditHistory
from unsupervised_cluster.editing import ClusterEditor
from unsupervised_cluster.results import Features,ImageTable

N = 40

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
