"""Writes core/src/onnx/attributes.txt: the attributes of ONNX's operators that not every opset of the operator has.

A line has an operator, an attribute, and the first and the last opset that have it, out of the recorded history of
ONNX's own schemas, among the opsets that are read (7 to 25). Needs the package onnx:

    python3 scripts/record_attributes.py
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import onnx

TARGET = Path(__file__).resolve().parent.parent / "core/src/onnx/attributes.txt"
OLDEST, NEWEST = 7, 25


def spans(opsets: list[int]) -> list[tuple[int, int]]:
    """Runs of numbers that follow each other."""
    found: list[tuple[int, int]] = []
    for opset in opsets:
        if found and found[-1][1] == opset - 1:
            found[-1] = (found[-1][0], opset)
        else:
            found.append((opset, opset))
    return found


def main() -> None:
    history = defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            history[schema.name].append(schema)
    lines = []
    for name, schemas in sorted(history.items()):
        schemas.sort(key=lambda schema: schema.since_version)
        having = defaultdict(list)
        alive = []
        for opset in range(OLDEST, NEWEST + 1):
            current = [schema for schema in schemas if schema.since_version <= opset]
            if not current or current[-1].deprecated:
                continue
            alive.append(opset)
            for attribute in current[-1].attributes:
                having[attribute].append(opset)
        for attribute, opsets in sorted(having.items()):
            if opsets != alive:
                lines += [f"{name} {attribute} {first} {last}" for first, last in spans(opsets)]
    TARGET.write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} lines in {TARGET}")


if __name__ == "__main__":
    main()
