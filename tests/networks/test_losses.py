"""Every loss: the record in Python against the kernel, and what the record claims."""

import pickle

import numpy as np
import pytest
import reference

from nnpotential import MLP, Dataset, InputError, NNPotential, NNSystem, _kernel
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


def test_the_kernel_takes_no_truth_of_the_wrong_shape():
    """Else it would read what is not there."""
    X = np.zeros((4, 2))
    for loss, name in enumerate(_kernel.LOSSES):
        rows = 1 if LOSSES[name].takes_labels else 3
        for shape in ((4, rows + 1), (3, rows)):
            with pytest.raises(ValueError, match=rf"shape \(4, {rows}\) for {name}"):
                _kernel.KernelPotential((2, 3), True, 0, loss, 0.0, True, X, np.zeros(shape), 1, "")
