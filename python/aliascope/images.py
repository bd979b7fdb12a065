"""Images to measure on: paths, photos in memory, tensors."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .command import Folder
from .errors import InputError, UsageError


@dataclass(frozen=True)
class Images:
    """Images, in the order of all results by image; made by `images`."""

    items: tuple[Any, ...]
    """Paths, PIL images, arrays of 8 bits (photos), float arrays ``[N, C, H, W]`` (tensors)."""

    limit: int | None = None
    seed: int | None = None

    def options(self, options: dict[str, Any]) -> dict[str, Any]:
        """A call's options with the choice of images among them."""
        own = {name: value for name, value in (("limit", self.limit), ("seed", self.seed)) if value is not None}
        for name, value in own.items():
            if options.get(name, value) != value:
                raise UsageError(
                    f"the images have {name}={value} and the call has {name}={options[name]}; give it once"
                )
        return {**options, **own}

    def shape(self) -> tuple[int, ...] | None:
        """The shape ``(1, C, H, W)`` of one image, where they are tensors."""
        for item in self.items:
            if not _is_path(item) and not _is_pil(item):
                return (1, *item.shape[-3:])
        return None

    def write(self, folder: Folder) -> list[str]:
        """The paths for the command: what is in memory is written into the folder, photos as PNG, tensors as
        safetensors."""
        paths = []
        for number, item in enumerate(self.items):
            if _is_path(item):
                paths.append(os.fspath(item))
                continue
            if _is_pil(item):
                # Named so that messages which leave the folder out are understood.
                path = folder.path / f"images[{number}].png"
                _save(item, path)
                folder.call(path, f"images[{number}]")
            else:
                from safetensors.numpy import save_file

                whole = f"images[{number}]" if len(self.items) > 1 else "images"
                path = folder.path / f"{whole}.safetensors"
                save_file({"x": item}, path)
                folder.call(path, whole)
                for at in range(len(item)):
                    folder.call(f"{path}[{at}]", f"{whole}[{at}]")
            paths.append(str(path))
        return paths


def images(source: Any, limit: int | None = None, seed: int | None = None) -> Images:
    """Images to measure on.

    `source` is one of these, or a list of them, whose kinds may differ:

    - a path of a photo (png, jpg), of a folder of photos, or of a .safetensors file with the key ``x``,
      ``[N, C, H, W]``;
    - a photo in memory: a PIL image, or an array or tensor of 8-bit integers, ``[H, W]``, ``[H, W, 3]``, ``[3, H, W]``
      or several, ``[N, …]``. It becomes input as a photo's file does, by the network's preprocessing;
    - a float array or tensor, ``[C, H, W]`` or ``[N, C, H, W]``, in the units of the network's input: it is taken as it
      is. A tensor of PyTorch on a GPU is copied to the CPU, and needs no gradient.

    `limit` takes so many of all images, drawn by `seed` (0 where it is not given) as the command's ``--limit`` does.

    Raises `InputError` where something is of another kind.
    """
    if isinstance(source, Images):
        return replace(
            source, limit=source.limit if limit is None else limit, seed=source.seed if seed is None else seed
        )
    items: list[Any] = []
    if _is_path(source) or _is_pil(source) or hasattr(source, "__array__") or _is_tensor(source):
        source = [source]
    elif not isinstance(source, Iterable):
        raise InputError(f"images are paths, PIL images, arrays or tensors, not {_kind(source)}")
    for given in source:
        items += _items(given)
    if not items:
        raise InputError("there is no image; give paths, PIL images, arrays or tensors")
    return Images(tuple(_stacked(items)), limit, 0 if limit is not None and seed is None else seed)


def _items(given: Any) -> list[Any]:
    """What is given once, as paths, PIL images and float arrays ``[N, C, H, W]``."""
    if _is_path(given) or _is_pil(given):
        return [given]
    import numpy as np

    if _is_tensor(given):
        if given.device.type == "meta":
            raise InputError("a tensor on the device meta has no values; give one that has")
        given = given.detach().cpu()
        if given.dtype.is_floating_point and given.dtype.itemsize < 4:
            given = given.float()  # NumPy has no bfloat16, and the command reads 32 and 64 bits
        given = given.numpy()
    if not hasattr(given, "__array__"):
        raise InputError(f"images are paths, PIL images, arrays or tensors, not {_kind(given)}")
    array = np.asarray(given)
    if array.dtype == np.uint8:
        return _photos(array)
    if array.dtype.kind != "f":
        raise InputError(
            f"an array of {array.dtype} is neither a photo (uint8) nor a network's input (float32, float64); convert it"
        )
    if array.dtype.itemsize != 8:
        array = array.astype(np.float32)
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or 0 in array.shape:
        raise InputError(f"a float array of images has the shape [N, C, H, W] or [C, H, W], not {list(array.shape)}")
    return [np.ascontiguousarray(array)]


def _photos(array: Any) -> list[Any]:
    """An array of 8 bits as PIL images."""
    from PIL import Image

    shape = array.shape
    if 0 in shape:
        raise InputError(f"an array of photos of the shape {list(shape)} has no pixel")
    if array.ndim == 2:
        return [Image.fromarray(array)]
    if array.ndim not in (3, 4):
        raise InputError(f"an array of photos has the shape [H, W], [H, W, 3], [3, H, W] or [N, …], not {list(shape)}")
    colours = (1, 3)
    last, first = shape[-1] in colours, shape[-3] in colours
    if last == first:
        which = "both its first and its last axis may be colours" if last else "no axis of 1 or 3 colours is there"
        raise InputError(f"an array of photos of the shape {list(shape)}: {which}; give PIL images, or [H, W, 3]")
    photos = array if array.ndim == 4 else array[None]
    if first:
        photos = photos.transpose(0, 2, 3, 1)
    return [Image.fromarray(photo[..., 0] if photo.shape[-1] == 1 else photo.copy()) for photo in photos]


def _save(photo: Any, path: Path) -> None:
    """Writes a PIL image's pixels as PNG, as they lie in memory: a tag that would turn them is left out."""
    if photo.mode == "F":
        raise InputError("a PIL image of floats has no range of its own; give a float array in the network's units")
    if photo.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        photo = photo.convert("RGB")
    photo.save(path, compress_level=1, exif=b"")


def _stacked(items: list[Any]) -> list[Any]:
    """Float arrays that follow each other as one, where they are alike, so that they are one file."""
    import numpy as np

    def alike(item: Any) -> Any:
        return (item.dtype, item.shape[1:]) if isinstance(item, np.ndarray) else None

    stacked: list[Any] = []
    for key, group in itertools.groupby(items, alike):
        found = list(group)
        stacked += [np.concatenate(found)] if key is not None and len(found) > 1 else found
    return stacked


def _is_path(given: Any) -> bool:
    return isinstance(given, (str, os.PathLike))


def _is_pil(given: Any) -> bool:
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(given, pil.Image)


def _is_tensor(given: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.Tensor)


def _kind(given: Any) -> str:
    return f"a {type(given).__name__}"
