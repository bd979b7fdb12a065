"""Writes tests/fixtures/every-field.onnx: a model message in which every field of every ONNX message is set.

It means nothing as a network. A program that decodes and encodes it must give the same fields back; one that the
program does not know would be missing. Needs the packages of requirements-convert.txt:

    python scripts/record_onnx_fields.py
"""

from collections import Counter
from pathlib import Path

import onnx
from google.protobuf.descriptor import FieldDescriptor as Field

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "every-field.onnx"
# How often a message type is filled with messages of its own before it gets plain values only. More than the six
# members of TypeProto's oneof, so that each has its turn.
EXPANSIONS = 8
WHOLE = {Field.TYPE_INT32, Field.TYPE_INT64}
UNSIGNED = {Field.TYPE_UINT64}
REAL = {Field.TYPE_FLOAT, Field.TYPE_DOUBLE}

visits: Counter[str] = Counter()
covered: set[tuple[str, str]] = set()
serial = 0


def plain(field):
    """A value that no other field has; negative or beyond 32 bits where the type allows."""
    global serial
    serial += 1
    if field.type == Field.TYPE_STRING:
        return f"{field.name} {serial} ∂"
    if field.type == Field.TYPE_BYTES:
        return bytes([0, 255, serial % 256, 10])
    if field.type == Field.TYPE_ENUM:
        values = field.enum_type.values
        return values[serial % len(values)].number
    if field.type in REAL:
        return -serial / 4
    if field.type == Field.TYPE_INT64:
        return -(2**40) - serial
    return {True: -serial, False: 2**63 + serial}[field.type in WHOLE]


def fill(message):
    kind = message.DESCRIPTOR
    visit = visits[kind.full_name]
    visits[kind.full_name] += 1
    chosen = {oneof.name: oneof.fields[visit % len(oneof.fields)].name for oneof in kind.oneofs}
    for field in kind.fields:
        oneof = field.containing_oneof
        if oneof is not None and chosen[oneof.name] != field.name:
            continue
        repeated = field.is_repeated
        if field.type == Field.TYPE_MESSAGE:
            if visit >= EXPANSIONS:
                continue
            for _ in range(2 if repeated else 1):
                fill(getattr(message, field.name).add() if repeated else getattr(message, field.name))
                if not repeated:
                    getattr(message, field.name).SetInParent()
        else:
            assert field.type in WHOLE | UNSIGNED | REAL | {Field.TYPE_STRING, Field.TYPE_BYTES, Field.TYPE_ENUM}
            if repeated:
                getattr(message, field.name).extend([plain(field), plain(field)])
            else:
                setattr(message, field.name, plain(field))
        covered.add((kind.full_name, field.name))


def fields_of(kind, known):
    if kind.full_name in known:
        return
    known[kind.full_name] = {field.name for field in kind.fields}
    for field in kind.fields:
        if field.message_type is not None:
            fields_of(field.message_type, known)


def main():
    model = onnx.ModelProto()
    fill(model)
    known = {}
    fields_of(onnx.ModelProto.DESCRIPTOR, known)
    missing = {(kind, name) for kind, names in known.items() for name in names} - covered
    assert not missing, f"not set: {sorted(missing)}"
    data = model.SerializeToString(deterministic=True)
    OUT.write_bytes(data)
    print(f"{OUT.name}: {len(data)} bytes, {len(covered)} fields of {len(known)} messages, onnx {onnx.__version__}")


if __name__ == "__main__":
    main()
