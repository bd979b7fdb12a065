"""Records quantised constants and fake-quantised values, for tests/quantised.rs.

tests/fixtures/quantised.onnx holds a model for every element type and shape of scales: DequantizeLinear of a stored
constant, added to the input, with what ONNX's reference evaluator gives. tests/fixtures/fake_quantised.safetensors has
values, rounded values and slopes of PyTorch's fake_quantize in double precision: the slopes come from its own reverse
mode. Needs onnx, torch and safetensors:

    python3 scripts/record_quantised.py
"""

from __future__ import annotations

from pathlib import Path

import numpy
import onnx
import torch
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.torch import save_file

FIXTURES = Path(__file__).resolve().parent.parent / "tests/fixtures"
SHAPE = [1, 2, 3, 4]

WHOLE = {
    TensorProto.UINT16: (0, 65535),
    TensorProto.INT16: (-32768, 32767),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT4: (0, 15),
    TensorProto.INT4: (-8, 7),
    TensorProto.INT32: (-(2**31), 2**31 - 1),
}
FLOATS = (
    TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E4M3FNUZ, TensorProto.FLOAT8E5M2, TensorProto.FLOAT8E5M2FNUZ,
)  # fmt: skip


def scales(kind: str) -> tuple[numpy.ndarray, dict[str, int]]:
    if kind == "tensor":
        return numpy.float32(0.037), {}
    if kind == "axis":
        return numpy.array([0.5, 0.1, 3.7], numpy.float32), {"axis": 2}
    shape = [1, 2, 3, 2]
    return (0.1 + numpy.arange(12) / 7).astype(numpy.float32).reshape(shape), {"axis": 3, "block_size": 2}


def dequantised(code: int, kind: str, values: numpy.ndarray, zero: numpy.ndarray | None, raw: bool) -> onnx.ModelProto:
    scale, attributes = scales(kind)
    given = [helper.make_tensor("q", code, SHAPE, values), numpy_helper.from_array(numpy.asarray(scale), "s")]
    if raw:
        given[0] = numpy_helper.from_array(numpy_helper.to_array(given[0]), "q")
        given[0].data_type = code
    inputs = ["q", "s"]
    if zero is not None:
        given.append(helper.make_tensor("z", code, zero.shape, zero.reshape(-1)))
        inputs.append("z")
    nodes = [
        helper.make_node("DequantizeLinear", inputs, ["w"], **attributes),
        helper.make_node("Add", ["x", "w"], ["y"]),
    ]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE)
    graph = helper.make_graph(nodes, "quantised", [value], [result], given)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def constants() -> list[onnx.NodeProto]:
    nodes = []
    random = numpy.random.default_rng(0)

    def add(name: str, model: onnx.ModelProto) -> None:
        wanted = ReferenceEvaluator(model).run(["y"], {"x": numpy.zeros(SHAPE, numpy.float32)})[0]
        node = helper.make_node("Test", [], [], name=name)
        node.attribute.append(helper.make_attribute("model", model.SerializeToString()))
        tensors = [numpy_helper.from_array(numpy.asarray(wanted, numpy.float32))]
        node.attribute.append(AttributeProto(name="outputs", type=AttributeProto.TENSORS, tensors=tensors))
        nodes.append(node)

    for code, (low, high) in WHOLE.items():
        values = random.integers(low, high, 24, endpoint=True)
        values[:2] = low, high
        for kind in ("tensor", "axis", "block"):
            shape = numpy.asarray(scales(kind)[0]).shape
            zero = random.integers(low, high, shape, endpoint=True) if code != TensorProto.INT32 else None
            for raw in (False, True):
                name = f"{TensorProto.DataType.Name(code)} {kind} {'raw' if raw else 'typed'}"
                add(name, dequantised(code, kind, values, zero, raw))
    for code in FLOATS:
        # Every finite number of the type, in rows of 24.
        dtype = helper.tensor_dtype_to_np_dtype(code)
        every = numpy.arange(256, dtype=numpy.uint8).view(dtype).astype(numpy.float32)
        every = numpy.resize(every[numpy.isfinite(every)], 264)
        for row in every.reshape(11, 24):
            add(TensorProto.DataType.Name(code), dequantised(code, "tensor", row, None, False))
    return nodes


def main() -> None:
    nodes = constants()
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    container = helper.make_model(helper.make_graph(nodes, "quantised", [value], []))
    onnx.save(container, FIXTURES / "quantised.onnx")

    torch.manual_seed(0)
    x = (torch.randn(1, 3, 5, 6, dtype=torch.float64) * 3).requires_grad_()
    recorded = {"x": x.detach().clone()}
    ranges = {"uint8": (0, 255, 110), "int8": (-128, 127, 5), "int4": (-8, 7, 1), "uint4": (0, 15, 6)}
    steps = torch.tensor([0.013, 0.2, 0.5], dtype=torch.float32)
    for name, (low, high, zero) in ranges.items():
        zeros = torch.tensor([zero, zero - 1, zero + 1], dtype=torch.int32)
        for kind in ("tensor", "channel"):
            if kind == "tensor":
                y = torch.fake_quantize_per_tensor_affine(x, 0.03125 if high > 15 else 0.375, zero, low, high)
            else:
                y = torch.fake_quantize_per_channel_affine(x, steps, zeros, 1, low, high)
            (slope,) = torch.autograd.grad(y.sum(), x)
            recorded[f"{name}.{kind}.y"], recorded[f"{name}.{kind}.slope"] = y.detach().clone(), slope.clone()
    recorded["steps"] = steps
    save_file(recorded, FIXTURES / "fake_quantised.safetensors")
    print(f"{len(nodes)} constants, {len(recorded)} tensors")


if __name__ == "__main__":
    main()
