"""The command's options, as keyword arguments of the same names.

An option ``--input-shape 1,3,224,224`` is the argument ``input_shape=(1, 3, 224, 224)``. What an option does is said by
``aliascope lee --help`` and in the guide.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, TypedDict, Union

from .errors import UsageError

Generators = Union[str, Sequence[str]]
"""Names of generators, combinations such as ``"rotate+0.5*saturate"``, or ``"all"``; one or several."""


class NetworkOptions(TypedDict, total=False):
    """How a network is loaded and run."""

    preprocess: str
    """How photos become input: ``imagenet``, ``half``, ``raw``, or parts such as ``mean=A/B/C,std=A/B/C``."""
    input_shape: Sequence[int]
    """The input's shape ``(1, channels, rows, columns)``: of a module that does not say so itself, or where a model
    file leaves it open."""
    at: str
    """An inner value to measure at, by the name of its node."""
    output_name: str
    """The output to measure, of a model with several."""
    layout: str
    """``nchw`` or ``nhwc``: the order of the input's axes."""
    limit: int
    """Measure on so many of the images only, drawn by ``seed``."""
    precision: str
    """``f32`` or ``f64``."""
    quantised: str
    """``refuse`` or ``straight-through``."""
    device: str
    """What the command computes on: ``cpu``, ``cuda`` or ``cuda:N``; wherever the module is."""
    threads: int
    """Threads of the command."""
    memory_format: str
    """How images lie in memory: ``auto``, ``channels-last``, ``channels-first``."""
    strict: bool
    """Fail at the first photo that cannot be read, instead of leaving it out with a warning."""
    seed: int
    """The seed of what is random."""


class MeasuringOptions(TypedDict, total=False):
    """How Lie derivatives are taken."""

    derivative: str
    """``spectral``, ``forward``, ``central`` or ``authors``."""
    boundary: str
    """``reflect`` or ``periodic``."""
    grid: str
    """``tracked`` or ``align-corners``."""
    units: str
    """The unit of t: ``half-width`` or ``pixel``."""
    output: str
    """What is measured behind the output: ``softmax``, ``identity``, …"""
    action: str
    """How the output moves: ``none``, ``image``, ``tokens``, ``boxes:FORMAT``, ``flow``."""


class LabelOptions(TypedDict, total=False):
    """The images' classes."""

    labels: Union[str, PathLike[str]]
    """``folders``, or a list of images and classes (text or CSV)."""
    first_label: int
    """What the network's first class is called there."""


class ResumeOptions(TypedDict, total=False):
    """Going on where a run was interrupted."""

    resume: bool
    """Do not measure images again that were measured when the same call was interrupted."""
    checkpoint: Union[str, PathLike[str]]
    """The file that keeps results image by image for that."""


class LeeOptions(NetworkOptions, MeasuringOptions, LabelOptions, ResumeOptions, total=False):
    """Options of `lee`."""

    no_horizon: bool
    """Leave out the horizon, up to what shift the linear answer holds: some forward passes on the first images."""
    batch: int
    """Images per sweep."""
    memory: int
    """Memory for the run, in MiB."""


class CompareOptions(NetworkOptions, MeasuringOptions, LabelOptions, total=False):
    """Options of `compare`."""

    families: Sequence[str]
    """The networks' families, in their order."""
    class_offset: Sequence[int]
    """For each network: what is added to an image's class to get the network's."""


class LayersOptions(NetworkOptions, MeasuringOptions, ResumeOptions, total=False):
    """Options of `layers`."""

    group: str
    """What a layer is: ``node``, ``module``, ``module:DEPTH`` or ``type``."""
    compare: str
    """Derivatives to compare, as ``derivative=spectral,forward``."""
    estimator: str
    """``exact``, ``probes=N``, ``auto`` or ``authors``."""
    orbit: str
    """Finite moves in the place of the derivative, as ``translate_x=1px:16``: how far, in how many steps."""
    spectrum: str
    """A node, for which the harmonics that make its defect are found."""
    no_split: bool
    """Leave out the split into aliasing, kernel, boundary and discretisation, which saves time."""
    octaves: bool
    """Split by the octave of what each node reads instead: which frequencies make a layer's error."""
    batch: int
    """Images per sweep."""
    memory: int
    """Memory for the stacks of the run, in MiB."""


class MetricsOptions(NetworkOptions, ResumeOptions, total=False):
    """Options of `metrics`."""

    draws: int
    """Random transforms per image and metric."""
    range: float
    """The width of the output's range, for PSNRs."""
    protocol: str
    """``aliascope`` or ``authors``."""
    output: str
    """What is measured behind the output."""
    batch: int
    """Moved images per forward pass."""
    memory: int
    """Memory for the run, in MiB."""
    layers: bool
    """Each layer alone, too."""


class TheoremOptions(NetworkOptions, total=False):
    """Options of `theorem`."""

    samples: Union[int, str]
    """Sample the field on this grid first: N, or ``COLUMNSxROWS``."""
    stride: Union[int, str]
    """Keep every S-th of those samples."""
    filter: str
    """The filter before the last sampling: ``none``, ``ideal``, ``binomial-3``, …"""
    velocity: Sequence[float]
    """The translation's direction and speed, to the right and down."""
    activation: str
    """A nonlinearity before the filter."""
    tolerance: float
    """When the oversampling of an activation's harmonics ends."""
    node: str
    """Of a network: only nodes with this in their name."""
    oversample: int
    """Of a network: the finest grid over a node's own, 2 to 16."""


class HarmonicsOptions(TypedDict, total=False):
    """Options of `harmonics`."""

    frequency: int
    """The cosine's frequency: cycles per unit length."""
    amplitude: float
    """The cosine's amplitude."""
    samples: int
    """Samples per unit length."""
    oversample: int
    """Coefficients from a transform of so many times the samples, aliases and all, not by quadrature."""
    stride: int
    """Keep every S-th sample afterwards."""
    filter: str
    """The filter before the stride."""
    image: Union[str, PathLike[str]]
    """A photo in the cosine's place."""


class AntialiasOptions(NetworkOptions, MeasuringOptions, LabelOptions, total=False):
    """Options of `antialias`."""

    where: str
    """Only layers with this in their name, or of exactly this name."""
    place: str
    """Where a downsampling goes behind a strided convolution: ``paper``, ``before``, ``after``."""
    padding: str
    """What designs find beyond the edge: ``circular``, ``reflect``, ``zero``."""
    advise: bool
    """Choose where: at each step the place that lowers LEE most per cost."""
    budget: int
    """Replacements that `advise` may choose."""
    keep: float
    """The share of images whose top-1 class `advise` must keep."""
    draws: int
    """Random shifts per image for consistency; 0 leaves it out."""
    no_layers: bool
    """Leave out the layers' contributions."""


def flags(options: Mapping[str, Any], known: type, function: str) -> list[str]:
    """The command line of keyword arguments; `known` lists their names.

    Raises `UsageError` for a name that is not known, with the nearest that is.
    """
    names = known.__annotations__.keys()
    line: list[str] = []
    for name, value in options.items():
        if name not in names:
            close = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(names))}"
            raise UsageError(f"{function}() has no option {name!r}{hint}")
        line += flag(name, value)
    return line


def flag(name: str, value: Any) -> list[str]:
    """One option of the command line; nothing where it is None or False."""
    option = "--" + name.replace("_", "-")
    if value is None or value is False:
        return []
    if value is True:
        return [option]
    if isinstance(value, (list, tuple)):
        value = ",".join(str(entry) for entry in value)
    # With an equals sign, so that a value may begin with a minus.
    return [f"{option}={value}"]


def generators(chosen: Generators | None) -> list[str]:
    """`--generator`, of one or several."""
    if chosen is None:
        return []
    names = [chosen] if isinstance(chosen, str) else list(chosen)
    if not names:
        raise UsageError("generators is empty; name one at least, or leave it out")
    return [f"--generator={name}" for name in names]
