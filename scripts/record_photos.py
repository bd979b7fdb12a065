"""Records what Pillow decodes of JPEG and PNG files of every kind, as tests/fixtures/photos.safetensors.

    python3 scripts/record_photos.py

The photos are synthetic: waves and noise of 21 × 15 pixels. JPEG files of kinds that Pillow does not write (odd
subsampling, scans of their own, arithmetic coding) are written by libjpeg-turbo's `cjpeg`, Debian's
`libjpeg-turbo-progs`. Of each file there are the bytes, `NAME/file`, and the pixels as Pillow has them after
`convert("RGB")`, `NAME/pixels` [rows, columns, 3]. Pillow and NumPy are needed to record, never to test.
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS, ROWS = 21, 15
OUTPUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "photos.safetensors"


def photo() -> Image.Image:
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    red = 128 + 90 * np.sin(x / 4) + 20 * np.cos(y / 3)
    green = 128 + 90 * np.cos(y / 5 + x / 9)
    blue = 60 + 3 * x + 40 * np.sin((x + y) / 5)
    waves = np.stack([red, green, blue], -1)
    noise = np.random.default_rng(0).normal(0, 6, waves.shape)
    return Image.fromarray(np.clip(waves + noise, 0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def cjpeg(image: Image.Image, *options: str, scans: str = "") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "scans"
        script.write_text(scans)
        command = ["cjpeg", *options, *(["-scans", str(script)] if scans else [])]
        return subprocess.run(command, input=saved(image, "PPM"), capture_output=True, check=True).stdout


def files() -> dict[str, bytes]:
    image = photo()
    found = {}
    for name, sampling in (("444", "1x1"), ("420", "2x2"), ("422", "2x1"), ("440", "1x2"), ("411", "4x1")):
        found[f"baseline-{name}.jpg"] = cjpeg(image, "-sample", sampling)
        found[f"progressive-{name}.jpg"] = cjpeg(image, "-progressive", "-sample", sampling)
    for name, sampling in (("coarse-luma", "1x1,2x2,2x2"), ("one-coarse", "1x1,2x1,1x1"), ("thirds", "3x1")):
        found[f"{name}.jpg"] = cjpeg(image, "-sample", sampling)
    apart = "0;1;2;\n"
    found["apart-420.jpg"] = cjpeg(image, "-sample", "2x2", scans=apart)
    found["apart-444.jpg"] = cjpeg(image, "-sample", "1x1", scans=apart)
    found["unfinished.jpg"] = cjpeg(image, scans="0,1,2: 0-0, 0, 1;\n0: 1-63, 0, 0;\n")
    found["restarts.jpg"] = cjpeg(image, "-restart", "1B")
    found["progressive-restarts.jpg"] = cjpeg(image, "-progressive", "-restart", "1")
    found["arithmetic.jpg"] = cjpeg(image, "-arithmetic")
    found["rgb.jpg"] = cjpeg(image, "-rgb")
    found["grey.jpg"] = saved(image.convert("L"), "JPEG")
    found["cmyk.jpg"] = saved(image.convert("CMYK"), "JPEG")
    found["optimised.jpg"] = saved(image, "JPEG", optimize=True)
    found["trailing.jpg"] = saved(image, "JPEG") + b"what cameras put after the end"
    clear = image.copy()
    clear.putalpha(Image.fromarray(np.arange(ROWS * COLUMNS, dtype=np.uint8).reshape(ROWS, COLUMNS)))
    found["alpha.png"] = saved(clear, "PNG")
    found["grey-alpha.png"] = saved(clear.convert("LA"), "PNG")
    found["palette.png"] = saved(image.quantize(16), "PNG", transparency=3)
    found["bits.png"] = saved(image.convert("1"), "PNG")
    found["animated.png"] = saved(image, "PNG", save_all=True, append_images=[image.rotate(180)])
    return found


def main() -> None:
    header, data = {}, b""
    for name, content in files().items():
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        for key, values in (("file", np.frombuffer(content, np.uint8)), ("pixels", pixels)):
            offsets = [len(data), len(data) + values.size]
            header[f"{name}/{key}"] = {"dtype": "U8", "shape": list(values.shape), "data_offsets": offsets}
            data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    OUTPUT.write_bytes(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    main()
