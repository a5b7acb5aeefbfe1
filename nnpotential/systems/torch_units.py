"""Interchangeable units of a torch module, read off a stack of layers."""

from ..networks.symmetry import Units
from .torch_program import torch

__all__ = ["units_of"]

nn = torch.nn
_ODD = (nn.Tanh, nn.Tanhshrink, nn.Identity)
_POINTWISE = (
    *_ODD,
    nn.Sigmoid,
    nn.Softplus,
    nn.SiLU,
    nn.GELU,
    nn.Mish,
    nn.LogSigmoid,
)
_IDLE = (nn.Dropout, nn.Dropout2d)  # once trained; a module in training is refused
# linear, channel by channel, and keeping constants where nothing is padded
_POOLS = (nn.AvgPool2d, nn.AdaptiveAvgPool2d)


def units_of(module, free_bias):
    """The interchangeable units of a `torch.nn.Sequential`; none of other modules.

    Parameters
    ----------
    module : torch.nn.Module
    free_bias : bool
        Whether no penalty holds the biases: then the sign of a unit behind a
        sigmoid can be turned, as the next bias takes up the shift.

    Returns
    -------
    list of Units
    """
    layers = list(_flat(module, ""))
    # parameters used twice would belong to two kinds of units
    seen = [id(p) for _, layer in layers for p in layer.parameters()]
    if len(set(seen)) < len(seen):
        return []
    found, last = [], None
    for name, layer in layers:
        if type(layer) in (nn.Linear, nn.Conv2d):
            units = last and last.into(name, layer, free_bias)
            if units:
                found.append(units)
            last = _Layer(name, layer) if _is_plain(layer) else None
        elif last is not None:
            last = last.followed_by(layer)
    return found


def _flat(module, prefix):
    if type(module) is not nn.Sequential:
        return
    # named_children() leaves out what stands there a second time
    for name, layer in module._modules.items():
        if type(layer) is nn.Sequential:
            yield from _flat(layer, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", layer


def _is_plain(layer):
    """All of it free to be exchanged, every output of one unit."""
    return all(p.requires_grad for p in layer.parameters()) and getattr(layer, "groups", 1) == 1


class _Layer:
    """A layer whose outputs are units, and what has been done to these since."""

    def __init__(self, name, layer):
        self.name, self.layer = name, layer
        self.is_image = type(layer) is nn.Conv2d
        self.activations = []
        self.is_padded = False

    def followed_by(self, layer):
        """The same after another layer; None after one that may not treat all units alike."""
        if type(layer) in _POINTWISE:
            self.activations.append(type(layer))
        elif type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1):
            if not self.is_image:  # of a linear layer units are the last axis, not the second
                return None
            self.is_image = False
        elif type(layer) in _POOLS and self.is_image:  # else it mixes the last axis
            self.is_padded |= bool(_padding(layer))
        elif type(layer) in _IDLE:
            pass
        else:
            return None
        return self

    def into(self, name, layer, free_bias):
        """The units between this layer and another one; None where they are not known."""
        n = self.layer.weight.shape[0]
        if not _is_plain(layer) or layer.weight.shape[1] % n:
            return None
        # a linear layer on an image works along its last axis, not on channels
        if self.is_image != (type(layer) is nn.Conv2d):
            return None
        axes = {f"{self.name}.weight": 0}
        if self.layer.bias is not None:
            axes[f"{self.name}.bias"] = 0
        active = [a for a in self.activations if a is not nn.Identity]
        shifts = {}
        centred = active[-1:] == [nn.Sigmoid] and all(a in _ODD for a in active[:-1])
        if centred and free_bias and layer.bias is not None:
            padded = self.is_padded or (_padding(layer) and layer.padding_mode == "zeros")
            if not padded:
                shifts = {f"{name}.weight": f"{name}.bias"}
        odd = all(a in _ODD for a in active)
        return Units({**axes, f"{name}.weight": 1}, odd, shifts)


def _padding(layer):
    """Whether zeros are added around an image."""
    padding = getattr(layer, "padding", 0)
    if isinstance(padding, str):
        return padding == "same"
    return any(padding) if isinstance(padding, tuple) else bool(padding)
