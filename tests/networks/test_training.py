"""The common minimisers: what each minimises, and that it does."""

from functools import partial

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

import nnpotential as nnp
from nnpotential.analysis.reach import _Train
from nnpotential.networks import training
from nnpotential.networks.models import from_sklearn, to_sklearn
from nnpotential.networks.training import sklearn_alpha


def small(ljat, **options):
    return nnp.NNSystem(nnp.MLP([3, 4, 4]), ljat, regularization=1e-3, **options)


def regression(n_out=1):
    draw = np.random.default_rng(0)
    X = draw.normal(size=(30, 2))
    data = nnp.load_dataset((X, draw.normal(size=(30, n_out))), 20, 10, regression=True)
    return nnp.NNSystem(nnp.MLP([2, 3, n_out]), data, regularization=1e-3)


def sklearn_loss_and_gradient(system, x, alpha):
    """What scikit-learn's L-BFGS would minimise, as its own method gives it."""
    net, data = system.net, system.data
    model = to_sklearn(net, x, system.settings.loss)
    model.alpha = alpha
    y = np.atleast_2d(data.y_train.T).T
    if system.loss.takes_labels:
        y = model._label_binarizer.transform(data.y_train).astype(float)
    rows = len(data.X_train)
    arrays = [np.empty((rows, n)) for n in net.layer_sizes[1:]]
    parts = [np.empty_like(w) for w in model.coefs_], [np.empty_like(b) for b in model.intercepts_]
    deltas = [np.empty_like(a) for a in arrays]
    loss, weights, biases = model._backprop(
        data.X_train, y, None, [data.X_train, *arrays], deltas, *parts
    )
    layers = zip(weights, biases, strict=True)
    return loss, net.join([(w.T, b) for w, b in layers])


@pytest.mark.parametrize("make", [small, lambda ljat, **o: regression()])
def test_alpha_is_our_penalty_of_the_weights(ljat, make):
    """With free biases scikit-learn's loss is exactly ours, or half of ours for real targets."""
    system = make(ljat)
    free = nnp.NNSystem(system.net, system.data, regularization=1e-3, regularize_bias=False)
    x = system.net.random_parameters(np.random.default_rng(1))
    factor = 1 if free.loss.takes_labels else 2
    loss, gradient = sklearn_loss_and_gradient(free, x, sklearn_alpha(free, "lbfgs"))
    energy, wanted = free.potential.getEnergyGradient(x)
    assert factor * loss == pytest.approx(energy, rel=1e-12)
    assert factor * gradient == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    # and with a penalty of the biases it is not
    assert abs(system.potential.getEnergy(x) - factor * loss) > 1e-5


def test_alpha_of_minibatches_goes_by_their_size(ljat):
    data = nnp.load_dataset("xor", n_train=500, n_test=10)
    system = nnp.NNSystem(nnp.MLP([2, 2, 2]), data, regularization=1e-3)
    assert sklearn_alpha(system, "lbfgs") == pytest.approx(2 * 500 * 1e-3)
    assert sklearn_alpha(system, "adam") == pytest.approx(2 * 200 * 1e-3)
    assert sklearn_alpha(small(ljat), "sgd") == pytest.approx(2 * 50 * 1e-3)


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
def test_scikit_learn_is_taken_as_it_is(ljat, solver):
    system = small(ljat)
    x = system.trainers[f"sklearn-{solver}"](np.random.default_rng(7))
    seed = int(np.random.default_rng(7).integers(2**31))
    alpha = sklearn_alpha(system, solver)
    model = MLPClassifier((4,), "tanh", solver=solver, alpha=alpha, random_state=seed)
    if solver != "lbfgs":
        with pytest.warns(UserWarning, match="Maximum iterations"):
            model.fit(ljat.X_train, ljat.y_train)
    else:
        model.fit(ljat.X_train, ljat.y_train)
    assert np.array_equal(x, from_sklearn(system.net, model))


def test_which_methods_there_are(ljat):
    own = {"lbfgs", "sgd-0.03-8", "sgd-0.03-32", "sgd-0.3-8", "sgd-0.3-32"}
    own |= {"adam-0.001-32", "adam-0.01-32"}
    others = {"sklearn-lbfgs", "sklearn-adam", "sklearn-sgd"}
    assert set(small(ljat).trainers) == own | others
    assert next(iter(small(ljat).trainers)) == "lbfgs"
    for net in (nnp.MLP([3, 4, 4], "gelu"), nnp.MLP([3, 4, 4], bias=False)):
        assert set(nnp.NNSystem(net, ljat).trainers) == own
    # there scikit-learn's gradient is not that of its loss
    names = set(regression(2).trainers)
    assert "sgd-0.3-20" in names and "sgd-0.3-32" not in names
    assert not any(name.startswith("sklearn") for name in names)
    assert "sklearn-lbfgs" in regression(1).trainers
    assert nnp.EggBox().trainers == {}


def test_real_targets_train(ljat):
    system = regression()
    x = system.trainers["sklearn-lbfgs"](np.random.default_rng(0))
    model = MLPRegressor(hidden_layer_sizes=(3,))
    assert system.potential.getEnergy(x) < np.mean(system.data.y_train**2)
    assert model.solver == "adam"  # as we say of what is usual


@pytest.mark.parametrize("name", ["lbfgs", "sgd-0.3-32", "adam-0.01-32"])
def test_our_own_minimise_our_loss(ljat, name):
    system = small(ljat)
    ends = [system.trainers[name](np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(ends[0], ends[1]) and not np.array_equal(ends[0], ends[2])
    lowest = system.get_minimizer()(ends[0])
    assert 0 <= system.potential.getEnergy(ends[0]) - lowest.energy < 0.05


def test_minibatches_are_steps_on_subsets(ljat, monkeypatch):
    """One epoch and a bit, by hand."""
    monkeypatch.setattr(training, "UPDATES", 8)
    system = small(ljat)
    draw = np.random.default_rng(3)
    x = system.net.random_parameters(draw)
    order = np.concatenate([draw.permutation(50), draw.permutation(50)])
    for chosen in [*np.split(order[:50], range(8, 50, 8)), order[50:58]]:
        x = x - 0.3 * system.potential.subset_energy_gradient(x, chosen)[1]
    assert np.array_equal(system.trainers["sgd-0.3-8"](np.random.default_rng(3)), x)


def test_a_training_that_diverges_is_a_failure():
    system = regression()
    system.trainers = {"wild": partial(training._minibatch, system, "wild", "sgd", 1e9, 8)}
    run, found = _Train.run(system, "wild", [0])
    assert found is None
    assert run == {
        "why": "training diverged: the parameters are too large: the loss or a derivative overflows"
    }
