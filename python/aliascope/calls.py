"""The calls: each runs one subcommand of the command `aliascope`, and reads what it writes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import libtorch
from .command import Done, Folder, run
from .errors import MachineError, UsageError
from .images import images as images_of
from .networks import Network, file_of, is_file
from .options import (
    AntialiasOptions,
    Generators,
    HarmonicsOptions,
    LayersOptions,
    LeeOptions,
    MetricsOptions,
    TheoremOptions,
    flag,
    flags,
)
from .options import (
    generators as generators_of,
)
from .provision import Failure
from .results import (
    AntialiasResult,
    HarmonicsResult,
    LayersResult,
    LeeResult,
    MetricsResult,
    NodeTheoremResult,
    TheoremResult,
)

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Unpack


def lee(
    network: Network,
    images: Any,
    generators: Generators | None = None,
    *,
    vectors: bool = True,
    figure: bool = True,
    exporter: str = "torchscript",
    progress: bool | None = None,
    **options: Unpack[LeeOptions],
) -> LeeResult:
    """The equivariance errors of a network under the affine algebra and saturation, in one sweep per image.

    For each generator A the Lie derivative is L = Df[A x] − A f(x), with (A h)(u) = v(u)·∇h(u) and t in half-widths of
    the image, and LEE = E‖L‖²/dim(output), the mean over images. `translate_x` by a pixel of 224 is t = 2/224.

    - `network`: a `torch.nn.Module`, the path of an ONNX file, an `onnx.ModelProto`, ``"timm:NAME"`` or
      ``"torchvision:NAME"`` (with its published weights). A module is exported, in evaluation mode, and stays as it is.
    - `images`: whatever `aliascope.images` takes.
    - `generators`: names, combinations such as ``"rotate+0.5*saturate"``, or ``"all"``; all where left out. Fewer take
      less time.
    - `vectors`: keep the Lie derivatives themselves, ``[N, outputs…]`` for each generator. Where outputs are images and
      there are many of them, False saves memory.
    - `figure`: draw the command's own figure.
    - `exporter`: ``torchscript`` or ``dynamo``, PyTorch's two exporters.
    - `progress`: show a bar; where left out, on terminals and in notebooks, for more than one image.
    - `options`: the command's options, see `aliascope.options.LeeOptions`.

    Raises an `AliascopeError` by the command's exit status.
    """
    files = [("--vectors", "vectors.safetensors")] if vectors else []
    line = [*generators_of(generators)]
    return LeeResult(_measured("lee", network, images, options, LeeOptions, line, figure, exporter, progress, files))


def layers(
    network: Network,
    images: Any,
    generators: Generators | None = None,
    *,
    figure: bool = True,
    exporter: str = "torchscript",
    progress: bool | None = None,
    **options: Unpack[LayersOptions],
) -> LayersResult:
    """The equivariance error of a network, attributed to its layers, exactly: they add up to the whole.

    A layer's contribution is E‖J δ‖²/dim(output): δ is what the layer does wrong, and J the derivative of the rest of
    the network. Arguments are those of `lee`; `generators` is ``translate_x`` where left out. `group` says what a
    layer is; by default it is a module, named as in `named_modules()`.

    Raises `CheckError` where the layers do not add up, and other errors of `AliascopeError`.
    """
    line = [*generators_of(generators)]
    return LayersResult(_measured("layers", network, images, options, LayersOptions, line, figure, exporter, progress))


def metrics(
    network: Network,
    images: Any,
    *,
    figure: bool = True,
    exporter: str = "torchscript",
    progress: bool | None = None,
    **options: Unpack[MetricsOptions],
) -> MetricsResult:
    """Discrete metrics of a network: EQ-T, EQ-T_frac, EQ-R, consistency and sample invariance under finite transforms.

    Arguments are those of `lee`. ``layers=True`` measures each layer alone, too.
    """
    return MetricsResult(_measured("metrics", network, images, options, MetricsOptions, [], figure, exporter, progress))


def theorem(
    subject: Network | Sequence[Sequence[float]],
    images: Any = None,
    *,
    grid: int | str | None = None,
    figure: bool = True,
    exporter: str = "torchscript",
    progress: bool | None = None,
    **options: Unpack[TheoremOptions],
) -> TheoremResult | NodeTheoremResult:
    """The aliasing theorem beside the measured defect: of a field, or, with images, at the nodes of a network.

    - Of a field: `subject` is ``"random:BAND"`` (with ``,seed=S``, ``,decay=D`` or ``,complex`` behind it), a list of
      harmonics ``[[n, m, re, im], …]`` with n cycles to the right and m down, the path of such a list as JSON, or of a
      photo. `grid` is the grid that it ends on, M or ``"COLUMNSxROWS"``.
    - Of a network: `subject` is one, as in `lee`; every strided convolution, pooling and activation is checked on its
      real input maps.

    `velocity` is the translation, to the right and down.
    """
    if images is not None:
        if grid is not None:
            raise UsageError("grid is for fields; a network's nodes have grids of their own")
        line: list[str] = []
        done = _measured("theorem", subject, images, options, TheoremOptions, line, figure, exporter, progress)
        return NodeTheoremResult(done)
    with Folder() as folder:
        arguments = ["theorem", f"--field={_field(subject, folder)}", *flag("grid", grid)]
        arguments += flags(options, TheoremOptions, "theorem")
        return TheoremResult(run(folder, arguments, figure=figure, progress=progress))


def harmonics(activation: str, *, figure: bool = True, **options: Unpack[HarmonicsOptions]) -> HarmonicsResult:
    """The harmonics that a nonlinearity makes of a cosine, and where sampling folds each one.

    `activation` is ``relu``, ``gelu``, ``tanh``, … The cosine has `frequency` cycles and `samples` samples per unit
    length.
    """
    with Folder() as folder:
        arguments = ["harmonics", f"--activation={activation}", *flags(options, HarmonicsOptions, "harmonics")]
        return HarmonicsResult(run(folder, arguments, figure=figure))


def antialias(
    network: Network,
    replace: Mapping[str, str] | Sequence[str],
    images: Any,
    generators: Generators | None = None,
    *,
    figure: bool = True,
    exporter: str = "torchscript",
    progress: bool | None = None,
    **options: Unpack[AntialiasOptions],
) -> AntialiasResult:
    """A network with anti-aliasing designs in the place of its strides or activations, beside what it was, not
    retrained.

    `replace` says what is replaced by which design, as ``{"stride": "blurpool:3"}`` or ``["stride=blurpool:3"]``:
    places are ``stride``, ``conv``, ``maxpool``, ``averagepool``, ``activation`` and the functions by name. Other
    arguments are those of `lee`; `generators` is ``translate_x`` where left out. The result has LEE, layers,
    consistency, outputs and cost before and after, and the rewritten network.
    """
    rules = [f"{what}={design}" for what, design in replace.items()] if isinstance(replace, Mapping) else list(replace)
    if not rules or isinstance(replace, str):
        raise UsageError('replace is a dictionary such as {"stride": "blurpool:3"}, with one entry at least')
    line = [f"--replace={rule}" for rule in rules] + generators_of(generators)
    files = [("--save", "model.onnx")]
    done = _measured("antialias", network, images, options, AntialiasOptions, line, figure, exporter, progress, files)
    return AntialiasResult(done)


def doctor() -> pd.DataFrame:
    """What is here, what is missing, and how to fix it: a row per finding."""
    import pandas as pd

    with Folder() as folder:
        return pd.DataFrame(run(folder, ["doctor"], rows=False, accepted=(0, 1)).report)


def setup(verify: bool = False, progress: bool | None = None) -> str:
    """Fetches libtorch into the cache, once per user, where no PyTorch of the same version is installed; gives its
    folder.

    Half a gigabyte is downloaded, and each file compared with its hash. With `verify` files that are there already are
    compared again. The cache is ``ALIASCOPE_CACHE``, else ``aliascope`` in the user's cache folder. It can be stopped
    and started again.
    """
    installed = libtorch.installed()
    if installed is not None:
        return str(installed)
    from .progress import Bytes

    try:
        with Bytes("libtorch", progress) as bar:
            return str(libtorch.provide(verify, watch=bar.reach) / "lib")
    except Failure as failure:
        raise MachineError(str(failure)) from failure
    except OSError as error:
        raise MachineError(f"libtorch cannot be fetched: {error.strerror}: {error.filename}") from error


def _measured(
    subcommand: str,
    network: Any,
    images: Any,
    options: Any,
    known: type,
    line: list[str],
    figure: bool,
    exporter: str,
    progress: bool | None,
    files: Sequence[tuple[str, str]] = (),
) -> Done:
    """Runs a subcommand on a network and images."""
    chosen = images_of(images)
    options = chosen.options(dict(options))
    line = [*line, *flags({**options, "input_shape": None}, known, subcommand)]
    shape = options.get("input_shape")
    model = file_of(network, shape if is_file(network) or shape is not None else chosen.shape(), exporter)
    if is_file(network):
        line += flag("input_shape", shape)
    with Folder() as folder:
        if str(model.path) != model.name:
            folder.call(model.path, model.name)
        # The images come last: their option takes all that follows.
        arguments = [subcommand, str(model.path), *line, "--images", *chosen.write(folder)]
        return run(folder, arguments, figure=figure, files=files, progress=progress)


def _field(subject: Any, folder: Folder) -> str:
    if isinstance(subject, (str, os.PathLike)):
        return os.fspath(subject)
    import json

    try:
        harmonics = [[int(n), int(m), float(re), float(im)] for n, m, re, im in subject]
    except (TypeError, ValueError):
        raise UsageError("a field is 'random:BAND', a path, or a list of harmonics [[n, m, re, im], …]") from None
    path = folder.path / "field.json"
    path.write_text(json.dumps(harmonics))
    folder.call(path, "field")
    return str(path)
