"""Enclosures of losses, held against 60-digit arithmetic that shares nothing with them."""

from itertools import permutations, product

import exact
import mpmath
import numpy as np
import pytest
from mpmath import mpf

import nnpotential as nnp
from nnpotential.networks.activations import ACTIVATIONS
from nnpotential.networks.enclosures import _JETS, _LOSSES, ACTIVATION_BOUNDS
from nnpotential.networks.losses import LOSSES

flint = pytest.importorskip(
    "flint", reason="python-flint is not installed: pip install 'nnpotential[certify]'"
)

SMOOTH = [name for name, record in ACTIVATIONS.items() if record.smooth]
DIGITS = 60

FUNCTIONS = {
    "tanh": mpmath.tanh,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "softplus": lambda z: mpmath.log(1 + mpmath.exp(z)),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "gelu": lambda z: z * mpmath.ncdf(z),
}


def numbers(values):
    return np.vectorize(lambda value: mpf(float(value)), otypes=[object])(values)


def make(sizes=(2, 2, 2), activation="tanh", loss="cross_entropy", n=4, bias=True, **options):
    """A system on random data, and a point of it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, sizes[0]))
    y = rng.normal(size=(n, sizes[-1])) if loss == "squared_error" else np.arange(n) % 2
    if loss == "binary_cross_entropy":
        sizes = (*sizes[:-1], 1)
    data = nnp.Dataset(X, y, X, y)
    net = nnp.MLP(sizes, activation, bias)
    options = {"regularization": 1e-2, **options}
    system = nnp.NNSystem(net, data, loss=loss, **options)
    return system, rng.normal(size=net.n_parameters)


def energy(system, x):
    """The loss at a point of mpf."""
    settings, data = system.settings, system.data
    layers, f = system.net.split(x), numbers(data.X_train)
    function = np.vectorize(FUNCTIONS[system.net.activation], otypes=[object])
    for depth, (W, b) in enumerate(layers):
        f = f.dot(W.T) + (b if system.net.bias else 0)
        f = function(f) if depth + 1 < len(layers) else f
    total = mpf(0)
    for row, y in zip(f, data.y_train, strict=True):
        if settings.loss == "cross_entropy":
            total += mpmath.log(sum(map(mpmath.exp, row))) - row[y]
        elif settings.loss == "squared_error":
            total += sum((v - mpf(float(t))) ** 2 for v, t in zip(row, y, strict=True)) / len(row)
        else:
            total += mpmath.log(1 + mpmath.exp(row[0])) - int(y) * row[0]
    penalty = sum(
        (W**2).sum() + ((b**2).sum() if settings.regularize_bias and system.net.bias else 0)
        for W, b in layers
    )
    return total / len(data.X_train) + mpf(settings.regularization) * penalty


def derivatives(system, x):
    """Energy, gradient and Hessian by central differences: with 60 digits, to some 25."""
    h, n, centre = mpf(10) ** -15, x.size, numbers(x)
    steps = [h * numbers(row) for row in np.eye(n)]
    middle = energy(system, centre)
    up = [energy(system, centre + step) for step in steps]
    down = [energy(system, centre - step) for step in steps]
    gradient = np.array([(a - b) / (2 * h) for a, b in zip(up, down, strict=True)], dtype=object)
    hessian = np.empty((n, n), dtype=object)
    for i in range(n):
        for j in range(i + 1):
            both = energy(system, centre + steps[i] + steps[j])
            neither = energy(system, centre - steps[i] - steps[j])
            value = both - up[i] - up[j] + 2 * middle - down[i] - down[j] + neither
            hessian[i, j] = hessian[j, i] = value / (2 * h**2)
    return middle, gradient, hessian


def holds(ball, truth, slack):
    gaps = np.abs(np.asarray(truth, dtype=object) - numbers(ball.mid))
    return bool(np.all(gaps <= numbers(ball.rad) + slack))


CASES = [
    *({"activation": name} for name in SMOOTH),
    *({"loss": name} for name in LOSSES),
    {"sizes": (2, 2, 2, 2)},
    {"sizes": (3, 2)},
    {"bias": False, "activation": "silu", "sizes": (2, 2, 2, 2)},
    {"regularize_bias": False},
    {"regularization": 0.0, "loss": "squared_error", "activation": "gelu"},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_energy_gradient_and_hessian_lie_within_and_the_bounds_are_narrow(case):
    system, x = make(**case)
    found = system.enclosure().at(x, 1e-6)
    with mpmath.workdps(DIGITS):
        value, gradient, hessian = derivatives(system, x)
        slack = mpf(10) ** -24  # of the differences
        assert holds(found.energy, value, slack)
        assert holds(found.gradient, gradient, slack)
        assert holds(found.hessian, hessian, slack)
    assert found.energy.rad < 1e-14
    assert (found.gradient.rad <= 1e-15 * np.abs(found.gradient.mid) + 1e-30).all()
    assert found.hessian.rad.max() < 1e-13


def test_a_gradient_that_cancels_keeps_its_digits(system, quenched):
    """At a minimum the terms of the gradient are as large as ever, their sum is not."""
    x = quenched[0].coords
    found = system.enclosure().at(x, 1e-6)
    with mpmath.workdps(50):
        assert holds(found.gradient, exact.gradient(system, numbers(x)), mpf(10) ** -45)
    assert np.abs(found.gradient.mid).max() < 1e-12
    assert found.gradient.rad.max() < 1e-27


def test_samples_in_parts_give_the_same(system, quenched, monkeypatch):
    x = quenched[0].coords
    whole = system.enclosure().at(x, 1e-6).hessian
    monkeypatch.setattr("nnpotential.networks.enclosures._CHUNK", 7 * system.n_dof * 4)
    parts = system.enclosure().at(x, 1e-6).hessian
    assert (parts.mid != whole.mid).any()
    assert (np.abs(parts.mid - whole.mid) <= parts.rad + whole.rad).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_lipschitz_constant_bounds_differences_of_hessians(case):
    system, x = make(**{"n": 20, **case})
    radius = 0.1
    bound = system.enclosure().at(x, radius).lipschitz
    rng, steepest = np.random.default_rng(1), 0.0
    for _ in range(20):
        direction = rng.normal(size=x.size)
        centre = x + 0.9 * radius * direction / np.linalg.norm(direction)
        for _ in range(15):  # towards the direction in which the Hessian changes most
            step = 0.05 * radius * direction / np.linalg.norm(direction)
            ends = (system.potential.getHessian(centre + side * step) for side in (1, -1))
            values, vectors = np.linalg.eigh(np.subtract(*ends) / (2 * np.linalg.norm(step)))
            largest = np.abs(values).argmax()
            steepest = max(steepest, abs(values[largest]))
            direction = vectors[:, largest]
    # terms that cancel, between samples and between layers, are bounded one by one
    assert steepest <= bound <= {2: 60, 3: 150, 4: 400}[len(system.net.layer_sizes)] * steepest


def test_a_lipschitz_constant_grows_with_the_ball(system, quenched):
    enclosure, x = system.enclosure(), quenched[0].coords
    bounds = [enclosure.at(x, radius).lipschitz for radius in (1e-9, 1e-6, 1e-2, 1.0)]
    assert bounds == sorted(bounds)
    assert bounds[-1] > 1.5 * bounds[0]


def third(name, z):
    """The third derivative over an interval."""
    if name == "gelu":
        density = (-(z * z) / 2).exp() / (2 * flint.arb.pi()).sqrt()
        return density * z * (z * z - 4)
    p = 1 / (1 + (-z).exp())
    first = p * (1 - p)
    second, more = first * (1 - 2 * p), first * (1 - 6 * first)
    if name == "tanh":
        t = z.tanh()
        return (1 - t * t) * (6 * t * t - 2)
    return {"sigmoid": more, "softplus": second, "silu": 3 * second + z * more}[name]


@pytest.mark.parametrize("name", SMOOTH)
def test_the_bounds_on_derivatives_hold_for_all_arguments(name):
    """Over intervals, halved where they are too wide; beyond 50 by monotony.

    There the derivatives differ from their limits by less than ``(1 + |z|) exp(-|z| / 2)``,
    which falls.
    """
    bounds, largest = ACTIVATION_BOUNDS[name], [0.0, 0.0, 0.0]
    scalar = _JETS[name]
    todo = [(a / 8, (a + 1) / 8) for a in range(-400, 400)]
    with flint.ctx.workprec(64):
        while todo:
            low, high = todo.pop()
            z = flint.arb((low + high) / 2, (high - low) / 2)
            values = [*scalar(z)[1:], third(name, z)]
            if not all(abs(v) <= b for v, b in zip(values, bounds, strict=True)):
                assert high - low > 1e-5, f"{values} at {z}"
                middle = (low + high) / 2
                todo += [(low, middle), (middle, high)]
            else:
                largest = [
                    max(m, float(v.abs_lower())) for m, v in zip(largest, values, strict=True)
                ]
    limit = 1.0 if name in ("softplus", "silu", "gelu") else 0.0  # of the first derivative
    assert bounds[0] >= limit + 51 * np.exp(-25)
    assert min(bounds[1:]) >= 51 * np.exp(-25)
    # nor are they far above
    assert all(m > 0.9 * b for m, b in zip(largest, bounds, strict=True))


def test_every_smooth_activation_and_every_loss_has_its_enclosure():
    assert set(_JETS) == set(ACTIVATION_BOUNDS) == set(SMOOTH)
    assert set(_LOSSES) == set(LOSSES)


# Images

SYMMETRIES = [
    {},
    {"activation": "silu"},
    {"activation": "sigmoid"},
    {"activation": "sigmoid", "regularize_bias": False},
    {"activation": "tanh", "regularize_bias": False},
    {"regularization": 0.0},
    {"bias": False, "sizes": (2, 3, 3, 2)},
    {"sizes": (2, 3, 2, 3, 2)},
    {"sizes": (2, 3, 3, 2), "regularize_bias": False, "activation": "sigmoid"},
    {"sizes": (3, 2)},
    {"loss": "squared_error"},
]


@pytest.mark.parametrize("case", SYMMETRIES, ids=str)
def test_images_are_never_proved_different(case):
    system, x = make(**case)
    symmetry, enclosure, rng = system.identity, system.enclosure(), np.random.default_rng(3)
    zero = symmetry.zero_modes()
    for _ in range(50):
        image = symmetry.apply(symmetry.random_operation(rng), x)
        image = image + zero @ rng.normal(size=zero.shape[1])
        assert enclosure.distance(x, image) == 0


@pytest.mark.parametrize("case", SYMMETRIES, ids=str)
def test_a_distance_is_below_that_of_the_nearest_image(case):
    system, x = make(**case)
    symmetry, enclosure, rng = system.identity, system.enclosure(), np.random.default_rng(4)
    for size in (1e-5, 1e-3, 0.1, 1.0):
        other = x + size * rng.normal(size=x.size)
        bound = enclosure.distance(x, symmetry.apply(symmetry.random_operation(rng), other))
        nearest, _ = symmetry.align(x, other)
        assert 0 < bound <= nearest * (1 + 1e-9)
        assert bound > 0.2 * min(nearest, 1.0)  # and of use


def test_with_one_hidden_layer_the_distance_is_that_of_the_nearest_image_of_all():
    system, x = make((2, 3, 2))
    symmetry = system.identity
    other = np.random.default_rng(5).normal(size=x.size)
    images = [
        symmetry.apply(nnp.networks.symmetry.Operation((np.array(p),), (np.array(s),)), other)
        for p in permutations(range(3))
        for s in product([-1.0, 1.0], repeat=3)
    ]
    nearest = min(np.linalg.norm(x - image) for image in images)
    assert system.enclosure().distance(x, other) == pytest.approx(nearest, rel=1e-8)


@pytest.mark.parametrize("case", [{"regularize_bias": False}, {"regularization": 0.0}], ids=str)
def test_zero_modes_are_exact(case):
    system, x = make(**case)
    modes = system.enclosure().zero_modes
    assert modes.shape[1] == system.identity.zero_modes().shape[1] > 0
    with mpmath.workdps(DIGITS):
        here = energy(system, numbers(x))
        for mode in modes.T:
            assert abs(energy(system, numbers(x) + 3 * numbers(mode)) - here) < mpf(10) ** -50


def test_outputs_too_large_for_numbers_are_found_out():
    system, x = make((2, 2, 2), "softplus")
    with np.errstate(all="ignore"):
        found = system.enclosure().at(x * 1e200, 1e-6)
    assert not np.isfinite(found.hessian.rad).all()
