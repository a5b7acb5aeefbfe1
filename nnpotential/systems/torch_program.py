"""A torch module as a list of ATen operations: seen to be smooth, and stored as plain data.

`torch.export` traces a module once. What runs, what is sent to workers and what a
landscape keeps is the list of operations, without pickles, import paths or the
module's own code.
"""

import json
import operator
import warnings
from copy import deepcopy
from dataclasses import dataclass, field

from ..errors import InputError

try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise InputError(
        "torch modules need PyTorch, which is not installed: pip install 'nnpotential[torch]'"
    ) from error

__all__ = ["Program", "double_copy", "torch", "trace"]


def _names(text):
    return text.split()


# operations with all derivatives that matter; what follows has not, and is named with the reason
_SMOOTH = _names("""
    view reshape flatten unflatten permute transpose t mT squeeze unsqueeze expand expand_as
    broadcast_tensors broadcast_to repeat cat concat stack hstack vstack split split_with_sizes
    chunk tensor_split unbind narrow slice select index_select index gather take_along_dim pad
    constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d clone
    contiguous to _to_copy alias type_as roll flip tril triu diagonal diag diag_embed where
    masked_fill unfold im2col col2im pixel_shuffle pixel_unshuffle channel_shuffle movedim swapaxes
    numpy_T matrix_H lift_fresh_copy view_as reshape_as ravel dropout add sub rsub mul div
    true_divide neg pow square sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos
    tan sinh cosh tanh asinh atan erf erfc lgamma digamma addcmul addcdiv lerp logaddexp logaddexp2
    sigmoid log_sigmoid softplus silu gelu mish softmax _softmax log_softmax _log_softmax logsumexp
    cumsum sum mean var std prod dot mv mm bmm matmul addmm addmv baddbmm outer einsum tensordot
    linear bilinear conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d avg_pool1d
    avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d
    adaptive_avg_pool3d upsample_nearest2d upsample_bilinear2d layer_norm native_layer_norm
    group_norm native_group_norm instance_norm rms_norm batch_norm
    _native_batch_norm_legit_no_training embedding cross_entropy_loss nll_loss nll_loss_nd
    nll_loss_forward mse_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div
    soft_margin_loss poisson_nll_loss glu feature_dropout alpha_dropout feature_alpha_dropout
""")
_KINKED = _names("""
    relu relu6 leaky_relu prelu hardtanh hardsigmoid hardshrink softshrink threshold rrelu abs
    max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices
    max_pool3d_with_indices adaptive_max_pool1d adaptive_max_pool2d fractional_max_pool2d max min
    amax amin maximum minimum fmax fmin clamp clamp_min clamp_max clip topk sort median l1_loss
    hinge_embedding_loss margin_ranking_loss multi_margin_loss triplet_margin_loss
""")
_BENT = _names("elu celu selu hardswish softsign smooth_l1_loss huber_loss")
_STEPS = _names("""
    round floor ceil trunc frac sign sgn heaviside argmax argmin eq ne lt le gt ge logical_and
    logical_or logical_not isfinite isnan one_hot remainder fmod
""")
_RANDOM = _names("""
    native_dropout bernoulli rand rand_like
    randn randn_like randint randint_like randperm normal normal_functional uniform multinomial
    poisson exponential rrelu_with_noise geometric cauchy log_normal
""")
_CONSTANT = _names("""
    zeros ones full eye arange linspace zeros_like ones_like full_like new_zeros new_ones new_full
    scalar_tensor fill sym_size bitwise_and bitwise_or bitwise_not scatter
""")

_WHY = {
    **dict.fromkeys(_KINKED, "has kinks, where it has no second derivative"),
    **dict.fromkeys(_BENT, "has a second derivative that jumps"),
    **dict.fromkeys(_STEPS, "is a step, without a derivative"),
    "detach": "cuts off the derivative",
}
# where the argument is that is true in training mode
_TRAINED = {
    "batch_norm": 5,
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"), 2),
}
_KNOWN = {*_SMOOTH, *_CONSTANT, *_WHY}
_REMEDY = "use smooth parts such as Tanh, SiLU, GELU, Softplus, AvgPool2d"
# act on each number by itself, or leave all as they are
_UNIT_BY_UNIT = _names("""
    tanh sigmoid softplus silu gelu mish log_sigmoid sin cos atan asinh erf exp square flatten view
    reshape dropout clone contiguous alias
""")
_PYTHON = {"getitem": operator.getitem} | {  # on sizes
    name: getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "mod", "neg")
}
_CHECKS = ("_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range")
_NAMED = ("dtype", "memory_format", "layout")  # members of torch, by what they are


@dataclass
class Program:
    """What a module computes, in plain data.

    Values are numbered: parameters, constants, inputs, then the result of each step.

    Parameters
    ----------
    parameters : dict
        Shapes of what is free, by name.
    constants : list of ndarray
    steps : list
        ``[operation, overload, arguments, keywords]``; another value is ``{"value": number}``.
    result : int
        The value that is returned.
    """

    parameters: dict
    constants: list
    steps: list
    result: int
    _ready: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    def __getstate__(self):
        return {**self.__dict__, "_ready": {}}

    def __call__(self, parameters, *inputs):
        """The result for tensors of parameters, in their order, and inputs.

        All in the dtype and on the device of the first input.
        """
        return self._values(parameters, *inputs)[self.result]

    def _values(self, parameters, *inputs):
        constants, steps = self._on(inputs[0].device)
        values = [*parameters, *constants, *inputs]
        for call, arguments, keywords in steps:
            values.append(
                call(
                    *[_filled(a, values) for a in arguments],
                    **{name: _filled(a, values) for name, a in keywords.items()},
                )
            )
        return values

    def count(self, parameters, inputs):
        """Numbers in the results of all steps, for one of the samples."""
        values = self._values(parameters, inputs)
        total = 0
        for result, step in zip(values[len(values) - len(self.steps) :], self.steps, strict=True):
            if isinstance(result, torch.Tensor):
                total += result.numel()
            if step[0] == "conv2d":  # and the patches
                weight = values[step[2][1]["value"]]
                total += result.numel() // len(weight) * weight[0].numel()
        return total // len(inputs)

    def _on(self, device):
        if device not in self._ready:
            constants = [torch.tensor(a, device=device) for a in self.constants]
            steps = [
                (
                    _operation(name, overload),
                    [_decoded(a, device) for a in arguments],
                    {key: _decoded(a, device) for key, a in keywords.items()},
                )
                for name, overload, arguments, keywords in self.steps
            ]
            self._ready[device] = constants, steps
        return self._ready[device]

    def last_linear(self):
        """Names of weight and bias, or None, of the linear layer that ends it; None without."""
        at = self.result - len(self.parameters) - len(self.constants) - 1
        if at < 0 or self.steps[at][0] != "linear":
            return None
        names, last = list(self.parameters), self.steps[at]
        found = []
        for argument in last[2][1:]:
            number = argument["value"] if argument is not None else None
            uses = json.dumps(self.steps).count(json.dumps({"value": number}))
            if number is not None and (number >= len(names) or uses != 1):
                return None
            found.append(None if number is None else names[number])
        return (*found, None)[:2]

    def linear_stack(self):
        """Numbers of weight and bias, or None, of its linear layers where it has no others.

        Each acts on the result of the one before, unit by unit between them; None where
        something else is done.
        """
        found, n_units = [], None
        before = len(self.parameters) + len(self.constants)  # the inputs
        for at, (name, _, arguments, _) in enumerate(self.steps, start=before + 1):
            if not arguments or arguments[0] != {"value": before}:
                return None
            if name == "linear":
                weight, bias = ([a and a["value"] for a in arguments[1:]] + [None])[:2]
                n_out, n_in = self._shape(weight)
                if n_units not in (None, n_in):  # of a reshaped result
                    return None
                n_units = n_out
                found.append((weight, bias))
            elif name not in _UNIT_BY_UNIT or any(isinstance(a, dict) for a in arguments[1:]):
                return None
            before = at
        return found if found and before == self.result else None

    def _shape(self, number):
        shapes = [*self.parameters.values(), *(a.shape for a in self.constants)]
        return shapes[number]

    def as_text(self):
        """All but the constants, as JSON."""
        return json.dumps(
            {"parameters": self.parameters, "steps": self.steps, "result": self.result}
        )

    @classmethod
    def from_text(cls, text, constants):
        """What `as_text` wrote.

        Raises
        ------
        InputError
            If it is damaged, or holds what is no known operation.
        """
        try:
            found = json.loads(text)
            program = cls(found["parameters"], constants, found["steps"], found["result"])
            program._on(torch.device("cpu"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"the program of a module is damaged: {error}") from None
        return program


def trace(module, what, inputs, free_inputs=False):
    """The `Program` of a module, all of whose operations on what is free are smooth.

    Parameters
    ----------
    module : torch.nn.Module
        In float64, on the CPU.
    what : str
        Its name in messages.
    inputs : tuple of Tensor
        Of some samples; any number may follow.
    free_inputs : bool
        Whether the first input, too, is free to vary.

    Raises
    ------
    InputError
        That names what is not smooth, random, in another precision, or cannot be traced.
    """
    exported = _export(module, what, inputs)
    _refuse(exported, what, free_inputs)
    if any(_mutates(node) for node in exported.graph_module.graph.nodes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = exported.run_decompositions({})
        _refuse(exported, what, free_inputs)
    return _program(module, exported, what)


def _export(module, what, inputs):
    # torch.export imports for seconds and warns of its own future
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        from torch.export import Dim, export

        samples = Dim("samples", min=2)
        try:
            return export(
                module, inputs, dynamic_shapes=tuple({0: samples} for _ in inputs), strict=False
            )
        except Exception as error:  # whatever the user's code does
            if "Constraints violated" in str(error):
                raise InputError(
                    f"{what} fixes the number of samples as it is traced: it must take any number"
                ) from error
            lines = str(error).strip().splitlines() or [""]
            raise InputError(
                f"{what} cannot be traced by torch.export ({type(error).__name__}: {lines[0]})"
            ) from error


def _name(node):
    target = node.target
    if isinstance(target, torch._ops.OpOverload) and target.namespace == "aten":
        return target._schema.name.removeprefix("aten::")
    if target in _PYTHON.values():
        return next(name for name, call in _PYTHON.items() if call is target)
    return None


def _plain(name):
    """Without the underscore of an operation in place."""
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def _mutates(node):
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _steps_of(exported):
    nodes = [n for n in exported.graph_module.graph.nodes if n.op == "call_function"]
    return [node for node in nodes if _name(node) not in _CHECKS]


def _refuse(exported, what, free_inputs):
    signature = exported.graph_signature
    free = set(signature.inputs_to_parameters)
    if free_inputs:
        free.add(signature.user_inputs[0])
    for node in exported.graph_module.graph.nodes:
        if node.op in ("get_attr", "call_module", "call_method"):
            raise InputError(f"{what} holds a part that torch.export leaves as a whole: {node}")
    moving = {n for n in exported.graph_module.graph.nodes if n.name in free}
    for node in _steps_of(exported):
        where, name = _where(node, what), _name(node)
        if name is None:
            raise InputError(f"{where} uses {node.target}, which is no operation of torch itself")
        name = _plain(name)
        trained = name in _TRAINED and _flag(node, _TRAINED[name])
        if name == "batch_norm" and trained:
            raise InputError(
                f"{where} is batch norm in training mode, where the loss of a sample depends on "
                "the others: call module.eval() first"
            )
        if name in _RANDOM or trained:
            raise InputError(
                f"{where} draws random numbers ({name}), so that the loss is no function of the "
                "parameters: take it out, or call module.eval() first"
            )
        if node.target not in _PYTHON.values() and name not in _KNOWN:
            raise InputError(f"{where} uses {name}, which is not known to be smooth: {_REMEDY}")
        if moving.isdisjoint(node.all_input_nodes):
            continue
        value = node.meta.get("val")
        if not any(isinstance(v, torch.Tensor) for v in _listed(value)):
            continue  # a size
        if name in _WHY:
            raise InputError(f"{where} uses {name}, which {_WHY[name]}: {_REMEDY}")
        for v in _listed(value):
            if isinstance(v, torch.Tensor) and v.dtype != torch.float64:
                raise InputError(f"{where} works in {v.dtype} ({name}): all must be float64")
        moving.add(node)
    if signature.buffers_to_mutate:
        name = next(iter(signature.buffers_to_mutate.values()))
        raise InputError(f"{what} changes its buffer {name!r} as it runs: call module.eval() first")


def _flag(node, at):
    """The argument, true where a layer is in training mode."""
    return node.args[at] if len(node.args) > at else False


def _listed(value):
    return value if isinstance(value, list | tuple) else [value]


def _where(node, what):
    """The innermost module that a step belongs to."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    if not stack or not stack[-1][0]:
        return what
    path, kind = stack[-1]
    kind = kind if isinstance(kind, str) else kind.__name__
    return f"{what}: part {path} ({kind.rpartition('.')[2]})"


def _program(module, exported, what):
    signature, graph = exported.graph_signature, exported.graph_module.graph
    # the same tensor may go by several names
    named = dict(module.named_parameters(remove_duplicate=False))
    first = {id(p): name for name, p in module.named_parameters() if p.requires_grad}
    shapes = {name: list(named[name].shape) for name in first.values()}
    places = {name: at for at, name in enumerate(shapes)}
    numbers, constants, given = {}, [], {}
    for node in graph.nodes:
        if node.op != "placeholder":
            continue
        parameter = named.get(signature.inputs_to_parameters.get(node.name))
        if node.name in signature.user_inputs:
            given[node.name] = node
        elif parameter is not None and id(parameter) in first:
            numbers[node] = places[first[id(parameter)]]
        else:
            numbers[node] = len(shapes) + len(constants)
            constants.append(_constant(exported, signature, node).detach().numpy().copy())
    base = len(shapes) + len(constants)
    for at, name in enumerate(signature.user_inputs):
        numbers[given[name]] = base + at
    steps = []
    for node in _steps_of(exported):
        numbers[node] = base + len(signature.user_inputs) + len(steps)
        overload = "" if node.target in _PYTHON.values() else node.target._overloadname
        try:
            arguments = [_encoded(a, numbers) for a in node.args]
            keywords = {key: _encoded(a, numbers) for key, a in node.kwargs.items()}
        except TypeError as error:
            raise InputError(f"{_where(node, what)} cannot be stored: {error}") from None
        steps.append([_name(node), overload, arguments, keywords])
    (output,) = (node for node in graph.nodes if node.op == "output")
    results = [n for n in output.args[0] if getattr(n, "name", None) in signature.user_outputs]
    if len(results) != 1 or len(signature.user_outputs) != 1:
        raise InputError(f"{what} must return one tensor, not {len(signature.user_outputs)} values")
    return Program(shapes, constants, steps, numbers[results[0]])


def _constant(exported, signature, node):
    for table in (
        signature.inputs_to_parameters,
        signature.inputs_to_buffers,
        signature.inputs_to_lifted_tensor_constants,
    ):
        name = table.get(node.name)
        if name is not None:
            held = exported.state_dict.get(name)
            return exported.constants[name] if held is None else held
    raise InputError(f"torch.export leaves {node.name} without a value")


def _encoded(value, numbers):
    if isinstance(value, torch.fx.Node):
        return {"value": numbers[value]}
    if isinstance(value, list | tuple):
        return [_encoded(v, numbers) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.device):
        return {"device": None}  # wherever it will run
    for kind in _NAMED:
        if isinstance(value, getattr(torch, kind)):
            return {kind: str(value).removeprefix("torch.")}
    raise TypeError(f"an argument {value!r}")


@dataclass(frozen=True)
class _Value:
    number: int


def _decoded(value, device):
    if isinstance(value, list):
        return [_decoded(v, device) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "value":
        return _Value(held)
    if kind == "device":
        return device
    found = getattr(torch, held)
    if kind not in _NAMED or not isinstance(found, getattr(torch, kind)):
        raise ValueError(f"{held!r} is no {kind} of torch")
    return found


def _filled(argument, values):
    if type(argument) is _Value:
        return values[argument.number]
    if type(argument) is list:
        return [_filled(a, values) for a in argument]
    return argument


def _operation(name, overload):
    if not overload and name in _PYTHON:
        return _PYTHON[name]
    if _plain(name) not in _KNOWN:
        raise ValueError(f"{name!r} is no operation of a program")
    if name == "sym_size":
        return lambda x, axis: x.shape[axis]
    if (name, overload) == ("conv2d", "default"):
        return _conv2d
    if name == "softplus":
        return _softplus
    packet = getattr(torch.ops.aten, name)
    if overload not in packet.overloads():  # nothing else of the packet is an operation
        raise ValueError(f"{name!r} has no overload {overload!r}")
    return getattr(packet, overload)


def _softplus(x, beta=1.0, threshold=20.0):
    """Without the straight line beyond `threshold`, where torch's own jumps by 2e-9."""
    return -torch.nn.functional.logsigmoid(-beta * x) / beta


def _conv2d(x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """As one matrix product of all patches.

    torch's own in float64 on the CPU goes sample by sample; the Hessians of small
    networks took up to three times as long.
    """
    if groups != 1 or any(d != 1 for d in dilation) or x.device.type != "cpu" or x.ndim != 4:
        return torch.ops.aten.conv2d.default(x, weight, bias, stride, padding, dilation, groups)
    if any(padding):
        x = torch.nn.functional.pad(x, (padding[-1], padding[-1], padding[0], padding[0]))
    n_out, _, height, width = weight.shape
    patches = x.unfold(2, height, stride[0]).unfold(3, width, stride[-1])
    n, _, rows, columns, _, _ = patches.shape
    patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(n * rows * columns, -1)
    f = patches @ weight.reshape(n_out, -1).T
    f = f if bias is None else f + bias
    return f.view(n, rows, columns, n_out).permute(0, 3, 1, 2)


def double_copy(module):
    """A copy in float64 on the CPU; the module itself stays as it is."""
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"the module must be a torch.nn.Module, not {type(module).__name__}")
    for name, p in [*module.named_parameters(), *module.named_buffers()]:
        if isinstance(p, torch.nn.parameter.UninitializedTensorMixin):
            raise InputError(f"{name} has no shape yet: run the lazy module once first")
        if p.is_complex():
            raise InputError(f"{name} is complex: parameters must be real")
    try:
        return deepcopy(module).cpu().double()
    except Exception as error:  # whatever the user's class does
        raise InputError(f"the module cannot be copied ({type(error).__name__}: {error})") from None
