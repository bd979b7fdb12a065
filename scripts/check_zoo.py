"""Runs every network of `make zoo` in ONNX Runtime on what is known, and in aliascope, and prints what is seen.

    python3 scripts/check_zoo.py --binary target/debug/aliascope

What is known: classes of two photos; white noise on a photo and what is left of it; a photo made smaller and brought
back; text that is turned; edges, which lie where the picture changes. Whoever changes a recipe looks at the numbers
again: docs/models.md has those of the networks as they are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from provision import CHECKOUT, SCRIPTS, Failure, install, locked_cache, python_environment, run_script, say
from system import install_python_venv
from zoo import NETWORKS

REQUIREMENTS = SCRIPTS / "requirements-fixtures.txt"


def decibels(a, b) -> float:
    """The peak signal-to-noise ratio of values of 0 to 1."""
    import numpy as np

    return float(-10 * np.log10(np.mean((a - b) ** 2)))


def photo(name: str, side: int, grey: bool = False):
    """A photo's centre square, `[channels, side, side]`, with values of 0 to 1."""
    import numpy as np
    from PIL import Image

    image = Image.open(CHECKOUT / "photos" / name).convert("L" if grey else "RGB")
    least = min(image.size)
    left, top = (image.width - least) // 2, (image.height - least) // 2
    image = image.crop((left, top, left + least, top + least)).resize((side, side), Image.BICUBIC)
    values = np.asarray(image, np.float32) / 255
    return values[None] if grey else values.transpose(2, 0, 1)


def seen(path: Path) -> str:
    """What the network makes of what is known, in words."""
    import numpy as np
    import onnxruntime
    from PIL import Image, ImageDraw, ImageFont

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    side, channels = given.shape[2], given.shape[1]
    how = json.loads(session.get_modelmeta().custom_metadata_map["aliascope.preprocessing"])
    mean, std = (np.asarray(how[part], np.float32)[:, None, None] for part in ("mean", "std"))

    def run(values):
        x = (values * how["scale"] - mean) / std
        return session.run(None, {given.name: x[None].astype(np.float32)})[0][0]

    def classified(name: str) -> str:
        scores = run(photo(name, side)).astype(np.float64)
        shares = np.exp(scores - scores.max())
        return f"{name} class {scores.argmax()} ({shares.max() / shares.sum():.3f})"

    entry = NETWORKS[path.name]
    if entry.recipe == "dncnn":
        sigma = {"L": 0.06, "M": 0.10, "H": 0.20}[path.stem[-1]]
        clean = photo("camera.png", side, grey=True)
        noisy = clean + sigma * np.random.default_rng(0).standard_normal(clean.shape).astype(np.float32)
        return f"camera.png with noise of {sigma}: {decibels(noisy, clean):.1f} → {decibels(run(noisy), clean):.1f} dB"
    if entry.recipe == "tensorflow-js":
        factor = int(path.stem[-1])
        clean = photo("astronaut.png", factor * side)
        small = clean.reshape(channels, side, factor, side, factor).mean((2, 4))
        large = Image.fromarray((255 * small.transpose(1, 2, 0) + 0.5).astype(np.uint8))
        large = np.asarray(large.resize((factor * side,) * 2, Image.BICUBIC), np.float32).transpose(2, 0, 1) / 255
        ours = np.clip(run(small) / 255, 0, 1)
        bicubic, its = decibels(large, clean), decibels(ours, clean)
        return f"astronaut.png ÷ {factor} and back: bicubic {bicubic:.1f} dB, its own {its:.1f} dB"
    if entry.recipe == "hed":
        picture = photo("astronaut.png", side)
        rows, columns = np.gradient(picture.mean(0))
        correlation = np.corrcoef(np.hypot(rows, columns).ravel(), run(picture).ravel())[0, 1]
        return f"astronaut.png: edges go with the size of the gradient by {correlation:.2f}"
    if entry.recipe == "pp-lcnet":
        page = Image.new("RGB", (side, side), "white")
        font = ImageFont.load_default(14)
        for line in range(12):
            ImageDraw.Draw(page).text((8, 4 + 18 * line), "The quick brown fox jumps over it", "black", font)
        turned = [np.rot90(np.asarray(page, np.float32) / 255, turn).transpose(2, 0, 1) for turn in range(4)]
        classes = [int(run(np.ascontiguousarray(page)).argmax()) for page in turned]
        return f"text turned by 0, 90, 180, 270 degrees: classes {', '.join(map(str, classes))}"
    return "; ".join(classified(name) for name in ("chelsea.png", "coffee.png"))


def error(path: Path, binary: Path) -> str:
    """LEE under a translation, as aliascope measures it on one photo."""
    grey = NETWORKS[path.name].recipe == "dncnn"
    image = CHECKOUT / "photos" / ("camera.png" if grey else "astronaut.png")
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "lee.json"
        line = [str(binary), "lee", str(path), "--images", str(image), "--generator", "translate_x", "--quiet"]
        done = subprocess.run([*line, "--json", str(into)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{path.name}: {done.stderr.strip() or 'aliascope failed without a word'}")
        return f"LEE {json.loads(into.read_text())['generators']['translate_x']['lee']:.3g}"


def main() -> None:
    """Prints a line for each network."""
    parser = argparse.ArgumentParser(description="Check the networks of the zoo.")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        with locked_cache() as cache:
            python = python_environment(cache, install_python_venv, "fixtures")
            install(python, REQUIREMENTS)
        line = [str(python), __file__, "--inside", "--binary", str(arguments.binary)]
        sys.exit(subprocess.run(line).returncode)
    for name in NETWORKS:
        path = CHECKOUT / "zoo" / name
        if not path.exists():
            raise Failure("zoo/ is not there: run `make zoo` first")
        say(f"{name}: {seen(path)}; {error(path, arguments.binary)}")


if __name__ == "__main__":
    run_script(main)
