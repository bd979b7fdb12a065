"""Networks beside each other, on the same images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .calls import lee
from .errors import UsageError
from .networks import Network
from .options import Generators, LeeOptions
from .results import LeeResult

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from typing_extensions import Unpack


def compare(
    networks: Mapping[str, Network],
    images: Any,
    generators: Generators | None = None,
    *,
    exporter: str = "torchscript",
    progress: bool | None = None,
    **options: Unpack[LeeOptions],
) -> Comparison:
    """LEE of several networks on the same images; `networks` gives each a name. Other arguments are those of `lee`."""
    if not networks:
        raise UsageError('networks is a dictionary such as {"resnet": network}, with one entry at least')
    return Comparison(
        {
            name: lee(
                network,
                images,
                generators,
                vectors=False,
                figure=False,
                exporter=exporter,
                progress=progress,
                **options,
            )
            for name, network in networks.items()
        }
    )


@dataclass(frozen=True)
class Comparison:
    """LEE of several networks on the same images."""

    results: dict[str, LeeResult]
    """Each network's own result."""

    @property
    def table(self) -> pd.DataFrame:
        """A row per network and generator, with the columns of a network's own table."""
        import pandas as pd

        tables = [result.table.assign(network=name) for name, result in self.results.items()]
        table = pd.concat(tables, ignore_index=True).rename(columns={"name": "generator"})
        return table[["network", *(column for column in table.columns if column != "network")]]

    @property
    def per_image(self) -> pd.DataFrame:
        """A row per network, image and generator."""
        import pandas as pd

        tables = [result.per_image.assign(network=name) for name, result in self.results.items()]
        table = pd.concat(tables, ignore_index=True).rename(columns={"name": "generator"})
        return table[["network", *(column for column in table.columns if column != "network")]]

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """LEE of each network, generator by generator; `style` goes to `Axes.errorbar`."""
        from . import plots

        return plots.comparison(self, ax, **style)

    def to_latex(self, path: Any = None, **options: Any) -> str:
        """LEE for LaTeX, a row per network and a column per generator; written to `path` where that is given."""
        wide = self.table.pivot(index="network", columns="generator", values="lee")
        first = next(iter(self.results.values()))
        wide = wide.loc[list(self.results), list(first.lee)]
        text = wide.to_latex(**{"float_format": "%.3g", **options})
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return text

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False, float_format=lambda value: f"{value:.3g}")

    def __repr__(self) -> str:
        return self.table.to_string(index=False, float_format=lambda value: f"{value:.3g}")
