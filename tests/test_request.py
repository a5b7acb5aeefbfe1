"""A landscape asked for by a name and options."""

import logging

import numpy as np
import pytest

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.request import Request
from nnpotential.systems.clusters import LennardJonesCluster

SMALL = {"dataset_options": {"n_train": 20, "n_test": 10}, "hidden": [2]}


@pytest.mark.parametrize(
    ("hidden", "sizes", "place"),
    [
        (None, (2, 10, 2), "xor-10-20"),
        ([3], (2, 3, 2), "xor-3-20"),
        ([3, 4], (2, 3, 4, 2), "xor-3x4-20"),
        ([], (2, 2), "xor-none-20"),
    ],
)
def test_a_network_and_the_name_of_its_directory(hidden, sizes, place):
    request = Request("xor", **{**SMALL, "hidden": hidden})
    system, name = request.system()
    assert tuple(system.net.layer_sizes) == sizes and name == place
    assert len(system.data.X_train) == 20 and len(system.data.X_test) == 10


def test_options_go_where_they_belong():
    system, _ = Request(
        "xor",
        **SMALL,
        seed=3,
        network_options={"activation": "sigmoid", "bias": False},
        loss_options={"regularization": 0.5},
    ).system()
    assert system.net.activation == "sigmoid" and not system.net.bias
    assert system.settings.regularization == 0.5
    other, _ = Request("xor", **SMALL).system()
    assert not np.array_equal(system.data.X_train, other.data.X_train)


def test_squared_error_reads_real_targets(tmp_path):
    path = tmp_path / "mine.csv"
    X = np.linspace(-1, 1, 40)
    np.savetxt(path, np.column_stack([X, np.sin(X)]), delimiter=",")
    options = {"loss": "squared_error"}
    system, name = Request(str(path), hidden=[2], loss_options=options).system()
    assert not system.data.is_classification and name == "mine-2-32"
    with pytest.raises(InputError, match="labels must be integers"):
        Request(str(path), hidden=[2]).system()


def test_the_seed_by_default():
    assert Request("xor").seed == Request("xor", seed=0).seed == 0
    assert Request("xor", seed=7).seed == 7


def test_other_systems_by_name():
    system, place = Request("lj7", seed=2).system()
    assert isinstance(system, LennardJonesCluster) and system.n_dof == 21 and place == "lj7"
    assert isinstance(Request("egg_box").system()[0], nnp.EggBox)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"hidden": [3]}, "--hidden"),
        ({"dataset_options": {"n_train": 5}}, "--n-train"),
        ({"network_options": {"bias": False}}, "--no-bias"),
        ({"network_options": {"bias": True}}, "--bias"),
        ({"loss_options": {"regularize_bias": False}}, "--no-regularize-bias"),
        ({"loss_options": {"regularization": 0.0}}, "--regularization"),
    ],
)
def test_options_of_networks_are_refused_elsewhere(tmp_path, options, named):
    message = f"^{named} is for networks; egg_box is none$"
    with pytest.raises(InputError, match=message):
        Request("egg_box", **options).system()
    Landscape.create(tmp_path / "a", nnp.EggBox()).close()
    with pytest.raises(InputError, match=message):
        Request("egg_box", **options).open(tmp_path / "a")


def test_where_there_is_none(tmp_path):
    assert Request("xor").open(None) is None
    assert Request("xor").open(tmp_path / "a") is None
    with pytest.raises(InputError, match="DATASET is missing: name one, or with --output"):
        Request(None).open(None)
    with pytest.raises(InputError, match="a is no landscape to continue: name a DATASET"):
        Request(None).open(tmp_path / "a")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def mine(tmp_path):
    """A file of data, and the place of a landscape of it that was made with options."""
    file, place = tmp_path / "mine.csv", tmp_path / "a"
    rng = np.random.default_rng(0)
    rows = [
        f"{i},{a:.4f},{b:.4f},{('no', 'yes')[i % 2]}"
        for i, (a, b) in enumerate(rng.normal(size=(30, 2)))
    ]
    file.write_text("\n".join([",a,b,answer", *rows]))  # of which there is something to say
    system, _ = Request(
        str(file), hidden=[3], seed=4, dataset_options={"n_train": 20, "n_test": 10}
    ).system()
    Landscape.create(place, system, seed=4).close()
    return file, place


def opened(request, place):
    land = request.open(place)
    land.close()
    return land.path


def test_what_is_not_said_is_as_it_was(mine):
    file, place = mine
    assert opened(Request(None), place) == place
    assert opened(Request(str(file)), place) == place
    same = {"dataset_options": {"n_train": 20}, "hidden": [3], "seed": 4}
    assert opened(Request(str(file), **same), place) == place


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"seed": 0}, "seed = 4, asked for 0"),
        ({"hidden": [2]}, r"network.layer_sizes = \[2, 3, 2\], asked for \[2, 2, 2\]"),
        ({"hidden": []}, r"network.layer_sizes = \[2, 3, 2\], asked for \[2, 2\]"),
        ({"dataset_options": {"n_train": 24}}, "dataset.n_train = 20, asked for 24"),
        ({"network_options": {"activation": "silu"}}, "activation = 'tanh', asked for 'silu'"),
        ({"loss_options": {"regularization": 1.0}}, "regularization = 0.0001, asked for 1.0"),
    ],
)
def test_what_is_said_must_agree(mine, options, difference):
    file, place = mine
    for name in (None, str(file)):
        with pytest.raises(InputError, match=difference):
            Request(name, **options).open(place)


def test_another_landscape_is_not_left_open(mine, monkeypatch):
    closed = []
    monkeypatch.setattr(Landscape, "close", lambda land: closed.append(land.path))
    with pytest.raises(InputError, match="asked for 7"):
        Request(None, seed=7).open(mine[1])
    assert closed == [mine[1]]


def test_the_name_must_agree(mine):
    _, place = mine
    for name, difference in (
        ("iris", r"dataset\.name = 'mine\.csv', asked for 'iris'"),
        ("lj7", r"system\.kind = 'network', asked for 'lennard_jones'"),
    ):
        with pytest.raises(InputError, match=difference):
            Request(name).open(place)


def test_a_file_must_hold_the_same_data(mine, caplog):
    """Read as it was read then, and without saying all of it again."""
    file, place = mine
    logger = logging.getLogger(nnp.load_dataset.__module__)
    with caplog.at_level(logging.DEBUG):
        nnp.load_dataset(file)
        assert caplog.records
        caplog.clear()
        opened(Request(str(file)), place)
    assert not caplog.records and not logger.disabled
    file.write_text(file.read_text().replace("0.", "1.", 1))
    with pytest.raises(InputError, match=r"dataset\.sha256"):
        Request(str(file)).open(place)
    assert not logger.disabled
    file.unlink()
    assert opened(Request(str(file)), place) == place  # nothing there to compare


def test_a_system_must_be_the_same(tmp_path):
    Landscape.create(tmp_path / "a", LennardJonesCluster(6)).close()
    assert opened(Request("lj6"), tmp_path / "a") == tmp_path / "a"
    with pytest.raises(InputError, match=r"lennard_jones\.n_atoms = 6, asked for 7"):
        Request("lj7").open(tmp_path / "a")
    with pytest.raises(InputError, match=r"system\.kind = 'lennard_jones', asked for 'network'"):
        Request("iris").open(tmp_path / "a")
