"""`make study`: surveys the ImageNet classifiers of `make models` and `make zoo` on labelled photos.

    python3 scripts/study.py --binary target/debug/aliascope --into results/study --images FOLDER --labels FILE.csv
        [--first-label 1] [--limit 200] [--draws 2] [--layers translate_x …]
        [--model FILE.onnx [FAMILY [PREPROCESS [CLASS_OFFSET]]] …]

A classifier of one's own takes its family from its name, and its preprocessing from the file, where none is given;
CLASS_OFFSET is 1 where its class 0 is background.
STUDY.toml is written beside the results, so that `aliascope survey` goes on with it by itself. An interrupted study is
gone on with by the same command.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

from provision import CHECKOUT, Failure, run_script, say

# File, family, and how the whole photo becomes the input where the file's own metadata would crop it.
CLASSIFIERS = (
    ("models/efficientnet-lite0.onnx", "EfficientNet-Lite", None),
    ("models/efficientnet-lite1.onnx", "EfficientNet-Lite", None),
    ("models/efficientnet-lite2.onnx", "EfficientNet-Lite", None),
    ("zoo/efficientnet-lite3.onnx", "EfficientNet-Lite", None),
    ("zoo/squeezenet1.1.onnx", "SqueezeNet", "mean=122.679/116.669/104.006,std=1/1/1,scale=255,crop=1"),
)


def text(value: object) -> str:
    """A string of TOML, which JSON's is too; a number as it is."""
    return json.dumps(str(value)) if isinstance(value, (str, Path)) else str(value)


def study(arguments: argparse.Namespace) -> str:
    """STUDY.toml."""
    models = [(CHECKOUT / file, family, how) for file, family, how in CLASSIFIERS]
    lines = ["# Written by scripts/study.py."]
    for file, family, how in models:
        lines += ["", "[[model]]", f"path = {text(file)}", f"family = {text(family)}"]
        lines += [f"preprocess = {text(how)}"] if how else []
    for file, *more in arguments.model:
        lines += ["", "[[model]]", f"path = {text(Path(file).resolve())}"]
        lines += [f"{key} = {text(value)}" for key, value in zip(("family", "preprocess"), more)]
        lines += [f"class_offset = {int(offset)}" for offset in more[2:]]
    lines += ["", "[[set]]", 'name = "test"', f"images = [{text(arguments.images.resolve())}]"]
    lines += [f"labels = {text(arguments.labels.resolve())}", f"first_label = {arguments.first_label}"]
    lines += [f"limit = {arguments.limit}", "seed = 0"] if arguments.limit else []
    lines += ["", "[[set]]", 'name = "other photos"', f"images = [{text(CHECKOUT / 'photos')}]"]
    lines += ['role = "out-of-distribution"', "", "[measure]"]
    lines += ['generators = ["translate_x", "translate_y", "rotate", "scale"]']
    lines += ['outputs = ["softmax", "logits", "fisher"]', f"metric_draws = {arguments.draws}"]
    lines += [f"layers = {json.dumps(arguments.layers)}"] if arguments.layers else []
    lines += [""]
    return "\n".join(lines)


def main() -> None:
    """Writes STUDY.toml, measures what is left, and makes the report."""
    parser = argparse.ArgumentParser(description="Survey the classifiers of `make models` and `make zoo`.")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True, help="a folder; it may hold a study to go on with")
    parser.add_argument("--images", type=Path, required=True, help="a folder of labelled photos")
    parser.add_argument("--labels", type=Path, required=True, help="a CSV of photos and classes")
    parser.add_argument("--first-label", type=int, default=1, help="what the first class is called there")
    parser.add_argument("--limit", type=int, default=0, help="so many of the photos, drawn; 0 for all")
    parser.add_argument("--draws", type=int, default=0, help="draws of other metrics, each as long as several sweeps")
    parser.add_argument("--layers", nargs="+", default=[], help="generators whose error is attributed to layers")
    parser.add_argument(
        "--model",
        nargs="+",
        action="append",
        default=[],
        metavar=("FILE", "FAMILY"),
        help="another classifier: its file, family, preprocessing (as --preprocess has it) and class offset; repeatable",
    )
    arguments = parser.parse_args()
    for file, *more in arguments.model:
        if not Path(file).is_file() or len(more) > 3 or not all(offset.isdecimal() for offset in more[2:]):
            given = " ".join([file, *more])
            raise Failure(f"--model takes FILE [FAMILY [PREPROCESS [CLASS_OFFSET]]], with a file that is there, not {given}")
    if not arguments.images.is_dir() or not arguments.labels.is_file():
        raise Failure(
            "make study needs photos with classes: IMAGES=FOLDER LABELS=FILE.csv, for instance the 1,000 of the "
            "NIPS 2017 adversarial learning development set (docs/survey.md)"
        )
    arguments.into.mkdir(parents=True, exist_ok=True)
    settings, store = arguments.into / "STUDY.toml", arguments.into / "study.db"
    settings.write_text(study(arguments), encoding="utf-8")
    say(f"Measuring into {store}; stop it whenever you like, the same command goes on …")
    command = [str(arguments.binary), "survey"]
    status = subprocess.run([*command, "run", str(settings), "--into", str(store)]).returncode
    # 10: some networks or photos could not be measured, which the report names.
    if status not in (0, 10):
        raise Failure(f"the survey ended with status {status} (its own message is above)")
    outputs = [
        part for kind in ("html", "csv", "json") for part in (f"--{kind}", str(arguments.into / f"study.{kind}"))
    ]
    figure = ["--plot", str(arguments.into / "study.svg"), "--force"]
    if subprocess.run([*command, "report", str(store), *outputs, *figure]).returncode != 0:
        raise Failure("the report could not be made (its own message is above)")
    say(f"The report is {arguments.into / 'study.html'}; tables and figures lie beside it.")


if __name__ == "__main__":
    run_script(main)
