"""Networks as they are given, and the ONNX files that the command reads."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
import traceback
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from . import exporting
from .errors import ExportError, MachineError, UsageError
from .fingerprint import fingerprint

if TYPE_CHECKING:
    import onnx
    from torch import nn

Network = Union[str, "os.PathLike[str]", "onnx.ModelProto", "nn.Module"]
"""A `torch.nn.Module`, the path of an ONNX file, an `onnx.ModelProto`, ``"timm:NAME"`` or ``"torchvision:NAME"``."""

EXPORTERS = ("torchscript", "dynamo")
KEPT = 8
"""How many exported files are kept, for networks that are measured in turn."""


@dataclass(frozen=True)
class File:
    """The ONNX file of a network, and what results call it."""

    path: Path
    name: str


class _Exports:
    """Exported files, by a hash of what the network computes; they are gone when Python ends."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, Path] = OrderedDict()
        self._of_module: dict[int, str] = {}
        self._folder: Path | None = None
        self._made = 0

    def find(self, key: str) -> Path | None:
        path = self._files.get(key)
        if path is None or not path.is_file():
            return None
        self._files.move_to_end(key)
        return path

    def place(self, name: str) -> Path:
        """A new folder's file of this name."""
        if self._folder is None or not self._folder.is_dir():
            self._folder = Path(tempfile.mkdtemp(prefix="aliascope-exports-"))
            atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        return folder / f"{name}.onnx"

    def keep(self, key: str, path: Path, module: int | None) -> None:
        """Keeps a file; an older one of the same module goes, as one of every step of a training would fill the
        disk."""
        older = self._of_module.pop(module, None) if module is not None else None
        if older is not None and older != key and older in self._files:
            shutil.rmtree(self._files.pop(older).parent, ignore_errors=True)
        if module is not None:
            self._of_module[module] = key
        self._files[key] = path
        while len(self._files) > KEPT:
            shutil.rmtree(self._files.popitem(last=False)[1].parent, ignore_errors=True)


_EXPORTS = _Exports()


def file_of(
    network: Network,
    shape: Sequence[int] | None = None,
    exporter: str = "torchscript",
) -> File:
    """The ONNX file of a network; `shape` is that of one image, where it is known from elsewhere.

    A module is exported where no file of the same weights and code is left from before. It stays as it is: its device,
    its training flags, its hooks.
    """
    if exporter not in EXPORTERS:
        raise UsageError(f"exporter is {exporter!r}; known are {' and '.join(EXPORTERS)}")
    if isinstance(network, str) and not is_file(network):
        return _file_of_spec(network, shape, exporter)
    if isinstance(network, (str, os.PathLike)):
        return File(Path(network), os.fspath(network))
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(network, torch.nn.Module):
        return _file_of_module(network, shape, exporter)
    if type(network).__name__ == "ModelProto":
        return _file_of_proto(network)
    raise UsageError(
        f"a network is a torch.nn.Module, the path of an ONNX file, an onnx.ModelProto, 'timm:NAME' or "
        f"'torchvision:NAME', not a {type(network).__name__}"
    )


def is_file(network: Any) -> bool:
    """Whether a network is an ONNX file already, so that its shape is for the command to fix, not for an export."""
    if isinstance(network, str) and network.partition(":")[0] in ("timm", "torchvision"):
        return False
    return isinstance(network, (str, os.PathLike)) or type(network).__name__ == "ModelProto"


# --- Of libraries -----------------------------------------------------------------------------------------------------


def _file_of_spec(spec: str, shape: Sequence[int] | None, exporter: str) -> File:
    key = repr((spec, shape, exporter))
    path = _EXPORTS.find(key)
    if path is None:
        library = spec.partition(":")[0]
        try:
            size = None if shape is None else int(shape[-1])
            model = exporting.create(spec, pretrained=True, size=size)
        except exporting.NetworkError as error:
            raise UsageError(str(error)) from error
        except ImportError as error:
            raise MachineError(
                f"{spec} needs {error.name or library}, which is not installed; run `pip install {library}`"
            ) from error
        except Exception as error:
            raise MachineError(
                f"{spec} cannot be made, or its weights cannot be fetched: {_first_line(error)}"
            ) from error
        path = _EXPORTS.place(spec.partition(":")[2].replace("/", "_"))
        _export(model, shape, exporter, path, spec)
        _EXPORTS.keep(key, path, None)
    return File(path, spec)


# --- Messages of ONNX -------------------------------------------------------------------------------------------------


def _file_of_proto(model: Any) -> File:
    try:
        content = model.SerializeToString()
    except Exception as error:  # protobuf's own, of more than 2 GB
        raise UsageError(
            f"the onnx.ModelProto cannot be written as one file ({_first_line(error)}); save it with external data by "
            "onnx.save, and give the file's path"
        ) from error
    name = model.graph.name or "model"
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)[:64]
    key = hashlib.sha256(content).hexdigest()
    path = _EXPORTS.find(key)
    if path is None:
        path = _EXPORTS.place(safe)
        path.write_bytes(content)
        _EXPORTS.keep(key, path, None)
    return File(path, path.name)


# --- Modules ----------------------------------------------------------------------------------------------------------


def bare(module: Any) -> Any:
    """The module that computes, out of what wraps it: `DataParallel`, `torch.compile`."""
    import torch

    while True:
        parallel = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
        if isinstance(module, parallel):
            module = module.module
        elif hasattr(module, "_orig_mod"):
            module = module._orig_mod
        else:
            return module


def _file_of_module(module: Any, shape: Sequence[int] | None, exporter: str) -> File:
    module = bare(module)
    name = type(module).__name__
    shape = _shape(module, shape, name)
    content = fingerprint(module)
    key = None if content is None else f"{content} {shape} {exporter}"
    path = None if key is None else _EXPORTS.find(key)
    if path is None:
        path = _EXPORTS.place(name)
        try:
            _export(module, shape, exporter, path, name)
        except BaseException:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise
        # What has no fingerprint is kept too, under a name that is never found again: only so is it gone in the end.
        _EXPORTS.keep(key or str(path), path, id(module))
    return File(path, f"{name}.onnx")


def _shape(module: Any, shape: Sequence[int] | None, name: str) -> tuple[int, ...]:
    if shape is not None:
        sizes = tuple(int(size) for size in shape)
        if len(sizes) != 4 or min(sizes) < 1:
            raise UsageError(f"input_shape is {sizes}; an image's is (1, channels, rows, columns)")
        return (1, *sizes[1:])
    try:
        size = exporting.input_size(module)
    except exporting.NetworkError:
        raise ExportError(
            f"the size of {name}'s input is not known, as the module does not say it and the images are photos; give "
            "input_shape=(1, 3, rows, columns)"
        ) from None
    config = getattr(module, "pretrained_cfg", None) or {}
    channels = getattr(module, "in_chans", None) or (config.get("input_size") or (3,))[0]
    return (1, int(channels), size, size)


def _export(module: Any, shape: Sequence[int] | None, exporter: str, path: Path, name: str) -> None:
    shape = _shape(module, shape, name)
    try:
        preprocess = exporting.preprocessing(module)
    except exporting.NetworkError as error:
        raise ExportError(
            f"{name}: {error}".replace("pass --no-preprocessing here", "export it by yourself")
        ) from error
    try:
        exporting.write_onnx(module, tuple(shape), path, preprocess, exporter=exporter)
    except (KeyboardInterrupt, MemoryError):
        raise
    except ImportError as error:
        raise MachineError(
            f"exporting {name} needs {error.name or 'a package'}, which is not installed; run "
            f"`pip install {error.name}`"
        ) from error
    except Exception as error:
        inner = _where(error, module)
        place = f"{name}'s module '{inner}'" if inner else name
        other = next(other for other in EXPORTERS if other != exporter)
        raise ExportError(
            f"{place} cannot be exported for an input of {list(shape)}: {_reason(error)}; exporter='{other}' is "
            "PyTorch's other exporter"
        ) from error


def _where(error: BaseException, module: Any) -> str:
    """The path of the innermost module whose forward pass was running; empty where it is none, or the whole."""
    import torch

    names = {id(inner): name for name, inner in module.named_modules()}
    found = ""
    cause: BaseException | None = error
    while cause is not None:
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            owner = frame.f_locals.get("self")
            if isinstance(owner, torch.nn.Module):
                found = names.get(id(owner), "") or found
        cause = cause.__cause__ or cause.__context__
    return found


def _reason(error: BaseException) -> str:
    """One line of what PyTorch says; of its newer exporter's chain of errors the first cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".:")
