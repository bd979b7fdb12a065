"""Records ONNX's node tests of operators that are newer than the ones its wheel holds.

The wheels of onnx after 1.17 have no node tests as files, but the package can make them. They go into one model with a
node per test: its attributes are the test's model, inputs and outputs. tests/onnx_conformance.rs reads it.

    pip install onnx==1.20.0 && python3 scripts/record_node_tests.py
"""

from __future__ import annotations

from pathlib import Path

import numpy
import onnx
from onnx import AttributeProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

OPERATORS = {"Attention", "RotaryEmbedding", "RMSNormalization"}
TARGET = Path(__file__).resolve().parent.parent / "tests/fixtures/onnx-node-tests-23.onnx"


def tensors(values: list) -> list:
    return [numpy_helper.from_array(numpy.asarray(value)) for value in values]


def main() -> None:
    nodes = []
    for case in collect_testcases(None):
        operators = {node.op_type for node in case.model.graph.node}
        if len(operators) != 1 or not operators <= OPERATORS:
            continue
        inputs, outputs = case.data_sets[0]
        node = helper.make_node(next(iter(operators)), ["x"], [f"y{len(nodes)}"], name=case.name)
        node.attribute.append(helper.make_attribute("model", case.model.SerializeToString()))
        for name, values in (("inputs", inputs), ("outputs", outputs)):
            node.attribute.append(AttributeProto(name=name, type=AttributeProto.TENSORS, tensors=tensors(values)))
        nodes.append(node)
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph(nodes, "node tests", [value], [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])
    TARGET.write_bytes(model.SerializeToString())
    print(f"{len(nodes)} tests, {TARGET.stat().st_size} bytes, in {TARGET}")


if __name__ == "__main__":
    main()
