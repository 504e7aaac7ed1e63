"One contract for every decoder, loss and optimizer: it trains, is repeatable, and survives being saved"
import pytest, torch
from unsupervised_cluster.core import ArgumentError
from unsupervised_cluster.data import autoencoder_dls
from unsupervised_cluster.learner import autoencoder_learner, fit_autoencoder
from unsupervised_cluster.losses import LOSSES, get_loss
from unsupervised_cluster.models import DECODERS, ConvAutoencoder
from unsupervised_cluster.optimizers import OPTIMIZERS, get_optimizer
from unsupervised_cluster.regularize import DynamicRegularizer, ResidualAutoencoder
from unsupervised_cluster.samples import sample_photos
from unsupervised_cluster.saving import load_autoencoder, save_autoencoder

CASES = [*(dict(decoder=o) for o in DECODERS), *(dict(decoder=o, widths=(8,6,4), depth=2) for o in DECODERS),
         *(dict(decoder=o, residual=True) for o in DECODERS),
         *(dict(loss=o) for o in LOSSES if o!='vgg16'), # which needs a file of weights
         *(dict(optimizer=o) for o in OPTIMIZERS)]

@pytest.fixture(scope='module')
def images(tmp_path_factory): return sample_photos(tmp_path_factory.mktemp('training')/'photos', n=10, max_side=64)

@pytest.fixture
def dls(images, case):
    "Small pictures, except for the loss that compares them at five scales"
    return autoencoder_dls(images, size=176 if case.get('loss')=='ms_ssim' else 32, bs=4)

def trained(dls, loss='mse', optimizer='adam', epochs=2, residual=False, **model):
    "A Learner after two short epochs"
    model = (ResidualAutoencoder if residual else ConvAutoencoder)(**{'widths':(8,4), 'depth':2, **model})
    cbs = DynamicRegularizer() if residual else None
    learn = autoencoder_learner(dls, model, loss_func=get_loss(loss), opt_func=get_optimizer(optimizer), lr=1e-3)
    with learn.no_bar(), learn.no_logging(): fit_autoencoder(learn, epochs, patience=None, cbs=cbs)
    return learn

@pytest.mark.parametrize('case', CASES, ids=lambda o: '-'.join(map(str, o.values())))
def test_contract(dls, case, tmp_path):
    learn, again = trained(dls, **case), trained(dls, **case)
    x, y = dls.one_batch()
    pred = learn.model(x)
    assert pred.shape == x.shape and pred.min() >= 0 and pred.max() <= 1
    loss = learn.loss_func(pred, y)
    loss.backward()
    assert loss.ndim == 0 and loss.isfinite()
    assert all(o.grad is not None and o.grad.isfinite().all() for o in learn.model.parameters())
    for a, b in zip(learn.model.parameters(), again.model.parameters()): assert torch.equal(a, b)
    assert learn.history.valid_loss == again.history.valid_loss
    save_autoencoder(learn, tmp_path/'run.safetensors')
    loaded = load_autoencoder(tmp_path/'run.safetensors')
    with torch.no_grad(): assert torch.equal(loaded(x), learn.model.eval()(x))
    assert loaded.latent_shape(x.shape[-1]) == tuple(learn.model.encode(x).shape[1:])

@pytest.mark.parametrize('get, names', [(get_loss, LOSSES), (get_optimizer, OPTIMIZERS),
                                        (lambda o: ConvAutoencoder(decoder=o), DECODERS)], ids=['loss','optimizer','decoder'])
def test_wrong_name_lists_the_right_ones(get, names):
    with pytest.raises(ArgumentError) as error: get('nonsense')
    assert all(o in str(error.value) for o in names)
