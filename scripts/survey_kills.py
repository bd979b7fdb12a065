"""Kills a study at random moments, a hundred times: its rows must be those of an undisturbed run, to the last bit.

    python3 scripts/survey_kills.py --binary target/debug/aliascope [--kills 100] [--study STUDY.toml]

A study of small networks and photos shows the most: the moments between two transactions are as many as those within.
Without --study it is one of PP-OCRv4's classifier on the photos of `make models`.
"""

from __future__ import annotations

import argparse
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

NAMES = """JOIN network n ON n.id = r.network JOIN image i ON i.id = r.image JOIN image_set s ON s.id = i.image_set"""
QUERIES = [
    f"SELECT n.name, s.name, i.name, output, derivative, generator, lee, mean_abs, input_energy FROM lee r {NAMES}",
    f"SELECT n.name, s.name, i.name, generator, output, derivative, lee, rounding, residual FROM attribution r {NAMES}",
    f"SELECT n.name, s.name, i.name, generator, place, r.name, class, contribution, signed FROM layer r {NAMES}",
    f"SELECT n.name, s.name, i.name, metric, value FROM metric r {NAMES}",
    f"SELECT n.name, s.name, i.name, class, is_right FROM prediction r {NAMES}",
    f"SELECT n.name, s.name, i.name FROM measured r {NAMES}",
    "SELECT network, image_set, image, problem FROM failure r",
]


MODEL = """
[[model]]
path = "{path}"
name = "copy-{number}"
input_shape = [1, 3, 48, 192]
preprocess = "half"
"""
SETTINGS = """
[[set]]
name = "photos"
images = ["{photos}"]
limit = {photos_each}

[measure]
generators = ["all"]
outputs = ["identity"]
metric_draws = {draws}
"""


def small_study(copies: int, photos_each: int, draws: int) -> str:
    """A study of one small network under several names: STUDY.toml's text."""
    path, photos = (CHECKOUT / "models" / "ppocr-v4-cls.onnx").resolve(), (CHECKOUT / "photos").resolve()
    models = "".join(MODEL.format(path=path, number=number) for number in range(copies))
    return models + SETTINGS.format(photos=photos, photos_each=photos_each, draws=draws)


def rows(store: Path) -> list[list[tuple]]:
    """All that was measured, by names; floats compare as they are, so to the last bit."""
    with sqlite3.connect(store) as connection:
        whole = connection.execute("PRAGMA integrity_check").fetchone()
        if whole != ("ok",):
            raise SystemExit(f"{store} is damaged: {whole}")
        return [sorted(connection.execute(query).fetchall(), key=repr) for query in QUERIES]


def main() -> None:
    """Runs the study undisturbed, then with kills."""
    parser = argparse.ArgumentParser(description="Kill a study at random moments and check what is left.")
    parser.add_argument("--study", type=Path)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        calm, shaken = Path(folder) / "calm.db", Path(folder) / "shaken.db"
        study = arguments.study or Path(folder) / "STUDY.toml"
        if arguments.study is None:
            study.write_text(small_study(copies=4, photos_each=5, draws=0), encoding="utf-8")
        command = [str(arguments.binary), "survey", "run", str(study), "--quiet", "--into"]
        begun = time.monotonic()
        status = subprocess.run([*command, str(calm)], stderr=subprocess.DEVNULL).returncode
        if status not in (0, 10):
            raise SystemExit(f"the undisturbed run ended with status {status}")
        took = time.monotonic() - begun
        wanted = rows(calm)
        killed = ended = 0
        left_by: list[int] = []
        while killed < arguments.kills:
            # Up to nearly all of the way: so some kills come before the first transaction, some within or between, and the
            # study comes to its end over a few of them, and begins anew.
            child = subprocess.Popen([*command, str(shaken)], stderr=subprocess.DEVNULL)
            try:
                child.wait(draw.uniform(0.02, max(0.1, 0.8 * took)))
                ended += 1
                if rows(shaken) != wanted:
                    raise SystemExit(f"after {killed} kills the rows are not those of the undisturbed run")
                shaken.unlink()
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.wait()
                killed += 1
                left_by.append(len(rows(shaken)[-2]) if shaken.exists() else 0)
        subprocess.run([*command, str(shaken)], stderr=subprocess.DEVNULL)
        if rows(shaken) != wanted:
            raise SystemExit("the rows are not those of the undisturbed run")
    count = sum(len(table) for table in wanted)
    whole = len(wanted[-2])
    part = sum(0 < left < whole for left in left_by)
    print(
        f"{killed} kills, {part} of which left a part of the study; {ended + 1} studies came to their end, each with the "
        f"same {count} rows to the last bit"
    )


if __name__ == "__main__":
    sys.exit(main())
