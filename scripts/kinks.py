"""Whether kinks account for the distance of a derivative in single precision from that in double precision.

The derivative of ReLU jumps at 0. Where rounding puts an input of it on the other side of 0, the network's derivative
is that of a neighbouring piece of the network, which is as right, and far from the first by what that one unit passes
on. So the two precisions are compared on the same piece, and which piece that is, is read from the run itself:

1. The ONNX file gets one output more than the network has: beside the logits, the inputs of all nodes with kinks
   (`probe`). The run that gives the derivatives thereby also tells on which side of each kink it was.
2. A unit is *crossed* where that is not the side of PyTorch's double precision; for a maximum over a window, where
   another entry is the largest. PyTorch's double precision is computed anew with exactly those units on their other
   side (`crossed`, `derivatives`), and what is left between the two must be rounding too.
3. Only rounding may cross: at each of these inputs the run must be as close to double precision as PyTorch's single
   precision is, up to a factor (`REACH`). That also shows that the inputs of one were taken for those of the other.

Nothing is searched or fitted, so a wrong operator, an inexact sum or a wrong tangent is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode

functional = torch.nn.functional
# The largest errors of two programs that sum in other orders are of a size, and not the same: a few times is rounding.
REACH = 4.0
PROBE = "aliascope_probe"


class Unmatched(Exception):
    """A run's values cannot be set beside PyTorch's; the message is one sentence that says where."""


# --- Where functions have kinks ---------------------------------------------------------------------------------------


def _bounds(low: float | None = None, high: float | None = None) -> list[tuple[float, float]]:
    return [(at, jump) for at, jump in ((low, 1.0), (high, -1.0)) if at is not None]


def _relu(*_: Any, **__: Any) -> list[tuple[float, float]]:
    return _bounds(0.0)


def _clamp(input: Any, min: float | None = None, max: float | None = None) -> list[tuple[float, float]]:  # noqa: A002
    return _bounds(min, max)


# For each function: the ONNX operator that it becomes, and of its arguments the kinks, and by how much the derivative
# is larger on their right.
ELEMENTWISE: dict[Callable[..., Any], tuple[str, Callable[..., list[tuple[float, float]]]]] = {
    functional.relu: ("Relu", _relu),
    torch.relu: ("Relu", _relu),
    torch.relu_: ("Relu", _relu),
    torch.Tensor.relu: ("Relu", _relu),
    torch.Tensor.relu_: ("Relu", _relu),
    functional.relu6: ("Clip", lambda *a, **k: _bounds(0.0, 6.0)),
    functional.hardtanh: ("Clip", lambda input, min_val=-1.0, max_val=1.0, inplace=False: _bounds(min_val, max_val)),
    functional.leaky_relu: (
        "LeakyRelu",
        lambda input, negative_slope=0.01, inplace=False: [(0.0, 1.0 - negative_slope)],
    ),
    functional.hardswish: ("HardSwish", lambda *a, **k: [(-3.0, -0.5), (3.0, -0.5)]),
    functional.hardsigmoid: ("HardSigmoid", lambda *a, **k: [(-3.0, 1 / 6), (3.0, -1 / 6)]),
    torch.clamp: ("Clip", _clamp),
    torch.Tensor.clamp: ("Clip", _clamp),
    torch.Tensor.clamp_: ("Clip", _clamp),
}
MAX_POOL = (functional.max_pool2d, torch.max_pool2d)


@dataclass
class Call:
    """A call of a function with kinks, on the input `x`."""

    function: Callable[..., Any]
    x: torch.Tensor
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    @property
    def operator(self) -> str:
        return "MaxPool" if self.function in MAX_POOL else ELEMENTWISE[self.function][0]

    def kinks(self) -> list[tuple[float, float]]:
        """Of an elementwise function, where they are, and by how much the derivative is larger on their right."""
        if self.function in MAX_POOL:
            return []
        return ELEMENTWISE[self.function][1](self.x, *self.arguments, **self.options)

    def largest(self, x: torch.Tensor) -> torch.Tensor:
        """For a maximum over windows, with `x` in place of the call's own input: the index of the largest in each."""
        _, places = functional.max_pool2d_with_indices(x, *self.arguments, **self.options)
        rows, columns = x.shape[-2:]
        planes = torch.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], 1, 1)
        return (planes * rows * columns + places).flatten()


class Watched(TorchFunctionMode):
    """Calls `visit(site, call, y)` at each function with kinks, whose result is `y`, and goes on with its answer."""

    def __init__(self, visit: Callable[[int, Call, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.visit, self.sites = visit, 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function not in ELEMENTWISE and function not in MAX_POOL or kwargs.get("return_indices"):
            return function(*args, **kwargs)
        x = args[0] if args else kwargs["input"]
        # Functions that work in place write over their input.
        call = Call(function, x.clone(), args[1:], {k: v for k, v in kwargs.items() if k != "input"})
        y = function(*args, **kwargs)
        site, self.sites = self.sites, self.sites + 1
        return self.visit(site, call, y)


def calls(model: Any, x: torch.Tensor) -> list[Call]:
    """The calls of functions with kinks, in order."""
    seen = []

    def visit(_: int, call: Call, y: torch.Tensor) -> torch.Tensor:
        seen.append(call)
        return y

    with torch.no_grad(), Watched(visit):
        model(x)
    return seen


# --- Reading a run of aliascope ---------------------------------------------------------------------------------------


def _inputs_of(model: onnx.ModelProto, operator: str) -> list[str]:
    """The names of what nodes of this kind take in, each once, in order."""
    return list(dict.fromkeys(node.input[0] for node in model.graph.node if node.op_type == operator))


def tensors(model: onnx.ModelProto, seen: list[Call]) -> list[str]:
    """For each call, the name of the tensor that is its input in the ONNX file.

    The exporter writes nodes in the order of calls, and equal calls on the same tensor as one node. So the different
    inputs of an operator's calls and of its nodes are in the same order.
    """
    places: dict[str, dict[Any, int]] = {}
    keys = [(call.operator, (tuple(call.x.shape), call.x.numpy().tobytes())) for call in seen]
    for operator, key in keys:
        here = places.setdefault(operator, {})
        here.setdefault(key, len(here))
    names = {operator: _inputs_of(model, operator) for operator in places}
    for operator, here in places.items():
        if len(here) != len(names[operator]):
            raise Unmatched(
                f"PyTorch's calls that become {operator} have {len(here)} different inputs, and the nodes in the ONNX "
                f"file {len(names[operator])}"
            )
    return [names[operator][places[operator][key]] for operator, key in keys]


def probe(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """The network with one output: its own, and after it the tensors called `names`, each once, flattened."""
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    output = model.graph.output[0]
    parts = [output.name, *dict.fromkeys(names)]
    flat = [f"{PROBE}_{i}" for i in range(len(parts))]
    probed.graph.node.extend(onnx.helper.make_node("Flatten", [part], [to]) for part, to in zip(parts, flat))
    probed.graph.node.append(onnx.helper.make_node("Concat", flat, [PROBE], axis=1))
    del probed.graph.output[:]
    kind = output.type.tensor_type.elem_type
    probed.graph.output.append(onnx.helper.make_tensor_value_info(PROBE, kind, [1, None]))
    return probed


def read(values: np.ndarray, outputs: int, names: list[str], seen: list[Call]) -> list[torch.Tensor]:
    """The inputs of PyTorch's calls `seen`, of what `probe`'s network gave after the `outputs` entries of its own."""
    sizes = {name: call.x.numel() for name, call in zip(names, seen)}
    if outputs + sum(sizes.values()) != values.size:
        raise Unmatched(f"the probed tensors have {values.size - outputs} entries, and PyTorch's {sum(sizes.values())}")
    ends = outputs + np.cumsum(list(sizes.values()))
    pieces = dict(zip(sizes, np.split(values.reshape(-1), [outputs, *ends[:-1]])[1:]))
    return [torch.from_numpy(pieces[name]).reshape(call.x.shape) for name, call in zip(names, seen)]


# --- The same piece in double precision -------------------------------------------------------------------------------


@dataclass
class Change:
    """Adds to a function's derivative `slopes` times the tangents of the entries `sources` of its input, at `outs`."""

    outs: torch.Tensor
    sources: torch.Tensor
    slopes: torch.Tensor
    count: int = 0  # of units that are crossed by that


def change(call: Call, x: torch.Tensor) -> Change:
    """What makes of the derivative at the call's input that at `x`."""
    if call.function in MAX_POOL:
        loss, gain = call.largest(call.x), call.largest(x)
        outs = torch.nonzero(loss != gain).flatten()
        slopes = torch.ones(len(outs), dtype=torch.float64)
        return Change(outs.repeat(2), torch.cat([gain[outs], loss[outs]]), torch.cat([slopes, -slopes]), len(outs))
    places, slopes = [], []
    for at, jump in call.kinks():
        right = (x > at).flatten()
        moved = torch.nonzero(right != (call.x > at).flatten()).flatten()
        places.append(moved)
        slopes.append(torch.where(right[moved], jump, -jump).double())
    places = torch.cat(places)
    return Change(places, places, torch.cat(slopes), len(places))


def close(call: Call, reach: float) -> int:
    """How many inputs of an elementwise function are within `reach` of a kink.

    An exact 0 came out of another ReLU, and does not move unless that is crossed.
    """
    return sum(int((((call.x - at).abs() <= reach) & (call.x != 0)).sum()) for at, _ in call.kinks())


def _farthest(x: torch.Tensor, exact: torch.Tensor) -> float:
    """The largest difference; the infinities that some networks pad with are equal, and their difference is NaN."""
    return float(torch.where(x.double() == exact, 0.0, (x.double() - exact).abs()).max())


def crossed(
    exact: list[Call], single: list[Call], names: list[str], inputs: list[torch.Tensor]
) -> tuple[list[Change], dict[str, Any]]:
    """The change at each call that puts double precision on the side where a run was, and how many units that are.

    `exact` and `single` are PyTorch's calls in the two precisions, `names` tells which of them share an input, and
    `inputs` is what the run had there.
    """
    units = windows = near = 0
    rounding, seen, changes = 0.0, set(), []
    for call, rounded, name, at in zip(exact, single, names, inputs, strict=True):
        error, away = _farthest(rounded.x, call.x), _farthest(at, call.x)
        if not away <= REACH * error:
            raise Unmatched(
                f"inputs of {call.operator} ({'×'.join(map(str, call.x.shape))}) are {away:.0e} from PyTorch's double "
                f"precision, and PyTorch's single precision is {error:.0e}"
            )
        changes.append(change(call, at.double()))
        if (call.operator, name) in seen:
            continue
        seen.add((call.operator, name))
        rounding = max(rounding, away / error if error else 0.0)
        near += close(call, REACH * error)
        if call.function in MAX_POOL:
            windows += changes[-1].count
        else:
            units += changes[-1].count
    return changes, {"crossed": units, "near": near, "windows": windows, "rounding": rounding}


def derivatives(model: Any, x: torch.Tensor, tangents: list[torch.Tensor], changes: list[Change]) -> np.ndarray:
    """Of the network's output, `[tangents, outputs]`, with a change at each call of a function with kinks."""

    def visit(site: int, call: Call, y: torch.Tensor) -> torch.Tensor:
        change = changes[site]
        if not change.count:
            return y
        x = call.x.flatten()
        nothing = x - x.detach()  # adds nothing to the value, and the tangent to the derivative
        added = change.slopes * nothing[change.sources]
        return y.flatten().index_add(0, change.outs, added).view(y.shape)

    lies = []
    for tangent in tangents:
        with torch.no_grad(), forward_ad.dual_level(), Watched(visit):
            y = model(forward_ad.make_dual(x, tangent))
            lies.append(forward_ad.unpack_dual(y).tangent.flatten().numpy())
    return np.stack(lies)
