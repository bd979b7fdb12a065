"""PyTorch networks for tests and measurements: of one's own, with a checkpoint's weights, with seeded ones, in double.

What scripts/export.py, the parity suite, the recorder of test fixtures and the benchmark of peers share. It runs in
the environment that scripts/requirements-export.txt lists. How networks of timm and torchvision are made and how any are
written as ONNX is told in python/aliascope/exporting.py, since the Python package does the same.

**Seeded weights.** A network just made is a poor test: last norms and layer scales start at 0, so whole branches add
nothing, and batch norm's running statistics are those of no data, so deep networks overflow or die out. So `enliven`
draws every parameter that starts as a constant, lets batch norm see seeded images of the input's size, and then moves
its statistics a little. Every branch then takes part, and outputs depend on inputs. It is no trained network: what is
measured on it says whether two programs compute the same, and nothing about vision.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import provision  # noqa: F401, which knows where the Python package is
import torch
from torch import nn

from aliascope.exporting import (  # noqa: F401
    NetworkError,
    create,
    input_size,
    no_single,
    preprocessing,
    save,
    to_onnx,
)

SCALE_NAMES = ("gamma", "alpha", "scale", "skipinit", "gain", "temperature")


# --- Making -----------------------------------------------------------------------------------------------------------


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
def all_in_double() -> Iterator[None]:
    """`no_single`, and hard sigmoid's derivative, where PyTorch has 1/6 rounded to single precision."""
    hardsigmoid = nn.functional.hardsigmoid
    nn.functional.hardsigmoid = lambda x, inplace=False: nn.functional.relu6(x + 3) / 6
    try:
        with no_single():
            yield
    finally:
        nn.functional.hardsigmoid = hardsigmoid
