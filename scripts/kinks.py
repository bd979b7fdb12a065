"""Whether kinks account for the distance of a derivative in single precision from that in double precision.

The derivative of ReLU jumps at 0. Where rounding puts an input of it on the other side of 0, the network's derivative is
that of a neighbouring piece of the network, which is as right, and far from the first by what that one unit passes on.
So the two precisions are compared on the same piece: PyTorch's double precision is told to take the other side at units
that rounding leaves *undecided*, and the question is whether there is a choice of sides that makes what is left no
larger than the limit for networks without kinks. A wrong operator, an inexact sum or a wrong tangent is no such choice.

1. A unit is undecided where its input is as close to the kink as the largest difference of PyTorch's single from its
   double precision among all inputs of that operator, or twice or four times that where the smaller reach is not
   enough (`REACHES`). For a maximum over a window the distance is that of two entries.
2. What crossing at one unit does to the derivatives is, to first order, its tangent times the network's derivative by
   its output: forward mode gives the one, backward passes of random projections of the output the other.
3. Least squares, or where units are many a choice one by one, find which units were crossed; the derivatives are computed anew with those crossed, exactly, and 2 is
   repeated from there for what the crossings do to one another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.autograd.forward_ad as forward_ad
from torch.overrides import TorchFunctionMode

functional = torch.nn.functional
REACHES = (1.0, 2.0, 4.0)
ROUNDS = 6
PROJECTIONS = 32
LIFT = 1e-30


# --- Where functions have kinks ---------------------------------------------------------------------------------------


def _bounds(low: float | None = None, high: float | None = None) -> list[tuple[float, float]]:
    return [(at, jump) for at, jump in ((low, 1.0), (high, -1.0)) if at is not None]


def _clamp(input: Any, min: float | None = None, max: float | None = None) -> list[tuple[float, float]]:  # noqa: A002
    return _bounds(min, max)


# For each function, of its arguments: the kinks, and by how much the derivative is larger on their right.
ELEMENTWISE: dict[Callable[..., Any], Callable[..., list[tuple[float, float]]]] = {
    functional.relu: lambda *a, **k: _bounds(0.0),
    torch.relu: lambda *a, **k: _bounds(0.0),
    torch.relu_: lambda *a, **k: _bounds(0.0),
    torch.Tensor.relu: lambda *a, **k: _bounds(0.0),
    torch.Tensor.relu_: lambda *a, **k: _bounds(0.0),
    functional.relu6: lambda *a, **k: _bounds(0.0, 6.0),
    functional.hardtanh: lambda input, min_val=-1.0, max_val=1.0, inplace=False: _bounds(min_val, max_val),
    functional.leaky_relu: lambda input, negative_slope=0.01, inplace=False: [(0.0, 1.0 - negative_slope)],
    functional.hardswish: lambda *a, **k: [(-3.0, -0.5), (3.0, -0.5)],
    functional.hardsigmoid: lambda *a, **k: [(-3.0, 1 / 6), (3.0, -1 / 6)],
    torch.clamp: _clamp,
    torch.Tensor.clamp: _clamp,
    torch.Tensor.clamp_: _clamp,
}
MAX_POOL = (functional.max_pool2d, torch.max_pool2d)


@dataclass
class Unit:
    """Where a network may be on either of two sides: output `out` of the call `site` takes `gain` in and `loss` out."""

    site: int
    out: int
    gain: int  # an index into the input; for elementwise functions `loss` is -1
    loss: int
    slope: float  # the change of the derivative by the input(s)
    distance: float


def _elementwise_units(site: int, x: torch.Tensor, kinks: list[tuple[float, float]], reach: float) -> list[Unit]:
    flat, units = x.flatten(), []
    for at, jump in kinks:
        # An exact 0 came out of another ReLU, and does not move.
        for i in torch.nonzero(((flat - at).abs() <= reach) & (flat != 0)).flatten().tolist():
            value = flat[i].item() - at
            units.append(Unit(site, i, i, -1, -jump if value > 0 else jump, abs(value)))
    return units


def _pool_units(site: int, x: torch.Tensor, arguments: tuple[Any, ...], options: dict[str, Any], reach: float) -> list[Unit]:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    given = dict(zip(names, arguments)) | options
    pair = lambda value: (value, value) if isinstance(value, int) else tuple(value)  # noqa: E731
    kernel = pair(given["kernel_size"])
    stride, padding = pair(given.get("stride") or kernel), pair(given.get("padding", 0))
    if pair(given.get("dilation", 1)) != (1, 1):
        return []
    y, top = functional.max_pool2d(x, kernel, stride, padding, 1, given.get("ceil_mode", False), return_indices=True)
    rows, columns = x.shape[-2:]
    planes, windows = x.shape[0] * x.shape[1], y.shape[-2] * y.shape[-1]
    # Windows that hang over the far edge see nothing there, as those that padding widens.
    over = [max((n - 1) * s + k - p - m, 0) for n, s, k, p, m in zip(y.shape[-2:], stride, kernel, padding, (rows, columns))]
    around = (padding[1], over[1], padding[0], over[0])
    places = torch.arange(rows * columns, dtype=x.dtype).reshape(1, 1, rows, columns)
    places = functional.unfold(functional.pad(places, around, value=-1.0), kernel, stride=stride)[0, :, :windows].long()
    padded = functional.pad(x.reshape(planes, 1, rows, columns), around, value=-torch.inf)
    values = functional.unfold(padded, kernel, stride=stride)[:, :, :windows]
    top = top.reshape(planes, 1, windows)
    gap = y.reshape(planes, 1, windows) - values
    # An exact 0 comes out of a ReLU and does not move; where it may, `Piece` has it above the others.
    close = (gap <= reach) & (places[None] != top) & (values != 0)
    return [
        Unit(
            site, plane * windows + window, plane * rows * columns + int(places[k, window]),
            plane * rows * columns + int(top[plane, 0, window]), 1.0, gap[plane, k, window].item(),
        )
        for plane, k, window in torch.nonzero(close).tolist()
    ]  # fmt: skip


# --- Watching and steering a run --------------------------------------------------------------------------------------


class Watched(TorchFunctionMode):
    """Calls `visit(site, function, x, arguments, options, y)` at each function with kinks, and goes on with its answer."""

    def __init__(self, visit: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.visit, self.sites = visit, 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function not in ELEMENTWISE and function not in MAX_POOL:
            return function(*args, **kwargs)
        if kwargs.get("return_indices"):
            return function(*args, **kwargs)
        x = args[0] if args else kwargs["input"]
        before = x.clone()  # functions that work in place write over it
        y = function(*args, **kwargs)
        site, self.sites = self.sites, self.sites + 1
        return self.visit(site, function, before, args[1:], kwargs, y)


def _inputs(model: Any, x: torch.Tensor) -> list[tuple[Any, torch.Tensor, Any, Any]]:
    seen = []

    def visit(site: int, function: Any, x: torch.Tensor, args: Any, options: Any, y: torch.Tensor) -> torch.Tensor:
        seen.append((function, x, args, {k: v for k, v in options.items() if k != "input"}))
        return y

    with torch.no_grad(), Watched(visit):
        model(x)
    return seen


def undecided(single: Any, x: torch.Tensor, double: Any, times: float) -> list[Unit]:
    """The units that rounding may put on either side; `single` and `double` are the same network."""
    units: list[Unit] = []
    with torch.no_grad():
        pairs = zip(_inputs(single, x.float()), _inputs(double, x.double()), strict=True)
        for site, ((_, rounded, _, _), (function, exact, args, options)) in enumerate(pairs):
            reach = times * (rounded.double() - exact).abs().max().item()
            if function in MAX_POOL:
                units += _pool_units(site, exact, args, options, reach)
            else:
                units += _elementwise_units(site, exact, ELEMENTWISE[function](exact, *args, **options), reach)
    return units


class Piece:
    """A network in double precision on the piece where the units in `crossed` are on their other side."""

    def __init__(self, model: Any, x: torch.Tensor, units: list[Unit], crossed: set[int]) -> None:
        self.model, self.x, self.units, self.crossed = model, x, units, crossed
        self.at: dict[int, list[int]] = {}
        for i, unit in enumerate(units):
            self.at.setdefault(unit.site, []).append(i)

    def _visit(self, passing: torch.Tensor | None, tangents: torch.Tensor | None) -> Callable[..., torch.Tensor]:
        def visit(site: int, _function: Any, x: torch.Tensor, _args: Any, _options: Any, y: torch.Tensor) -> torch.Tensor:
            here = self.at.get(site, [])
            if not here:
                return y
            units = [self.units[i] for i in here]
            flat, shape = x.flatten(), y.shape
            if tangents is not None:
                moved = forward_ad.unpack_dual(flat).tangent
                for i, unit in zip(here, units):
                    out = moved[unit.loss] if unit.loss >= 0 else 0.0
                    tangents[i] = unit.slope * (moved[unit.gain] - out)
            y = y.flatten()
            crossed = [unit for i, unit in zip(here, units) if i in self.crossed]
            if crossed:
                # Adds nothing to the value and the change of slope times the tangent to the derivative.
                nothing = flat - flat.detach()
                change = torch.tensor([u.slope for u in crossed], dtype=y.dtype) * nothing[[u.gain for u in crossed]]
                paired = [(k, u) for k, u in enumerate(crossed) if u.loss >= 0]
                if paired:
                    change = change.index_add(0, torch.tensor([k for k, _ in paired]), -nothing[[u.loss for _, u in paired]])
                y = y.index_add(0, torch.tensor([u.out for u in crossed]), change)
            silent = [u for u in units if u.loss < 0 and y.detach()[u.out] == 0]
            if silent:
                # A maximum over zeros is that of the unit that may not be zero, and nothing else changes.
                lifted = torch.full((len(silent),), LIFT, dtype=y.dtype)
                y = y.index_add(0, torch.tensor([u.out for u in silent]), lifted)
            if passing is not None:
                y = y.index_add(0, torch.tensor([u.out for u in units]), passing[here])
            return y.view(shape)

        return visit

    def derivatives(self, tangents: list[torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
        """Of the output, `[tangents, outputs]`, and what crossing adds to each unit's output, `[tangents, units]`."""
        lies, steps = [], []
        for tangent in tangents:
            step = torch.zeros(len(self.units), dtype=torch.float64)
            with torch.no_grad(), forward_ad.dual_level(), Watched(self._visit(None, step)):
                y = self.model(forward_ad.make_dual(self.x, tangent))
                lies.append(forward_ad.unpack_dual(y).tangent.flatten().numpy())
            steps.append(step.numpy())
        return np.stack(lies), np.stack(steps)

    def passed_on(self, projections: torch.Tensor) -> np.ndarray:
        """Projections of the output by what is added to each unit's output, `[projections, units]`."""
        passing = torch.zeros(len(self.units), dtype=torch.float64, requires_grad=True)
        with Watched(self._visit(passing, None)):
            y = self.model(self.x).flatten()
        rows = [torch.autograd.grad(row @ y, passing, retain_graph=True)[0].numpy() for row in projections]
        return np.stack(rows)


# --- The question -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _frozen(model: Any) -> Iterator[None]:
    """Backward passes need no derivatives by weights."""
    asked = [p for p in model.parameters() if p.requires_grad]
    for p in asked:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in asked:
            p.requires_grad_(True)


def explain(
    single: Any, double: Any, x: torch.Tensor, tangents: list[torch.Tensor], ours: np.ndarray, scale: np.ndarray,
    limit: float,
) -> dict[str, Any]:
    """The crossings that bring `double`'s derivatives within `limit` of `ours` `[tangents, outputs]`, and what is left.

    Differences of each derivative are measured by `scale` `[tangents]`.
    """
    x, tangents = x.double(), [t.double() for t in tangents]
    best: dict[str, Any] = {}
    with _frozen(double):
        for times in REACHES:
            units = undecided(single, x, double, times)
            found = _crossed(double, x, tangents, units, ours, scale, limit)
            if not best or found["left"] < best["left"]:
                best = found
            if best["left"] <= limit:
                break
    return best


def _chosen(system: np.ndarray, wanted: np.ndarray) -> set[int]:
    """The columns whose sum is closest to `wanted`."""
    equations, unknowns = system.shape
    if unknowns <= equations // 2:
        change, *_ = np.linalg.lstsq(system, wanted, rcond=1e-9)
        return {i for i in range(unknowns) if change[i] > 0.5}
    # More unknowns than equations, and few that matter: one by one, the one that brings the sum closest.
    chosen: set[int] = set()
    left, sizes = wanted.copy(), (system**2).sum(axis=0)
    for _ in range(unknowns):
        # |left - a|^2 - |left|^2 for each column a that may be added, and |left + a|^2 - |left|^2 for one taken back.
        signs = np.array([-1.0 if i in chosen else 1.0 for i in range(unknowns)])
        gain = sizes - 2 * signs * (left @ system)
        best = int(gain.argmin())
        if gain[best] >= -1e-12 * (wanted @ wanted):
            break
        left -= signs[best] * system[:, best]
        chosen ^= {best}
    return chosen


def _crossed(
    double: Any, x: torch.Tensor, tangents: list[torch.Tensor], units: list[Unit], ours: np.ndarray, scale: np.ndarray,
    limit: float,
) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    crossed: set[int] = set()
    best: dict[str, Any] = {}
    for _ in range(ROUNDS):
        piece = Piece(double, x, units, crossed)
        lies, steps = piece.derivatives(tangents)
        left = float((abs(ours - lies).max(axis=1) / scale).max())
        if best and left >= best["left"]:
            break
        best = {"undecided": len(units), "crossed": len(crossed), "left": left}
        if left <= limit or not units:
            break
        weights = draw.standard_normal((PROJECTIONS, lies.shape[1]))
        effects = piece.passed_on(torch.from_numpy(weights))
        system = (steps / scale[:, None])[:, None, :] * effects[None]
        system[:, :, [i in crossed for i in range(len(units))]] *= -1
        wanted = ((ours - lies) / scale[:, None]) @ weights.T
        turned = _chosen(system.reshape(-1, len(units)), wanted.reshape(-1))
        if not turned:
            break
        crossed = crossed ^ turned
    return best
