"""Small networks and images, on which a run of the command takes a moment."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from aliascope import command

SIZE = 16
CLASSES = 5


def convolution(classes: int = CLASSES, dtype: type = np.float32, stride: int = 2) -> onnx.ModelProto:
    """A strided convolution, a ReLU, the mean over positions and a dense layer, with seeded weights."""
    draw = np.random.default_rng(3)
    weights = {
        "w": draw.normal(size=(8, 3, 3, 3)) / 3,
        "b": draw.normal(size=8) / 3,
        "head": draw.normal(size=(classes, 8)),
    }
    nodes = [
        helper.make_node("Conv", ["input", "w", "b"], ["h"], "stem", pads=[1, 1, 1, 1], strides=[stride, stride]),
        helper.make_node("Relu", ["h"], ["r"], "act"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "head"], ["logits"], "classifier", transB=1),
    ]
    kind = TensorProto.DOUBLE if dtype is np.float64 else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", kind, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", kind, [1, classes])],
        [numpy_helper.from_array(value.astype(dtype), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


@pytest.fixture(scope="session")
def model() -> onnx.ModelProto:
    return convolution()


@pytest.fixture(scope="session")
def path(model: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "small.onnx"
    onnx.save(model, str(file))
    return file


@pytest.fixture(scope="session")
def frames() -> np.ndarray:
    """Two inputs of the small networks, smooth enough to have a derivative worth measuring."""
    draw = np.random.default_rng(7)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    waves = [np.cos(2 * np.pi * (a * rows + b * columns) + c) for a, b, c in draw.uniform(0, 3, (6, 3))]
    return np.array(waves, dtype=np.float32).reshape(2, 3, SIZE, SIZE)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(11)
    for number in range(3):
        small = draw.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(small).resize((24, 20), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session", autouse=True)
def tested_command() -> Path:
    """The command under test, which the caller names: another one would be tested in silence."""
    if command.COMMAND not in os.environ:
        pytest.exit(f"set {command.COMMAND} to the command aliascope, or run `make test`", returncode=4)
    return command.command()
