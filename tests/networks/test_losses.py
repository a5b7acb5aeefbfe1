"""Every loss: the record in Python against the kernel, and what the record claims."""

import pickle

import numpy as np
import pytest
import reference

from nnpotential import MLP, Dataset, InputError, NNPotential, NNSystem, _kernel, load_dataset
from nnpotential.networks.generalisation import generalisation
from nnpotential.networks.losses import LOSSES, default_loss

WITH_LABELS = [name for name, record in LOSSES.items() if record.takes_labels]


def sample(record, n=50, seed=0):
    """Outputs of a network without hidden layers, its potential, parameters and truth."""
    rng = np.random.default_rng(seed)
    n_out = 1 if record.two_classes else 3
    X, net = rng.normal(size=(n, 2)), MLP([2, n_out])
    if record.takes_labels:
        y = np.arange(n) % (2 if record.two_classes else n_out)
    else:
        y = rng.normal(size=(n, n_out))
    potential = NNPotential(net, X, y, loss=record.name, regularization=0.0)
    x = rng.normal(size=net.n_parameters)
    return net.outputs(x, X), potential, x, y


def test_the_kernel_has_the_same_losses():
    assert sorted(LOSSES) == sorted(_kernel.LOSSES)
    assert all(name == record.name for name, record in LOSSES.items())


def test_a_loss_without_a_reference_is_not_taken_for_another():
    with pytest.raises(LookupError, match="no reference for the loss hinge"):
        reference.loss(np.zeros(4), (1, 2), "tanh", True, "hinge", 0.0, True, np.ones((1, 1)), [0])


@pytest.mark.parametrize("record", LOSSES.values(), ids=LOSSES)
def test_the_mean_in_numpy_is_the_kernel_s(record):
    f, potential, x, y = sample(record)
    assert record.mean(f, y) == pytest.approx(potential.getEnergy(x), rel=1e-14)


@pytest.mark.parametrize("record", LOSSES.values(), ids=LOSSES)
def test_shift_invariance_is_as_claimed(record):
    f, _, _, y = sample(record)
    unchanged = record.mean(f + 1.7, y) == pytest.approx(record.mean(f, y), rel=1e-13)
    assert unchanged == record.shift_invariant


@pytest.mark.parametrize("record", LOSSES.values(), ids=LOSSES)
def test_the_scale_is_the_loss_of_what_has_learnt_nothing(record):
    f, _, _, y = sample(record)
    nothing = np.zeros_like(f) if record.takes_labels else np.broadcast_to(y.mean(axis=0), f.shape)
    assert 0.5 < record.scale(y) / record.mean(nothing, y) < 2


@pytest.mark.parametrize("name", WITH_LABELS)
def test_the_loss_is_minus_the_logarithm_of_a_probability(name):
    f, _, _, y = sample(LOSSES[name])
    p = LOSSES[name].probabilities(f)
    assert np.allclose(p.sum(axis=1), 1, atol=1e-15)
    assert -np.log(p[np.arange(len(y)), y]).mean() == pytest.approx(LOSSES[name].mean(f, y))


@pytest.mark.parametrize("record", LOSSES.values(), ids=LOSSES)
def test_data_of_the_other_kind_are_refused(record):
    y = np.linspace(0, 1, 6)[:, None] if record.takes_labels else np.arange(6) % 3
    data = Dataset(np.arange(12.0).reshape(6, 2), y, [], [])
    right = default_loss(data).name
    message = f"{record.name} is for .*; these data have .*: use {right}"
    with pytest.raises(InputError, match=message):
        NNSystem(MLP([2, 2, data.n_outputs]), data, loss=record.name)
    assert NNSystem(MLP([2, 2, data.n_outputs]), data).settings.loss == right


@pytest.mark.parametrize("record", LOSSES.values(), ids=LOSSES)
def test_a_system_of_it_can_be_sent_to_a_worker(record):
    _, potential, x, y = sample(record)
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    data = Dataset(X, y, X, y)
    system = NNSystem(potential.net, data, loss=record.name, regularization=0.0)
    copy = pickle.loads(pickle.dumps(system))
    assert copy.potential.getEnergy(x) == potential.getEnergy(x)
    assert copy.energy_label == f"regularised loss ({record.unit} per sample)"
    for name, measure in system.measures.items():
        if not measure.lacking:
            assert copy.measures[name].function(x) == measure.function(x)
    assert copy.measures["train-loss"].function(x) == pytest.approx(potential.getEnergy(x))


# One logit for two classes


def test_one_logit_is_softmax_of_that_and_zero():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(70, 3)), rng.integers(2, size=70)
    one, two = MLP([3, 4, 1]), MLP([3, 4, 2])
    options = {"regularization": 0.0}
    binary = NNPotential(one, X, y, loss="binary_cross_entropy", **options)
    softmax = NNPotential(two, X, y, loss="cross_entropy", **options)
    for size in (0.1, 1.0, 30.0):
        x = size * rng.normal(size=one.n_parameters)
        *hidden, (W, b) = one.split(x)
        embedded = two.join([*hidden, (np.vstack([0 * W, W]), np.r_[0 * b, b])])
        energy, gradient = binary.getEnergyGradient(x)
        expected, whole = softmax.getEnergyGradient(embedded)
        assert energy == pytest.approx(expected, rel=1e-14)
        *hidden, (W, b) = two.split(whole)
        assert np.allclose(gradient, one.join([*hidden, (W[1:], b[1:])]), rtol=1e-12, atol=1e-15)


def test_a_confident_logit_keeps_its_digits():
    for label, sign in ((0, 1), (1, -1)):
        potential = NNPotential(
            MLP([1, 1]), [[1.0]], [label], loss="binary_cross_entropy", regularization=0.0
        )
        e, g, H = potential.getEnergyGradientHessian(np.array([-40.0 * sign, 0.0]))
        assert e == pytest.approx(np.exp(-40.0), rel=1e-12)
        assert g[0] == pytest.approx(sign * np.exp(-40.0), rel=1e-12)
        assert H[0, 0] == pytest.approx(np.exp(-40.0), rel=1e-12)
        wrong = potential.getHessian(np.array([40.0 * sign, 0.0]))
        assert wrong[0, 0] == pytest.approx(np.exp(-40.0), rel=1e-12)


def test_one_logit_figures_against_scikit_learn():
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    data = load_dataset("breast_cancer", n_train=100, n_test=100, seed=0)
    net = MLP([30, 3, 1])
    system = NNSystem(net, data, loss="binary_cross_entropy", regularization=1e-2)
    x = system.get_random_minimized_configuration().coords
    p = 1 / (1 + np.exp(-net.outputs(x, data.X_test)[:, 0]))
    figures = generalisation(system, x)
    assert figures["test_loss"] == pytest.approx(log_loss(data.y_test, p))
    assert figures["test_accuracy"] == accuracy_score(data.y_test, p > 0.5) > 0.8
    assert figures["test_auc"] == pytest.approx(roc_auc_score(data.y_test, p))
    assert all(not measure.lacking for measure in system.measures.values())


@pytest.mark.parametrize(
    ("sizes", "y", "message"),
    [
        ([2, 3], [0, 1], "needs a network with one output, not 3"),
        ([2, 1], [0, 2], "tells 2 classes apart, but the labels go up to 2"),
        ([2, 1], [[0.5], [1.0]], "labels must have shape"),
    ],
)
def test_one_logit_refuses(sizes, y, message):
    with pytest.raises(InputError, match=message):
        NNPotential(MLP(sizes), np.eye(2), y, loss="binary_cross_entropy")


def test_one_logit_is_for_two_classes_and_one_output(iris):
    message = "is for two classes with one output; these data have 3 classes: use cross_entropy"
    with pytest.raises(InputError, match=message):
        NNSystem(MLP([4, 3, 1]), iris, loss="binary_cross_entropy")
    data = load_dataset("xor", 20, 20)
    with pytest.raises(InputError, match="2 inputs and 1 output, not 2 and 2"):
        NNSystem(MLP([2, 3, 2]), data, loss="binary_cross_entropy")


def test_the_kernel_takes_no_truth_of_the_wrong_shape():
    """Else it would read what is not there."""
    X = np.zeros((4, 2))
    for loss, name in enumerate(_kernel.LOSSES):
        rows = 1 if LOSSES[name].takes_labels else 3
        for shape in ((4, rows + 1), (3, rows)):
            with pytest.raises(ValueError, match=rf"shape \(4, {rows}\) for {name}"):
                _kernel.KernelPotential(
                    (2, 3), True, 0, loss, 0.0, True, X, np.zeros(shape), 1, "", False
                )
