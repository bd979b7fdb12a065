"""Photos as arrays, and the tangents A x of the seven generators, in NumPy: a second way to what aliascope computes.

The spectral derivative with reflecting boundary: a row of N samples is extended evenly to 2N (the edge sample is
repeated), differentiated by its Fourier series, whose bin at the Nyquist frequency has the derivative 0, and cut back
to N samples. Half the width is the unit of both axes: with N_x columns sample i lies at (2i + 1 − N)/N_x, and samples
are 2/N_x apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def photo(path: Path, size: int, preprocess: dict[str, Any]) -> np.ndarray:
    """The photo's centre crop as a network's input, `[1, 3, size, size]`, float32."""
    from PIL import Image

    image = Image.open(path).convert("RGB")
    side = round(min(image.size) * preprocess["crop"])
    left, top = (image.width - side) // 2, (image.height - side) // 2
    method = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}[preprocess["interpolation"]]
    pixels = np.asarray(image.crop((left, top, left + side, top + side)).resize((size, size), method)) / 255.0
    x = (preprocess["scale"] * pixels - np.array(preprocess["mean"])) / np.array(preprocess["std"])
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None]).astype(np.float32)


def derivative(x: np.ndarray, axis: int) -> np.ndarray:
    """∂x along an axis, per sample."""
    n = x.shape[axis]
    extended = np.concatenate([x, np.flip(x, axis)], axis)
    frequencies = 2j * np.pi * np.fft.fftfreq(2 * n)
    frequencies[n] = 0
    shape = [1] * x.ndim
    shape[axis] = 2 * n
    slope = np.fft.ifft(np.fft.fft(extended, axis=axis) * frequencies.reshape(shape), axis=axis).real
    return np.take(slope, range(n), axis)


def tangents(x: np.ndarray) -> dict[str, np.ndarray]:
    """A x for every measured generator, in double precision; x is `[…, rows, columns]`, and y points down."""
    x = x.astype(np.float64)
    rows, columns = x.shape[-2:]
    u = (2 * np.arange(columns) + 1) / columns - 1
    v = ((2 * np.arange(rows) + 1) / columns - rows / columns)[:, None]
    dx, dy = derivative(x, -1) * columns / 2, derivative(x, -2) * columns / 2
    return {
        "translate_x": dx,
        "translate_y": dy,
        "stretch_x": u * dx,
        "stretch_y": v * dy,
        "shear_x": v * dx,
        "shear_y": u * dy,
        "saturate": x,
    }
