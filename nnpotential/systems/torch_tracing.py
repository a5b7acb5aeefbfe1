"""From a user's module and loss to programs, or one line that says why not."""

import numpy as np

from ..errors import InputError
from .torch_potential import one_thread
from .torch_program import torch, trace

__all__ = ["ROUNDING", "few_samples", "traced", "traced_loss"]

ROUNDING = 1e-10  # relative; between the same sums in another order


def few_samples(data):
    """A few samples, enough that a module cannot tell their number from one."""
    rows = np.arange(max(3, min(len(data.X_train), 5))) % len(data.X_train)
    return data.X_train[rows], data.y_train[rows]


def traced(module, X, n_outputs):
    """The program of a module, and its outputs for the inputs; None is any number of these."""
    X = torch.tensor(X)
    try:
        with torch.no_grad(), one_thread(), torch.random.fork_rng(devices=[]):
            first, second = module(X), module(X)
    except Exception as error:  # whatever the user's code does
        why = (str(error).strip().splitlines() or [""])[0]
        raise InputError(
            f"the module does not take inputs of shape (N, {X.shape[1]}) "
            f"({type(error).__name__}: {why})"
        ) from None
    if not isinstance(first, torch.Tensor):
        raise InputError(f"the module must return one tensor, not {type(first).__name__}")
    wanted = None if n_outputs is None else (len(X), n_outputs)
    if tuple(first.shape) != (wanted or (len(X), *first.shape[1:])):
        found = ", ".join(["N" if n == len(X) else str(n) for n in first.shape[:1]])
        shape = ", ".join([found, *map(str, first.shape[1:])]) if first.ndim else ""
        n_out = n_outputs if wanted else "n_out"
        raise InputError(f"the module must give outputs of shape (N, {n_out}), not ({shape})")
    program = trace(module, "the module", (X,))
    if not torch.isfinite(first).all():
        raise InputError("the outputs of the module are not finite")
    if not torch.equal(first, second):
        raise InputError(
            "the module gives different outputs when run twice: it draws random numbers or keeps "
            "a state, so that the loss is no function of the parameters"
        )
    free = [p.detach() for p in module.parameters() if p.requires_grad]
    try:
        with torch.no_grad(), one_thread():
            again, alone = program(free, X), program(free, X[:1])
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        raise InputError(f"the module does not take any number of samples: {why}") from None
    if not torch.allclose(again, first, rtol=1e-8, atol=1e-8):
        raise InputError("the module does other than torch.export has traced of it")
    if not torch.allclose(alone[0], again[0], rtol=ROUNDING, atol=ROUNDING):
        raise InputError("the outputs of a sample depend on the other samples: they must not")
    return program, first


class _Loss(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, f, y):
        return self.function(f, y)


def traced_loss(function, f, y):
    y = torch.tensor(y)
    program = trace(_Loss(function).double(), "the loss", (f, y), free_inputs=True)
    with torch.no_grad(), one_thread():
        whole = program([], f, y)
        parts = [program([], f[i : i + 1], y[i : i + 1]) for i in range(len(f))]
    if whole.ndim or not torch.isfinite(whole):
        raise InputError("the loss must give one finite number, the mean over the samples")
    if not torch.allclose(torch.stack(parts).mean(), whole, rtol=ROUNDING, atol=ROUNDING):
        raise InputError("the loss must be the mean of a loss of each sample: it is not")
    return program
