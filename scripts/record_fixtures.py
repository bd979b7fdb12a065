"""Records what ONNX Runtime computes for each shipped network, as tests/fixtures/MODEL.safetensors.

The executor is tested against these files, so ONNX Runtime is needed to record them and never to test. Run it again
after a change of the models:

    python3 scripts/record_fixtures.py

Each file holds the output `y` and, as string metadata, `model`, `model_sha256` (of the file in models/), `input` and
`output` (names in the graph), `shape` (of the input, comma-separated) and `runtime`. The input is one of two kinds:

* `rule` in the metadata is `hash`: nothing is stored, and the input is rebuilt exactly. Its element i, counted in C
  order, comes of 32-bit unsigned arithmetic that wraps around:

      h = i · 2654435761;   h = (h xor (h >> 16)) · 2246822519;   h = h xor (h >> 13);
      x[i] = ((h >> 8) − 2²³) / 2²³

  These are the 2²⁴ multiples of 2⁻²³ in [−1, 1), each a float32 without rounding, and look like white noise.
* Otherwise it is stored as `x`: pieces of a printed page, in the detector's and recogniser's own normalisation
  (v/255 − 1/2) / (1/2), so that the networks find text in them and their outputs are far from trivial. The page is
  skimage/data/page.png, a photo of scikit-image's documentation, BSD-3-Clause.

ONNX Runtime runs with its graph optimisations off, to compute the graph as it is written.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision import (
    CHECKOUT,
    LINUX_X86_64,
    SCRIPTS,
    Failure,
    digest,
    download,
    extract,
    install,
    locked_cache,
    python_environment,
    run_script,
    say,
)

if TYPE_CHECKING:
    import numpy as np

FIXTURES = CHECKOUT / "tests" / "fixtures"
REQUIREMENTS = SCRIPTS / "requirements-fixtures.txt"
ASSETS = SCRIPTS / "requirements-assets.txt"

RULE_SHAPES = {
    "efficientnet-lite0": (1, 3, 224, 224),
    "efficientnet-lite1": (1, 3, 240, 240),
    "efficientnet-lite2": (1, 3, 260, 260),
}
# Of the page: (left, top, right, bottom) in pixels, and the size (rows, columns) that the piece is resized to.
PAGE_PIECES = {
    "ppocr-v4-det": ((200, 80, 328, 176), (96, 128)),
    "ppocr-v4-rec": ((0, 8, 96, 40), (48, 96)),
    "ppocr-v4-cls": ((200, 80, 328, 112), (48, 192)),  # half a line, so that the classifier does not saturate
}


def hashed_input(shape: tuple[int, ...]) -> np.ndarray:
    """The rule that the module's documentation states."""
    import numpy as np

    h = np.arange(np.prod(shape), dtype=np.uint32) * np.uint32(2654435761)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(2246822519)
    h ^= h >> np.uint32(13)
    return (((h >> np.uint32(8)).astype(np.float64) - 2**23) / 2**23).astype(np.float32).reshape(shape)


def page_input(page: Path, box: tuple[int, int, int, int], size: tuple[int, int]) -> np.ndarray:
    import numpy as np
    from PIL import Image

    piece = Image.open(page).convert("RGB").crop(box).resize(size[::-1], Image.Resampling.BICUBIC)
    values = np.asarray(piece).astype(np.float32)
    return np.ascontiguousarray(((values / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None])


def write_safetensors(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """The format is a length, a JSON header and the numbers: short enough to write here."""
    header: dict[str, object] = {"__metadata__": metadata}
    offset = 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    numbers = b"".join(tensor.astype("<f4").tobytes() for tensor in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)


def record(model: str, x: np.ndarray, rule: str | None) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3  # errors only: running unoptimised is wanted here, and not worth a warning
    path = CHECKOUT / "models" / f"{model}.onnx"
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    input_name, output_name = session.get_inputs()[0].name, session.get_outputs()[0].name
    (y,) = session.run([output_name], {input_name: x})

    metadata = {
        "model": f"{model}.onnx",
        "model_sha256": digest(path),
        "input": input_name,
        "output": output_name,
        "shape": ",".join(map(str, x.shape)),
        "runtime": f"ONNX Runtime {onnxruntime.__version__}, CPU, graph optimisations off",
    }
    tensors = {"y": y}
    if rule:
        metadata["rule"] = rule
    else:
        tensors["x"] = x
    write_safetensors(FIXTURES / f"{model}.safetensors", tensors, metadata)
    say(f"tests/fixtures/{model}.safetensors: {x.shape} → {y.shape}, largest output {abs(y).max():.4g}")


def record_all(page: Path) -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for model, shape in RULE_SHAPES.items():
        record(model, hashed_input(shape), rule="hash")
    for model, (box, size) in PAGE_PIECES.items():
        record(model, page_input(page, box, size), rule=None)


def main() -> None:
    """Sets up an environment that has ONNX Runtime, and goes on in there."""
    if len(sys.argv) == 2:
        record_all(Path(sys.argv[1]))
        return
    if not (CHECKOUT / "models" / "efficientnet-lite0.onnx").exists():
        raise Failure("there are no models to record: run `make models`, then run again")
    with locked_cache() as cache:
        python = python_environment(cache, name="fixtures")
        install(python, REQUIREMENTS)
        wheels = download(python, ASSETS, cache, LINUX_X86_64)
        page = wheels.folder / "page.png"
        extract(wheels.wheel("scikit_image"), "skimage/data/page.png", page)
        if subprocess.run([str(python), __file__, str(page)]).returncode != 0:
            raise Failure("the fixtures could not be recorded (the message is above)")
        wheels.delete()


if __name__ == "__main__":
    run_script(main)
