"""Surveys layouts: exports every family by both of PyTorch's exporters, and writes the table of the shares that are known.

    make layouts           (what is recorded already is not exported again)
    python3 scripts/layouts.py --only resnet swin     families whose names contain these words
    python3 scripts/layouts.py --fresh                everything anew
    python3 scripts/layouts.py --keep FOLDER          the exported files stay there

The families are those of scripts/parity.py and some more. Weights are those that timm draws, seeded: a layout does not
depend on them. `aliascope inspect --json` says which nodes have rows and columns and which carry a layout. Results are
kept in results/layouts/NAME.json as they come; the table in docs/coverage.md gets a row of what has a record, and keeps
the others as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from export import run_inside
from parity import CASES, Case
from provision import CHECKOUT, Failure, run_script, say

RESULTS = CHECKOUT / "results" / "layouts"
TABLE = CHECKOUT / "docs" / "coverage.md"
BEGIN, END = "<!-- layouts: scripts/layouts.py -->", "<!-- end of layouts -->"
EXPORTERS = ("torchscript", "dynamo")
# The tracing exporter's own opset lacks Col2Im.
OPSETS = {"volo_d1_224": 18}
ENOUGH = 0.95

MORE = [
    Case("VOLO", "volo_d1_224", 224),
    Case("Sequencer", "sequencer2d_s", 224),
    Case("LambdaNet", "lambda_resnet26t", 128),
    Case("SwinV2-CR", "swinv2_cr_tiny_ns_224", 224),
    Case("MaxxViT", "maxxvitv2_nano_rw_256", 256),
    Case("SHViT", "shvit_s1", 128),
    Case("SwiftFormer", "swiftformer_xs", 224),
    Case("FasterNet", "fasternet_t0", 96),
    Case("MobileNetV4, hybrid", "mobilenetv4_hybrid_medium", 128),
    Case("MobileOne", "mobileone_s0", 96),
    Case("ViTamin", "vitamin_small_224", 224),
    Case("SAM ViT", "samvit_base_patch16_224", 64),
    Case("CSATv2", "csatv2", 128),
    Case("Hiera, detection", "hieradet_small", 224),
]


def families() -> list[Case]:
    """One case of each network, whatever exporters it is compared by."""
    return list({case.name: replace(case, exporter="torchscript") for case in [*CASES, *MORE]}.values())


# --- One network ------------------------------------------------------------------------------------------------------


def survey(case: Case, exporter: str, binary: Path, keep: Path | None) -> dict[str, Any]:
    """How many nodes have a layout, and which should have one and have none."""
    import torch
    import torch_networks as networks

    torch.manual_seed(0)
    model = networks.create(f"timm:{case.name}", size=case.size, **case.arguments)
    size = case.size or networks.input_size(model)
    opset = OPSETS.get(case.name) if exporter == "torchscript" else None
    exported = networks.to_onnx(model, size, None, opset, exporter)
    with tempfile.TemporaryDirectory() as temporary:
        path = (keep or Path(temporary)) / f"{case.name}-{exporter}.onnx"
        networks.save(exported, path)
        command = [str(binary), "inspect", str(path), "--json", "-", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {"size": size, "refused": (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]}
    nodes = json.loads(done.stdout)["nodes"]
    lost = [node for node in nodes if node["layout"] == "–" and not node["relates"]]
    return {
        "size": size,
        "placed": sum(node["grid"] is not None for node in nodes),
        "lost": [f"{node['name']} ({node['op']}) {node['shape']}" for node in lost],
    }


def one(name: str, binary: Path, keep: Path | None) -> None:
    """The survey of one network by one exporter, in a process of its own."""
    name, _, exporter = name.rpartition("-")
    case = next(case for case in families() if case.name == name)
    try:
        record = survey(case, exporter, binary, keep)
    except Exception as error:  # noqa: BLE001: whatever PyTorch or timm raise is told in the table
        first = (str(error).strip().splitlines() or [""])[0].split(". ")[0]
        record = {"size": case.size, "failed": f"{type(error).__name__}: {first}"[:200]}
    path(case, exporter).write_text(json.dumps(record, indent=1) + "\n")


# --- The table --------------------------------------------------------------------------------------------------------


def path(case: Case, exporter: str) -> Path:
    return RESULTS / f"{case.name}-{exporter}.json"


def recorded(case: Case, exporter: str) -> dict[str, Any] | None:
    try:
        return json.loads(path(case, exporter).read_text())
    except (OSError, ValueError):
        return None


def share(record: dict[str, Any]) -> float | None:
    """The share of the nodes with rows and columns that have a layout."""
    if "placed" not in record:
        return None
    return record["placed"] / max(1, record["placed"] + len(record["lost"]))


def cell(record: dict[str, Any] | None) -> str:
    if record is None:
        return "not tried"
    if (known := share(record)) is not None:
        return f"{100 * known:.1f} %"
    if "refused" in record:
        return f"refused: {record['refused'].replace('|', '/')}"
    return f"PyTorch does not export it: {record['failed'].replace('|', '/')}"


def rows_of(table: str) -> dict[str, str]:
    """The rows of the table as it stands, by the names of their networks."""
    lines = [line for line in table.splitlines() if line.startswith("| ") and "`" in line]
    return {line.split("`")[1]: line for line in lines}


def row(case: Case, kept: dict[str, str]) -> str | None:
    records = [recorded(case, exporter) for exporter in EXPORTERS]
    if not any(records):
        return kept.get(case.name)
    size = next(record["size"] for record in records if record)
    return f"| {case.family} | `{case.name}` | {size} | {' | '.join(map(cell, records))} |"


def write_table() -> None:
    """Puts the table between its two marks, and leaves the rest as it is."""
    text = TABLE.read_text()
    before, found, after = text.partition(BEGIN)
    table, ended, rest = after.partition(END)
    if not (found and ended):
        raise Failure(f"{TABLE.relative_to(CHECKOUT)} lacks the marks {BEGIN} and {END}: put them where the table goes")
    kept = rows_of(table)
    rows = [line for case in families() if (line := row(case, kept))]
    shares = [float(part.split()[0]) / 100 for line in rows for part in line.split("|") if part.endswith(" % ")]
    enough = sum(known >= ENOUGH for known in shares)
    lines = [
        BEGIN,
        "",
        "The share of the nodes with rows and columns whose layout is known, which `aliascope inspect` prints, in networks",
        f"of timm by the tracing and by the default exporter. {enough} of {len(shares)} files are at {100 * ENOUGH:.0f} % or",
        "more. `make layouts` makes this table.",
        "",
        "| family | network | size | traced | dynamo |",
        "|---|---|---:|---:|---:|",
        *rows,
        "",
        END,
    ]
    TABLE.write_text(before + "\n".join(lines) + rest)


# --- The run ----------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description="Survey the layouts of exported networks, family by family.")
    parser.add_argument("--only", nargs="*", default=[], help="words in the names of families or networks")
    parser.add_argument("--fresh", action="store_true", help="run again what is recorded")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the exported files there")
    parser.add_argument("--binary", type=Path, default=CHECKOUT / "target" / "debug" / "aliascope")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    run_inside(Path(__file__).resolve())
    RESULTS.mkdir(parents=True, exist_ok=True)
    if arguments.one:
        one(arguments.one, arguments.binary, arguments.keep)
        return
    if not arguments.binary.exists():
        raise Failure(f"{arguments.binary} is not built: run `make build`, then run again")
    words = [word.lower() for word in arguments.only]
    chosen = [c for c in families() if not words or any(w in c.family.lower() or w in c.name for w in words)]
    todo = [(c, e) for c in chosen for e in EXPORTERS if arguments.fresh or recorded(c, e) is None]
    log = RESULTS / "log.txt"
    for at, (case, exporter) in enumerate(todo):
        command = [sys.executable, __file__, "--one", f"{case.name}-{exporter}", "--binary", str(arguments.binary)]
        command += ["--keep", str(arguments.keep)] if arguments.keep else []
        with log.open("a") as file:
            done = subprocess.run(command, stdout=file, stderr=file, env={**os.environ, "OMP_NUM_THREADS": "1"})
        record = recorded(case, exporter)
        if record is None:
            say(f"{case.name}: the run died (status {done.returncode}); {log} has what it said")
            continue
        lost = record.get("lost", [])
        first = f"; without one: {', '.join(lost[:3])}" if lost else ""
        say(f"[{at + 1}/{len(todo)}] {case.name} ({exporter}): {cell(record)}{first}")
    write_table()


if __name__ == "__main__":
    run_script(main)
