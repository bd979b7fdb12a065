"""Says what a classifier becomes as the mean over small shifts of its photo: the teacher of `aliascope repair`.

    python3 scripts/shifted_teacher.py MODEL.onnx --images PHOTOS --labels images.csv [--first-label 1] [--draws 12]

Needs onnxruntime, numpy and Pillow. The photo is cut to 7/8 of its shorter side, as EfficientNet-Lite takes it, and each
shift is another cut, resampled by Pillow, uniform up to R pixels of the input along both axes. The mean is that of logits.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

SHARE = 0.875
MEAN, SPREAD = 127.0, 128.0


def cut(photo: Image.Image, side: int, shift: tuple[float, float]) -> np.ndarray:
    """The input `[3, side, side]`, its centre moved by `shift` pixels of it."""
    length = min(photo.size) * SHARE
    pixel = length / side
    left = (photo.width - length) / 2 + shift[0] * pixel
    top = (photo.height - length) / 2 + shift[1] * pixel
    box = (left, top, left + length, top + length)
    pixels = np.asarray(photo.resize((side, side), Image.Resampling.BICUBIC, box=box), np.float32)
    return ((pixels - MEAN) / SPREAD).transpose(2, 0, 1)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponential = np.exp(logits - logits.max(-1, keepdims=True))
    return exponential / exponential.sum(-1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="The mean of a classifier over small shifts, beside the classifier.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True, help="a CSV with columns ImageId and TrueLabel")
    parser.add_argument("--first-label", type=int, default=1)
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--radii", type=float, nargs="+", default=[1, 2, 4, 8])
    arguments = parser.parse_args()
    session = onnxruntime.InferenceSession(arguments.model)
    entry = session.get_inputs()[0]
    side = entry.shape[-1]
    with arguments.labels.open() as file:
        labels = {row["ImageId"]: int(row["TrueLabel"]) - arguments.first_label for row in csv.DictReader(file)}

    def logits(photo: Image.Image, shift: tuple[float, float]) -> np.ndarray:
        return session.run(None, {entry.name: cut(photo, side, shift)[None]})[0][0].astype(np.float64)

    rng = np.random.default_rng(0)
    photos = sorted(path for path in arguments.images.iterdir() if path.stem in labels)
    right, halved = 0, 0
    means: dict[float, list[tuple[bool, float, bool]]] = {radius: [] for radius in arguments.radii}
    for path in photos:
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        label = labels[path.stem]
        own, half = logits(photo, (0, 0)), logits(photo, (0.5, 0.5))
        right += own.argmax() == label
        halved += own.argmax() == half.argmax()
        p = softmax(own)
        for radius, rows in means.items():
            sides = []
            for at in (0.0, 0.5):
                shifts = rng.uniform(-radius, radius, (arguments.draws, 2)) + at
                sides.append(np.mean([logits(photo, tuple(shift)) for shift in shifts], 0))
            divergence = float((p * np.log(p / softmax(sides[0]))).sum())
            rows.append((sides[0].argmax() == label, divergence, sides[0].argmax() == sides[1].argmax()))
    print(f"| {len(photos)} photos | right | KL from the network, nats | same top-1 half a pixel on |")
    print("|---|---:|---:|---:|")
    print(f"| the network | {100 * right / len(photos):.1f} % | 0 | {100 * halved / len(photos):.1f} % |")
    for radius, rows in means.items():
        sums = np.sum(rows, 0) / len(photos)
        print(f"| mean over ±{radius:g} pixels | {100 * sums[0]:.1f} % | {sums[1]:.3f} | {100 * sums[2]:.1f} % |")


if __name__ == "__main__":
    main()
