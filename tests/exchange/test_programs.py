"""A network in the order and with the keywords of GMIN, OPTIM and PATHSAMPLE."""

from itertools import pairwise

import numpy as np
import pytest

import nnpotential as nnp
from nnpotential import InputError
from nnpotential.exchange.programs import (
    INPUTS,
    optim_input,
    parameter_order,
    pathsample_input,
    read_network,
    their_order,
    why_no_inputs,
    write_inputs,
    write_loss,
)

DATA = "0 1.0 -2.0 0.5\n2 0.25D0 1.5 3.0\n1 -1.0 0.125 2.0\n0 2.0 2.0 -1.0\n"


def their_loss(x, sizes, X, y, penalty, regularize_bias=True):
    """The loss as the programs define it, of a vector in their order, one by one."""
    at = 0

    def take(*shape):
        nonlocal at
        part = x[at : at + np.prod(shape)].reshape(shape)
        at += part.size
        return part

    if len(sizes) == 3:  # MLPVB3
        n_in, n_hidden, n_out = sizes
        weights = [take(n_hidden, n_in), take(n_out, n_hidden)]
        biases = [take(n_hidden), take(n_out)]
    else:  # DL
        weights, biases = [], []
        for n_in, n_out in pairwise(sizes):
            biases.append(take(n_out))
            weights.append(take(n_in, n_out).T)
    total = 0.0
    for sample, label in zip(X, y, strict=True):
        a = sample
        for depth, (W, b) in enumerate(zip(weights, biases, strict=True)):
            a = W @ a + b
            if depth < len(weights) - 1:
                a = np.tanh(a)
        total += np.log(np.exp(a).sum()) - a[label]
    squares = sum((W**2).sum() for W in weights)
    if regularize_bias:
        squares += sum((b**2).sum() for b in biases)
    return total / len(y) + penalty * squares


@pytest.mark.parametrize("regularize_bias", [True, False])
@pytest.mark.parametrize("sizes", [[3, 5, 4], [3, 4, 2, 4], [3, 2, 5, 3, 4]])
def test_the_loss_in_their_order(ljat, sizes, regularize_bias):
    net = nnp.MLP(sizes)
    options = {"regularization": 0.01, "regularize_bias": regularize_bias}
    potential = nnp.NNPotential(net, ljat.X_train, ljat.y_train, **options)
    x = np.random.default_rng(0).normal(size=net.n_parameters)
    theirs = their_loss(
        x[parameter_order(sizes)], sizes, ljat.X_train, ljat.y_train, 0.01, regularize_bias
    )
    assert potential.getEnergy(x) == pytest.approx(theirs, rel=1e-13)


@pytest.fixture
def folder(tmp_path):
    """A network 3-2-3 as a user of GMIN has it."""
    (tmp_path / "MLPdata").write_text(DATA)
    (tmp_path / "data").write_text("comment DL\nSTEP 1.0\nMLPVB3 3 1 2 3 4 1.0D-3\nSEED 1\n")
    return tmp_path


def files_of(folder):
    return {name: folder / name for name in INPUTS if (folder / name).exists()}


def test_reading_the_inputs_of_a_network(folder):
    system, notes = read_network(files_of(folder), seed=3)
    assert system.net.layer_sizes == (3, 2, 3)
    assert system.data.X_train.tolist()[1] == [0.25, 1.5, 3.0]
    assert system.data.y_train.tolist() == [0, 2, 1, 0]
    assert (system.settings.regularization, system.settings.regularize_bias) == (1e-3, True)
    assert (system.net.activation, system.settings.loss) == ("tanh", "cross_entropy")
    assert notes == []


def test_several_layers_and_a_penalty_as_it_is_given(folder):
    (folder / "data").write_text("DL 3 1 7 3 4 0.1234567891234567\n")
    (folder / "DLhiddendata").write_text("2\n7\n5\n")
    system, _ = read_network(files_of(folder))
    assert system.net.layer_sizes == (3, 7, 5, 3)
    assert system.settings.regularization == 0.1234567891234567  # not rounded to float32


def test_inputs_divided_by_their_mean_absolute_value(folder):
    (folder / "data").write_text("MLPNORM\nNOREGBIAS\nMLPVB3 3 1 2 3 4 0.001\n")
    system, _ = read_network(files_of(folder))
    expected = np.array([1.0, 0.25, -1.0, 2.0]) / ((1 + 0.25 + 1 + 2) / 4)
    assert system.data.X_train[:, 0] == pytest.approx(expected, rel=1e-15)
    assert system.settings.regularize_bias is False
    assert system.data.settings["standardize"] == "mean_absolute"


def test_columns_before_the_first_and_samples_after_the_last_are_left_out(folder):
    (folder / "data").write_text("MLPVB3 2 2 2 3 3 0.001\n")
    system, notes = read_network(files_of(folder))
    assert system.data.X_train.tolist() == [[-2.0, 0.5], [1.5, 3.0], [0.125, 2.0]]
    assert notes == [f"the last 1 samples of {folder / 'MLPdata'} are left out, as MLPVB3 says"]


def test_with_several_layers_the_programs_ignore_noregbias(folder):
    (folder / "data").write_text("NOREGBIAS\nDL 3 1 2 3 4 0.001\n")
    (folder / "DLhiddendata").write_text("2 2 2\n")
    system, notes = read_network(files_of(folder))
    assert system.settings.regularize_bias is True
    assert notes == ["biases are regularized, as the programs ignore NOREGBIAS with DL"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("data", "STEP 1\n", "data has no line MLPVB3 or DL"),
        ("data", "STEP 1\nMLPVB3 3 1 2 3 4\n", "line 2: MLPVB3 is followed by n_in 1 n_hidden"),
        ("data", "MLPVB3 3 1 2 3 MLP_LINES 0.1\n", "line 1: MLPVB3 is followed by"),
        ("data", "MLPVB3 3 1 2 3 4 x\n", "not by 3 1 2 3 4 x"),
        ("data", "MLPVB3 3 1 2 3 4 -0.1\n", "line 1: MLPVB3 is followed by"),
        ("data", "MLPVB3 3 1 0 3 4 0.1\n", "line 1: MLPVB3 is followed by"),
        ("data", "MLPVB3\n", "not by nothing"),
        ("data", "MLPVB3 3 1 2 3 4 0.1\nMLPNORM\n", "line 2: MLPNORM must stand before MLPVB3"),
        ("data", "MLPVB3 3 1 2 3 4 0.1\nDL 3 1 2 3 4 0.1\n", "line 2: a second network"),
        ("data", "MLPNEWREG\nMLPVB3 3 1 2 3 4 0.1\n", "line 1: another penalty, MLPNEWREG"),
        ("data", "MLPVB3 3 1 2 3 5 0.1\n", "MLPdata has 4 samples; MLPVB3 asks for 5"),
        ("data", "MLPVB3 4 1 2 3 4 0.1\n", "MLPdata, line 1: 4 columns; a label and 4 inputs"),
        ("data", "MLPVB3 3 1 2 4 4 0.1\n", "with 3 inputs and 3 outputs, not 3 and 4"),
        ("data", "DL 3 1 2 3 4 0.1\n", "DL needs DLhiddendata"),
        ("odata", "MLPVB3 3 1 2 3 4 0.2\n", "odata has another MLPVB3 line than"),
        ("odata", "NOREGBIAS\nMLPVB3 3 1 2 3 4 1D-3\n", "odata has other lines MLPNORM or NOREGB"),
        ("MLPdata", DATA + "0 1 2\n" + DATA, None),  # beyond what is asked for
        ("MLPdata", "0 1 2\n" + DATA, "MLPdata, line 1: 3 columns"),
        ("MLPdata", "3 1 2 3\n" + DATA, "MLPdata, line 1: '3' is no label from 0 to 2"),
        ("MLPdata", "0.5 1 2 3\n" + DATA, "line 1: '0.5' is no label"),
        ("MLPdata", "0 1 nan 3\n" + DATA, "line 1: 'nan' is no finite number"),
    ],
)
def test_a_malformed_input_is_named(folder, name, text, message):
    (folder / name).write_text(text)
    if message is None:
        read_network(files_of(folder))
        return
    with pytest.raises(InputError, match=message):
        read_network(files_of(folder))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2\n5\n", "DLhiddendata holds the number of hidden layers, .*; it has 2 5"),
        ("1\nfive\n", "DLhiddendata, line 2: 'five' is no number of units"),
        ("\n", "it has nothing"),
    ],
)
def test_wrong_hidden_layers(folder, text, message):
    (folder / "data").write_text("DL 3 1 2 3 4 0.1\n")
    (folder / "DLhiddendata").write_text(text)
    with pytest.raises(InputError, match=message):
        read_network(files_of(folder))


def test_an_input_that_is_always_zero_cannot_be_divided(folder):
    (folder / "MLPdata").write_text("0 0 1\n1 0 2\n")
    (folder / "data").write_text("MLPNORM\nMLPVB3 2 1 2 2 2 0.001\n")
    with pytest.raises(InputError, match="input 1 is 0 in every training sample"):
        read_network(files_of(folder))


def test_pathdata_does_not_say_enough(folder):
    (folder / "data").rename(folder / "pathdata")
    with pytest.raises(InputError, match="pathdata alone does not say whether inputs are divided"):
        read_network(files_of(folder))


@pytest.mark.parametrize(
    ("name", "message"), [("data", "described by one of data,"), ("MLPdata", "needs the data set")]
)
def test_a_missing_input_is_named(folder, name, message):
    (folder / name).unlink()
    with pytest.raises(InputError, match=message):
        read_network(files_of(folder))


@pytest.mark.parametrize(
    ("hidden", "regularization", "regularize_bias"),
    [([4], 1.2345678901234567e-05, False), ([4, 2], 1e-3, True)],
)
def test_inputs_come_back(tmp_path, ljat, hidden, regularization, regularize_bias):
    net = nnp.MLP([3, *hidden, 4])
    options = {"regularization": regularization, "regularize_bias": regularize_bias}
    system = nnp.NNSystem(net, ljat, **options)
    assert why_no_inputs(system) is None
    order = their_order(system)
    x = np.array([net.random_parameters(np.random.default_rng(k)) for k in range(3)]) * 1e-5
    names = write_inputs(tmp_path, system, np.array([2.0, 1.0, 3.0]), x[:, order])
    assert ("DLhiddendata" in names) == (len(hidden) > 1)
    assert (tmp_path / "min.A").read_text().split() == ["1", "2"]
    assert (tmp_path / "min.B").read_text().split() == ["1", "1"]
    again, _ = read_network(files_of(tmp_path))
    assert again.net == net
    assert again.settings == system.settings
    assert np.array_equal(again.data.X_train, ljat.X_train)
    assert np.array_equal(again.data.y_train, ljat.y_train)
    start = (tmp_path / "odata").read_text().partition("VARIABLES\n")[2].split()
    assert start == (tmp_path / "coords").read_text().split()
    assert list(map(float, start)) == x[1, order].tolist()
    # OPTIM's reader of numbers stops at a small e
    texts = [(tmp_path / name).read_text() for name in names]
    numbers = [word for text in texts for word in text.split() if word[0] in "-0123456789"]
    assert any("E" in word for word in numbers)
    assert not any("e" in word for word in numbers)


@pytest.mark.parametrize(
    ("sizes", "network", "potential", "message"),
    [
        ([3, 4], {}, {}, "no network without a hidden layer"),
        ([3, 2, 4], {"activation": "sigmoid"}, {}, "they have tanh, not sigmoid"),
        ([3, 2, 4], {"bias": False}, {}, "no networks without biases"),
        ([3, 2, 2, 4], {}, {"regularize_bias": False}, "they always regularize biases"),
    ],
)
def test_what_the_programs_do_not_have(ljat, sizes, network, potential, message):
    system = nnp.NNSystem(nnp.MLP(sizes, **network), ljat, **potential)
    assert message in why_no_inputs(system)
    assert their_order(system).tolist() == list(range(system.n_dof))


def test_a_regression_and_a_cluster_have_no_keyword():
    X, y = np.random.default_rng(0).normal(size=(2, 20, 2))
    data = nnp.load_dataset((X, y), regression=True)
    system = nnp.NNSystem(nnp.MLP([2, 2, 2]), data)
    assert why_no_inputs(system) == "they have cross_entropy, not squared_error"
    assert "lennard_jones" in why_no_inputs(nnp.LennardJonesCluster(3))


def test_the_keyword_stands_where_each_program_looks_for_it(tmp_path, ljat):
    loss, files = write_loss(tmp_path, [3, 2, 4], ljat.X_train, ljat.y_train, 1e-5, False)
    assert loss.splitlines() == ["MLPVB3 3 1 2 4 50 1E-05", "NOREGBIAS"]
    assert files == "MLPdata"
    lines = optim_input(loss, "100 350 0.0001", "1.0D-4").splitlines()
    assert lines[:2] == loss.splitlines()
    assert lines[-1] == "VARIABLES"
    assert "NEWNEB 100 350 0.0001" in lines
    lines = pathsample_input(loss, files, mode="SHANNON 1 2 1 0.1").splitlines()
    assert "NOREGBIAS" not in lines  # PATHSAMPLE does not know it
    assert {"MLPVB3 3 1 2 4 50 1E-05", "COPYFILES MLPdata", "SHANNON 1 2 1 0.1"} <= set(lines)
