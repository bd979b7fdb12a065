"""A graph of ONNX that grows node by node, with the arithmetic that several recipes of zoo_networks.py share."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # the oldest that holds opset 17, so that old readers open the files too


class RecipeError(Exception):
    """A file is not what a recipe reads; the message says where it differs."""


class Graph:
    """Nodes and constants in the order in which they are added; `image` is what goes in."""

    def __init__(self, opset: int = OPSET) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: Any, dtype: type = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=dtype), name))
        return name

    def node(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """A node with one output, which is called as the node is."""
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=f"/{name}/{operator}", **attributes))
        return name

    def convolution(
        self,
        x: str,
        name: str,
        weight: np.ndarray,
        bias: np.ndarray | None = None,
        stride: int = 1,
        pads: Sequence[int] | None = None,
        group: int = 1,
    ) -> str:
        """Weights as ONNX has them; without `pads` an odd window has its middle on every pixel."""
        inputs = [x, self.constant(f"{name}.weight", weight)]
        if bias is not None:
            inputs.append(self.constant(f"{name}.bias", bias))
        rows, columns = weight.shape[2:]
        pads = [rows // 2, columns // 2] * 2 if pads is None else list(pads)
        return self.node(
            "Conv", inputs, name, kernel_shape=[rows, columns], strides=[stride] * 2, pads=pads, group=group
        )

    def clip(self, x: str, name: str, low: float, high: float) -> str:
        bounds = [self.constant(f"{name}.min", low), self.constant(f"{name}.max", high)]
        return self.node("Clip", [x, *bounds], name)

    def resize(self, x: str, name: str, factor: int, mode: str) -> str:
        """Every pixel becomes factor × factor; corners of the image stay corners."""
        scales = self.constant(f"{name}.scales", [1, 1, factor, factor])
        # Of the nearest, rounding down at half pixels repeats every pixel `factor` times.
        how = {"nearest_mode": "round_prefer_floor"} if mode == "nearest" else {}
        return self.node("Resize", [x, "", scales], name, mode=mode, coordinate_transformation_mode="half_pixel", **how)

    def model(
        self, name: str, shape: Sequence[int], output: str, output_shape: Sequence[int], preprocessing: dict | None
    ) -> onnx.ModelProto:
        """The model, checked, with what a photo goes through before it in its metadata."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(output_shape))],
            self.constants,
        )
        model = helper.make_model(
            graph,
            producer_name="aliascope",
            ir_version=max(IR_VERSION, helper.find_min_ir_version_for([helper.make_opsetid("", self.opset)])),
            opset_imports=[helper.make_opsetid("", self.opset)],
        )
        if preprocessing:
            helper.set_model_props(model, {"aliascope.preprocessing": json.dumps(preprocessing)})
        onnx.checker.check_model(model, full_check=True)
        return model


def preprocessing(mean: float | Sequence[float], std: float, scale: float, crop: float) -> dict:
    """(v − mean)/std of the centre square's share `crop`, resized bicubically, with values of 0 to `scale`."""
    mean = [mean] * 3 if isinstance(mean, (int, float)) else list(mean)
    return {"mean": mean, "std": [std] * 3, "scale": scale, "crop": crop, "interpolation": "bicubic"}


def oihw(kernel: np.ndarray) -> np.ndarray:
    """A kernel of [rows, columns, in, out], as TensorFlow and Flax have it, in ONNX's order."""
    return kernel.transpose(3, 2, 0, 1)


def folded(
    kernel: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, variance: np.ndarray, epsilon: float
):
    """A convolution with the batch norm behind it: kernel w γ/√(σ² + ε), output channels first, and bias β − μ γ/√(σ² + ε)."""
    gamma, beta, mean, variance = (part.astype(np.float64) for part in (gamma, beta, mean, variance))
    gain = gamma / np.sqrt(variance + epsilon)
    return kernel.astype(np.float64) * gain[:, None, None, None], beta - mean * gain


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding on one axis, as (before, after): the odd one goes after."""
    total = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2
