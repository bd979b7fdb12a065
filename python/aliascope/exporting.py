"""PyTorch networks as ONNX files, with module names in them, and how photos become their input where that is known.

The scripts of a checkout use this file too. PyTorch, timm and torchvision are imported where they are needed alone.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx
    import torch
    from torch import nn

OPSET = 17
DYNAMO_OPSET = 20
METADATA_KEY = "aliascope.preprocessing"


class NetworkError(Exception):
    """A network cannot be made or written; the message is one sentence that says what to do."""


# --- Making -----------------------------------------------------------------------------------------------------------


def create(spec: str, pretrained: bool = False, size: int | None = None, **arguments: Any) -> nn.Module:
    """The network called `timm:NAME` or `torchvision:NAME`, for inputs of `size` × `size` where that is given."""
    library, separator, name = spec.partition(":")
    if not separator or library not in ("timm", "torchvision"):
        raise NetworkError(f"{spec} is neither timm:NAME nor torchvision:NAME")
    if library == "timm":
        return _timm_network(name, pretrained, size, arguments)
    return _torchvision_network(name, pretrained, arguments)


def _timm_network(name: str, pretrained: bool, size: int | None, arguments: dict[str, Any]) -> nn.Module:
    import timm

    if not timm.is_model(name):
        close = timm.list_models(f"*{name}*")[:5]
        hint = f"; close are {', '.join(close)}" if close else ""
        raise NetworkError(f"timm {timm.__version__} has no network {name}{hint}")
    fused = timm.layers.use_fused_attn()
    # Attention written out as products and a softmax: the operators that opset 17 has, each with its own name.
    timm.layers.set_fused_attn(False)
    try:
        if size is not None:
            try:
                return timm.create_model(name, pretrained=pretrained, img_size=size, **arguments).eval()
            except TypeError:
                pass  # Networks without a fixed grid take any size, and no such argument.
        return timm.create_model(name, pretrained=pretrained, **arguments).eval()
    finally:
        timm.layers.set_fused_attn(fused)


def _torchvision_network(name: str, pretrained: bool, arguments: dict[str, Any]) -> nn.Module:
    import torchvision

    try:
        weights = torchvision.models.get_model_weights(name)["DEFAULT"]
        model = torchvision.models.get_model(name, weights=weights if pretrained else None, **arguments)
    except ValueError as error:
        raise NetworkError(f"torchvision {torchvision.__version__} has no network {name}") from error
    model.preprocessing_of_weights = weights.transforms()
    return model.eval()


# --- What is known of their input ---


def input_size(model: nn.Module) -> int:
    """The rows and columns that the network was made for."""
    transforms = getattr(model, "preprocessing_of_weights", None)
    if transforms is not None:
        return int(transforms.crop_size[0])
    if not getattr(model, "pretrained_cfg", None):
        raise NetworkError("the size of its input is not known; pass --size")
    patch_embed = getattr(model, "patch_embed", None)
    size = getattr(patch_embed, "img_size", None) or model.pretrained_cfg["input_size"][-2:]
    return int(size[0])


def preprocessing(model: nn.Module) -> dict[str, Any] | None:
    """What `aliascope` reads out of the file: how a photo becomes the input that the weights were trained with.

    Nothing where the network does not say so.
    """
    transforms = getattr(model, "preprocessing_of_weights", None)
    if transforms is not None:
        mean, std = list(transforms.mean), list(transforms.std)
        crop = transforms.crop_size[0] / transforms.resize_size[0]
        interpolation = transforms.interpolation.value
    elif not getattr(model, "pretrained_cfg", None):
        return None
    else:
        config = model.pretrained_cfg
        mean, std = list(config["mean"]), list(config["std"])
        crop, interpolation = config.get("crop_pct") or 0.875, config.get("interpolation") or "bicubic"
        if config.get("crop_mode", "center") != "center":
            raise NetworkError(
                f"its photos are not cropped at the centre but by the mode '{config['crop_mode']}', which aliascope "
                "does not have; give --preprocess to aliascope and pass --no-preprocessing here"
            )
    if interpolation not in ("bilinear", "bicubic"):
        raise NetworkError(
            f"its photos are resized by '{interpolation}', and aliascope has bilinear and bicubic; give --preprocess "
            "to aliascope and pass --no-preprocessing here"
        )
    return {"mean": mean, "std": std, "scale": 1.0, "crop": min(float(crop), 1.0), "interpolation": interpolation}


# --- Writing ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def no_single() -> Iterator[None]:
    """Makes `.to(torch.float32)` mean double, where timm's XCiT computes its position encoding.

    Otherwise a network of double precision would be right to some 1e-8, as large as what is looked for.
    """
    import torch

    original = torch.Tensor.to

    def to(tensor: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        return original(tensor, *(torch.float64 if a is torch.float32 else a for a in arguments), **options)

    torch.Tensor.to = to
    try:
        yield
    finally:
        torch.Tensor.to = original


def write_onnx(
    model: nn.Module,
    shape: tuple[int, ...],
    path: Path,
    preprocess: dict[str, Any] | None = None,
    opset: int | None = None,
    exporter: str = "torchscript",
) -> None:
    """Writes the network, as it computes in evaluation mode, as ONNX for one image of `shape`; checked by ONNX's
    checker.

    `exporter` is `torchscript`, which traces and writes module paths into node names, or `dynamo`, PyTorch's newer
    one, which writes them into each node's metadata. The network's device, precision and training flags stay as they
    are.
    """
    import onnx
    import torch

    parameter = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    x = torch.zeros(shape, dtype=parameter.dtype, device=parameter.device)
    precision = no_single() if parameter.dtype == torch.float64 else contextlib.nullcontext()
    names = {"input_names": ["input"], "output_names": ["logits"]}
    # Both print on standard output, progress and graphs that cannot be written.
    quiet = contextlib.redirect_stdout(io.StringIO())
    with warnings.catch_warnings(), precision, evaluated(model), torch.no_grad(), quiet:
        warnings.simplefilter("ignore")  # it warns of being replaced, and of shapes that a trace fixes: so they should
        if exporter == "dynamo":
            program = torch.onnx.export(
                model, (x,), opset_version=opset or DYNAMO_OPSET, dynamo=True, external_data=False, **names
            )
            path.write_bytes(program.model_proto.SerializeToString())
        else:
            torch.onnx.export(
                model, (x,), str(path), opset_version=opset or OPSET, do_constant_folding=True, dynamo=False, **names
            )
    if preprocess is not None:
        # The bytes of one message behind those of another are both merged, so the weights need not be read again.
        metadata = onnx.ModelProto()
        metadata.metadata_props.add(key=METADATA_KEY, value=json.dumps(preprocess))
        with path.open("ab") as file:
            file.write(metadata.SerializeToString())
    onnx.checker.check_model(str(path))


@contextlib.contextmanager
def evaluated(model: nn.Module) -> Iterator[None]:
    """The network in evaluation mode; afterwards every module in it has its own training flag again."""
    flags = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag


def to_onnx(
    model: nn.Module,
    size: int | tuple[int, ...],
    preprocess: dict[str, Any] | None,
    opset: int | None = None,
    exporter: str = "torchscript",
) -> onnx.ModelProto:
    """What `write_onnx` writes, for one image of `size` × `size`, or of the whole shape `size`."""
    import onnx

    shape = size if isinstance(size, tuple) else (1, 3, size, size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_onnx(model, shape, path, preprocess, opset, exporter)
        return onnx.load(str(path))


def save(model: onnx.ModelProto, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
