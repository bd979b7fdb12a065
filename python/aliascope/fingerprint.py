"""Whether a PyTorch module has changed since it was exported."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import sysconfig
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_STANDARD = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen", str(Path(__file__).parent))


def fingerprint(module: Any) -> str | None:
    """A hash of all that the module's output depends on; None where something in it cannot be stored, as an open file.

    That is whatever can be reached from the module: weights, attributes, hooks, and the code of its classes and
    functions with the variables that they read. Code of installed packages is told by its name alone, since it does not
    change while Python runs; so is what is read out of another Python module by its name (`settings.scale`).
    """
    stored = io.BytesIO()
    pickler = _Pickler(stored, {id(inner): name for name, inner in module.named_modules()})
    try:
        for name, inner in module.named_modules():
            pickler.dump((name, type(inner), _attributes(inner)))
        # What the code of one function reads may bring others.
        for function in pickler.functions:
            pickler.dump((_body(function.__code__), _read(function)))
    except Exception:  # what an attribute raises when it is stored can be anything
        return None
    whole = hashlib.sha256(stored.getvalue())
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as threads:
        # hashlib lets go of Python's lock.
        for digest in threads.map(_digest, pickler.tensors):
            whole.update(digest)
    return whole.hexdigest()


def _attributes(module: Any) -> dict[str, Any]:
    own = dict(vars(module))
    # Whether it trains is no matter, since exports are of evaluation mode; modules inside are named on their own.
    own.pop("training", None)
    own.pop("_modules", None)
    return own


class _Pickler(pickle.Pickler):
    """Stores everything but tensors, which are kept aside, code, of which the functions are listed, and the modules
    inside, which have names."""

    def __init__(self, file: io.BytesIO, modules: dict[int, str]) -> None:
        super().__init__(file, protocol=4)
        self._modules = modules
        self.tensors: list[Any] = []
        self.functions: list[types.FunctionType] = []
        self._places: dict[int, int] = {}
        self._classes: set[int] = set()

    def persistent_id(self, thing: Any) -> Any:
        import torch

        if isinstance(thing, torch.Tensor):
            self.tensors.append(thing)
            return ("tensor", str(thing.dtype), tuple(thing.shape), thing.device.type)
        if id(thing) in self._modules:
            return ("module", self._modules[id(thing)])
        return self._code_id(thing)

    def _code_id(self, thing: Any) -> Any:
        """What stands for a function, a class or a Python module; None for everything else."""
        if isinstance(thing, types.FunctionType):
            return ("function", thing.__module__, thing.__qualname__, self._place(thing))
        if isinstance(thing, type):
            self._add(thing)
            return ("class", thing.__module__, thing.__qualname__)
        if isinstance(thing, types.BuiltinFunctionType) and not _has_values(thing):
            return ("builtin", thing.__module__, thing.__qualname__)
        if isinstance(thing, types.ModuleType):
            return ("file", thing.__name__)
        return None

    def _place(self, function: types.FunctionType) -> int:
        """The number of a function among those whose code is stored; none has an installed package's."""
        if _is_installed(function.__code__.co_filename):
            return -1
        place = self._places.setdefault(id(function), len(self.functions))
        if place == len(self.functions):
            self.functions.append(function)
        return place

    def _add(self, kind: type) -> None:
        for base in kind.__mro__:
            if id(base) in self._classes:
                continue
            self._classes.add(id(base))
            for value in list(vars(base).values()):
                inner = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
                if isinstance(inner, types.FunctionType):
                    self._place(inner)


def _has_values(function: types.BuiltinFunctionType) -> bool:
    """Whether it is the method of an object with a state of its own, such as `list.append` of one list."""
    owner = function.__self__
    return not isinstance(owner, (types.ModuleType, type, type(None))) and not type(owner).__module__.startswith(
        "pybind11"
    )


def _is_installed(file: str) -> bool:
    """Whether a file of code is of Python itself, of an installed package, or of this one."""
    return file.startswith(_STANDARD) or not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _digest(tensor: Any) -> bytes:
    import torch

    values = tensor.detach().cpu().contiguous().reshape(-1)
    return hashlib.blake2b(memoryview(values.view(torch.uint8).numpy()), digest_size=32).digest()


def _read(function: types.FunctionType) -> dict[str, Any]:
    """What a function reads beside its arguments: variables of its file, of functions around it, defaults."""
    names = [name for code in _codes(function.__code__) for name in code.co_names]
    read = {name: function.__globals__[name] for name in names if name in function.__globals__}
    closure = zip(function.__code__.co_freevars, function.__closure__ or ())
    read.update({f"{name} around it": cell.cell_contents for name, cell in closure if name != "__class__"})
    read.update({f"default {at}": value for at, value in enumerate(function.__defaults__ or ())})
    read.update({f"default of {name}": value for name, value in (function.__kwdefaults__ or {}).items()})
    return read


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _body(code: types.CodeType) -> list[Any]:
    return [
        (part.co_code, part.co_names, [repr(c) for c in part.co_consts if not isinstance(c, types.CodeType)])
        for part in _codes(code)
    ]
