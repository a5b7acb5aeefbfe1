"""Loss and derivatives against autograd and finite differences, and bad input."""

import itertools
import pickle

import numpy as np
import pytest
from autograd import grad, hessian
from reference import loss as reference_loss

from nnpotential import MLP, InputError, NNPotential

SIZES = [(3, 4), (3, 5, 4), (2, 4, 3, 3), (3, 3, 2, 4, 2)]
COMBINATIONS = list(
    itertools.product(
        SIZES,
        ["tanh", "sigmoid", "softplus", "silu"],
        [True, False],
        ["cross_entropy", "squared_error"],
    )
)


def make(sizes, activation="tanh", bias=True, loss="cross_entropy", n=37, seed=0, **settings):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, sizes[0]))
    if loss == "cross_entropy":
        y = rng.integers(sizes[-1], size=n)
    else:
        y = rng.normal(size=(n, sizes[-1]))
    net = MLP(sizes, activation=activation, bias=bias)
    pot = NNPotential(net, X, y, loss=loss, **settings)
    return pot, X, y, rng.normal(size=net.n_parameters)


@pytest.mark.parametrize(("sizes", "activation", "bias", "loss"), COMBINATIONS)
@pytest.mark.parametrize(
    ("regularization", "regularize_bias"), [(0.0, True), (1e-2, True), (1e-2, False)]
)
def test_derivatives_match_autograd(sizes, activation, bias, loss, regularization, regularize_bias):
    pot, X, y, x = make(
        sizes,
        activation,
        bias,
        loss,
        regularization=regularization,
        regularize_bias=regularize_bias,
    )
    args = (sizes, activation, bias, loss, regularization, regularize_bias, X, y)
    e, g, H = pot.getEnergyGradientHessian(x)
    g_ref = grad(reference_loss)(x, *args)
    H_ref = hessian(reference_loss)(x, *args)
    assert e == pytest.approx(reference_loss(x, *args), rel=1e-13)
    assert np.linalg.norm(g - g_ref) < 1e-9 * np.linalg.norm(g_ref)
    assert np.linalg.norm(H - H_ref) < 1e-8 * np.linalg.norm(H_ref)
    v = np.random.default_rng(1).normal(size=x.size)
    Hv = pot.hessian_vector_product(x, v)
    assert np.linalg.norm(Hv - H_ref @ v) < 1e-8 * np.linalg.norm(H_ref @ v)
    # every way to ask gives the same number
    assert pot.getEnergy(x) == pytest.approx(e, rel=1e-14)
    e1, g1 = pot.getEnergyGradient(x)
    assert e1 == e
    assert np.array_equal(g1, g)
    assert np.array_equal(pot.getGradient(x), g)
    assert np.array_equal(pot.getHessian(x), H)
    assert np.array_equal(H, H.T)


@pytest.mark.parametrize(("sizes", "activation", "bias", "loss"), COMBINATIONS)
def test_derivatives_match_finite_differences(sizes, activation, bias, loss):
    pot, _, _, x = make(sizes, activation, bias, loss, regularization=1e-3)
    _, g, H = pot.getEnergyGradientHessian(x)
    h = 1e-5
    steps = h * np.eye(x.size)
    g_fd = [(pot.getEnergy(x + s) - pot.getEnergy(x - s)) / (2 * h) for s in steps]
    H_fd = [(pot.getGradient(x + s) - pot.getGradient(x - s)) / (2 * h) for s in steps]
    assert np.linalg.norm(g - g_fd) < 1e-8 * max(1, np.linalg.norm(g))
    assert np.linalg.norm(H - H_fd) < 1e-8 * max(1, np.linalg.norm(H))


def test_relu_has_a_gradient_but_no_curvature():
    pot, X, y, x = make((3, 5, 4), "relu", regularization=1e-3)
    args = ((3, 5, 4), "relu", True, "cross_entropy", 1e-3, True, X, y)
    _, g = pot.getEnergyGradient(x)
    assert np.allclose(g, grad(reference_loss)(x, *args), rtol=1e-12, atol=1e-14)
    for ask in (pot.getHessian, pot.getEnergyGradientHessian):
        with pytest.raises(InputError, match="relu has no second derivative"):
            ask(x)
    with pytest.raises(InputError, match="relu"):
        pot.hessian_vector_product(x, x)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 63, 64, 65, 129])
def test_any_number_of_samples(n):
    """The loss is the mean of the losses of the single samples."""
    pot, X, y, x = make((3, 4, 3), n=n, regularization=0.0)
    single = [NNPotential(pot.net, X[[i]], y[[i]], regularization=0.0) for i in range(n)]
    e, g, H = pot.getEnergyGradientHessian(x)
    assert e == pytest.approx(np.mean([p.getEnergy(x) for p in single]), rel=1e-13)
    assert np.allclose(g, np.mean([p.getGradient(x) for p in single], 0), atol=1e-14)
    assert np.allclose(H, np.mean([p.getHessian(x) for p in single], 0), atol=1e-14)


def test_saturated_network_stays_finite():
    pot, _, _, x = make((3, 5, 4), regularization=1e-3)
    for scale in (1e-300, 1e3, 1e8):
        e, g, H = pot.getEnergyGradientHessian(scale * x)
        assert np.isfinite(e) and np.isfinite(g).all() and np.isfinite(H).all()


def test_loss_of_a_confident_network_keeps_its_digits():
    """log(1 + exp(-40)) is 4e-18, not zero."""
    net = MLP([1, 2])
    pot = NNPotential(net, [[1.0]], [0], regularization=0.0)
    e, g = pot.getEnergyGradient(np.array([40.0, 0.0, 0.0, 0.0]))
    assert e == pytest.approx(np.exp(-40.0), rel=1e-12)
    assert g[0] == pytest.approx(-np.exp(-40.0), rel=1e-12)


def test_pele_optimiser_runs_on_it():
    from pele.optimize import lbfgs_cpp

    pot, _, _, x = make((3, 5, 4), regularization=1e-2)
    result = lbfgs_cpp(x, pot, tol=1e-6, nsteps=10000)
    assert result.success
    assert np.linalg.norm(pot.getGradient(result.coords)) < 1e-4


def test_pickled_potential_is_the_same():
    for loss in ("cross_entropy", "squared_error"):
        pot, _, _, x = make((3, 5, 4), "silu", loss=loss, regularize_bias=False)
        copy = pickle.loads(pickle.dumps(pot))
        assert copy.getEnergy(x) == pot.getEnergy(x)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3), r"shape \(44,\), not \(3,\)"),
        (np.zeros((44, 1)), r"shape \(44,\)"),
        (np.zeros(44, dtype=np.float32), "float64, not float32"),
        (np.zeros(44, dtype=complex), "float64, not complex128"),
        (np.full(44, np.nan), r"x\[0\] is nan"),
        (np.r_[np.zeros(43), np.inf], r"x\[43\] is inf"),
    ],
)
def test_bad_parameter_vectors(x, message):
    pot = make((3, 5, 4))[0]
    for ask in (pot.getEnergy, pot.getEnergyGradient, pot.getGradient, pot.getHessian):
        with pytest.raises(InputError, match=message):
            ask(x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": [[1.0, np.nan]]}, r"inputs must be finite: entry \(0, 1\) is nan"),
        ({"X": [[1.0, 2.0, 3.0]]}, "takes 2 inputs, the data have 3"),
        ({"X": np.zeros((0, 2)), "y": []}, "shape"),
        ({"y": [0.5]}, "label 0 is 0.5"),
        ({"y": [-1]}, "start at 0"),
        ({"y": [3]}, "has 3 outputs"),
        ({"y": [0, 1]}, "labels must have shape"),
        ({"y": ["a"]}, "real numbers"),
        ({"loss": "cross-entropy"}, "did you mean 'cross_entropy'"),
        ({"regularization": -1.0}, "not below 0"),
        ({"regularization": np.nan}, "not below 0"),
        ({"regularization": "much"}, "not below 0"),
        ({"loss": "squared_error", "y": [[1.0]]}, "targets must have shape"),
    ],
)
def test_bad_data_and_settings(change, message):
    X, y = change.pop("X", [[1.0, 2.0]]), change.pop("y", [0])
    with pytest.raises(InputError, match=message):
        NNPotential(MLP([2, 2, 3]), X, y, **change)
