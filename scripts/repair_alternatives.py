"""Repairs one network in several ways on the same photos, and prints them as a table in Markdown.

    python3 scripts/repair_alternatives.py MODEL.onnx --images TRAIN --validate VAL --into FOLDER
        [--labels FILE --first-label 1] [--steps 60] [--only NAME …]

Each way is one run of `aliascope repair`, whose result FOLDER keeps as NAME.json: what is there is not run again, so a
table that was interrupted goes on where it was. `none-lee` adapts weights alone, without a design, towards a smaller LEE;
the others put one in. With --steps 0 ways that do nothing without a step are left out. Ratios of LEE are those of means
over photos, with the interval of 95 % over photos in pairs. Needs an installed `aliascope`, or --program.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

BLUR = ["--replace", "stride=blurpool:3"]
# Name: options, and whether it is nothing without a step.
WAYS: dict[str, tuple[list[str], bool]] = {
    "none-lee": (["--recalibrate", "none", "--lee-weight", "1"], True),
    "blurpool3": (BLUR, False),
    "blurpool3-kl": ([*BLUR, "--loss", "kl"], True),
    "blurpool3-features": ([*BLUR, "--loss", "features"], True),
    "blurpool3-lee": ([*BLUR, "--lee-weight", "1"], True),
    "blurpool3-affine": ([*BLUR, "--train", "affine", "--rate", "1e-3"], True),
    "blurpool3-weights": ([*BLUR, "--recalibrate", "weights"], False),
    "bspline": (["--replace", "stride=bspline"], False),
    "blurpool2": (["--replace", "stride=blurpool:2"], False),
    "blurpool5": (["--replace", "stride=blurpool:5"], False),
    "lanczos": (["--replace", "stride=lanczos:3"], False),
    "ideal": (["--replace", "stride=ideal"], False),
    "filtered": (["--replace", "activation=filtered:2x"], False),
}


def number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def ratio(stage: dict, generator: str) -> str:
    found = stage.get("lee_ratios", {}).get(generator)
    if found is None:
        paired = stage["generators"][generator]
        return number(paired["after"] / paired["before"]) if paired["before"] else "–"
    interval = found["mean"]["interval"]
    around = f" ({interval['low']:.2f}–{interval['high']:.2f})" if interval else ""
    return f"{found['mean']['value']:.2f}{around}"


def rows(name: str, report: dict) -> list[str]:
    """A row for each stage, the first way's name at the first."""
    lines = []
    before = report["accuracy_before"]
    for stage in report["stages"]:
        training, change = report["training"], stage["change"]
        what = stage["stage"]
        if what == "repair":
            what = f"{training['steps']} steps of {training['batch']}"
        kl, kept = change["kl"], change["top1_unchanged"]
        moved = number(kl["mean"]) if kl else percent(change["relative"]["mean"])
        sem = f" ± {number(kl['sem'])}" if kl and kl["sem"] is not None else ""
        accuracy = stage["accuracy"] and f"{percent(before['top1'])} → {percent(stage['accuracy']['top1'])}"
        half = next((stage["shifts"][key] for key in stage["shifts"] if key.startswith("consistency_half_pixel")), None)
        cells = [
            name,
            what,
            *(ratio(stage, generator) for generator in stage["generators"]),
            moved + sem,
            percent(kept["mean"]) if kept else "–",
            accuracy or "–",
            f"{percent(half['before'])} → {percent(half['after'])}" if half else "–",
            number(report["cost"]["forward_passes"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", nargs="+", required=True)
    parser.add_argument("--validate", nargs="+", required=True)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--only", nargs="+", choices=sorted(WAYS))
    parser.add_argument("--program", default="aliascope")
    parser.add_argument("--more", default="", help="more options of every run, in one argument")
    parser.add_argument("--labels")
    parser.add_argument("--first-label", default="0")
    args = parser.parse_args()
    args.into.mkdir(parents=True, exist_ok=True)
    table: list[str] = []
    generators: list[str] = []
    for name in args.only or WAYS:
        options, needs_steps = WAYS[name]
        if needs_steps and args.steps == 0:
            continue
        path = args.into / f"{name}.json"
        if not path.exists():
            command = [args.program, "repair", args.model, *options, "--images", *args.images]
            command += ["--validate", *args.validate, "--steps", str(args.steps), "--json", str(path)]
            command += shlex.split(args.more)
            if args.labels:
                command += ["--labels", args.labels, "--first-label", args.first_label]
            print("running:", shlex.join(command), file=sys.stderr, flush=True)
            done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
            if done.returncode == 130:
                sys.exit("repair_alternatives.py: interrupted; run again to go on")
            if done.returncode not in (0, 10):
                print(f"| {name} | refused or failed with status {done.returncode} |", file=sys.stderr, flush=True)
                continue
        report = json.loads(path.read_text())
        generators = list(report["stages"][-1]["generators"])
        table += rows(name, report)
    if not table:
        sys.exit("repair_alternatives.py: there is no result to show")
    head = ["way", "stage", *(f"LEE {generator}, ratio" for generator in generators), "KL, nats", "top-1 unchanged"]
    head += ["accuracy", "half-pixel consistency", "forward passes"]
    print("| " + " | ".join(head) + " |")
    print("|---|---|" + "---:|" * (len(head) - 2))
    print("\n".join(table))


if __name__ == "__main__":
    main()
