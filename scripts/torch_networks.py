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
import importlib.util
import io
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

OPSET = 17
DYNAMO_OPSET = 20
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


def own(spec: str) -> nn.Module:
    """What the function of `FILE.py:FUNCTION` returns, called without arguments."""
    file, _, function = spec.rpartition(":")
    path = Path(file).resolve()
    module_spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(module_spec)
    sys.path.insert(0, str(path.parent))  # it may import its neighbours
    sys.modules[path.stem] = module
    module_spec.loader.exec_module(module)
    make = getattr(module, function, None)
    if not callable(make):
        raise NetworkError(f"{file} has no function {function}")
    model = make()
    if not isinstance(model, nn.Module):
        raise NetworkError(f"{function} returns a {type(model).__name__}, not a torch.nn.Module")
    return model.eval()


def scripted(path: Path) -> nn.Module:
    """The TorchScript module in a file. Loading and running it runs its code."""
    try:
        return torch.jit.load(path, map_location="cpu").eval()
    except RuntimeError as error:
        raise NetworkError("this is not a TorchScript module, or it is damaged; save it again by torch.jit.save") from error


# Under which key training programs keep the state dict, beside optimisers and counters.
STATE_KEYS = ("state_dict", "model_state_dict", "model", "net")


def load_checkpoint(model: nn.Module, path: Path) -> list[str]:
    """Puts a file's weights into the model, each of them and nothing else; gives what is worth saying.

    The file may run no code: it is read with `weights_only`.
    """
    notes = []
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # what a damaged file makes of its reader is anything
            raise NetworkError(
                f"{path} cannot be read as weights alone, as it holds code or is damaged; save model.state_dict() of it"
            ) from error
    keys = [key for key in STATE_KEYS if isinstance(state, dict) and isinstance(state.get(key), dict)]
    if keys:
        state = state[keys[0]]
        notes.append(f"{path}: the weights under its key '{keys[0]}' are taken.")
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise NetworkError(f"{path} is no state dict, that is, tensors by name; save model.state_dict()")
    for prefix in ("module.", "_orig_mod."):  # of DataParallel and torch.compile
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
            notes.append(f"{path}: '{prefix}' in front of every name is left out.")
    expected = model.state_dict()
    problems = []
    for problem, names in (
        ("lacks", [name for name in expected if name not in state]),
        ("has beside the network's", [name for name in state if name not in expected]),
        ("has in another shape", [n for n in expected if n in state and expected[n].shape != state[n].shape]),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            shape = ""
            if problem == "has in another shape":
                theirs, ours = list(state[names[0]].shape), list(expected[names[0]].shape)
                shape = f" (the first is {theirs}, the network's {ours})"
            problems.append(f"{problem} {', '.join(names[:3])}{more}{shape}")
    if problems:
        raise NetworkError(f"the checkpoint does not fit: it {'; it '.join(problems)}; pass --classes where a classifier differs")
    model.load_state_dict(state)
    return notes


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


def to_onnx(
    model: nn.Module,
    size: int | tuple[int, ...],
    preprocess: dict[str, Any] | None,
    opset: int | None = None,
    exporter: str = "torchscript",
) -> onnx.ModelProto:
    """The network as ONNX for one image of `size` × `size`, or of the whole shape `size`, checked by ONNX's checker.

    `exporter` is `torchscript`, which traces and writes module paths into node names, or `dynamo`, PyTorch's newer
    one, which writes them into each node's metadata.
    """
    dynamo = exporter == "dynamo"
    parameter = next(model.parameters(), torch.zeros(()))
    x = torch.zeros(size if isinstance(size, tuple) else (1, 3, size, size), dtype=parameter.dtype)
    buffer = io.BytesIO()
    precision = no_single() if parameter.dtype == torch.float64 else contextlib.nullcontext()
    names = {"input_names": ["input"], "output_names": ["logits"]}
    with warnings.catch_warnings(), precision:
        warnings.simplefilter("ignore")  # it warns of being replaced, and of shapes that a trace fixes: so they should
        if dynamo:
            with contextlib.redirect_stdout(io.StringIO()):  # it reports progress
                program = torch.onnx.export(
                    model, (x,), opset_version=opset or DYNAMO_OPSET, dynamo=True, external_data=False, **names
                )
            exported = program.model_proto
        else:
            torch.onnx.export(
                model, (x,), buffer, opset_version=opset or OPSET, do_constant_folding=True, dynamo=False, **names
            )
            exported = onnx.load_from_string(buffer.getvalue())
    if preprocess is not None:
        exported.metadata_props.add(key=METADATA_KEY, value=json.dumps(preprocess))
    onnx.checker.check_model(exported)
    return exported


def save(model: onnx.ModelProto, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
