"""Trained networks are read from files without pickles, and wrong ones are refused in one line."""

import os
import pickle

import numpy as np
import pytest

import nnpotential as nnp
from nnpotential import InputError
from nnpotential.networks.model_files import read_model

SHAPES = {
    "layer 1.weight": (4, 3),
    "layer 1.bias": (4,),
    "layer 2.weight": (4, 4),
    "layer 2.bias": (4,),
}


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=36)


def parts(x):
    net = nnp.MLP([3, 4, 4])
    return [part for layer in net.split(x) for part in layer]


def test_shapes_are_those_of_the_system(system):
    assert system.shapes == SHAPES
    unbiased = nnp.NNSystem(nnp.MLP([3, 4, 4], bias=False), system.data, regularization=1e-3)
    assert unbiased.shapes == {k: v for k, v in SHAPES.items() if "weight" in k}
    places = np.concatenate(list(system.layers.values()))
    assert sorted(places) == list(range(36))
    assert [len(p) for p in system.layers.values()] == [16, 20]


def test_arrays_of_numpy(tmp_path, x):
    np.save(tmp_path / "a.npy", x)
    np.savez(tmp_path / "b.npz", x)
    np.savez(tmp_path / "c.npz", *parts(x))
    names = [f"layer {k}.{part}" for k in (1, 2) for part in ("weight", "bias")]
    named = dict(zip(names, parts(x), strict=True))
    np.savez(tmp_path / "d.npz", **dict(reversed(named.items())))  # by name, whatever the order
    for name in ("a.npy", "b.npz", "c.npz", "d.npz"):
        assert np.array_equal(read_model(tmp_path / name, SHAPES), x)
    np.save(tmp_path / "e.npy", x.astype(np.float32))
    found = read_model(tmp_path / "e.npy", SHAPES)
    assert found.dtype == np.float64
    assert np.array_equal(found, x.astype(np.float32))


def test_state_dicts_of_torch(tmp_path, x):
    torch = pytest.importorskip("torch")
    module = nnp.to_torch(nnp.MLP([3, 4, 4]), x)
    torch.save(module.state_dict(), tmp_path / "a.pt")
    torch.save({"epoch": 3, "model_state_dict": module.state_dict()}, tmp_path / "b.pth")
    torch.save(torch.nn.utils.parameters_to_vector(module.parameters()), tmp_path / "c.pt")
    for name in ("a.pt", "b.pth", "c.pt"):
        assert np.array_equal(read_model(tmp_path / name, SHAPES), x)
    torch.save(module.bfloat16().state_dict(), tmp_path / "d.pt")
    assert np.allclose(read_model(tmp_path / "d.pt", SHAPES), x, atol=0.02)
    torch.save(module, tmp_path / "whole.pt")  # a pickled module
    with pytest.raises(InputError, match="no state dict that torch reads without trust") as error:
        read_model(tmp_path / "whole.pt", SHAPES)
    assert "\n" not in str(error.value)
    torch.save({"epoch": 3}, tmp_path / "none.pt")
    with pytest.raises(InputError, match=r"holds no state dict: save one by torch\.save"):
        read_model(tmp_path / "none.pt", SHAPES)


def test_a_system_of_a_module_takes_its_names(tmp_path, ljat):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 4))
    system = nnp.TorchSystem(module, "cross_entropy", ljat, regularization=1e-2)
    assert list(system.layers) == ["0", "2"]
    assert [len(p) for p in system.layers.values()] == [8, 12]
    state = dict(reversed(module.state_dict().items()))
    torch.save(state, tmp_path / "a.pt")
    wanted = torch.nn.utils.parameters_to_vector(module.parameters()).detach().numpy()
    assert np.array_equal(read_model(tmp_path / "a.pt", system.shapes), wanted)


def test_safetensors(tmp_path, x):
    numpy = pytest.importorskip("safetensors.numpy")
    names = [f"layer {k}.{part}" for k in (1, 2) for part in ("weight", "bias")]
    numpy.save_file(dict(zip(names, parts(x), strict=True)), tmp_path / "a.safetensors")
    assert np.array_equal(read_model(tmp_path / "a.safetensors", SHAPES), x)


class Calls:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.makedirs, (str(self.path), 0o777, True)


@pytest.mark.parametrize("name", ["a.pkl", "a.joblib", "a.npy", "a.npz", "a.pt", "a.safetensors"])
def test_a_pickle_is_not_read_whatever_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Calls(tmp_path / "made")))
    with pytest.raises(InputError) as error:
        read_model(tmp_path / name, SHAPES)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "made").exists()


def test_objects_in_arrays_are_not_read(tmp_path):
    evil = np.array([Calls(tmp_path / "made")], dtype=object)
    np.save(tmp_path / "a.npy", evil)
    np.savez(tmp_path / "a.npz", evil)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match="no plain arrays of numbers"):
            read_model(tmp_path / name, SHAPES)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(35), "holds 35; the landscape's networks have 4x3, 4, 4x4, 4, or as one vector"),
        (np.zeros((3, 12)), "holds 3x12; the landscape's"),
        (np.full(36, np.nan), "parameter 0 is nan: all must be finite"),
        (np.r_[np.zeros(35), np.inf], "parameter 35 is inf"),
        (np.zeros(36, dtype=complex), r"the array is of no real numbers \(complex128\)"),
        (np.zeros(36, dtype="U3"), "is of no real numbers"),
        (np.float64(1.0), "holds one number"),
    ],
)
def test_what_is_no_network_of_the_landscape(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=message):
        read_model(tmp_path / "a.npy", SHAPES)


def test_other_numbers_of_units(tmp_path, x):
    other = nnp.MLP([3, 5, 4])
    arrays = [p for layer in other.split(np.zeros(other.n_parameters)) for p in layer]
    np.savez(tmp_path / "a.npz", *arrays)
    with pytest.raises(InputError, match=r"holds 5x3, 5, 4x5, 4; the landscape's networks have 4x"):
        read_model(tmp_path / "a.npz", SHAPES)


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_model(tmp_path / "a.npy", SHAPES)
    with pytest.raises(InputError, match=r"of no known kind: a model is one of \.npy, \.npz"):
        read_model(tmp_path / "a.h5", SHAPES)
    with pytest.raises(InputError, match=r"from_sklearn\(net, model\)"):
        read_model(tmp_path / "a.joblib", SHAPES)
    (tmp_path / "b.npy").write_text("")
    with pytest.raises(InputError, match="cannot be read"):
        read_model(tmp_path / "b.npy", SHAPES)
    (tmp_path / "b.npz").write_text("")
    with pytest.raises(InputError, match="is no npz file"):
        read_model(tmp_path / "b.npz", SHAPES)
