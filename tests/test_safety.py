"Nothing lost, nobody let in: the trials of benchmarks/safety.py in small, and those that are a matter of yes or no"
import os, random, socket, stat, sys, tempfile, time, urllib.request, warnings
from pathlib import Path
import matplotlib, numpy as np, pytest, torch
from hypothesis import HealthCheck, given, settings, strategies as st
sys.path.insert(0, str(Path(__file__).resolve().parents[1]/'benchmarks'))
import bad_input as bad, safety
from unsupervised_cluster.checks import check_values
from unsupervised_cluster.cluster import cluster_features
from unsupervised_cluster.clusters_csv import clusters_from_csv
from unsupervised_cluster.core import ArgumentError, ClusterError, NoImagesError, SavedFileError, read_arrays, read_json
from unsupervised_cluster.data import autoencoder_dls
from unsupervised_cluster.encoders import ENCODER_RULES
from unsupervised_cluster.group import CLUSTERER_RULES
from unsupervised_cluster.images import BrokenImageError, check_images, open_image
from unsupervised_cluster.pipeline import ImageClusterer
from unsupervised_cluster.pixels import RESIZE_METHODS, decode_images
from unsupervised_cluster.results import Features
from unsupervised_cluster.run_checks import ARGUMENT_RULES, SUMMARY_RULES
from unsupervised_cluster.samples import sample_photos
from unsupervised_cluster.saving import MODEL_RULES

def tries(n): return settings(max_examples=n, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
SMALL = dict(features='bottleneck', size=32, epochs=1, bs=8, verbose=0)

@pytest.fixture(scope='module')
def place():
    "A folder that everybody may enter; pytest's own is closed to all but its owner"
    with tempfile.TemporaryDirectory() as top: yield Path(top)

@pytest.fixture(scope='module')
def photos(place): return sample_photos(place/'some', n=12, max_side=64)

# ---- Images

def test_every_kind_of_file_is_clustered_or_listed(place):
    (place/'kinds').mkdir()
    place.chmod(0o755)
    rows = list(safety.files(place/'kinds', None))
    assert len(rows)>70 and [o for o in rows if o['wrong']]==[]

@pytest.mark.parametrize('method', RESIZE_METHODS)
def test_odd_shapes_are_brought_to_one_size(method, tmp_path):
    paths = [o.put(tmp_path) for o in bad.images() if o.name in ('1x1.png','thin.png','flat.png')]
    assert decode_images(check_images(paths), 32, method).pixels.shape==(3,32,32,3)

@pytest.fixture(scope='module')
def encoded(photos):
    "The same photo in every format"
    im = open_image(photos.paths[0])
    return {k:[bad.encoded(im, k, **{a:b for a,b in o.items() if a!='bits' and a!='append_images'}) for o in v]
            for k,v in safety.ENCODINGS.items()}

@pytest.mark.filterwarnings('ignore::UserWarning') # Pillow's, of what is damaged
@tries(250)
@given(format=st.sampled_from(sorted(safety.ENCODINGS)), seed=st.integers(0, 10**9))
def test_a_damaged_image_is_an_image_or_says_why_not(encoded, place, format, seed):
    chance,path = random.Random(seed),place/'mutant.jpg'
    path.write_bytes(safety.mutant(chance.choice(encoded[format]), chance))
    try: assert open_image(path).mode=='RGB'
    except BrokenImageError as e: assert str(e)

@tries(100)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_by_every_reader(place, photos, data):
    for name,read in (('x.json', lambda o: read_json(o, 'Run')), ('x.safetensors', lambda o: read_arrays(o, 'Run')),
                      ('x.csv', lambda o: clusters_from_csv(o, photos)), ('x.jpg', open_image)):
        (place/name).write_bytes(data)
        with pytest.raises(ClusterError): read(place/name)

# ---- Saved files

@pytest.fixture(scope='module')
def runs(place):
    (place/'runs').mkdir()
    return [(run,trials) for run,trials in safety.make_runs(place/'runs')]

TRIALS = (bad.HOSTILE | bad.HOSTILE_IMAGES | bad.MIXED | bad.HOSTILE_ENCODER, bad.HOSTILE_AUTOENCODER)

@pytest.mark.parametrize('which, what', [(i,what) for i,o in enumerate(TRIALS) for what in o])
def test_a_run_folder_from_a_stranger_is_refused(runs, which, what):
    run,trials = runs[which]
    start = time.process_time()
    (_,error), = safety.attacked(run, {what:trials[what]})
    assert error is not None and 'RUN' in error and time.process_time()-start<10 # It names the file

BOMBS = ('run.json with 40 MB of empty lists', 'weights of 4 GB that are a hole', 'features.npy of 12 GB that is a hole',
         'a clusterer of 4 GB that is a hole')

@pytest.mark.skipif(sys.platform!='linux', reason='memory is read from /proc')
def test_a_bomb_takes_no_memory(runs):
    found = safety.result(safety.child('print(json.dumps(memory_of_trials(Path(args[0]), args[1:])))', runs[0][0], *BOMBS))
    for what,(error,mb) in zip(BOMBS, found): assert error and mb<300, what

@pytest.fixture(scope='module')
def all_runs(place):
    (place/'all').mkdir()
    return list(safety.make_all(place/'all'))

@pytest.mark.parametrize('which', range(6), ids=['gradients','bottleneck','pooled','fisher','contrastive','spectral'])
def test_any_value_or_array_may_be_changed(all_runs, which):
    for seed in range(100*which, 100*which+12): # Anything but a ClusterError comes out of it
        *_,seconds = safety.changed_run(all_runs[which], seed, [*safety.USES] if seed%6==0 else ['predict','show'])
        assert seconds<10

def test_there_is_a_rule_for_each_argument():
    assert set(ARGUMENT_RULES)==set(ImageClusterer().get_params())

# ---- Rules

ANY = st.recursive(st.none()|st.booleans()|st.integers()|st.floats()|st.text()|st.sampled_from([o for o in bad.ODD if not isinstance(o, (list,dict))]),
                   lambda o: st.lists(o, max_size=3)|st.dictionaries(st.text(max_size=3), o, max_size=3), max_leaves=9)

@tries(200)
@given(value=ANY)
def test_a_rule_answers_for_any_value_and_a_message_is_short(value):
    for rules in (ARGUMENT_RULES, SUMMARY_RULES, *ENCODER_RULES.values(), *MODEL_RULES.values(), *CLUSTERER_RULES.values()):
        for name,rule in rules.items():
            assert rule.fits(value) in (True,False)
            if not rule.fits(value):
                with pytest.raises(SavedFileError) as e: check_values({name:value}, rules)
                assert len(str(e.value).encode('ascii', 'backslashreplace'))<9999
        if not isinstance(value, dict):
            with pytest.raises(SavedFileError): check_values(value, rules)

@tries(100)
@given(head=st.binary(max_size=60), claim=st.integers(0, 2**64-1))
def test_any_header_of_arrays_is_refused(place, head, claim):
    for size in (claim, len(head)):
        (place/'x.safetensors').write_bytes(size.to_bytes(8, 'little')+head)
        with pytest.raises(ClusterError): read_arrays(place/'x.safetensors', 'Run', dict(x='n'))

@tries(100)
@given(which=st.sampled_from([0,1]), name=st.integers(0, 99), seed=st.integers(0, 10**9))
def test_a_damaged_run_is_refused(runs, which, name, seed):
    run = runs[which][0]
    names = sorted(o.name for o in run.iterdir() if o.suffix in ('.npy','.json','.safetensors'))
    name,chance = names[name%len(names)],random.Random(seed)
    data = safety.mutant((run/name).read_bytes(), chance)
    list(safety.attacked(run, {name:bad.replaced(name, data)})) # With forged hashes it may be valid and say something else
    if name=='run.json' or data==(run/name).read_bytes(): return
    (_,error), = safety.attacked(run, {name:bad.replaced(name, data)}, kept={name})
    assert error is not None

def test_saved_files_can_be_read_by_those_whom_the_umask_lets(runs):
    for run,_ in runs:
        modes = {stat.S_IMODE(o.stat().st_mode) for o in run.iterdir()}
        (run.parent/'new').touch()
        assert modes=={stat.S_IMODE((run.parent/'new').stat().st_mode)}

# ---- Runs that are cut off

@pytest.fixture(scope='module')
def cut_off(place):
    (place/'cut').mkdir()
    return safety.Place(place/'cut', n=12)

@pytest.fixture(scope='module')
def starter():
    with safety.Starter() as o: yield o

@pytest.mark.parametrize('point', ['replace:2:after','replace:13:before','replace:13:after','replace:17:after','replace:24:before'])
def test_a_killed_run_loses_nothing(cut_off, starter, point):
    cut_off.begin()
    starter.start(cut_off.words, point)
    assert starter.end()==-9 and cut_off.check()==(True,True)

def test_a_killed_training_by_comparing_goes_on(place, starter):
    cut_off = safety.Place(place/'comparing', n=12, words=safety.COMPARING)
    cut_off.begin()
    starter.start(cut_off.words, 'replace:9:after')
    assert starter.end()==-9 and cut_off.check()==(True,True)

def test_a_run_that_is_killed_in_its_middle_loses_nothing(cut_off, starter):
    cut_off.begin()
    assert starter.cut(cut_off.words, .5, 9)==-9 and cut_off.check()[0]

def test_a_full_disk_and_two_runs_at_once(cut_off):
    rows = [*safety.full_disk(cut_off), *safety.two_at_once(cut_off)]
    assert [o for o in rows if o['wrong']]==[]

# ---- Arguments

def test_numbers_of_clusters(photos):
    rows = Features(np.random.default_rng(0).normal(size=(12,5)).astype(np.float32), photos)
    for k in (1,12): assert cluster_features(rows, k).n_clusters==k
    for k in (0,13,-1,2.5,'two',None):
        with pytest.raises(ArgumentError, match='from 1 to 12'): cluster_features(rows, k)
    for bad_k in (0,13):
        with pytest.raises(ArgumentError, match='from 1 to 12'): ImageClusterer(n_clusters=bad_k, verbose=0).fit(photos)
    for k in (1,12): assert len(set(ImageClusterer(n_clusters=k, verbose=0).fit(photos).labels_))==k

@pytest.mark.parametrize('value', [np.nan,np.inf,-np.inf])
def test_features_that_are_no_numbers(photos, value):
    with pytest.raises(ArgumentError, match='finite'): Features(np.full((12,5), value, np.float32), photos)

@pytest.mark.parametrize('more', [{},SMALL], ids=['gradients','bottleneck'])
def test_images_that_are_all_the_same(tmp_path, more):
    for i in range(6): bad.picture().save(tmp_path/f'{i}.png')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        assert ImageClusterer(**dict(more, verbose=0)).fit(tmp_path).n_clusters_==1

@pytest.mark.parametrize('more', [{},SMALL], ids=['gradients','bottleneck'])
def test_two_images_are_enough_and_one_is_not(photos, more):
    for k in (1,2): assert len(ImageClusterer(**dict(more, verbose=0, n_clusters=k)).fit(photos.take([0,1])).labels_)==2
    with pytest.raises(NoImagesError, match='at least 2 images'): ImageClusterer(**dict(more, verbose=0)).fit(photos.take([0]))

@pytest.mark.parametrize('part', [0,1,-.1,1.5])
def test_no_validation_set_is_empty(photos, part):
    with pytest.raises(ArgumentError, match='between 0 and 1'): autoencoder_dls(photos, 32, valid_pct=part)
    assert len(autoencoder_dls(photos.take([0,1]), 32, valid_pct=.01).splits[1])==1

# ---- What is around us

def whole_way(top):
    "From photos to a saved run, and back"
    images = sample_photos(top/'photos', n=12, max_side=64)
    for name,more in dict(gradients={}, bottleneck=SMALL).items():
        run = ImageClusterer(**dict(more, n_clusters=2, verbose=0)).fit(images).save(top/name)
        loaded = ImageClusterer.load(run).set_params(verbose=0)
        assert (loaded.predict(top/'photos')==loaded.labels_).all()

def around():
    "What belongs to the caller: random states, settings, threads"
    return dict(random=random.getstate(), numpy=str(np.random.get_state(legacy=False)), torch=torch.get_rng_state().tolist(),
                filters=list(warnings.filters), threads=torch.get_num_threads(), rcparams=str(matplotlib.rcParams.copy()),
                environ=dict(os.environ), cwd=os.getcwd(), grad=torch.is_grad_enabled())

def test_no_network_and_no_trace(tmp_path, monkeypatch):
    def refuse(self, *args): raise AssertionError(f'asked for the network: {args}')
    for o in ('connect','connect_ex','sendto'): monkeypatch.setattr(socket.socket, o, refuse)
    monkeypatch.setattr(socket, 'getaddrinfo', refuse)
    with pytest.raises(AssertionError): urllib.request.urlopen('http://example.com')
    whole_way(tmp_path/'first') # What others do when they are imported is not ours
    before = around()
    whole_way(tmp_path/'second')
    after = around()
    assert [k for k in before if before[k]!=after[k]]==[]
