"""Networks beside each other, on the same images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from .command import Done, Folder, run
from .errors import UsageError
from .images import images as images_of
from .networks import File, Network, file_of, is_file
from .options import CompareOptions, Generators, flag, flags
from .options import generators as generators_of
from .results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from typing_extensions import Unpack


def compare(
    networks: Mapping[str, Network],
    images: Any,
    generators: Generators | None = None,
    *,
    figure: bool = True,
    exporter: str = "torchscript",
    progress: bool | None = None,
    **options: Unpack[CompareOptions],
) -> Comparison:
    """LEE of several networks on the same images, and how each differs from the first, image by image.

    `networks` gives each a name, without slashes. Other arguments are those of `lee`. A network that cannot be
    measured is left out with a warning, unless none can.
    """
    if not networks:
        raise UsageError('networks is a dictionary such as {"resnet": network}, with one entry at least')
    for name in networks:
        if not name or os.sep in name or "\0" in name:
            raise UsageError(f"{name!r} cannot be a network's name here, which names a file: leave {os.sep!r} out")
    chosen = images_of(images)
    given = chosen.options(dict(options))
    shape = given.pop("input_shape", None)

    def measured(names: Sequence[str], figure: bool) -> Done:
        line = [*generators_of(generators), *flags(given, CompareOptions, "compare"), *flag("input_shape", shape)]
        with Folder() as folder:
            models = []
            for number, name in enumerate(names):
                network = networks[name]
                own = shape if is_file(network) or shape is not None else chosen.shape()
                models.append(_link(folder, number, name, file_of(network, own, exporter)))
            arguments = ["compare", *models, *line, "--images", *chosen.write(folder)]
            return run(folder, arguments, figure=figure, progress=progress)

    return Comparison(measured(list(networks), figure), lambda names: Comparison(measured(names, False), None))


def _link(folder: Folder, number: int, name: str, model: File) -> str:
    """The path of a network's file under its name in the comparison, which results and figures call it by."""
    place = folder.path / str(number)
    place.mkdir()
    link = place / f"{name}.onnx"
    file = model.path.absolute()
    # Weights may lie beside the file, and are found there by their names.
    beside = file.parent.iterdir() if file.parent.is_dir() else ()
    for other in beside:
        if other != file:
            (place / other.name).symlink_to(other)
    if link.is_symlink():
        link.unlink()
    link.symlink_to(file)
    folder.call(link, model.name)
    return str(link)


class Comparison(Result):
    """LEE of several networks on the same images."""

    def __init__(self, done: Done, again: Callable[[Sequence[str]], Comparison] | None) -> None:
        super().__init__(done)
        self._again = again
        self._pairs: dict[tuple[str, str], Comparison] = {}

    @property
    def networks(self) -> list[str]:
        """The networks' names, in the order in which they were given."""
        return [network["name"] for network in self.report["networks"]]

    @property
    def lee(self) -> dict[str, dict[str, float]]:
        """LEE by network and generator: the mean over images."""
        return {
            network["name"]: {name: entry["lee"]["value"] for name, entry in network["generators"].items()}
            for network in self.report["networks"]
        }

    @property
    def failures(self) -> dict[str, str]:
        """Networks that could not be measured, and why."""
        return {Path(entry["network"]).stem: entry["problem"] for entry in self.report["failures"]}

    @property
    def per_image(self) -> pd.DataFrame:
        """A row per network, image and generator."""
        import pandas as pd

        return pd.DataFrame(
            {"network": network["name"], "image": image, "generator": name, "lee": entry["by_image"][at]}
            for network in self.report["networks"]
            for at, image in enumerate(network["run"]["images"]["names"])
            for name, entry in network["generators"].items()
        )

    def paired(self, network: str, reference: str, generator: str) -> dict[str, Any]:
        """How a network differs from another under a generator, image by image, with intervals.

        `ratio` is LEE(network)/LEE(reference), of geometric means and of means; `difference` is that of the means;
        `verdict` says on which side of 1 the ratio's interval lies. What varies from image to image cancels, so this is
        known far better than either LEE. Against the first network it is there already; two others are measured again.
        """
        for name in (network, reference):
            if name not in self.networks:
                raise UsageError(f"there is no network {name!r}; known are {', '.join(map(repr, self.networks))}")
        if network == reference:
            raise UsageError(f"{network!r} does not differ from itself; name two networks")
        holder = self
        if reference != self.networks[0]:
            pair = (reference, network)
            if pair not in self._pairs:
                assert self._again is not None  # it is None of a pair alone, which nobody is given
                self._pairs[pair] = self._again(pair)
            holder = self._pairs[pair]
        for difference in holder.report["differences"]:
            if difference["network"] == network and difference["generator"] == generator:
                return dict(difference)
        known = self.report["networks"][0]["generators"]
        raise UsageError(f"{generator!r} was not measured; measured are {', '.join(known)}")

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """LEE of each network with its interval, generator by generator; `style` goes to `Axes.errorbar`."""
        from . import plots

        return plots.comparison(self, ax, **style)

    def to_latex(self, path: Any = None, **options: Any) -> str:
        """LEE for LaTeX, a row per network and a column per generator; written to `path` where that is given."""
        import pandas as pd

        table = pd.DataFrame.from_dict(self.lee, orient="index").rename_axis("network").reset_index()
        return self._latex(table, path, options)

    def _headline(self) -> str:
        images = len(self.report["networks"][0]["run"]["images"]["names"])
        return f"{len(self.networks)} networks on {images} image{'s' if images != 1 else ''}"

    def _shown(self) -> pd.DataFrame:
        columns = ["network", "generator", "lee", "lee_low", "lee_high", "ratio", "ratio_low", "ratio_high", "top1"]
        table = self.table
        return table[[column for column in columns if column in table and not table[column].isna().all()]]
