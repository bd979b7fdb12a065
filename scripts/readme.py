#!/usr/bin/env python3
"""Try what README.md promises: its commands, the files that they write, and the numbers of its table.

    python3 scripts/readme.py                 the commands, on one photo (minutes)
    python3 scripts/readme.py --numbers       the table of values too, on all photos (longer)
    python3 scripts/readme.py --command PATH  with this aliascope [default: target/debug/aliascope]

A command is a line of an indented block that begins with `aliascope`. MODEL.onnx stands for EfficientNet-Lite0, PHOTOS/ for a
folder of photos. Needs `make models`; of the table, networks are measured that `make models` and `make zoo` have brought.
"""

import argparse
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"
ZOO = ROOT / "zoo"


def commands(text):
    """The command lines, one after the other, a comment behind left out."""
    for line in text.splitlines():
        if line.startswith("    aliascope "):
            yield re.split(r"\s+# ", line.strip())[0]


def stated(text):
    """The rows of the table of values whose models are here: the file and, by column, the number that is stated."""
    lines = text.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("| Network |"))
    heads = [cell.strip(" `") for cell in lines[start].split("|")[1:-1]]
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        name = cells[0].lower().replace(" ", "") + ".onnx"
        found = [folder / name for folder in (MODELS, ZOO) if (folder / name).is_file()]
        if found:
            yield found[0], dict(zip(heads[1:], cells[1:]))


def agrees(cell, value):
    """Whether a number is the one that is stated, to its last digit; that may differ by how threads add up."""
    number = cell.removesuffix(" %")
    decimals = len(number.partition(".")[2])
    # The zeros at the end of 1800 are no digits.
    last = 10.0**-decimals if "." in number else 10.0 ** (len(number) - len(number.rstrip("0")))
    return abs(float(number) - value) <= 0.5 * last + 0.01 * value


def run(command, line, folder):
    """Runs a command line in `folder`; what is wrong, as a sentence."""
    words = [str(command), *shlex.split(line)[1:]]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"{line}: status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"
    for option in ("--plot", "-p", "--json", "-j", "--html", "--csv", "--md", "--save"):
        if option in words:
            file = folder / words[words.index(option) + 1]
            if not file.is_file() or file.stat().st_size == 0:
                return f"{line}: {file.name} is not there"
    return None


def measured(command, model, folder):
    """What is measured now, by column of the table."""
    results = {}
    for words in (["lee", "--no-horizon"], ["metrics"]):
        out = folder / f"{model.stem}-{words[0]}.json"
        words = [str(command), *words, str(model), "-i", str(ROOT / "photos"), "-q", "-j", str(out)]
        subprocess.run(words, check=True)
        results |= json.loads(out.read_text())
    generators = results["generators"]
    values = {name: of["summary"]["geometric_mean"]["value"] for name, of in generators.items()}
    values["relative"] = generators["translate_x"]["relative_geometric_mean"]["value"]
    values["Fisher"] = generators["translate_x"]["fisher"]["geometric_mean"]["value"]
    values["same answer"] = 100 * results["metrics"]["consistency_half_pixel_cropped"]["value"]
    return values


def numbers(command, text, folder):
    """What of the table is not what is measured now."""
    for model, row in stated(text):
        values = measured(command, model, folder)
        for name, cell in row.items():
            if name not in values:
                yield f"the column {name} is none that can be measured"
            elif not agrees(cell, values[name]):
                yield f"{model.stem} under {name}: {cell} is stated, {values[name]:.3g} measured"
        print(f"measured: {model.stem}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", type=pathlib.Path, default=ROOT / "target/debug/aliascope")
    parser.add_argument("--numbers", action="store_true", help="measure the table of values too")
    arguments = parser.parse_args()
    command = arguments.command.resolve()
    if not command.is_file() or not MODELS.is_dir():
        sys.exit("run `make build models` first, then run again")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    wrong = []
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        shutil.copy(MODELS / "efficientnet-lite0.onnx", folder / "MODEL.onnx")
        (folder / "PHOTOS").mkdir()
        shutil.copy(ROOT / "photos/chelsea.png", folder / "PHOTOS")
        for line in commands(text):
            said = run(command, line, folder)
            print(f"{'wrong' if said else 'good'}: {line}", flush=True)
            wrong += [said] if said else []
        if arguments.numbers:
            wrong += numbers(command, text, folder)
    print("\n".join(wrong) or "README.md keeps its promises")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
