"""Records what operators mean at each opset at which their meaning changed, for tests/opsets.rs.

Every test is a tiny model with its input and output: from ONNX Runtime, or from ONNX's reference evaluator where ONNX
Runtime does not run the opset. They go into one model with a node per test, as scripts/record_node_tests.py has it.

    pip install onnx==1.20.0 onnxruntime==1.23.2 numpy && python3 scripts/record_opsets.py
"""

from __future__ import annotations

from pathlib import Path

import numpy
import onnx
import onnxruntime
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

TARGET = Path(__file__).resolve().parent.parent / "tests/fixtures/opsets.onnx"


def model(operator, opset, shape, constants=(), outputs=1, **attributes):
    """One node of `operator` that reads x and constants (none where one is absent)."""
    names = ["" if c is None else f"c{i}" for i, c in enumerate(constants)]
    given = [numpy_helper.from_array(numpy.asarray(c), n) for n, c in zip(names, constants) if c is not None]
    made = ["y", "extra"][:outputs]
    node = helper.make_node(operator, ["x", *names], made, **attributes)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "opsets", [value], [result], given)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7 if opset < 13 else 8)


def run(case, x):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(case.SerializeToString(), options).run(["y"], {"x": x})[0]
    except Exception:
        return ReferenceEvaluator(case).run(["y"], {"x": x})[0]


def f(*values):
    return numpy.array(values, numpy.float32)


def i(*values):
    return numpy.array(values, numpy.int64)


def cases():
    image = [1, 2, 3, 4]
    entries = [(0.5 + numpy.arange(24) % 5 / 4).astype(numpy.float32).reshape(2, 3, 4) for _ in range(1)][0]
    per_entry = [entries, entries / 3, entries / 2, entries + 1]
    for opset in (7, 8):
        yield "BatchNormalization", opset, image, per_entry, dict(spatial=0)
    for opset in (7, 9, 14, 15):
        yield "BatchNormalization", opset, image, [f(1, 2), f(0.5, -1), f(0.1, 0.2), f(1, 2)], dict(epsilon=1e-3)
    for opset in (7, 11, 13):
        for operator in ("Softmax", "LogSoftmax"):
            yield operator, opset, image, [], {}
            yield operator, opset, image, [], dict(axis=2)
    for opset in (7, 9, 11, 13):
        yield "Flatten", opset, image, [], dict(axis=2)
    for opset in (7, 10):
        yield "Clip", opset, image, [], dict(min=-0.5, max=0.75)
    for opset in (11, 12, 13):
        yield "Clip", opset, image, [numpy.float32(-0.5), numpy.float32(0.75)], {}
    yield "Clip", 13, image, [numpy.float32(0.75), numpy.float32(-0.5)], {}
    for opset in (7, 10):
        yield "Dropout", opset, image, [], dict(ratio=0.3)
        yield "Dropout", opset, image, [], dict(ratio=0.3, outputs=2)
    for opset in (12, 13, 22):
        yield "Dropout", opset, image, [numpy.float32(0.3)], {}
    yield "Pad", 7, image, [], dict(pads=[0, 0, 1, 2, 0, 0, 0, 1], mode="reflect")
    yield "Pad", 10, image, [], dict(pads=[0, 0, 1, 2, 0, 0, 0, 1], value=1.5)
    for opset in (11, 13, 18):
        yield "Pad", opset, image, [i(0, 0, 1, 2, 0, 0, 0, 1), numpy.float32(1.5)], {}
    yield "Pad", 18, image, [i(1, 2), None, i(3)], dict(mode="edge")
    for mode in ("wrap", "reflect", "edge", "constant"):
        for pads in ((-1, 2), (2, -1), (-1, -1), (0, 3)):
            yield "Pad", 19, image, [i(0, 0, 0, pads[0], 0, 0, 0, pads[1])], dict(mode=mode)
    yield "Pad", 19, image, [i(0, 0, 0, 9, 0, 0, 0, 11)], dict(mode="wrap")
    for opset in (7, 9):
        yield "Slice", opset, image, [], dict(starts=[1, -3], ends=[3, 9], axes=[2, 3])
    yield "Slice", 10, image, [i(1, 0), i(3, 9), i(2, 3), i(1, 2)], {}
    yield "Slice", 11, image, [i(-1), i(-9), i(-1), i(-2)], {}
    yield "Slice", 13, image, [i(-1), i(-9), i(-1), i(-2)], {}
    for opset in (7, 11):
        yield "Split", opset, image, [], dict(axis=3, split=[1, 3], outputs=2)
        yield "Split", opset, image, [], dict(axis=3, outputs=2)
    yield "Split", 13, image, [i(1, 3)], dict(axis=-1, outputs=2)
    yield "Split", 18, [1, 2, 3, 5], [], dict(axis=-1, num_outputs=2, outputs=2)
    for opset in (7, 9):
        yield "TopK", opset, image, [], dict(k=2, outputs=2)
        yield "TopK", opset, image, [], dict(k=2, axis=1, outputs=2)
    yield "TopK", 10, image, [i(2)], dict(outputs=2)
    yield "TopK", 11, image, [i(2)], dict(largest=0, axis=2, outputs=2)
    for opset in (7, 11):
        yield "Squeeze", opset, image, [], dict(axes=[0])
        yield "Unsqueeze", opset, image, [], dict(axes=[0, 3])
    for opset in (13, 21):
        yield "Squeeze", opset, image, [i(0)], {}
        yield "Unsqueeze", opset, image, [i(0, -2)], {}
    yield "Upsample", 7, image, [], dict(scales=[1.0, 1.0, 2.0, 1.5])
    yield "Upsample", 7, image, [], dict(scales=[1.0, 1.0, 2.0, 3.0], mode="linear")
    yield "Upsample", 9, image, [f(1, 1, 2, 1.5)], {}
    yield "Upsample", 9, image, [f(1, 1, 2, 2.3)], dict(mode="linear")
    for scale in (0.5, 0.6, 0.7, 0.75, 2 / 3, 1.3, 2.3):
        for mode in ("nearest", "linear"):
            yield "Resize", 10, [1, 1, 6, 10], [f(1, 1, scale, scale)], dict(mode=mode)
    yield "Resize", 11, image, [f(), f(1, 1, 2, 1.5)], {}
    for coordinates in ("align_corners", "asymmetric", "half_pixel", "pytorch_half_pixel"):
        for mode in ("nearest", "linear", "cubic"):
            yield "Resize", 11, [1, 1, 5, 7], [f(), f(1, 1, 0.7, 2.3)], dict(
                mode=mode, coordinate_transformation_mode=coordinates
            )
            yield "Resize", 13, [1, 1, 5, 7], [None, None, i(1, 1, 3, 10)], dict(
                mode=mode, coordinate_transformation_mode=coordinates
            )
    for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
        yield "Resize", 11, [1, 1, 5, 7], [f(), f(1, 1, 0.6, 3)], dict(
            nearest_mode=rounding, coordinate_transformation_mode="tf_half_pixel_for_nn"
        )
    for policy in ("stretch", "not_larger", "not_smaller"):
        for mode in ("nearest", "linear"):
            yield "Resize", 18, [1, 1, 5, 7], [None, None, i(9, 8)], dict(
                keep_aspect_ratio_policy=policy, axes=[2, 3], mode=mode
            )
    yield "Resize", 19, [1, 1, 5, 7], [None, f(1.4, 0.9)], dict(
        axes=[3, 2], mode="linear", coordinate_transformation_mode="half_pixel_symmetric"
    )
    for operator in ("ReduceMean", "ReduceSum", "ReduceL2", "ReduceMax", "ReduceLogSumExp", "ReduceProd"):
        for opset in (7, 11):
            yield operator, opset, image, [], dict(axes=[1, 2], keepdims=0)
            yield operator, opset, image, [], {}
        yield operator, 18, image, [i(1, 2)], dict(keepdims=0)
        yield operator, 18, image, [], {}
    yield "ReduceSum", 13, image, [i(-1)], {}
    yield "ReduceSum", 13, image, [], dict(noop_with_empty_axes=1)
    yield "ReduceMean", 18, image, [], dict(noop_with_empty_axes=1)
    matrix = numpy.linspace(-1, 1, 8, dtype=numpy.float32).reshape(4, 2)
    for opset in (7, 9, 11, 13):
        yield "Gemm", opset, [3, 4], [matrix, f(1, 2)], dict(alpha=0.5, beta=2.0)
    yield "Gemm", 11, [3, 4], [matrix], {}
    yield "Gemm", 7, [4, 3], [matrix, f(1).reshape(1, 1)], dict(transA=1)
    for opset in (18, 20):
        yield "GroupNormalization", opset, [1, 4, 3, 4], [f(1, 2), f(0.5, -1)], dict(num_groups=2)
    yield "GroupNormalization", 21, [1, 4, 3, 4], [f(1, 2, 3, 4), f(0.5, -1, 0, 1)], dict(num_groups=2)
    pool = dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for opset in (7, 10, 11, 19, 22):
        yield "AveragePool", opset, [1, 2, 5, 6], [], pool
        yield "AveragePool", opset, [1, 2, 5, 6], [], dict(pool, count_include_pad=1)
    for opset in (10, 11, 19, 22):
        yield "AveragePool", opset, [1, 2, 5, 6], [], dict(kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
        yield "MaxPool", opset, [1, 2, 5, 6], [], dict(kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    yield "AveragePool", 19, [1, 2, 7, 8], [], dict(kernel_shape=[2, 2], dilations=[2, 3])
    for opset in (7, 8, 10, 11, 12):
        yield "MaxPool", opset, [1, 2, 5, 6], [], pool
    yield "MaxPool", 10, [1, 2, 7, 8], [], dict(kernel_shape=[2, 2], dilations=[2, 3])
    for opset in (7, 9, 16):
        yield "PRelu", opset, image, [f(0.1, 0.2).reshape(2, 1, 1)], {}
        yield "PRelu", opset, image, [f(0.1, 0.2, 0.3, 0.4)], {}
    for opset in (7, 13, 14):
        yield "Add", opset, image, [f(1, 2, 3, 4)], {}
        yield "Mul", opset, image, [f(1, 2).reshape(2, 1, 1)], {}
    for opset in (7, 11):
        yield "ConvTranspose", opset, [1, 1, 3, 3], [matrix.reshape(1, 1, 4, 2)], dict(strides=[2, 2])
    yield "ConvTranspose", 11, [1, 1, 3, 3], [f(*range(9)).reshape(1, 1, 3, 3)], dict(strides=[2, 2], auto_pad="SAME_UPPER")
    for opset in (7, 11, 13):
        yield "DepthToSpace", opset, [1, 8, 2, 2], [], dict(blocksize=2)
    yield "DepthToSpace", 11, [1, 8, 2, 2], [], dict(blocksize=2, mode="CRD")
    for opset in (7, 13, 14):
        yield "Reshape", opset, image, [i(0, -1, 4)], {}
    for opset in (7, 11, 13):
        yield "Gather", opset, image, [i(1, 0)], dict(axis=1)
        yield "Concat", opset, image, [f(*range(8)).reshape(1, 2, 1, 4)], dict(axis=2)
    for opset in (7, 12, 13, 15):
        yield "Pow", opset, image, [f(2)], {}
    for opset in (7, 13):
        yield "LRN", opset, [1, 4, 2, 2], [], dict(size=3)
    places = numpy.linspace(-1.3, 1.2, 30).astype(numpy.float32).reshape(1, 3, 5, 2)[:, :, ::-1]
    for opset, modes in ((16, ("bilinear", "nearest", "bicubic")), (20, ("linear", "nearest", "cubic"))):
        yield "GridSample", opset, [1, 2, 4, 5], [places], {}
        for mode in modes:
            for padding in ("zeros", "border", "reflection"):
                for align in (0, 1):
                    yield "GridSample", opset, [1, 2, 4, 5], [places], dict(
                        mode=mode, padding_mode=padding, align_corners=align
                    )
    yield "GridSample", 22, [1, 2, 4, 5], [places], dict(mode="cubic", padding_mode="reflection")
    for opset in (7, 11, 18):
        yield "LpPool", opset, [1, 2, 4, 4], [], dict(kernel_shape=[2, 2], p=2)


def main() -> None:
    nodes = []
    for number, (operator, opset, shape, constants, attributes) in enumerate(cases()):
        count = int(numpy.prod(shape))
        # Numbers of no order, none twice.
        x = (((numpy.arange(count) * 37) % 101) / 40 - 1.2).astype(numpy.float32).reshape(shape)
        case = model(operator, opset, shape, constants, **attributes)
        node = helper.make_node("Test", [], [], name=f"{operator}-{opset} ({number})")
        node.attribute.append(helper.make_attribute("model", case.SerializeToString()))
        for name, value in (("inputs", x), ("outputs", run(case, x))):
            tensors = [numpy_helper.from_array(numpy.asarray(value))]
            node.attribute.append(AttributeProto(name=name, type=AttributeProto.TENSORS, tensors=tensors))
        nodes.append(node)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph(nodes, "opsets", [value], [])
    container = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])
    TARGET.write_bytes(container.SerializeToString())
    print(f"{len(nodes)} tests, {TARGET.stat().st_size} bytes, in {TARGET}")


if __name__ == "__main__":
    main()
