"""Networks of scikit-learn and torch: the same outputs there and back."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.neural_network import MLPClassifier, MLPRegressor

import nnpotential as nnp
from nnpotential import InputError

X = np.random.default_rng(0).normal(size=(20, 3))


def parameters(net, seed=0):
    return net.random_parameters(np.random.default_rng(seed))


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("hidden", [(), (5,), (4, 2)])
@pytest.mark.parametrize(
    ("n_out", "loss"),
    [(4, "cross_entropy"), (2, "cross_entropy"), (1, "binary_cross_entropy"), (3, "squared_error")],
)
def test_scikit_learn_predicts_what_the_network_does(activation, hidden, n_out, loss):
    net = nnp.MLP([3, *hidden, n_out], activation=activation)
    x = parameters(net)
    model = nnp.to_sklearn(net, x, loss)
    f = net.outputs(x, X)
    if loss == "squared_error":
        assert np.abs(model.predict(X) - f).max() <= 1e-12
    else:
        wanted = softmax(f if n_out > 1 else np.hstack([0 * f, f]), axis=1)
        assert np.abs(model.predict_proba(X) - wanted).max() <= 1e-12
        assert (model.predict(X) == wanted.argmax(axis=1)).all()
    back = nnp.from_sklearn(net, model)
    shift = net.outputs(back, X) - f
    if n_out == 2:  # the softmax does not feel what both outputs have in common
        shift = shift[:, 1] - shift[:, 0]
    else:
        assert np.array_equal(back, x)
    assert np.abs(shift).max() <= 1e-12


@pytest.mark.parametrize("labels", [np.arange(20) % 4, np.arange(20) % 2])
def test_what_scikit_learn_has_fitted(labels):
    model = MLPClassifier((6,), activation="tanh", solver="lbfgs", max_iter=20)
    with pytest.warns(UserWarning, match="converge"):
        model.fit(X, labels)
    net = nnp.MLP([3, 6, int(labels.max()) + 1])
    p = softmax(net.outputs(nnp.from_sklearn(net, model), X), axis=1)
    assert np.abs(p - model.predict_proba(X)).max() <= 1e-12


def test_other_networks_of_scikit_learn_are_refused():
    net = nnp.MLP([3, 5, 4])
    with pytest.raises(InputError, match="was not fitted"):
        nnp.from_sklearn(net, MLPClassifier())
    model = nnp.to_sklearn(net, parameters(net))
    with pytest.raises(InputError, match=r"5x3, 5, 4x5, 4; a network 3-6-4 has 6x3, 6, 4x6, 4"):
        nnp.from_sklearn(nnp.MLP([3, 6, 4]), model)
    with pytest.raises(InputError, match="activation is 'tanh', not 'sigmoid'"):
        nnp.from_sklearn(nnp.MLP([3, 5, 4], activation="sigmoid"), model)
    with pytest.raises(InputError, match="have biases"):
        nnp.from_sklearn(nnp.MLP([3, 5, 4], bias=False), model)
    gelu = nnp.MLP([3, 5, 4], activation="gelu")
    with pytest.raises(InputError, match="no activation 'gelu': tanh, sigmoid, relu"):
        nnp.to_sklearn(gelu, parameters(gelu))
    one = nnp.MLP([3, 1])
    with pytest.raises(InputError, match="with one output is for no classes"):
        nnp.to_sklearn(one, parameters(one))
    assert isinstance(nnp.to_sklearn(one, parameters(one), "squared_error"), MLPRegressor)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus", "silu", "gelu", "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_torch_predicts_what_the_network_does(activation, bias):
    torch = pytest.importorskip("torch")
    net = nnp.MLP([3, 5, 4, 2], activation=activation, bias=bias)
    x = 3 * parameters(net)
    module = nnp.to_torch(net, x)
    with torch.no_grad():
        outputs = module(torch.from_numpy(X)).numpy()
    assert np.abs(outputs - net.outputs(x, X)).max() <= 1e-12
    assert np.array_equal(nnp.from_torch(net, module), x)


def test_other_modules_of_torch_are_refused():
    pytest.importorskip("torch")
    net = nnp.MLP([3, 5, 4])
    module = nnp.to_torch(net, parameters(net))
    with pytest.raises(InputError, match="activation is Tanh, not 'sigmoid'"):
        nnp.from_torch(nnp.MLP([3, 5, 4], activation="sigmoid"), module)
    with pytest.raises(InputError, match="a network 3-4 has 4x3, 4"):
        nnp.from_torch(nnp.MLP([3, 4]), module)
