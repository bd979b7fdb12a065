"""Records photos that torchvision and Pillow bring to a network's input, as tests/fixtures/placed.safetensors.

    python3 scripts/record_placed.py

The photo is the one of record_photos.py, upright and lying: `photo-21x15` and `photo-15x21`, [rows, columns, 3]. Of each there
are `resize-N-WxH/KIND/PHOTO`, which is torchvision's Resize(N) and CenterCrop((H, W)), and `letterbox-WxH/KIND/PHOTO`: the photo
resized by Pillow with the sizes and paddings of ultralytics' LetterBox, which itself resizes by OpenCV, without averaging. KIND
is the interpolation. Pillow, NumPy and torchvision are needed to record, never to test.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

from record_photos import photo

OUTPUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "placed.safetensors"
KINDS = ("nearest", "bilinear", "bicubic", "lanczos")


def resized(image: Image.Image, shorter: int, width: int, height: int, kind: str) -> Image.Image:
    return CenterCrop((height, width))(Resize(shorter, InterpolationMode(kind))(image))


def letterboxed(image: Image.Image, width: int, height: int, kind: str) -> Image.Image:
    ratio = min(height / image.height, width / image.width)
    inner = round(image.width * ratio), round(image.height * ratio)
    # ultralytics' LetterBox: half of the padding on each side, minus 0.1 so that halves are rounded down.
    left, top = round((width - inner[0]) / 2 - 0.1), round((height - inner[1]) / 2 - 0.1)
    out = Image.new("RGB", (width, height), (114, 114, 114))
    out.paste(image.resize(inner, Image.Resampling[kind.upper()]), (left, top))
    return out


def main() -> None:
    entries = {}
    lying = photo()
    for image in (lying, lying.transpose(Image.Transpose.ROTATE_90)):
        name = f"photo-{image.width}x{image.height}"
        entries[name] = image
        for kind in KINDS:
            for shorter, width, height in ((10, 8, 8), (9, 6, 9), (20, 16, 16)):
                entries[f"resize-{shorter}-{width}x{height}/{kind}/{name}"] = resized(image, shorter, width, height, kind)
            for width, height in ((12, 12), (16, 10), (22, 23)):
                entries[f"letterbox-{width}x{height}/{kind}/{name}"] = letterboxed(image, width, height, kind)
    header, data = {}, b""
    for name, image in entries.items():
        pixels = np.asarray(image)
        offsets = [len(data), len(data) + pixels.size]
        header[name] = {"dtype": "U8", "shape": list(pixels.shape), "data_offsets": offsets}
        data += pixels.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    OUTPUT.write_bytes(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    main()
