"""Networks of timm and torchvision: made, given sensible weights, described, and written as ONNX.

What scripts/export.py, the parity suite, the recorder of test fixtures and the benchmark of peers share. It runs in
the environment that scripts/requirements-export.txt lists.

**Seeded weights.** A network just made is a poor test: last norms and layer scales start at 0, so whole branches add
nothing, and batch norm's running statistics are those of no data, so deep networks overflow or die out. So `enliven`
draws every parameter that starts as a constant, lets batch norm see seeded images of the input's size, and then moves
its statistics a little. Every branch then takes part, and outputs depend on inputs. It is no trained network: what is
measured on it says whether two programs compute the same, and nothing about vision.
"""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

OPSET = 17
METADATA_KEY = "aliascope.preprocessing"
SCALE_NAMES = ("gamma", "alpha", "scale", "skipinit", "gain", "temperature")


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

    # Attention written out as products and a softmax: the operators that opset 17 has, each with its own name.
    timm.layers.set_fused_attn(False)
    if not timm.is_model(name):
        close = timm.list_models(f"*{name}*")[:5]
        hint = f"; close are {', '.join(close)}" if close else ""
        raise NetworkError(f"timm {timm.__version__} has no network {name}{hint}")
    if size is not None:
        try:
            return timm.create_model(name, pretrained=pretrained, img_size=size, **arguments).eval()
        except TypeError:
            pass  # Networks without a fixed grid take any size, and no such argument.
    return timm.create_model(name, pretrained=pretrained, **arguments).eval()


def _torchvision_network(name: str, pretrained: bool, arguments: dict[str, Any]) -> nn.Module:
    import torchvision

    try:
        weights = torchvision.models.get_model_weights(name)["DEFAULT"]
        model = torchvision.models.get_model(name, weights=weights if pretrained else None, **arguments)
    except ValueError as error:
        raise NetworkError(f"torchvision {torchvision.__version__} has no network {name}") from error
    model.preprocessing_of_weights = weights.transforms()
    return model.eval()


def input_size(model: nn.Module) -> int:
    """The rows and columns that the network was made for."""
    transforms = getattr(model, "preprocessing_of_weights", None)
    if transforms is not None:
        return int(transforms.crop_size[0])
    patch_embed = getattr(model, "patch_embed", None)
    size = getattr(patch_embed, "img_size", None) or model.pretrained_cfg["input_size"][-2:]
    return int(size[0])


def preprocessing(model: nn.Module) -> dict[str, Any]:
    """What `aliascope` reads out of the file: how a photo becomes the input that the weights were trained with."""
    transforms = getattr(model, "preprocessing_of_weights", None)
    if transforms is not None:
        mean, std = list(transforms.mean), list(transforms.std)
        crop = transforms.crop_size[0] / transforms.resize_size[0]
        interpolation = transforms.interpolation.value
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


# --- Seeded weights ---------------------------------------------------------------------------------------------------


def seeded_images(count: int, size: int, draw: torch.Generator) -> torch.Tensor:
    """Images with large and small structure, as photos have: noise at several scales, `[count, 3, size, size]`."""
    image = torch.zeros(count, 3, size, size)
    for cells in (4, 16, 64):
        noise = torch.randn(count, 3, cells, cells, generator=draw)
        image += nn.functional.interpolate(noise, size=(size, size), mode="bicubic", align_corners=False)
    return image / 2


def seeded(spec: str, seed: int, size: int | None = None, **arguments: Any) -> nn.Module:
    """`create` with weights that depend on `seed` alone."""
    torch.manual_seed(seed)
    model = create(spec, size=size, **arguments)
    enliven(model, seed, size or input_size(model))
    return model


@torch.no_grad()
def enliven(model: nn.Module, seed: int, size: int) -> None:
    """Draws what starts constant, and fits batch norm's statistics to seeded images; the module's text says why."""
    draw = torch.Generator().manual_seed(seed)

    def uniform(parameter: torch.Tensor, low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(parameter.shape, generator=draw)

    def normal(parameter: torch.Tensor, std: float) -> torch.Tensor:
        return std * torch.randn(parameter.shape, generator=draw)

    for name, parameter in model.named_parameters():
        if parameter.numel() == 0 or not torch.all(parameter == parameter.flatten()[0]):
            continue
        value = parameter.flatten()[0].item()
        last = name.rpartition(".")[2]
        if last.startswith("bias") or last.endswith("bias") or last.startswith("beta"):
            parameter.copy_(value + normal(parameter, 0.1))
        elif abs(value) > 0.1:  # the weight of a norm, a temperature
            parameter.copy_(value * uniform(parameter, 0.5, 1.5))
        elif parameter.squeeze().ndim <= 1 and (value != 0 or last == "weight" or any(s in name for s in SCALE_NAMES)):
            parameter.copy_(uniform(parameter, 0.25, 0.75))  # the scale of a branch, which starts at 0 or close to it
        elif last == "weight" and parameter.ndim >= 2:  # a classifier that starts at 0
            parameter.copy_(normal(parameter, float(np.prod(parameter.shape[1:])) ** -0.5))
        else:  # tokens, embeddings
            parameter.copy_(normal(parameter, 0.1))

    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    if norms:
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the average of what it sees
            norm.train()
        model(seeded_images(8, size, draw))
        for norm, momentum in zip(norms, momenta):
            norm.eval()
            norm.momentum = momentum
            # A channel that was constant over these images, or a map of one sample, would have a variance of 0.
            norm.running_var.clamp_(min=1e-2)
            norm.running_mean += normal(norm.running_mean, 0.1) * norm.running_var.sqrt()
            norm.running_var *= uniform(norm.running_var, 0.8, 1.25)
    model.eval()


# --- Reference --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def no_single() -> Iterator[None]:
    """Makes `.to(torch.float32)` mean double, where timm's XCiT computes its position encoding.

    Otherwise a network of double precision would be right to some 1e-8, as large as what is looked for.
    """
    original = torch.Tensor.to

    def to(tensor: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        return original(tensor, *(torch.float64 if a is torch.float32 else a for a in arguments), **options)

    torch.Tensor.to = to
    try:
        yield
    finally:
        torch.Tensor.to = original


@contextlib.contextmanager
def all_in_double() -> Iterator[None]:
    """`no_single`, and hard sigmoid's derivative, where PyTorch has 1/6 rounded to single precision."""
    hardsigmoid = nn.functional.hardsigmoid
    nn.functional.hardsigmoid = lambda x, inplace=False: nn.functional.relu6(x + 3) / 6
    try:
        with no_single():
            yield
    finally:
        nn.functional.hardsigmoid = hardsigmoid


# --- Writing ----------------------------------------------------------------------------------------------------------


def to_onnx(model: nn.Module, size: int, preprocess: dict[str, Any] | None, opset: int = OPSET) -> onnx.ModelProto:
    """The network as ONNX for one image of `size` × `size`, in its own precision, checked by ONNX's checker.

    The exporter that traces is taken, because its node names hold the module paths by which layers are grouped.
    """
    parameter = next(model.parameters())
    x = torch.zeros(1, 3, size, size, dtype=parameter.dtype)
    buffer = io.BytesIO()
    precision = no_single() if parameter.dtype == torch.float64 else contextlib.nullcontext()
    with warnings.catch_warnings(), precision:
        warnings.simplefilter("ignore")  # it warns of being replaced, and of shapes that a trace fixes: so they should
        torch.onnx.export(
            model,
            (x,),
            buffer,
            input_names=["input"],
            output_names=["logits"],
            opset_version=opset,
            do_constant_folding=True,
            dynamo=False,
        )
    exported = onnx.load_from_string(buffer.getvalue())
    if preprocess is not None:
        onnx.helper.set_model_props(exported, {METADATA_KEY: json.dumps(preprocess)})
    onnx.checker.check_model(exported)
    return exported


def save(model: onnx.ModelProto, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
