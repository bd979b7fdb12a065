"""Kills a study at random moments, a hundred times, and checks that its rows are those of an undisturbed run, to the last bit.

    python3 scripts/survey_kills.py STUDY.toml --binary target/debug/aliascope [--kills 100]

A study of small networks and photos shows the most: the moments between two transactions are as many as those within.
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

NAMES = """JOIN network n ON n.id = r.network JOIN image i ON i.id = r.image JOIN image_set s ON s.id = i.image_set"""
QUERIES = [
    f"SELECT n.name, s.name, i.name, output, derivative, generator, lee, mean_abs, input_energy FROM lee r {NAMES}",
    f"SELECT n.name, s.name, i.name, metric, value FROM metric r {NAMES}",
    f"SELECT n.name, s.name, i.name, class, is_right FROM prediction r {NAMES}",
    f"SELECT n.name, s.name, i.name FROM measured r {NAMES}",
    "SELECT network, image_set, image, problem FROM failure r",
]


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
    parser.add_argument("study", type=Path)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        calm, shaken = Path(folder) / "calm.db", Path(folder) / "shaken.db"
        command = [str(arguments.binary), "survey", "run", str(arguments.study), "--quiet", "--into"]
        begun = time.monotonic()
        status = subprocess.run([*command, str(calm)], stderr=subprocess.DEVNULL).returncode
        if status not in (0, 10):
            raise SystemExit(f"the undisturbed run ended with status {status}")
        took = time.monotonic() - begun
        wanted = rows(calm)
        killed = ended = 0
        while killed < arguments.kills:
            # Between the start and a third of the way: so the study comes to its end over several kills, and begins anew.
            child = subprocess.Popen([*command, str(shaken)], stderr=subprocess.DEVNULL)
            try:
                child.wait(draw.uniform(0.02, max(0.1, took / 3)))
                ended += 1
                if rows(shaken) != wanted:
                    raise SystemExit(f"after {killed} kills the rows are not those of the undisturbed run")
                shaken.unlink()
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.wait()
                killed += 1
                if shaken.exists():
                    rows(shaken)
        subprocess.run([*command, str(shaken)], stderr=subprocess.DEVNULL)
        if rows(shaken) != wanted:
            raise SystemExit("the rows are not those of the undisturbed run")
    count = sum(len(table) for table in wanted)
    print(f"{killed} kills, {ended + 1} studies came to their end, each with the same {count} rows to the last bit")


if __name__ == "__main__":
    sys.exit(main())
