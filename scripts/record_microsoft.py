"""Records what ONNX Runtime computes for the fusions that its optimiser writes, and for pooling at the end of a volume.

They go into one model with a node per test, as ONNX's own newer node tests do (scripts/record_node_tests.py): its
attributes are the test's model, inputs and outputs. tests/onnx_conformance.rs reads it.

    pip install onnx onnxruntime && python3 scripts/record_microsoft.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, helper, numpy_helper

TARGET = Path(__file__).resolve().parent.parent / "tests/fixtures/microsoft.onnx"
NUMBERS = np.random.default_rng(15)

# Operators of ONNX's own domain: one that ONNX Runtime writes there, and one whose windows at the end of a volume are
# recorded wrongly in the node tests of ONNX 1.17.
PLAIN = {"SimplifiedLayerNormalization", "AveragePool"}


def x(*shape: int, scale: float = 1.0) -> np.ndarray:
    return (scale * NUMBERS.standard_normal(shape)).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def cases() -> list[tuple[str, str, list, dict, int]]:
    """Name, operator, inputs (none where absent), attributes, outputs."""
    tokens, matrix, bias = x(2, 4, 6), x(6, 18, scale=0.5), x(18)
    image, weight = x(1, 3, 5, 4), x(4, 3, 3, 2, scale=0.5)
    keys = np.array([[1, 1, 0, 1], [1, 1, 1, 0]], np.int32)
    pairs = (NUMBERS.random((2, 4, 4)) < 0.7).astype(np.int32) | np.eye(4, dtype=np.int32)
    heads = {"num_heads": 2}
    fused = [("Relu", []), ("Tanh", []), ("Sigmoid", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 1.0])]
    fused.append(("HardSigmoid", [0.2, 0.4]))
    all_ = [
        ("attention", "Attention", [tokens, matrix, bias], heads, 1),
        ("attention_causal", "Attention", [tokens, matrix, bias], {**heads, "unidirectional": 1, "scale": 0.3}, 1),
        ("attention_lengths", "Attention", [tokens, matrix, bias, ints(3, 2)], {**heads, "mask_filter_value": -3.0}, 1),
        ("attention_ranges", "Attention", [tokens, matrix, bias, ints(4, 3, 1, 0)], heads, 1),
        ("attention_keys", "Attention", [tokens, matrix, bias, keys], heads, 1),
        ("attention_pairs", "Attention", [tokens, matrix, bias, pairs], {**heads, "mask_filter_value": -2.0}, 1),
        ("attention_bias", "Attention", [tokens, matrix, bias, None, None, x(2, 2, 4, 4)], heads, 1),
        ("attention_sizes", "Attention", [tokens, x(6, 14), x(14)], {**heads, "qkv_hidden_sizes": [4, 4, 6]}, 1),
        ("heads", "MultiHeadAttention", [tokens, x(2, 3, 6), x(2, 3, 4)], heads, 1),
        ("heads_bias", "MultiHeadAttention", [tokens, x(2, 3, 6), x(2, 3, 4), x(16)], {**heads, "scale": 0.4}, 1),
        ("heads_split", "MultiHeadAttention", [tokens, x(2, 2, 3, 3), x(2, 2, 3, 3)], heads, 1),
        ("heads_causal", "MultiHeadAttention", [tokens, tokens, tokens], {**heads, "unidirectional": 1}, 1),
        ("heads_keys", "MultiHeadAttention", [tokens, tokens, tokens, None, keys], heads, 1),
        ("heads_scores", "MultiHeadAttention", [tokens, tokens, tokens, None, None, x(1, 2, 4, 4)], heads, 1),
        ("bias_gelu", "BiasGelu", [tokens, x(6)], {}, 1),
        ("fast_gelu", "FastGelu", [tokens, x(6)], {}, 1),
        ("gelu", "Gelu", [tokens], {}, 1),
        ("quick_gelu", "QuickGelu", [tokens], {"alpha": 1.3}, 1),
        ("skip_norm", "SkipLayerNormalization", [tokens, x(2, 4, 6), x(6), x(6), x(6)], {"epsilon": 0.01}, 1),
        ("skip_norm_default", "SkipLayerNormalization", [tokens, x(2, 4, 6), x(6)], {}, 1),
        ("skip_root", "SkipSimplifiedLayerNormalization", [tokens, x(2, 4, 6), x(6), x(6)], {"epsilon": 0.01}, 1),
        ("root", "SimplifiedLayerNormalization", [tokens, x(6)], {"epsilon": 0.01, "axis": -1}, 1),
        ("matmul", "FusedMatMul", [tokens, x(2, 4, 3)], {"transA": 1, "alpha": 0.6}, 1),
        ("matmul_right", "FusedMatMul", [tokens, x(3, 6)], {"transB": 1, "alpha": 0.6}, 1),
        ("matmul_batch", "FusedMatMul", [x(4, 2, 3, 6), x(2, 3, 6, 5)], {"transBatchA": 1}, 1),
        ("matmul_batches", "FusedMatMul", [x(6, 2, 3, 4), x(5, 2, 3, 6)],
         {"transBatchA": 1, "transBatchB": 1, "transA": 1, "transB": 1}, 1),
        ("transpose_matmul", "TransposeMatMul", [tokens, x(2, 5, 6)], {"transB": 1, "alpha": 0.5}, 1),
        ("gemm", "FusedGemm", [x(3, 4), x(4, 5), x(5)], {"activation": "LeakyRelu", "activation_alpha": 0.2}, 1),
        ("gemm_root", "FusedGemm", [x(3, 4), x(4, 5)], {"activation": "Relu", "alpha": 0.5}, 1),
        ("conv_sum", "FusedConv", [image, weight, x(4), x(1, 4, 3, 3)], {"activation": "Relu"}, 1),
    ]
    pool = {"kernel_shape": [3, 3, 3], "strides": [3, 3, 3], "dilations": [2, 2, 2], "ceil_mode": 1}
    all_ += [
        ("volume_padding", "AveragePool", [x(1, 1, 9, 10, 12)], {**pool, "count_include_pad": 1}, 1),
        ("volume", "AveragePool", [x(1, 1, 9, 10, 12)], {**pool, "pads": [1, 0, 1, 0, 1, 1]}, 1),
    ]
    for activation, parameters in fused:
        attributes = {"activation": activation, "pads": [1, 0, 1, 1], "strides": [2, 1]}
        attributes |= {"activation_params": parameters} if parameters else {}
        all_.append((f"conv_{activation.lower()}", "FusedConv", [image, weight, x(4)], attributes, 1))
    return all_


def main() -> None:
    nodes = []
    for name, operator, inputs, attributes, outputs in cases():
        names = ["" if value is None else f"x{i}" for i, value in enumerate(inputs)]
        results = [f"y{i}" for i in range(outputs)]
        domain = "" if operator in PLAIN else "com.microsoft"
        node = helper.make_node(operator, names, results, domain=domain, **attributes)
        given = [(n, value) for n, value in zip(names, inputs) if value is not None]
        infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in given]
        answers = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in results]
        graph = helper.make_graph([node], name, infos, answers)
        opsets = [helper.make_opsetid("", 22), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        values = session.run(None, dict(given))
        test = helper.make_node(operator, ["x"], [f"z{len(nodes)}"], name=name)
        test.attribute.append(helper.make_attribute("model", model.SerializeToString()))
        for key, tensors in (("inputs", [v for _, v in given]), ("outputs", values)):
            held = [numpy_helper.from_array(np.asarray(value)) for value in tensors]
            test.attribute.append(AttributeProto(name=key, type=AttributeProto.TENSORS, tensors=held))
        nodes.append(test)
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph(nodes, "fusions of ONNX Runtime", [value], [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
    TARGET.write_bytes(model.SerializeToString())
    print(f"{len(nodes)} tests by ONNX Runtime {onnxruntime.__version__}, {TARGET.stat().st_size} bytes, in {TARGET}")


if __name__ == "__main__":
    main()
