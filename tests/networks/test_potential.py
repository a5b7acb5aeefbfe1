"""Loss and derivatives against autograd and finite differences, and bad input."""

import itertools
import pickle

import mpmath
import numpy as np
import pytest
from autograd import grad, hessian
from nnpotential._kernel import ENGINES, apply_function
from pele.optimize import LBFGS_CPP
from reference import loss as reference_loss

from nnpotential import MLP, InputError, NNPotential
from nnpotential.networks.activations import ACTIVATIONS
from nnpotential.networks.losses import LOSSES

SIZES = [(3, 4), (3, 5, 4), (2, 4, 3, 3), (3, 3, 2, 4, 2)]
SMOOTH = [name for name, record in ACTIVATIONS.items() if record.smooth]
# every activation with every loss: a new one is tested without a new test
COMBINATIONS = list(itertools.product(SIZES, SMOOTH, [True, False], LOSSES))


def make(sizes, activation="tanh", bias=True, loss="cross_entropy", n=37, seed=0, **settings):
    """A potential on random data; for two classes the last of `sizes` is 1, whatever is given."""
    rng, record = np.random.default_rng(seed), LOSSES[loss]
    sizes = (*sizes[:-1], 1) if record.two_classes else sizes
    X = rng.normal(size=(n, sizes[0]))
    if record.takes_labels:
        y = rng.integers(2 if record.two_classes else sizes[-1], size=n)
    else:
        y = rng.normal(size=(n, sizes[-1]))
    net = MLP(sizes, activation=activation, bias=bias)
    pot = NNPotential(net, X, y, loss=loss, **settings)
    return pot, X, y, rng.normal(size=net.n_parameters)


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    """Run a test once with every instruction set that this machine has."""
    monkeypatch.setenv("NNPOTENTIAL_ENGINE", request.param)
    return request.param


@pytest.mark.parametrize(("sizes", "activation", "bias", "loss"), COMBINATIONS)
@pytest.mark.parametrize(
    ("regularization", "regularize_bias"), [(0.0, True), (1e-2, True), (1e-2, False)]
)
def test_derivatives_match_autograd(
    engine, sizes, activation, bias, loss, regularization, regularize_bias
):
    pot, X, y, x = make(
        sizes,
        activation,
        bias,
        loss,
        regularization=regularization,
        regularize_bias=regularize_bias,
    )
    args = (pot.net.layer_sizes, activation, bias, loss, regularization, regularize_bias, X, y)
    assert pot.engine == engine
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


@pytest.mark.parametrize(
    ("sizes", "n"), [((40, 36, 14, 10, 3), 130), ((300, 14, 3), 70), ((3, 4, 3), 1200)]
)
def test_layers_and_data_larger_than_a_block(engine, sizes, n):
    """Rows, columns and samples that the kernel takes in several pieces."""
    pot, X, y, x = make(sizes, n=n, regularization=1e-3)
    args = (sizes, "tanh", True, "cross_entropy", 1e-3, True, X, y)
    e, g = pot.getEnergyGradient(x)
    assert e == pytest.approx(reference_loss(x, *args), rel=1e-13)
    assert np.linalg.norm(g - grad(reference_loss)(x, *args)) < 1e-12 * np.linalg.norm(g)
    V = np.random.default_rng(1).normal(size=(3, x.size)) / x.size**0.5
    HV = pot.hessian_vector_product(x, V)
    h = 1e-5
    fd = [(pot.getGradient(x + h * v) - pot.getGradient(x - h * v)) / (2 * h) for v in V]
    assert np.linalg.norm(HV - fd) < 1e-7 * np.linalg.norm(HV)
    if x.size < 3000:
        H = pot.getHessian(x)
        assert np.array_equal(H, H.T)
        assert np.linalg.norm(V @ H - HV) < 1e-13 * np.linalg.norm(HV)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 63, 64, 65, 129])
def test_any_number_of_samples(engine, n):
    """The loss is the mean of the losses of the single samples."""
    pot, X, y, x = make((3, 4, 3), n=n, regularization=0.0)
    single = [NNPotential(pot.net, X[[i]], y[[i]], regularization=0.0) for i in range(n)]
    e, g, H = pot.getEnergyGradientHessian(x)
    assert e == pytest.approx(np.mean([p.getEnergy(x) for p in single]), rel=1e-13)
    assert np.allclose(g, np.mean([p.getGradient(x) for p in single], 0), atol=1e-14)
    assert np.allclose(H, np.mean([p.getHessian(x) for p in single], 0), atol=1e-14)


def test_the_normal_tail_is_accurate(engine):
    """Within 3e-16, and relatively as far as the square of z is."""
    z = np.r_[np.linspace(0, 8, 2001), np.linspace(8, 37, 501), 10.0 ** -np.arange(1, 21)]
    found = apply_function(engine, 3, z)
    with mpmath.workdps(40):
        for value, at in zip(found, z, strict=True):
            exact = mpmath.erfc(mpmath.mpf(float(at)) / mpmath.sqrt(2)) / 2
            assert abs(value - exact) <= min(3e-16, 2.3e-16 * (5 + at**2) * exact)
    assert list(apply_function(engine, 3, np.array([37.5, 1e300, np.inf]))) == [0, 0, 0]
    assert np.isnan(apply_function(engine, 3, np.array([np.nan]))).all()


@pytest.mark.parametrize("function", [0, 1, 2], ids=["exp", "tanh", "log1p"])
def test_vector_functions_are_accurate_to_2_ulp(engine, function):
    """Against extended precision, over all magnitudes and signs that occur."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)[:, None] * 10.0 ** np.arange(-20, 3)
    x = np.r_[x.ravel(), 0.0, -0.0, np.linspace(-2, 2, 5001)]
    x = {0: -np.abs(x), 1: x, 2: np.abs(x)}[function]
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("no extended precision here")
    exact = [np.exp, np.tanh, np.log1p][function](x.astype(np.longdouble))
    found = apply_function(engine, function, np.ascontiguousarray(x))
    ulp = np.spacing(np.abs(exact).astype(float))
    assert (np.abs(found - exact) / ulp).max() <= 2.0
    assert np.isnan(apply_function(engine, function, np.array([np.nan]))).all()


def test_tanh_and_exp_far_out(engine):
    assert list(apply_function(engine, 1, np.array([1e3, -1e300, np.inf]))) == [1, -1, 1]
    assert apply_function(engine, 0, np.array([-1e5]))[0] < 1e-300


@pytest.mark.parametrize("case", range(60))
def test_random_networks(engine, case):
    """Architectures, sizes and magnitudes at random, against finite and mean of singles."""
    rng = np.random.default_rng(case)
    sizes = [int(s) for s in rng.integers(1, 20, size=rng.integers(2, 6))]
    sizes[-1] = max(2, sizes[-1])
    activation = SMOOTH[case % len(SMOOTH)]
    loss = list(LOSSES)[case // len(SMOOTH) % len(LOSSES)]
    n = int(rng.choice([1, 2, 5, 63, 64, 65, 200, 700]))
    pot, X, y, x = make(
        tuple(sizes), activation, bool(case % 5), loss, n=n, seed=case, regularization=1e-3
    )
    args = (pot.net.layer_sizes, activation, bool(case % 5), loss, 1e-3, True, X, y)
    e, g, H = pot.getEnergyGradientHessian(x)
    g_ref = grad(reference_loss)(x, *args)
    assert e == pytest.approx(reference_loss(x, *args), rel=1e-12)
    assert np.linalg.norm(g - g_ref) < 1e-9 * np.linalg.norm(g_ref)
    v = rng.normal(size=(3, x.size))
    assert np.allclose(pot.hessian_vector_product(x, v), v @ H, rtol=1e-9, atol=1e-11)
    gauss_newton = pot.getGaussNewton(x)
    values = np.linalg.eigvalsh(gauss_newton)
    assert values[0] > -1e-12 * values[-1]
    if len(sizes) == 2:
        assert np.allclose(gauss_newton, H, atol=1e-13)


@pytest.mark.parametrize("last", [0.0, 1e-18, 1.0])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_hessian_however_likely_the_last_class(engine, n_classes, last):
    """Its rows are made from those of the other classes; products with vectors are not."""
    pot, _, _, x = make((3, 4, 3, n_classes), regularization=0, n=300)
    layers = [(W.copy(), b.copy()) for W, b in pot.net.split(x)]
    layers[-1][1][-1] = {0.0: -800, 1e-18: -41, 1.0: 41}[last]
    x = pot.net.join(layers)
    H = pot.getHessian(x)
    products = pot.hessian_vector_product(x, np.eye(x.size))
    assert np.abs(products).max() > 0
    assert np.abs(H - products).max() < 1e-14 * np.abs(products).max()
    assert np.array_equal(H, H.T)


def test_gauss_newton_against_autograd(engine):
    from autograd import jacobian

    pot, X, y, x = make((3, 4, 3, 3), n=20, regularization=1e-3)
    del y

    def outputs(x):
        import autograd.numpy as anp

        a, at = X, 0
        for n_in, n_out in ((3, 4), (4, 3), (3, 3)):
            a = anp.dot(a, anp.reshape(x[at : at + n_in * n_out], (n_out, n_in)).T)
            at += n_in * n_out
            a = a + x[at : at + n_out]
            at += n_out
            if at < x.size:
                a = anp.tanh(a)
        return a

    J, f = jacobian(outputs)(x), outputs(x)
    p = np.exp(f - f.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    inner = np.einsum("nk,kl->nkl", p, np.eye(3)) - np.einsum("nk,nl->nkl", p, p)
    expected = np.einsum("nki,nkl,nlj->ij", J, inner, J) / len(X) + 2e-3 * np.eye(x.size)
    assert np.allclose(pot.getGaussNewton(x), expected, atol=1e-13)


@pytest.mark.parametrize("sizes", [(3, 10, 4), (3, 5, 5, 5, 4), (40, 60, 30, 4)])
def test_threads_do_not_change_a_bit(engine, sizes):
    pots = []
    for threads in (1, 2, 3, 5):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(1500, sizes[0])), rng.integers(sizes[-1], size=1500)
        pots.append(NNPotential(MLP(sizes), X, y, threads=threads))
    net = pots[0].net
    x = net.random_parameters(np.random.default_rng(1))
    points = np.stack([x, 2 * x, -x])
    indices = np.arange(1499, 0, -3)
    few = net.n_parameters < 500
    results = [
        (
            pot.getEnergy(x),
            *pot.getEnergyGradient(x),
            *(pot.getEnergyGradientHessian(x)[1:] if few else ()),
            pot.hessian_vector_product(x, points),
            *pot.energies_gradients(points),
            *pot.subset_energy_gradient(x, indices),
        )
        for pot in pots
    ]
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_concurrent_and_forked_calls(engine):
    """Calls from several threads and from a forked child end, with the same result."""
    import multiprocessing
    from concurrent.futures import ThreadPoolExecutor

    pot, _, _, x = make((3, 10, 4), n=3000, threads=2)
    expected = pot.getGradient(x)
    with ThreadPoolExecutor(4) as executor:
        for g in executor.map(lambda _: pot.getGradient(x), range(50)):
            assert np.array_equal(g, expected)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=lambda: queue.put(pot.getGradient(x)))
    child.start()
    assert np.array_equal(queue.get(), expected)
    child.join(10)
    assert child.exitcode == 0


def test_batches_equal_single_calls(engine):
    pot, _, _, x = make((3, 7, 4), n=100)
    points = np.stack([x * f for f in (0.1, 1, 3)])
    energies, gradients = pot.energies_gradients(points)
    for point, e, g in zip(points, energies, gradients, strict=True):
        single = pot.getEnergyGradient(point)
        assert single[0] == e
        assert np.array_equal(single[1], g)
    block = pot.hessian_vector_product(x, points)
    for v, Hv in zip(points, block, strict=True):
        assert np.array_equal(pot.hessian_vector_product(x, v), Hv)


@pytest.mark.parametrize("loss", LOSSES)
def test_subsets_equal_a_potential_of_their_own(engine, loss):
    pot, X, y, x = make((3, 7, 4), loss=loss, n=300, regularization=1e-3)
    rng = np.random.default_rng(0)
    for indices in ([5], rng.permutation(300)[:70], rng.integers(300, size=200), np.arange(300)):
        own = NNPotential(pot.net, X[indices], y[indices], loss=loss, regularization=1e-3)
        e, g = pot.subset_energy_gradient(x, indices)
        assert e == own.getEnergy(x)
        assert np.array_equal(g, own.getGradient(x))
    for bad, message in (
        ([], "at least one"),
        ([0.5], "integer"),
        ([300], "from 0 to 299"),
        ([-1], "from 0 to 299"),
    ):
        with pytest.raises(InputError, match=message):
            pot.subset_energy_gradient(x, bad)


def test_float32_inputs_are_widened(engine):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 3)).astype(np.float32), rng.integers(4, size=90)
    net = MLP([3, 5, 4])
    x = net.random_parameters(rng)
    narrow, wide = NNPotential(net, X, y), NNPotential(net, X.astype(float), y)
    assert narrow.getEnergy(x) == wide.getEnergy(x)


def test_sums_over_a_million_samples(engine):
    """Copies of a small set: the mean stays what it was, to 1e-14."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1000, 2)), rng.integers(3, size=1000)
    net = MLP([2, 3, 3])
    x = net.random_parameters(rng)
    small = NNPotential(net, X, y, regularization=0.0).getEnergyGradient(x)
    large = NNPotential(net, np.tile(X, (1000, 1)), np.tile(y, 1000), regularization=0.0)
    e, g = large.getEnergyGradient(x)
    assert abs(e - small[0]) <= 1e-14 * small[0]
    assert np.abs(g - small[1]).max() <= 1e-14 * np.abs(small[1]).max()


def test_unknown_engine(monkeypatch):
    monkeypatch.setenv("NNPOTENTIAL_ENGINE", "avx1024")
    with pytest.raises(InputError, match="unknown NNPOTENTIAL_ENGINE 'avx1024'"):
        make((3, 4))


@pytest.mark.parametrize("threads", [0, -1, 1.5, "many"])
def test_bad_threads(threads):
    with pytest.raises(InputError, match="threads must be"):
        make((3, 4), threads=threads)


@pytest.mark.parametrize("scale", [1e-300, 1e3, 1e8, 1e150])
def test_extreme_parameters_never_give_a_silent_nan(engine, scale):
    """Finite, or infinite where the penalty itself overflows; never not-a-number."""
    for activation, loss, weight in itertools.product(SMOOTH, LOSSES, (0.0, 1e-3)):
        pot, _, _, x = make((3, 5, 4), activation, loss=loss, regularization=weight)
        try:
            e, g = pot.getEnergyGradient(scale * x)
        except InputError as error:
            # squares of outputs overflow earlier than logarithms of their exponentials
            assert scale == 1e150
            assert "too large" in str(error)
        else:
            assert np.isfinite(e)
            assert np.isfinite(g).all()


@pytest.mark.parametrize("hidden", [1, 2, 5, 9])
def test_a_hessian_that_overflows_alone_is_refused(engine, hidden):
    """Wherever in it: an input of 1e200 has second derivatives with its square."""
    net = MLP([3, hidden, 1])
    for large in range(3):
        X = np.ones((1, 3))
        X[0, large] = 1e200
        pot = NNPotential(net, X, [[0.0]], loss="squared_error", regularization=0.0)
        x = net.random_parameters(np.random.default_rng(0))
        x[large : 3 * hidden : 3] *= 1e-200
        assert np.isfinite(pot.getGradient(x)).all()
        with pytest.raises(InputError, match="too large"):
            pot.getHessian(x)
        along = np.zeros_like(x)
        along[large] = 1.0
        with pytest.raises(InputError, match="too large"):
            pot.hessian_vector_product(x, along)


def test_loss_of_a_confident_network_keeps_its_digits(engine):
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
    for loss in LOSSES:
        pot, _, _, x = make((3, 5, 4), "silu", loss=loss, regularize_bias=False)
        copy = pickle.loads(pickle.dumps(pot))
        assert copy.getEnergy(x) == pot.getEnergy(x)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3), r"shape \(44,\), not \(3,\)"),
        (np.zeros((44, 1)), r"shape \(44,\)"),
        (np.zeros(44, dtype=np.float32), "float64, not float32"),
        ([[0.0], [0.0, 0.0]], "its rows differ"),
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
        ({"y": [3]}, "3 classes apart, but the labels go up to 3"),
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


# Single precision

SINGLE = [(a, loss) for a in ACTIVATIONS for loss in LOSSES]


@pytest.mark.parametrize(("activation", "loss"), SINGLE)
@pytest.mark.parametrize("sizes", [(3, 5, 4), (21, 30, 12, 3)])
def test_single_precision_differs_by_its_rounding_alone(engine, sizes, activation, loss):
    """Also where sums are kept in lanes (few parameters) and where they are not (many)."""
    pot, _, _, x = make(sizes, activation, loss=loss, n=1300)
    x /= np.sqrt(sizes[0])
    single = pot.single()
    (e, g), (e1, g1) = pot.getEnergyGradient(x), single.getEnergyGradient(x)
    assert single.engine == engine
    assert g1.dtype == np.float64
    assert 0 < np.linalg.norm(g1 - g) < 2e-6 * np.linalg.norm(g)
    assert e1 == pytest.approx(e, rel=2e-6)
    assert single.getEnergy(x) == pytest.approx(e, rel=2e-6)
    chosen = np.random.default_rng(1).integers(1300, size=40)
    (e, g), (e1, g1) = (p.subset_energy_gradient(x, chosen) for p in (pot, single))
    assert e1 == pytest.approx(e, rel=2e-6)
    assert np.linalg.norm(g1 - g) < 2e-6 * np.linalg.norm(g)
    assert np.array_equal(single.energies_gradients(np.array([x]))[1][0], single.getGradient(x))
    if ACTIVATIONS[activation].smooth:
        v = np.random.default_rng(2).normal(size=(2, x.size))
        exact, found = (p.hessian_vector_product(x, v) for p in (pot, single))
        assert np.linalg.norm(found - exact) < 5e-6 * np.linalg.norm(exact)


def test_single_precision_is_the_same_for_any_number_of_threads(engine):
    results = []
    for threads in (1, 2, 3):
        pot, _, _, x = make((5, 40, 12, 3), n=3000, threads=threads)
        single = pot.single()
        assert single.threads == threads
        for _ in range(2):
            e, g = single.getEnergyGradient(x)
            results.append((e, g, single.hessian_vector_product(x, g)))
    for e, g, product in results[1:]:
        assert e == results[0][0]
        assert np.array_equal(g, results[0][1])
        assert np.array_equal(product, results[0][2])


def test_a_potential_in_single_precision_is_one_of_pele(engine):
    pot, _, _, x = make((3, 5, 4), regularization=1e-2)
    result = LBFGS_CPP(x, pot.single(), tol=1e-5).run()
    assert result.success
    assert np.sqrt(np.mean(pot.getGradient(result.coords) ** 2)) < 1.1e-5


def test_single_precision_is_made_once_and_stays_so():
    pot, X, y, x = make((3, 5, 4), loss="squared_error", bias=False, regularize_bias=False)
    single = pot.single()
    assert (pot.precision, single.precision) == ("double", "single")
    assert pot.single() is single is single.single()
    twin = pickle.loads(pickle.dumps(single))
    assert twin.precision == "single"
    assert twin.settings == pot.settings
    own = NNPotential(
        pot.net, X, y, loss="squared_error", regularize_bias=False, precision="single"
    )
    for other in (twin, own):
        assert np.array_equal(other.getGradient(x), single.getGradient(x))


def test_what_single_precision_cannot_do_is_one_line():
    pot, X, y, x = make((3, 5, 4))
    single = pot.single()
    for what in (single.getHessian, single.getEnergyGradientHessian, single.getGaussNewton):
        with pytest.raises(InputError, match="no Hessian in single precision"):
            what(x)
    for what in (single.getEnergy, single.getGradient):
        with pytest.raises(InputError, match="too large"):
            what(1e39 * np.ones_like(x))
    with pytest.raises(InputError, match="too large"):
        single.hessian_vector_product(x, 1e39 * np.ones_like(x))
    with pytest.raises(InputError, match="must be finite"):
        single.getGradient(np.nan * x)
    with pytest.raises(InputError, match=r"precision.*double.*single"):
        NNPotential(pot.net, X, y, precision="half")
    X[0, 0] = 1e39
    with pytest.raises(InputError, match="X does not fit into single precision"):
        NNPotential(pot.net, X, y, precision="single")


@pytest.mark.parametrize("function", [0, 1, 2], ids=["exp", "tanh", "log1p"])
def test_vector_functions_in_single_precision_are_accurate_to_3_ulp(engine, function):
    x = np.random.default_rng(0).normal(size=4000)[:, None] * 10.0 ** np.arange(-20, 3)
    x = np.r_[x.ravel(), 0.0, -0.0, np.linspace(-2, 2, 5001)].astype(np.float32).astype(float)
    x = {0: -np.abs(x[np.abs(x) < 87]), 1: x, 2: np.abs(x)}[function]
    exact = [np.exp, np.tanh, np.log1p][function](x)
    found = apply_function(engine, function, x, single=True)
    ulp = np.spacing(np.abs(exact).astype(np.float32))
    assert (np.abs(found - exact) / ulp).max() <= 3
    assert np.isnan(apply_function(engine, function, np.array([np.nan]), single=True)).all()


def test_vector_functions_in_single_precision_far_out(engine):
    def of(function, *values):
        return list(apply_function(engine, function, np.array(values), single=True))

    assert 0 <= of(0, -1e5)[0] < 1e-37
    assert of(1, 1e3, -1e30, np.inf) == [1, -1, 1]
    assert of(2, np.inf) == [np.inf]
    assert of(3, 13.5, 1e30, np.inf) == [0, 0, 0]


def test_the_normal_tail_in_single_precision_is_accurate(engine):
    z = np.r_[np.linspace(0, 13, 2001), 10.0 ** -np.arange(1, 21)].astype(np.float32)
    z = z.astype(float)
    exact = np.array([float(mpmath.erfc(mpmath.mpf(at) / mpmath.sqrt(2)) / 2) for at in z])
    found = apply_function(engine, 3, z, single=True)
    assert (np.abs(found - exact) <= 1e-7 * (5 + z**2) * exact).all()
    assert np.abs(found - exact).max() < 2e-7
