"""PyTorch modules: the kernel's numbers, torch's own derivatives, symmetry, what is refused."""

import pickle
import subprocess
import sys
import tomllib
from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest
from landscapes import contents

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.contract import check_system
from nnpotential.drawing import network_picture

torch = pytest.importorskip("torch")
nn = torch.nn

from nnpotential.systems.torch_program import Program  # noqa: E402
from nnpotential.systems.torch_units import units_of  # noqa: E402

ACTIVATIONS = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softplus": nn.Softplus, "silu": nn.SiLU}
TINY = {
    "quenches": 2,
    "basin_hopping_runs": 0,
    "connection_attempts": 1,
    "untrap_attempts": 0,
    "audit_sample": 0,
    "soft_modes": 0,
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads of torch's own derivatives wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def dataset(loss="cross_entropy", n=40, n_in=3, n_out=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + 20, n_in))
    y = np.arange(n + 20) % n_out
    if loss == "squared_error":
        y = rng.normal(size=(n + 20, n_out))
    return nnp.Dataset(X[:n], y[:n], X[n:], y[n:])


def stack(sizes, activation=nn.Tanh, bias=True):
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out, bias), activation()]
    return nn.Sequential(*layers[:-1])


def image_net(activation=nn.Tanh, padding=1):
    """Two convolutions, pooling and a linear layer on images of 6 by 6."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)),
        nn.Conv2d(1, 3, 3, padding=padding),
        activation(),
        nn.AvgPool2d(2),
        nn.Conv2d(3, 4, 2),
        activation(),
        nn.Flatten(),
        nn.Linear(16 if padding else 4, 3),
    )


def images(n=12):
    return dataset(n=n, n_in=36, n_out=3)


def start(system, seed=0, name="glorot_normal"):
    return system.starts[name](np.random.default_rng(seed))


def close(a, b, tolerance=1e-12):
    assert np.shape(a) == np.shape(b)
    assert np.abs(np.subtract(a, b)).max() <= tolerance * max(1.0, np.abs(b).max())


# Against the kernel


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("regularize_bias", [True, False])
def test_a_stack_of_linear_layers_gives_the_numbers_of_the_kernel(
    activation, loss, regularize_bias
):
    data, sizes = dataset(loss), [3, 5, 4, 4]
    options = {"regularization": 1e-2, "regularize_bias": regularize_bias}
    ours = nnp.TorchSystem(stack(sizes, ACTIVATIONS[activation]), loss, data, **options)
    theirs = nnp.NNSystem(nnp.MLP(sizes, activation), data, loss=loss, **options)
    check_system(ours)
    assert (ours.n_dof, ours.scales) == (theirs.n_dof, theirs.scales)
    assert ours.energy_label == theirs.energy_label
    rng = np.random.default_rng(0)
    for name in ours.starts:
        x = start(ours, 1, name)
        np.testing.assert_array_equal(x, start(theirs, 1, name))
        for a, b in zip(
            ours.potential.getEnergyGradientHessian(x),
            theirs.potential.getEnergyGradientHessian(x),
            strict=True,
        ):
            close(a, b)
        close(ours.potential.getEnergy(x), theirs.potential.getEnergy(x))
        close(ours.potential.getGradient(x), theirs.potential.getGradient(x))
        for v in rng.normal(size=x.size), rng.normal(size=(7, x.size)):
            products = [s.potential.hessian_vector_product(x, v) for s in (ours, theirs)]
            close(*products)
        for key, measure in ours.measures.items():
            other = theirs.measures[key]
            assert (measure.lacking, measure.axis) == (other.lacking, other.axis)
            if not measure.lacking:
                close(measure.function(x), other.function(x))
    X = rng.normal(size=(3, x.size))
    for a, b in zip(*(s.potential.energies_gradients(X) for s in (ours, theirs)), strict=True):
        close(a, b)
    np.testing.assert_allclose(ours.identity.zero_modes(), theirs.identity.zero_modes(), atol=1e-15)
    np.testing.assert_allclose(
        ours.identity.barren_modes(), theirs.identity.barren_modes(), atol=1e-15
    )
    image = theirs.identity.apply(theirs.identity.random_operation(rng), x)
    assert ours.identity.are_same(x, image)
    assert ours.identity.log_n_images == theirs.identity.log_n_images


def test_the_same_minima_as_the_kernel(ljat):
    sizes = [3, 4, 4]
    ours = nnp.TorchSystem(stack(sizes), None, ljat, regularization=1e-3)
    theirs = nnp.NNSystem(nnp.MLP(sizes), ljat, regularization=1e-3)
    for seed in range(6):
        x = start(theirs, seed)
        a, b = (system.get_minimizer()(x) for system in (ours, theirs))
        assert a.success and b.success
        assert a.energy == pytest.approx(b.energy, abs=1e-11)
        assert theirs.identity.are_same(a.coords, b.coords)


def test_softplus_has_no_threshold():
    """torch's own jumps by 2e-9 where its argument passes 20."""
    data = dataset("squared_error", n_out=1)
    ours = nnp.TorchSystem(stack([3, 2, 1], nn.Softplus), None, data)
    theirs = nnp.NNSystem(nnp.MLP([3, 2, 1], "softplus"), data)
    x = 10 * start(ours)
    close(ours.potential.getGradient(x), theirs.potential.getGradient(x))


# Derivatives and batches


@pytest.mark.parametrize("activation", [nn.Tanh, nn.SiLU, nn.GELU])
def test_derivatives_of_a_convolutional_network_are_those_of_torch(activation):
    torch.manual_seed(0)
    module, data = image_net(activation), images()
    potential = nnp.TorchSystem(module, None, data, regularization=1e-2).potential
    module = module.double()
    X, y = torch.tensor(data.X_train), torch.tensor(data.y_train)
    x = torch.nn.utils.parameters_to_vector(module.parameters()).detach()

    def loss(x):
        parts = x.split([p.numel() for p in module.parameters()])
        named = zip(dict(module.named_parameters()).items(), parts, strict=True)
        parts = {name: part.view_as(p) for (name, p), part in named}
        f = torch.func.functional_call(module, parts, (X,))
        return torch.nn.functional.cross_entropy(f, y) + 1e-2 * (x**2).sum()

    energy, gradient, hessian = potential.getEnergyGradientHessian(x.numpy())
    with torch.no_grad():
        plain = torch.nn.functional.cross_entropy(module(X), y) + 1e-2 * (x**2).sum()
    close(energy, float(plain))
    close(gradient, torch.func.grad(loss)(x).numpy())
    close(hessian, torch.autograd.functional.hessian(loss, x).numpy())
    np.testing.assert_array_equal(hessian, hessian.T)
    # and those of the energy
    rng = np.random.default_rng(0)
    v = rng.normal(size=x.numel())
    step = 1e-5 * v
    slope = potential.getEnergy(x.numpy() + step) - potential.getEnergy(x.numpy() - step)
    assert slope / 2e-5 == pytest.approx(gradient @ v, rel=1e-6)
    bend = potential.getGradient(x.numpy() + step) - potential.getGradient(x.numpy() - step)
    close(bend / 2e-5, hessian @ v, 1e-7)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": 1, "stride": 2},
        {"padding": (0, 2), "stride": (2, 1), "bias": False},
        {"padding": "same"},
        {"padding": 1, "padding_mode": "circular"},
        {"dilation": 2},
        {"groups": 2},
    ],
)
def test_every_kind_of_convolution(options):
    torch.manual_seed(0)
    data = images()
    module = nn.Sequential(
        nn.Unflatten(1, (2, 6, 3)),
        nn.Conv2d(2, 4, (3, 1), **options),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )
    system = nnp.TorchSystem(module, None, data)
    x = torch.nn.utils.parameters_to_vector(module.double().parameters()).detach().numpy()
    with torch.no_grad():
        close(system.outputs(x, data.X_test), module(torch.tensor(data.X_test)).numpy())


@pytest.mark.parametrize("batch_size", [1, 5, 12, 1000])
def test_batches_give_the_same_numbers(batch_size):
    module, data = image_net(), images()
    whole = nnp.TorchSystem(module, None, data).potential
    parts = nnp.TorchSystem(module, None, data, batch_size=batch_size).potential
    assert parts.batch_size == min(batch_size, 12)
    x = start(nnp.TorchSystem(module, None, data))
    for a, b in zip(
        parts.getEnergyGradientHessian(x), whole.getEnergyGradientHessian(x), strict=True
    ):
        close(a, b, 1e-13)
    V = np.random.default_rng(0).normal(size=(3, x.size))
    close(parts.hessian_vector_product(x, V), whole.hessian_vector_product(x, V), 1e-13)
    close(parts.outputs(x, data.X_test), whole.outputs(x, data.X_test), 1e-13)


def test_memory_stays_bounded(monkeypatch):
    """Of many samples as many are worked on at a time as the limit allows."""
    from nnpotential.systems import torch_potential

    module, data = image_net(), images()
    whole = nnp.TorchSystem(module, None, data).potential
    monkeypatch.setattr(torch_potential, "_BATCH", 1000)
    monkeypatch.setattr(torch_potential, "_VECTORS", 1000)
    small = nnp.TorchSystem(module, None, data).potential
    assert small.batch_size < 12
    x = start(nnp.TorchSystem(module, None, data))
    close(small.getHessian(x), whole.getHessian(x), 1e-13)


def test_products_at_one_point_after_another():
    """Part of the work is kept for the next product at the same point."""
    system = nnp.TorchSystem(image_net(), None, images())
    rng = np.random.default_rng(0)
    x, other = start(system), start(system, 1)
    hessians = [system.potential.getHessian(p) for p in (x, other)]
    for p, hessian in ((x, hessians[0]), (x, hessians[0]), (other, hessians[1])):
        v, V = rng.normal(size=x.size), rng.normal(size=(3, x.size))
        close(system.potential.hessian_vector_product(p, v), hessian @ v)
        close(system.potential.hessian_vector_product(p, V), V @ hessian)
    x[:] = other  # the caller's array changes
    close(system.potential.hessian_vector_product(x, v), hessians[1] @ v)


def test_nothing_of_the_user_changes():
    torch.manual_seed(0)
    module, data = image_net(), images()
    before = {name: p.clone() for name, p in module.state_dict().items()}
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        system = nnp.TorchSystem(module, None, data)
        system.potential.getHessian(start(system))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(state, torch.random.get_rng_state())
    for name, p in module.state_dict().items():
        assert p.dtype == torch.float32 and torch.equal(p, before[name])
    assert all(p.grad is None for p in module.parameters())


def test_parameters_without_a_gradient_are_constants():
    module, data = stack([3, 4, 4]), dataset()
    module[0].weight.requires_grad_(False)
    system = nnp.TorchSystem(module, None, data)
    assert list(system.potential.program.parameters) == ["0.bias", "2.weight", "2.bias"]
    x = np.concatenate([p.detach().double().numpy().ravel() for p in list(module.parameters())[1:]])
    whole = nnp.TorchSystem(stack([3, 4, 4]), None, data)
    everything = np.concatenate([module[0].weight.double().numpy().ravel(), x])
    penalty = 1e-4 * float((module[0].weight.double() ** 2).sum())
    close(system.potential.getEnergy(x), whole.potential.getEnergy(everything) - penalty)
    assert system.units == []  # no unit of frozen weights may be exchanged


# Symmetry


@pytest.mark.parametrize(
    ("activation", "padding", "regularize_bias", "n_images"),
    [
        (nn.Tanh, 1, True, 6 * 24 * 2**7),
        (nn.SiLU, 1, True, 6 * 24),
        (nn.Sigmoid, 0, True, 6 * 24),
        (nn.Sigmoid, 0, False, 6 * 24 * 2**7),
        # the second convolution is not padded, and what pads the first is no unit
        (nn.Sigmoid, 1, False, 6 * 24 * 2**7),
    ],
)
def test_images_of_a_convolutional_network(activation, padding, regularize_bias, n_images):
    data = images()
    system = nnp.TorchSystem(
        image_net(activation, padding), None, data, regularize_bias=regularize_bias
    )
    identity, rng = system.identity, np.random.default_rng(0)
    assert np.exp(identity.log_n_images) == pytest.approx(n_images)
    for seed in range(5):
        x = start(system, seed, "gaussian")
        image = identity.apply(identity.random_operation(rng), x)
        assert np.abs(image - x).max() > 0.1
        energies = [system.potential.getEnergy(p) for p in (x, image)]
        assert energies[0] == pytest.approx(energies[1], rel=1e-13)
        assert identity.are_same(x, image)
        distance, aligned = identity.align(x, image)
        assert distance < 1e-12
        close(aligned, x)
        assert identity.align_second(x, image)[0] > 0.1
        assert identity.n_self_images(x) == 1
        other = image.copy()
        other[rng.integers(x.size - 3)] += 1e-3  # not of the last bias, which may be free
        assert not identity.are_same(x, other)
        swapped = image.copy()  # weights of two channels exchanged, biases left behind
        swapped[:18] = swapped[[*range(9, 18), *range(9)]]
        assert not identity.are_same(x, swapped)


def test_what_is_read_off_a_stack():
    def read(*layers, free_bias=False):
        return units_of(nn.Sequential(*layers), free_bias)

    conv, lin = nn.Conv2d(1, 3, 3), nn.Linear(12, 4)
    (units,) = read(conv, nn.Sequential(nn.Tanh(), nn.AvgPool2d(2)), nn.Flatten(), lin)
    assert units == nnp.Units({"0.weight": 0, "0.bias": 0, "3.weight": 1}, odd=True)
    (units,) = read(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.GELU(), nn.Linear(4, 2))
    assert units == nnp.Units({"0.weight": 0, "3.weight": 1})
    # padding of the next layer is no constant of a sigmoid
    layers = conv, nn.Sigmoid(), nn.Conv2d(3, 2, 3, padding=1)
    assert read(*layers, free_bias=True)[0].shifts == {}
    assert not read(*layers, free_bias=True)[0].odd
    layers = conv, nn.Sigmoid(), nn.Conv2d(3, 2, 3)
    assert read(*layers, free_bias=True)[0].shifts == {"2.weight": "2.bias"}
    # layers that may tell units apart, or are no layer of units
    assert read(conv, nn.Tanh(), lin) == []
    assert read(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 2)) == []
    assert read(nn.Linear(3, 4), nn.Softmax(1), nn.Linear(4, 2)) == []
    assert read(nn.Conv2d(2, 4, 3, groups=2), nn.Tanh(), nn.Conv2d(4, 2, 3)) == []
    shared = nn.Linear(4, 4)
    assert read(shared, nn.Tanh(), shared) == []
    tied = nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)
    tied[2].weight = tied[0].weight
    assert read(*tied) == []
    # the units of a linear layer on rows are the last axis
    assert read(nn.Unflatten(1, (2, 3)), nn.Linear(3, 4), nn.Flatten(), nn.Linear(8, 2)) == []
    assert units_of(Residual(), False) == []


class Residual(nn.Module):
    """Two layers on one stream, whose units are one and the same."""

    def __init__(self, n=4):
        super().__init__()
        self.first, self.inner = nn.Linear(3, n), nn.Linear(n, n)
        self.last = nn.Linear(n, 4)

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.last(h + torch.tanh(self.inner(h)))


STREAM = {"first.weight": 0, "first.bias": 0, "inner.bias": 0, "last.weight": 1}
BOTH_AXES = nnp.Units({**STREAM, "inner.weight": (0, 1)}, odd=True)


def test_units_that_the_user_declares(tmp_path):
    data = dataset()
    system = nnp.TorchSystem(Residual(), None, data, symmetry=[BOTH_AXES])
    Landscape.create(tmp_path / "a", system).close()
    identity, rng = Landscape.open(tmp_path / "a").system.identity, np.random.default_rng(0)
    assert np.exp(identity.log_n_images) == pytest.approx(24 * 2**4)
    for seed in range(5):
        x = start(system, seed)
        image = identity.apply(identity.random_operation(rng), x)
        assert np.abs(image - x).max() > 0.1
        energies = [system.potential.getEnergy(p) for p in (x, image)]
        assert energies[0] == pytest.approx(energies[1], rel=1e-13)
        assert identity.are_same(x, image)
        assert identity.n_self_images(x) == 1
        image[20] += 1e-3
        assert not identity.are_same(x, image)
    alone = nnp.TorchSystem(Residual(), None, data, symmetry=[]).identity
    assert alone.log_n_images == 0
    assert alone.are_same(x, x.copy()) and not alone.are_same(x, image)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({**STREAM, "inner.weight": 0}, "the declared symmetry changes the loss, from"),
        ({"nothing": 0}, "units lie along 'nothing', but the parameters are first.weight, "),
        ({"inner.weight": 2}, "units lie along axis 2 of inner.weight, which has 2"),
        ({"inner.weight": -1}, "the axis of inner.weight must be at least 0"),
        ({"inner.weight": (0, 0)}, "two kinds of units lie along axis 0 of inner.weight"),
        ({"first.weight": 1, "last.weight": 1}, "different length: 3, and 4 of last.weight"),
        ({}, "units without axes"),
    ],
)
def test_units_that_are_refused(axes, message):
    with pytest.raises(InputError, match=message):
        nnp.TorchSystem(Residual(), None, dataset(), symmetry=[nnp.Units(axes)])


def test_zero_modes_are_all_there_is():
    data = dataset(n=60)
    for options, count in (({"regularization": 0.0}, 6), ({"regularize_bias": False}, 1), ({}, 0)):
        system = nnp.TorchSystem(stack([3, 5, 4], nn.SiLU), None, data, **options)
        Z, H = system.identity.zero_modes(), system.potential.getHessian(start(system))
        assert Z.shape[1] == count
        assert np.abs(H @ Z).max(initial=0) < 1e-14
        values = np.abs(np.linalg.eigvalsh(H))
        assert (values < 1e-12 * values.max()).sum() == count


# A loss of the user's


def one_logit(f, y):
    """Binary cross-entropy."""
    return torch.nn.functional.binary_cross_entropy_with_logits(f[:, 0], y.double())


def test_a_loss_of_ones_own(tmp_path):
    data = dataset(n_out=2)
    system = nnp.TorchSystem(stack([3, 3, 1]), one_logit, data, regularization=1e-2)
    # two outputs +-f/2 under cross-entropy
    twin = nnp.TorchSystem(stack([3, 3, 2]), None, data, regularization=0.0)
    x = start(system)
    W1, w, b = x[:12], x[12:15], x[15]
    y = np.concatenate([W1, -w / 2, w / 2, [-b / 2, b / 2]])
    close(system.potential.getEnergy(x) - 1e-2 * x @ x, twin.potential.getEnergy(y))
    assert "another" in system.measures["test-auc"].lacking
    close(system.measures["test-loss"].function(x), twin.measures["test-loss"].function(y))
    land = Landscape.create(tmp_path / "a", system, **TINY)
    again = Landscape.open(tmp_path / "a").system
    assert again.potential.getEnergy(x) == system.potential.getEnergy(x)
    assert again.scales == system.scales
    land.close()


# Landscapes


@pytest.fixture(scope="module")
def explored(tmp_path_factory, ljat):
    path = tmp_path_factory.mktemp("torch") / "a"
    torch.manual_seed(0)
    system = nnp.TorchSystem(stack([3, 3, 4]), None, ljat, regularization=1e-3)
    land = Landscape.create(path, system, seed=3, **TINY)
    land.explore()
    return land


def test_a_landscape_from_end_to_end(explored):
    figures = explored.summary()
    assert figures["n_minima"] > 1 and figures["n_transition_states"] > 0
    assert set(figures["verified"]) == {"ok"}
    settings = tomllib.loads((explored.path / "settings.toml").read_text())
    assert settings["system"]["kind"] == "torch"
    assert settings["module"]["parameters"]["0.weight"] == [3, 3]
    again = Landscape.open(explored.path)
    x = again.database.minima()[0].coords
    for system in (explored.system, again.system):
        assert system.potential.getEnergy(x) == pytest.approx(figures["lowest_loss"], abs=1e-14)
    assert again.system.describe() == explored.system.describe()
    assert again.system.get_system_properties() == explored.system.get_system_properties()
    assert str(again.system) == str(explored.system)
    explored.draw(colour="test-auc")
    # the kernel finds the same points stationary
    kernel = nnp.NNSystem(nnp.MLP([3, 3, 4]), again.system.data, regularization=1e-3)
    for minimum in again.database.minima():
        energy, gradient = kernel.potential.getEnergyGradient(minimum.coords)
        assert energy == pytest.approx(minimum.energy, abs=1e-13)
        assert np.abs(gradient).max() < 1e-8


def test_two_workers_find_the_same(explored, tmp_path):
    land = Landscape.create(tmp_path / "a", explored.system, seed=3, **TINY)
    land.explore(workers=2)
    assert contents(land) == contents(explored)


def test_a_system_travels(explored):
    system = pickle.loads(pickle.dumps(explored.system))
    x = start(system)
    for a, b in zip(
        system.potential.getEnergyGradientHessian(x),
        explored.system.potential.getEnergyGradientHessian(x),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["module.json", "module.npz"])
def test_files_of_another_module_are_refused(explored, tmp_path, name):
    land = Landscape.create(tmp_path / "a", explored.system, **TINY)
    other = nnp.TorchSystem(stack([3, 5, 4], nn.SiLU), None, explored.system.data)
    other.save(tmp_path)
    (land.path / name).write_bytes((tmp_path / name).read_bytes())
    with pytest.raises(InputError, match=r"module.npz are not what settings.toml describes"):
        Landscape.open(land.path)
    (land.path / name).write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"damaged|not what settings.toml"):
        Landscape.open(land.path)
    (land.path / name).unlink()
    with pytest.raises(InputError, match="lacks the module of its landscape"):
        Landscape.open(land.path)


def test_a_stored_program_holds_known_operations_only():
    text = '{"parameters": {}, "steps": [["from_file", "", ["/etc/passwd"], {}]], "result": 0}'
    with pytest.raises(InputError, match="'from_file' is no operation of a program"):
        Program.from_text(text, [])
    with pytest.raises(InputError, match="the program of a module is damaged"):
        Program.from_text(text[:30], [])
    for other in ("__class__", "_op", "__getattribute__"):
        text = f'{{"parameters": {{}}, "steps": [["tanh", "{other}", [], {{}}]], "result": 0}}'
        with pytest.raises(InputError, match=f"'tanh' has no overload '{other}'"):
            Program.from_text(text, [])


WITHOUT_TORCH = """
import sys


class Missing:  # None in sys.modules would not do: SciPy takes that for a module
    def find_spec(self, name, *_):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")


sys.meta_path.insert(0, Missing())
import nnpotential as nnp
try:
    {what}
except nnp.InputError as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["nnp.TorchSystem", "nnp.Landscape.open({path!r})"])
def test_without_torch(explored, what):
    code = WITHOUT_TORCH.format(what=what.format(path=str(explored.path)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == (
        "torch modules need PyTorch, which is not installed: pip install 'nnpotential[torch]'\n"
    )


def test_torch_is_not_imported_before_it_is_needed():
    code = """
import sys
from nnpotential import *
import nnpotential.cli, nnpotential.landscape
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# What is refused


class Of(nn.Module):
    """A linear layer, and a function of its outputs."""

    def __init__(self, function, n_out=4):
        super().__init__()
        self.layer = nn.Linear(3, n_out)
        self.function = function

    def forward(self, x):
        return self.function(self.layer(x))


class Noisy(Of):
    """Randomness that torch does not know of."""

    def forward(self, x):
        return self.layer(x) + float(np.random.default_rng().normal())


def put(*layers):
    return nn.Sequential(nn.Linear(3, 4), *layers, nn.Linear(4, 4))


def frozen():
    module = stack([3, 4])
    module.requires_grad_(False)
    return module


def exploding():
    module = stack([3, 4])
    module[0].weight.data[0, 0] = float("inf")
    return module


KINK = "has kinks, where it has no second derivative: use smooth parts"
JUMP = "has a second derivative that jumps"
FUNCTIONAL = torch.nn.functional
REFUSED = [
    (lambda: put(nn.ReLU()), rf"the module: part 1 \(ReLU\) uses relu, which {KINK}"),
    (lambda: put(nn.ReLU(inplace=True)), f"uses relu, which {KINK}"),
    (lambda: put(nn.LeakyReLU()), f"uses leaky_relu, which {KINK}"),
    (lambda: put(nn.PReLU()), f"uses prelu, which {KINK}"),
    (lambda: put(nn.ReLU6()), f"uses hardtanh, which {KINK}|uses relu6, which {KINK}"),
    (lambda: put(nn.Hardtanh()), f"uses hardtanh, which {KINK}"),
    (lambda: put(nn.Softshrink()), f"uses softshrink, which {KINK}"),
    (lambda: put(nn.Hardshrink()), f"uses hardshrink, which {KINK}"),
    (lambda: put(nn.Threshold(0.1, 0.0)), f"uses threshold, which {KINK}"),
    (lambda: put(nn.Hardsigmoid()), f"uses hardsigmoid, which {KINK}"),
    (lambda: put(nn.MaxPool1d(1)), f"uses max_pool1d, which {KINK}"),
    (lambda: put(nn.ELU()), f"uses elu, which {JUMP}"),
    (lambda: put(nn.CELU()), f"uses celu, which {JUMP}"),
    (lambda: put(nn.SELU()), f"uses selu, which {JUMP}"),
    (lambda: put(nn.Hardswish()), f"uses hardswish, which {JUMP}"),
    (lambda: put(nn.Softsign()), f"uses (softsign|abs), which ({JUMP}|{KINK})"),
    (lambda: put(nn.Dropout()), r"part 1 \(Dropout\) draws random numbers .* call module.eval"),
    (lambda: put(nn.RReLU()), "draws random numbers|uses rrelu"),
    (lambda: put(nn.BatchNorm1d(4)), r"part 1 \(BatchNorm1d\) is batch norm in training mode"),
    (lambda: Of(torch.relu), f"the module uses relu, which {KINK}"),
    (lambda: Of(lambda z: z.clamp(min=0)), rf"uses clamp\w*, which {KINK}"),
    (lambda: Of(lambda z: torch.where(z > 0, z, z * z)), "uses gt, which is a step"),
    (lambda: Of(lambda z: z + torch.randn_like(z)), "draws random numbers"),
    (lambda: Of(lambda z: FUNCTIONAL.dropout(z, 0.5)), r"draws random numbers \(dropout\)"),
    (lambda: Of(lambda z: z.float()), r"works in torch.float32 .*: all must be float64"),
    (lambda: Of(lambda z: z.detach() * z), "uses detach, which cuts off the derivative"),
    (lambda: Of(lambda z: z - z.mean(0)), "outputs of a sample depend on the other samples"),
    (lambda: Of(lambda z: z if z.sum() > 0 else -z), "cannot be traced by torch.export"),
    (lambda: Of(lambda z: (z, z)), "must return one tensor, not tuple"),
    (lambda: Of(lambda z: z[:, 0]), r"outputs of shape \(N, 4\), not \(N\)"),
    (lambda: Noisy(None), "gives different outputs when run twice"),
    (lambda: stack([3, 5]), r"must give outputs of shape \(N, 4\), not \(N, 5\)"),
    (lambda: stack([2, 4]), r"does not take inputs of shape \(N, 3\) \(RuntimeError: "),
    (frozen, "no parameters that require a gradient"),
    (nn.Identity, "no parameters that require a gradient"),
    (exploding, "outputs of the module are not finite"),
    (lambda: nn.LazyLinear(4), "weight has no shape yet: run the lazy module once"),
    (lambda: nn.Linear(3, 4, dtype=torch.complex64), "weight is complex"),
    (lambda: nn.ReLU, "must be a torch.nn.Module, not type"),
    (lambda: 5, "must be a torch.nn.Module, not int"),
]


@pytest.mark.parametrize(("module", "message"), REFUSED)
def test_what_is_refused(module, message):
    with pytest.raises(InputError, match=message) as refusal:
        nnp.TorchSystem(module(), None, dataset())
    assert "\n" not in str(refusal.value)


def tied():
    module = put(nn.Tanh(), nn.Linear(4, 4), nn.Tanh())
    module[4].weight = module[2].weight
    return module


def test_what_is_let_through():
    for module in (
        put(nn.Dropout(), nn.BatchNorm1d(4)).eval(),
        put(nn.LayerNorm(4), nn.GELU("tanh"), nn.Tanhshrink()),
        put(nn.SiLU(inplace=True), nn.Mish(), nn.LogSigmoid(), nn.Softmax(1)),
        Of(lambda z: z.sin() + torch.zeros(4) + z / z.shape[1]),
        tied(),
    ):
        system = nnp.TorchSystem(module, None, dataset(n=9))
        x = start(system)
        step = 1e-6 * np.random.default_rng(0).normal(size=x.size)
        slope = np.subtract(*(system.potential.getEnergy(x + s) for s in (step, -step)))
        assert slope / 2 == pytest.approx(system.potential.getGradient(x) @ step, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": None}, "a module needs a Dataset, not None"),
        ({"loss": "hinge"}, "unknown loss 'hinge'"),
        ({"loss": "own"}, "unknown loss 'own'"),
        ({"loss": 5}, "unknown loss 5"),
        ({"loss": lambda f, y: (f - 1).abs().mean()}, f"the loss uses abs, which {KINK}"),
        ({"loss": lambda f, y: f.mean(0)}, "the loss must give one finite number"),
        ({"loss": lambda f, y: (f**2).sum()}, "the loss must be the mean of a loss of each sample"),
        ({"regularization": -1.0}, "regularization must be a number not below 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"device": "cuda:77"}, "there is no device 'cuda:77' here"),
        ({"device": "nowhere"}, "there is no device 'nowhere' here"),
        ({"symmetry": 5}, "symmetry must be a list of nnpotential.Units"),
        ({"symmetry": [nnp.Units({"9.weight": 0})]}, "units lie along '9.weight', but"),
    ],
)
def test_settings_that_are_refused(options, message):
    arguments = {"loss": None, "data": dataset(), **options}
    with pytest.raises(InputError, match=message):
        nnp.TorchSystem(stack([3, 4, 4]), **arguments)


def test_points_that_are_refused():
    potential = nnp.TorchSystem(stack([3, 4]), None, dataset()).potential
    with pytest.raises(InputError, match=r"x must have shape \(16,\), not \(15,\)"):
        potential.getEnergy(np.zeros(15))
    with pytest.raises(InputError, match="x must be float64, not float32"):
        potential.getGradient(np.zeros(16, dtype=np.float32))
    with pytest.raises(InputError, match="v must be finite"):
        potential.hessian_vector_product(np.zeros(16), np.full(16, np.nan))


# What stands twice, and what is large


def test_a_module_that_stands_twice_in_a_stack():
    """A shared activation is one each time; layers that share their parameters are no units."""
    gelu = nn.GELU()
    module = nn.Sequential(nn.Linear(3, 2), gelu, nn.Linear(2, 2), gelu, nn.Linear(2, 4))
    system = nnp.TorchSystem(module, None, dataset())
    assert [units.odd for units in system.units] == [False, False]
    assert system.identity.log_n_images == pytest.approx(2 * np.log(2))
    tied = nn.Linear(3, 3)
    module = nn.Sequential(tied, nn.Tanh(), tied, nn.Tanh(), nn.Linear(3, 4))
    assert nnp.TorchSystem(module, None, dataset()).units == []


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.GELU])
def test_a_declaration_that_changes_the_loss_is_refused_at_any_width(width, activation):
    module = nn.Sequential(nn.Linear(3, width), activation(), nn.Linear(width, 4))
    right = {"0.weight": 0, "0.bias": 0, "2.weight": 1}
    nnp.TorchSystem(module, None, dataset(), symmetry=[nnp.Units(right)])
    wrong = [nnp.Units(right, odd=True)] if activation is nn.GELU else []
    if width > 1:
        wrong.append(nnp.Units({"0.weight": 0, "0.bias": 0}))
    for units in wrong:
        with pytest.raises(InputError, match="the declared symmetry changes the loss"):
            nnp.TorchSystem(module, None, dataset(), symmetry=[units])


def test_pooling_of_the_last_axis_is_no_pooling_of_images():
    module = nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)),
        nn.Linear(2, 2),
        nn.GELU(),
        nn.AvgPool2d(3, 1, 1),
        nn.Linear(2, 2),
        nn.Flatten(),
        nn.Linear(4, 4),
    )
    assert nnp.TorchSystem(module, None, dataset(n_in=4)).units == []


def test_confident_logits_keep_their_digits():
    data = dataset(n_out=2)
    system = nnp.TorchSystem(stack([3, 1]), "binary_cross_entropy", data)
    kernel = nnp.NNSystem(nnp.MLP([3, 1]), data, loss="binary_cross_entropy")
    for size in (1.0, 300.0, 3000.0):
        x = size * np.array([1.0, -2.0, 0.5, 0.3])
        for ours, theirs in zip(
            system.potential.getEnergyGradientHessian(x),
            kernel.potential.getEnergyGradientHessian(x),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def test_softplus_far_out():
    data = dataset("squared_error", n_in=1, n_out=1)
    system = nnp.TorchSystem(stack([1, 1, 1], nn.Softplus), None, data)
    energy, gradient, hessian = system.potential.getEnergyGradientHessian(
        np.array([1.0, -2000.0, 1.0, 0.5])
    )
    assert np.isfinite(energy) and np.isfinite(gradient).all() and np.isfinite(hessian).all()


def test_the_same_architecture_goes_on_with_its_landscape(tmp_path):
    """A script that makes its module anew, with other initial values, when it is run again."""
    for _ in range(2):
        system = nnp.TorchSystem(stack([3, 2, 4]), None, dataset())
        land = Landscape.open_or_create(tmp_path / "a", system, seed=1, **TINY)
        land.close()
    with pytest.raises(InputError, match="another landscape"):
        Landscape.open_or_create(
            tmp_path / "a", nnp.TorchSystem(stack([3, 3, 4]), None, dataset()), seed=1
        )


class _WithConstants(nn.Module):
    def __init__(self, cut=False):
        super().__init__()
        self.layer, self.cut = nn.Linear(3, 4), cut

    def forward(self, x):
        f = self.layer(x)
        weights = torch.tensor([1.0, 2.0, 0.5, 1.5], dtype=x.dtype)
        return f * weights + (f.detach() if self.cut else 0)


def test_constants_within_a_forward():
    assert nnp.TorchSystem(_WithConstants(), None, dataset()).n_dof == 16
    with pytest.raises(InputError, match=r"detach, which cuts off the derivative"):
        nnp.TorchSystem(_WithConstants(cut=True), None, dataset())


@pytest.mark.parametrize("layer", [nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout()])
def test_dropout_of_a_trained_module(layer):
    module = nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 2, 3), nn.Tanh(), layer, nn.Flatten()
    )
    module.append(nn.Linear(32, 3))
    data = dataset(n_in=36, n_out=3)
    assert nnp.TorchSystem(module.eval(), None, data).n_dof > 0
    with pytest.raises(InputError, match="draws random numbers"):
        nnp.TorchSystem(module.train(), None, data)


class _Log(nn.Linear):
    def forward(self, x):
        return torch.log(super().forward(x))


def test_outputs_that_are_no_numbers_are_called_so():
    with pytest.raises(InputError, match="the outputs of the module are not finite"):
        nnp.TorchSystem(_Log(3, 4), None, dataset())


@pytest.mark.parametrize("activation", [nn.Tanh, nn.Softplus, nn.GELU])
def test_a_stack_of_linear_layers_is_drawn_as_a_network(activation):
    data = dataset()
    system = nnp.TorchSystem(stack([3, 5, 4], activation), data=data)
    x = start(system)
    picture, ours = system.picture(x), network_picture(nnp.MLP([3, 5, 4]).split(x))
    assert all(np.array_equal(a, b) for a, b in zip(astuple(picture), astuple(ours), strict=True))
    assert not picture.labels


def test_what_else_is_drawn_as_a_network_or_not():
    layers = (nn.Linear(3, 5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 4, bias=False))
    plain = nn.Sequential(nn.Flatten(), *layers).eval()
    frozen = stack([3, 5, 4])
    frozen[0].weight.requires_grad_(False)

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 4)

        def forward(self, x):
            return self.b(torch.tanh(self.a(x)))

    class Skipped(Own):
        def forward(self, x):
            h = torch.tanh(self.a(x))
            return self.b(h + h.mean(1, keepdim=True))

    for module, is_network in ((plain, True), (frozen, True), (Own(), True), (Skipped(), False)):
        system = nnp.TorchSystem(module, data=dataset())
        picture = system.picture(start(system))
        assert (len(picture.centres) == 12) is is_network
        assert len(picture.lines) >= 35
    assert [name for name, _ in picture.labels[:-1]] == ["a.weight", "a.bias", "b.weight", "b.bias"]


FORKED = """
import multiprocessing, sys
from threadpoolctl import threadpool_limits
import nnpotential as nnp
system = nnp.Landscape.open(sys.argv[1]).system
x = next(iter(system.starts.values()))(system.rng)
with threadpool_limits(1):
    system.potential.getHessian(x)
    forked = multiprocessing.get_context("fork").Process(
        target=system.potential.getHessian, args=(x,)
    )
    forked.start()
    forked.join(60)
    alive = forked.is_alive()
    forked.kill()
sys.exit(alive or forked.exitcode)
"""


def test_a_forked_process_does_not_hang(tmp_path):
    """pele's GUI forks its runs; of the threads of MKL they have none."""
    module = nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 3, 3, stride=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(27, 10),
    )
    data = nnp.load_dataset("digits", n_train=60, n_test=10, seed=0)
    Landscape.create(tmp_path / "a", nnp.TorchSystem(module, data=data), seed=0)
    done = subprocess.run([sys.executable, "-c", FORKED, tmp_path / "a"], timeout=120)
    assert done.returncode == 0
