"One contract for every way to cluster: same seed same labels, saved and loaded, new images, no trace on the caller"
import random
import numpy as np, pytest, torch
from unsupervised_cluster.encoders import ENCODERS
from unsupervised_cluster.pipeline import ImageClusterer
from unsupervised_cluster.samples import sample_photos

QUICK = dict(bottleneck=dict(size=32, epochs=1), pooled=dict(size=32, epochs=1), fisher=dict(size=32, epochs=1))

@pytest.fixture(scope='module')
def images(tmp_path_factory): return sample_photos(tmp_path_factory.mktemp('encoders')/'photos', n=24, max_side=48)

@pytest.mark.parametrize('clusterer', ['consensus','kmeans'])
@pytest.mark.parametrize('features', [o for o in ENCODERS if o not in ('backbone','contrastive')])
def test_contract(images, features, clusterer, tmp_path):
    state = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    make = lambda: ImageClusterer(3, features, clusterer, verbose=0, **QUICK.get(features, {}))
    a, b = make().fit(images), make().fit(list(images.paths))
    assert state == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert (a.labels_ == b.labels_).all() and sorted(set(a.labels_)) == [0,1,2]
    assert a.features_.images.paths == images.paths and np.isfinite(a.features_.X).all()
    again = ImageClusterer.load(a.save(tmp_path/'run')).set_params(verbose=0)
    assert (again.predict(images) == a.labels_).all()
    assert (again.clustering_.confidence == a.clustering_.confidence).all()

@pytest.mark.parametrize('features', ['gradients', 'bottleneck'])
@pytest.mark.parametrize('n', [2, 3, 5, 11, 13])
def test_few_images(images, n, features):
    found = ImageClusterer(2, features, verbose=0, **QUICK.get(features, {})).fit(images.take(range(n)))
    assert len(found.labels_) == n and found.n_clusters_ == 2

@pytest.mark.filterwarnings('ignore:no number of clusters')
@pytest.mark.parametrize('features', ['gradients', 'bottleneck'])
def test_all_equal(images, features, tmp_path):
    for i in range(14): (tmp_path/f'{i}.jpg').write_bytes(images.paths[0].read_bytes())
    with pytest.warns(UserWarning, match='give `n_clusters`'):
        found = ImageClusterer(features=features, verbose=0, **QUICK.get(features, {})).fit(tmp_path)
    assert found.n_clusters_ == 1
