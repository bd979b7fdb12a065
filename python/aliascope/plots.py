"""Plots of results with matplotlib, on axes to restyle. The command's own figures are in `Result.figures`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .comparison import Comparison
    from .results import (
        AntialiasResult,
        HarmonicsResult,
        LayersResult,
        LeeResult,
        MetricsResult,
        NodeTheoremResult,
        TheoremResult,
    )

LEE = r"LEE, $E\|L\|^2/\dim$"
# Every class of layers has its colour in all figures.
CLASSES = (
    "convolution", "strided-convolution", "pooling", "nonlinearity", "attention", "token-mixing", "normalisation",
    "patch-embedding", "positional-embedding", "resampling", "misalignment", "head", "softmax", "other",
)  # fmt: skip
SCALES = {
    "share": "share of the layers' errors",
    "contribution": r"contribution, $E\|J\delta\|^2/\dim$",
    "signed_share": "signed share of the error",
}


def _axes(ax: Axes | None, width: float = 6.4, height: float = 4.0) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def _dots(ax: Axes, estimates: list[dict[str, Any]], at: Any, style: dict[str, Any]) -> None:
    """Estimates with the intervals that they have."""
    values = [estimate["value"] for estimate in estimates]
    ends = [estimate["interval"] or {"low": estimate["value"], "high": estimate["value"]} for estimate in estimates]
    errors = [
        [max(value - end["low"], 0) for value, end in zip(values, ends)],
        [max(end["high"] - value, 0) for value, end in zip(values, ends)],
    ]
    ax.errorbar(values, at, xerr=errors, **{"fmt": "o", "capsize": 2, "markersize": 5, **style})


def _by_generator(ax: Axes, names: list[str], values: list[float]) -> Axes:
    """The axis of LEE, and the generators from above to below."""
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    if min(values) > 0:
        ax.set_xscale("log")
    ax.set_xlabel(LEE)
    ax.grid(axis="x", alpha=0.3)
    return ax


def lee(result: LeeResult, ax: Axes | None, **style: Any) -> Axes:
    names = list(result.lee)
    ax = _axes(ax, height=1.2 + 0.3 * len(names))
    _dots(ax, [entry["summary"]["mean"] for entry in result.report["generators"].values()], range(len(names)), style)
    return _by_generator(ax, names, list(result.lee.values()))


def comparison(result: Comparison, ax: Axes | None, **style: Any) -> Axes:
    networks = result.report["networks"]
    names = list(networks[0]["generators"])
    ax = _axes(ax, height=1.4 + 0.1 * (2 + len(networks)) * len(names))
    step = 0.6 / max(len(networks), 2)
    for number, network in enumerate(networks):
        places = [at + (number - (len(networks) - 1) / 2) * step for at in range(len(names))]
        estimates = [network["generators"][name]["lee"] for name in names]
        _dots(ax, estimates, places, {"markersize": 4, "label": network["name"], **style})
    _by_generator(ax, names, [lee for by_generator in result.lee.values() for lee in by_generator.values()])
    ax.legend(loc="best", fontsize="small")
    return ax


def layers(result: LayersResult, ax: Axes | None, scale: str, top: int | None, **style: Any) -> Axes:
    if scale not in SCALES:
        raise UsageError(f"scale is {scale!r}; known are {', '.join(SCALES)}")
    table = result.table
    one = (table["generator"] == table["generator"].iloc[0]) & (table["derivative"] == table["derivative"].iloc[0])
    table = table[one].reset_index(drop=True)
    if top is not None:
        table = table.nlargest(top, "contribution").sort_index()
    ax = _axes(ax, width=min(4 + 0.14 * len(table), 14))
    from matplotlib import colormaps

    colours = colormaps["tab20"]
    for kind in dict.fromkeys(table["class"]):
        # A class that is not known here is "other" in looks, by its own name in the legend.
        number = CLASSES.index(kind) if kind in CLASSES else len(CLASSES) - 1
        part = table[table["class"] == kind]
        places = [table.index.get_loc(at) for at in part.index]
        ax.bar(places, part[scale], **{"color": colours(number), "label": kind, **style})
    ax.set_ylabel(SCALES[scale])
    ax.set_title(f"{table['generator'].iloc[0]}, from the input to the output" if len(table) else "", fontsize="medium")
    if len(table) <= 40:
        ax.set_xticks(range(len(table)), table["name"], rotation=90, fontsize="x-small")
    else:
        ax.set_xlabel("layer, in the order of the graph")
    ax.legend(fontsize="small")
    return ax


def metrics(result: MetricsResult, ax: Axes | None, **style: Any) -> Axes:
    measures = result.report["metrics"].items()
    shown = {name: entry for name, entry in measures if entry is not None and name.startswith("consistency")}
    if not shown:
        raise UsageError("this result has no consistency to draw, as the output is no vector of classes; see .table")
    ax = _axes(ax, height=1.2 + 0.35 * len(shown))
    values = [entry["value"] for entry in shown.values()]
    errors = [entry["sem"] or 0.0 for entry in shown.values()]
    ax.errorbar(values, range(len(shown)), xerr=errors, **{"fmt": "o", "capsize": 2, **style})
    ax.set_yticks(range(len(shown)), [name.removeprefix("consistency_").replace("_", " ") for name in shown])
    ax.invert_yaxis()
    ax.set_xlabel("consistency: share of shifts that leave the top-1 class")
    ax.grid(axis="x", alpha=0.3)
    return ax


def theorem(result: TheoremResult, ax: Axes | None, **style: Any) -> Axes:
    names = [name for name in ("measured", "exact", "diagonal", "paper") if result.report.get(name) is not None]
    ax = _axes(ax)
    ax.bar(names, [result.report[name] for name in names], **style)
    ax.set_ylabel("mean square of the defect of sampling")
    return ax


def node_theorem(result: NodeTheoremResult, ax: Axes | None, **style: Any) -> Axes:
    ax = _axes(ax, 5, 5)
    nodes = [node for node in result.report["nodes"] if node["predicted"] > 0 and node["measured"] > 0]
    for number, kind in enumerate(dict.fromkeys(node["kind"] for node in nodes)):
        of = [node for node in nodes if node["kind"] == kind]
        points = [node["predicted"] for node in of], [node["measured"] for node in of]
        ax.scatter(*points, **{"color": f"C{number}", "label": kind, **style})
    if nodes:
        ends = [f(node[name] for node in nodes for name in ("predicted", "measured")) for f in (min, max)]
        ax.plot(ends, ends, color="0.6", linewidth=1, zorder=0)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.legend(fontsize="small")
    ax.set_xlabel("predicted defect, mean square")
    ax.set_ylabel("measured defect, mean square")
    return ax


def harmonics(result: HarmonicsResult, ax: Axes | None, **style: Any) -> Axes:
    if "harmonics" not in result.report:
        raise UsageError("of a photo there is the command's own figure alone, .svg; give frequency= for a cosine")
    ax = _axes(ax)
    nyquist = result.report["grid"] / 2
    # Harmonics that are not there would only stretch the axis down to rounding.
    strongest = max(entry["magnitude"] for entry in result.report["harmonics"])
    present = [entry for entry in result.report["harmonics"] if entry["magnitude"] > 1e-9 * strongest]
    for number, (label, folds) in enumerate((("kept", False), ("folds", True))):
        part = [entry for entry in present if (abs(entry["frequency"]) >= nyquist) == folds]
        if part:
            points = [entry["frequency"] for entry in part], [entry["magnitude"] for entry in part]
            ax.stem(
                *points,
                **{"linefmt": f"C{number}-", "markerfmt": f"C{number}o", "basefmt": " ", "label": label, **style},
            )
    ax.axvline(nyquist, color="0.6", linewidth=1, linestyle="--")
    ax.set_yscale("log")
    ax.set_xlabel("frequency, cycles per unit length (dashed: Nyquist)")
    ax.set_ylabel("magnitude")
    ax.legend(fontsize="small")
    return ax


def antialias(result: AntialiasResult, ax: Axes | None, **style: Any) -> Axes:
    paired = result.paired
    ax = _axes(ax, height=1.4 + 0.35 * len(paired))
    for at, (_, row) in enumerate(paired.iterrows()):
        ax.plot([row["before"], row["after"]], [at, at], color="0.7", linewidth=1, zorder=0)
    for number, name in enumerate(("before", "after")):
        ax.plot(
            paired[name],
            range(len(paired)),
            **{"marker": "o", "linestyle": "", "color": f"C{number}", "label": name, **style},
        )
    _by_generator(ax, list(paired.index), [*paired["before"], *paired["after"]])
    ax.legend(fontsize="small")
    return ax
