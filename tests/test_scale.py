"More than one process: the same result, files written once, nothing lost; small versions of benchmarks/scale_out.py"
import json, os, subprocess, sys, time
from pathlib import Path
import numpy as np
import pytest
from unsupervised_cluster.images import find_images
from unsupervised_cluster.results import Features
from unsupervised_cluster.runs import RUN_FILES
from unsupervised_cluster.samples import sample_photos

def python(code, *args, cwd, status=0):
    "What a fresh interpreter prints when it runs `code`"
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code, *map(str, args)], cwd=cwd, capture_output=True,
                          text=True, timeout=300)
    assert done.returncode==status, done.stdout+done.stderr
    return done.stdout+done.stderr

COMMAND = 'from unsupervised_cluster.cli import main; raise SystemExit(main())'
SMALL = ['--features', 'bottleneck', '--size', '16', '--epochs', '2', '--k', '3']

@pytest.fixture
def place(tmp_path):
    "A folder with `photos`, twenty of them"
    sample_photos(tmp_path/'photos', n=20, max_side=48)
    return tmp_path

def test_two_processes_end_where_one_does(place):
    found = {}
    for n in ('1', '2'):
        out = python(COMMAND, 'photos', '--out', f'run{n}', '--processes', n, *SMALL, cwd=place)
        assert out.count('epoch   2/2')==1 # The first of the processes prints
        assert {o.name for o in (place/f'run{n}').iterdir()}<=set(RUN_FILES)
        found[n] = Features.load(place/f'run{n}/features.npy').X, json.loads((place/f'run{n}/run.json').read_text())
    (X,a),(Y,b) = found.values()
    np.testing.assert_allclose(a['validation_error'], b['validation_error'], rtol=1e-2)
    np.testing.assert_allclose(a['training']['train_loss'], b['training']['train_loss'], rtol=1e-2)
    assert abs(X-Y).max()<.05*abs(X).max()

def test_two_processes_go_on_with_their_own_training_only(place):
    out = python('''
from unsupervised_cluster.all import *
if __name__=='__main__':
    store = decode_images('photos', 16)
    fit = lambda **kwargs: train_on_processes(store, 2, epochs=2, verbose=True, **kwargs)
    kept = dict(checkpoint='kept.safetensors', resume='same')
    first,again = fit(**kept),fit(**kept) # The second has nothing left to do
    error = lambda learn: learn.history.valid_loss
    assert error(again)==error(first)
    other = fit(seed=7, **kept)
    assert error(other)==error(fit(seed=7))!=error(first)
    try: fit(seed=8, **kept | dict(resume=True))
    except SavedFileError as e: print(e)''', cwd=place)
    assert out.count('epoch   2/2')==3 and 'belongs to another training' in out

def test_what_a_process_says_is_told(place):
    out = python(COMMAND, 'photos', '--processes', '3', *SMALL, cwd=place, status=1)
    assert 'a multiple of 3' in out and 'Traceback' not in out
    out = python('''
from unsupervised_cluster.torchrun import train_on_processes
from unsupervised_cluster.pixels import decode_images
try: train_on_processes(decode_images('photos', 16), 2, schedule='steep')
except Exception as e: print(type(e).__name__, e)''', cwd=place)
    assert out.startswith('ClusterError') and 'flat or one_cycle' in out

DASK = '''
import numpy as np
from dask.distributed import Client, LocalCluster
from joblib import parallel_config
from unsupervised_cluster.all import *
def work(folder, n_jobs):
    images = find_images('photos')
    encoder = default_encoder('gradients').fit(decode_images(images, 16).pixels)
    X = encode_shards(encoder, 'photos', folder, 16, shard=6, n_jobs=n_jobs)
    return X.images.names,X.X,sweep_k(X, range(1, 5), n_jobs=n_jobs).labels
if __name__=='__main__':
    local = work('local', 1)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        with parallel_config(backend='dask'): far = work('far', -1)
    assert local[0]==far[0] and all(np.array_equal(a, b) for a,b in zip(local[1:], far[1:]))
    print('the same')
'''

def test_dask_gives_the_same(place):
    (place/'work.py').write_text(DASK) # Dask starts its workers from a file
    done = subprocess.run([sys.executable, '-W', 'ignore', 'work.py'], cwd=place, capture_output=True, text=True, timeout=300)
    assert 'the same' in done.stdout, done.stderr

SHARDS = '''
import os,sys
from pathlib import Path
import numpy as np
from sklearn.base import BaseEstimator
from unsupervised_cluster.shards import encode_shards
class MeanColour(BaseEstimator):
    "The process ends with the third shard, if it is to"
    def __init__(self, dies): self.dies = dies
    def get_params(self, deep=True): return {} # So that both calls have the same shards
    def state_dict(self): return {}
    def transform(self, pixels):
        if self.dies and len(list(Path('shards').glob('0*.json')))==2: os._exit(9)
        return pixels.mean((1,2), dtype=np.float32)
todo = []
X = encode_shards(MeanColour('dies' in sys.argv), 'photos', 'shards', 16, shard=4, progress=lambda o,total: todo.append(total) or o)
print(todo[0], len(X), X.images.names==sorted(X.images.names))
'''

def test_a_dead_worker_costs_its_shard_only(place):
    python(SHARDS, 'dies', cwd=place, status=9)
    done = {o:o.stat().st_mtime_ns for o in (place/'shards').iterdir()}
    assert len(done)==4 # Two shards, of two files each; nothing half written
    assert python(SHARDS, cwd=place).strip()=='3 20 True'
    assert all(o.stat().st_mtime_ns==t for o,t in done.items())
    assert python(SHARDS, cwd=place).strip()=='0 20 True'

def test_update_from_the_command_line(place):
    python(COMMAND, 'photos', '--k', '3', '--quiet', cwd=place)
    images = find_images(place/'photos')
    os.utime(images.paths[3])
    images.paths[4].unlink()
    images.paths[0].rename(place/'photos/renamed.png')
    before = (place/'photos-clusters/clusters.csv').read_text().splitlines()
    out = python(COMMAND, 'photos', '--update', cwd=place)
    assert 'Update: 1 added, 1 changed, 2 removed, 17 kept' in out
    after = (place/'photos-clusters/clusters.csv').read_text().splitlines()
    gone = {images.names[i] for i in (0,3,4)}
    kept = [o for o in before[1:] if o.split(',')[0] not in gone]
    assert len(after)==20 and set(kept)<=set(after)
    assert 'Update: 0 added, 0 changed, 0 removed, 19 kept' in python(COMMAND, 'photos', '--update', cwd=place)
    assert 'No such file' in python(COMMAND, 'photos', '--update', '--out', 'none', cwd=place, status=1)
