"""What the calls return: the command's own results, with its rows as tables, its figures, and plots to restyle."""

from __future__ import annotations

import contextlib
import csv
import html
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .command import Done

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

WORDS = frozenset(
    {"class", "derivative", "design", "family", "form", "generator", "image", "kind", "measure", "module", "name"}
    | {"model", "network", "op", "quantity", "sha256"}
)
"""Columns of names, which stay words where they are made of digits, as those of a `torch.nn.Sequential` are."""

SHOWN = 20
"""Rows of a table that a notebook shows."""


class Result:
    """A result of the command.

    In a notebook it shows its table and its figure.
    """

    report: dict[str, Any]
    """The command's JSON, with every number to the last bit; the guide says what its fields are."""
    notes: list[str]
    """What was assumed, left out, or has to be known to read the numbers."""
    figures: dict[str, bytes]
    """The command's own figures by name, SVG or PNG; the main one is ``""``. Empty after ``figure=False``."""
    command: list[str]
    """The command line that was run."""

    def __init__(self, done: Done) -> None:
        self.report = done.report
        self.notes = done.notes
        self.figures = done.figures
        self.command = done.arguments
        self._rows = done.rows

    @property
    def table(self) -> pd.DataFrame:
        """The rows of the command's ``--csv``, with the same columns."""
        return _frame(self._rows)

    @property
    def schema_version(self) -> int:
        """The version of the report's schema."""
        return int(self.report["schema_version"])

    @property
    def provenance(self) -> dict[str, Any]:
        """What computed the result, of what, and how: versions, hashes, images, derivative, boundary, grid, units."""
        return dict(self.report.get("run", {}))

    @property
    def svg(self) -> str:
        """The command's own figure."""
        if "" not in self.figures:
            raise ValueError("there is no figure of this result; leave figure=False out of the call")
        return self.figures[""].decode("utf-8")

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draws the result with matplotlib; `style` goes to the artists. Gives the axes, to restyle them."""
        raise NotImplementedError

    def to_latex(self, path: Any = None, **options: Any) -> str:
        """The table for LaTeX, by pandas (needs jinja2), which `options` go to; written to `path` where that is
        given."""
        return self._latex(self.table, path, options)

    def _latex(self, table: pd.DataFrame, path: Any, options: dict[str, Any]) -> str:
        text: str = table.to_latex(index=False, **{"float_format": "%.3g", **options})
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return text

    def _headline(self) -> str:
        return type(self).__name__

    def _shown(self) -> pd.DataFrame:
        """What of the table is shown by itself."""
        return self.table

    def __repr__(self) -> str:
        lines = [self._headline(), self._shown().to_string(index=False, max_rows=SHOWN, float_format=_number)]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        table = self._shown().to_html(index=False, max_rows=SHOWN, float_format=_number)
        notes = "".join(f"<p>note: {html.escape(note)}</p>" for note in self.notes)
        figure = f'<div style="max-width:60em">{self.svg}</div>' if "" in self.figures else ""
        return f"<p>{html.escape(self._headline())}</p>{table}{notes}{figure}"


class NetworkResult(Result):
    """A result on a network and images."""

    @property
    def images(self) -> list[str]:
        """The images' names, in the order of all values by image."""
        return list(self.report["run"]["images"]["names"])

    @property
    def skipped(self) -> list[dict[str, str]]:
        """Images that could not be read, each with the reason; the numbers are those of the others."""
        return list(self.report["run"]["images"]["skipped"])

    def _headline(self) -> str:
        model = self.report["run"]["model"]["path"].replace("\\", "/").rpartition("/")[2]
        count = len(self.images)
        return f"{model}, {count} image{'s' if count != 1 else ''}"


class LeeResult(NetworkResult):
    """The Lie derivatives of a network: LEE = E‖L‖²/dim(output) for each generator."""

    def __init__(self, done: Done) -> None:
        super().__init__(done)
        self._vectors = done.files.get("vectors.safetensors")

    @property
    def lee(self) -> dict[str, float]:
        """LEE by generator: the mean over images."""
        return {name: entry["lee"] for name, entry in self.report["generators"].items()}

    @property
    def sem(self) -> dict[str, float | None]:
        """Its standard error over images; None for a single image."""
        return {name: entry["sem"] for name, entry in self.report["generators"].items()}

    @property
    def geometric_mean(self) -> dict[str, float | None]:
        """The geometric mean of LEE over images by generator, which a few images do not decide; None where it is not
        defined. Its interval of 95 % is in the table.
        """
        summaries = {name: entry["summary"]["geometric_mean"] for name, entry in self.report["generators"].items()}
        return {name: None if summary is None else summary["value"] for name, summary in summaries.items()}

    @property
    def horizon(self) -> float | None:
        """The largest shift in pixels up to which the linear answer holds within a factor of 2, if that is known."""
        horizon = self.report.get("horizon")
        return None if horizon is None else horizon["pixels"]

    @property
    def per_image(self) -> pd.DataFrame:
        """One row per image and generator, with the columns of the command's ``--csv --per-image``."""
        import pandas as pd

        names, predicted = self.images, self.report.get("predicted")
        rows = [
            {
                "image": image,
                "name": name,
                **{of: values[at] for of, values in entry["by_image"].items() if len(values) == len(names)},
                "predicted": None if predicted is None else predicted[at],
            }
            for at, image in enumerate(names)
            for name, entry in self.report["generators"].items()
        ]
        return pd.DataFrame(rows)

    @property
    def vectors(self) -> Mapping[str, NDArray[Any]]:
        """The Lie derivatives L themselves by generator, ``[N, outputs…]``, in the run's precision."""
        return {name[len("lie/") :]: value for name, value in self._tensors().items() if name.startswith("lie/")}

    @property
    def value(self) -> NDArray[Any]:
        """The measured function's values, ``[N, outputs…]``."""
        return self._tensors()["value"]

    def _tensors(self) -> dict[str, NDArray[Any]]:
        if self._vectors is None:
            raise ValueError("the vectors were not kept; leave vectors=False out of the call")
        from safetensors.numpy import load

        return load(self._vectors)

    @property
    def gram(self) -> pd.DataFrame:
        """G_ij = E⟨L_i, L_j⟩/dim(output) of the generators that were swept; its diagonal is their LEE."""
        import pandas as pd

        gram = self.report["gram"]
        return pd.DataFrame(gram["matrix"], index=gram["order"], columns=gram["order"])

    @property
    def accuracy(self) -> float | None:
        """The share of images whose class the network gives the largest score; None without labels."""
        accuracy = self.report.get("accuracy")
        return None if accuracy is None else float(accuracy["top1"])

    @property
    def predicted(self) -> list[int] | None:
        """The class with the largest score, image by image, from 0; None where the output is no vector of classes."""
        return self.report.get("predicted")

    def _shown(self) -> pd.DataFrame:
        names = ["name", "geometric_mean", "geometric_mean_low", "geometric_mean_high", "lee", "sem", "relative"]
        table = self.table
        return table[[name for name in names if name in table]]

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """LEE of each generator with its interval of 95 %, on a logarithmic axis; `style` goes to `Axes.errorbar`."""
        from . import plots

        return plots.lee(self, ax, **style)


class LayersResult(NetworkResult):
    """The equivariance error of a network, attributed to its layers."""

    @property
    def attributions(self) -> list[dict[str, Any]]:
        """The part of the report of each generator and derivative."""
        return list(self.report.get("attributions") or [self.report])

    @property
    def table(self) -> pd.DataFrame:
        """The rows of the command's ``--csv``, and `share`: a layer's contribution over the sum of all layers'."""
        table = super().table
        if "share" not in table:
            total = table.groupby(["generator", "derivative"])["contribution"].transform("sum")
            behind = list(table.columns).index("contribution") + 1
            table.insert(behind, "share", table["contribution"] / total)
        return table

    @property
    def residual(self) -> float:
        """How far the layers' errors are from adding up to the network's, relative; the largest of several
        attributions.

        ‖Σ J δ − L‖ over all images, over the size of what cancels in it: a few roundings, or the call fails.
        """
        return max(float(part["conservation_residual"]) for part in self.attributions)

    @property
    def lee(self) -> dict[str, float]:
        """LEE by generator: what the layers' errors add up to as vectors. Of several derivatives the first."""
        return {part["generator"]: part["lee"] for part in reversed(self.attributions)}

    @property
    def by_type(self) -> pd.DataFrame:
        """Contributions summed by class of layer; a row per generator, derivative and class."""
        import pandas as pd

        return pd.DataFrame(
            {"generator": part["generator"], "derivative": part["derivative"], "class": kind, **sums}
            for part in self.attributions
            for kind, sums in part["by_type"].items()
        )

    @property
    def per_image(self) -> pd.DataFrame:
        """One row per image, layer, generator and derivative: `contribution`, and the image's own `lee`."""
        import pandas as pd

        return pd.DataFrame(
            {
                "image": image,
                "generator": part["generator"],
                "derivative": part["derivative"],
                "name": layer["name"],
                "class": layer["class"],
                "contribution": layer["by_image"][at],
                "lee": part["lee_by_image"][at],
            }
            for part in self.attributions
            for layer in part["layers"]
            for at, image in enumerate(self.images)
        )

    def plot(self, ax: Axes | None = None, scale: str = "share", top: int | None = None, **style: Any) -> Axes:
        """Each layer's error along the depth of the network; `style` goes to `Axes.bar`.

        `scale` is `share`, `contribution` or `signed_share`; `top` shows so many layers alone, those with the most.
        """
        from . import plots

        return plots.layers(self, ax, scale, top, **style)

    def _shown(self) -> pd.DataFrame:
        table = self.table.sort_values("contribution", ascending=False, kind="stable")
        names = ["name", "class", "contribution", "sem", "share", "signed_share", "removal_gain"]
        names += ["aliasing", "kernel", "boundary"]
        several = [name for name in ("generator", "derivative") if table[name].nunique() > 1]
        return table[several + [name for name in names if name in table and not table[name].isna().all()]]

    def _headline(self) -> str:
        return f"{super()._headline()}: the layers add up to the whole within {self.residual:.1e}"


class MetricsResult(NetworkResult):
    """Discrete equivariance, consistency and invariance of a network under shifts and rotations."""

    @property
    def values(self) -> dict[str, float]:
        """The measures that this network and these images have."""
        measures = self.report["metrics"].items()
        return {name: entry["value"] for name, entry in measures if entry is not None and entry["value"] is not None}

    @property
    def missing(self) -> dict[str, str]:
        """Measures that this network or these images do not allow, and why."""
        return {entry["metric"]: entry["reason"] for entry in self.report["missing"]}

    @property
    def per_image(self) -> pd.DataFrame:
        """One row per image, one column per measure; missing where the image does not allow it."""
        import pandas as pd

        measures = {name: entry["by_image"] for name, entry in self.report["metrics"].items() if entry is not None}
        return pd.DataFrame({"image": self.images, **measures})

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """The consistencies, shares of unchanged classes, with their standard errors; `style` goes to
        `Axes.errorbar`."""
        from . import plots

        return plots.metrics(self, ax, **style)


class TheoremResult(Result):
    """The aliasing theorem on a field: its exact, diagonal and printed form beside the measured defect."""

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """The forms of the theorem beside what is measured; `style` goes to `Axes.bar`."""
        from . import plots

        return plots.theorem(self, ax, **style)


class NodeTheoremResult(NetworkResult):
    """The aliasing theorem on the nodes of a network: predicted and measured defect of each."""

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Measured against predicted defect, a point per node; `style` goes to `Axes.scatter`."""
        from . import plots

        return plots.node_theorem(self, ax, **style)


class HarmonicsResult(Result):
    """The harmonics that a nonlinearity makes of a cosine, and where sampling folds each one."""

    @property
    def aliased_fraction(self) -> float:
        """The share of the harmonics' power at or above the last grid's Nyquist frequency."""
        return float(self.report["aliased_fraction"])

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """The harmonics' magnitudes by frequency, those that fold in another colour; `style` goes to `Axes.stem`."""
        from . import plots

        return plots.harmonics(self, ax, **style)


class AntialiasResult(NetworkResult):
    """A network before and after anti-aliasing designs were put into it."""

    def __init__(self, done: Done) -> None:
        super().__init__(done)
        self._model = done.files["model.onnx"]

    @property
    def model(self) -> Any:
        """The rewritten network, an `onnx.ModelProto`: every call here takes it, and ONNX Runtime runs its bytes."""
        import onnx

        return onnx.load_from_string(self._model)

    def save(self, path: Any) -> None:
        """Writes the rewritten network as an ONNX file."""
        with open(path, "wb") as file:
            file.write(self._model)

    @property
    def paired(self) -> pd.DataFrame:
        """LEE before and after by generator, and the mean of the differences over images, each with its standard
        error."""
        import pandas as pd

        rows = {
            name: {key: value for key, value in entry.items() if key != "by_image"}
            for name, entry in self.report["generators"].items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("generator")

    @property
    def insertions(self) -> pd.DataFrame:
        """Which design was put where."""
        import pandas as pd

        return pd.DataFrame(self.report["insertions"])

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """LEE before and after by generator; `style` goes to `Axes.plot`."""
        from . import plots

        return plots.antialias(self, ax, **style)


def _frame(rows: str) -> pd.DataFrame:
    """The command's CSV as a table: numbers to the last bit, which pandas' own reader does not promise."""
    import pandas as pd

    names, *lines = csv.reader(io.StringIO(rows))
    columns = {name: [line[at] for line in lines] for at, name in enumerate(names)}
    return pd.DataFrame({name: cells if name in WORDS else _column(cells) for name, cells in columns.items()})


def _column(cells: list[str]) -> Sequence[Any]:
    """Whole numbers, numbers, or words; an empty cell is a missing number, or no word."""
    if "" not in cells:
        with contextlib.suppress(ValueError):
            return [int(cell) for cell in cells]
    with contextlib.suppress(ValueError):
        return [float(cell or "nan") for cell in cells]
    return cells


def _number(value: float) -> str:
    return f"{value:.3g}"
