"""Times a study beside the sum of its sweeps and beside `lee` in a shell loop, taking turns.

    cargo build --release
    python3 benches/study.py --binary target/release/aliascope [--rounds 5] [--photos 60] [--threads 2]

The study is of the three EfficientNet-Lite on copies of the photos of `make models`: softmax and logits of the measured
generators. The sum of sweeps is what `survey` wrote down for each image, from its tensor to its rows; a study adds to it the
loading of networks, decoding, writing. `lee` in a loop is a process for each network and output, as one would have written
it by hand. Processor seconds are printed beside the clock's, since these do not know what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
NETWORKS = [CHECKOUT / "models" / f"efficientnet-lite{size}.onnx" for size in range(3)]
OUTPUTS = ("softmax", "logits")


def timed(*lines: list[str]) -> tuple[float, float]:
    """Seconds by the clock and of processors that commands take, one after the other."""
    begun, before = time.monotonic(), os.times()
    for line in lines:
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(line)}: {done.stderr}")
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return time.monotonic() - begun, spent


def main() -> None:
    """Prints medians and ratios."""
    parser = argparse.ArgumentParser(description="Time a study beside its sweeps and beside lee in a loop.")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    binary, threads = str(arguments.binary.resolve()), ["--threads", str(arguments.threads), "--quiet"]
    rounds = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        photos = folder / "photos"
        photos.mkdir()
        known = sorted(p for p in (CHECKOUT / "photos").iterdir() if p.suffix in (".png", ".jpg"))
        for at in range(arguments.photos):
            photo = known[at % len(known)]
            shutil.copy(photo, photos / f"{at:04}{photo.suffix}")
        study = folder / "STUDY.toml"
        models = "".join(f"[[model]]\npath = {json.dumps(str(path.resolve()))}\n" for path in NETWORKS)
        measure = '[measure]\ngenerators = ["all"]\noutputs = ["softmax", "logits"]\n'
        study.write_text(f'{models}[[set]]\nname = "photos"\nimages = ["photos"]\n{measure}')
        loop = [
            [binary, "lee", str(path), "--images", str(photos), "--output", output, *threads]
            for path in NETWORKS
            for output in OUTPUTS
        ]
        for number in range(arguments.rounds):
            store = folder / f"{number}.db"
            ours = timed([binary, "survey", "run", str(study), "--into", str(store), *threads])
            by_hand = timed(*loop)
            with closing(sqlite3.connect(store)) as connection:
                sweeps = connection.execute("SELECT SUM(milliseconds) / 1000 FROM measured").fetchone()[0]
            rounds.append({"study": ours, "sweeps": sweeps, "loop": by_hand})
            print(
                f"round {number + 1}: study {ours[0]:.1f} s ({ours[1]:.1f} of processors), its sweeps {sweeps:.1f} s, lee in a "
                f"loop {by_hand[0]:.1f} s ({by_hand[1]:.1f})",
                flush=True,
            )
    ratio = statistics.median(round["study"][0] / round["sweeps"] for round in rounds)
    loops = statistics.median(round["loop"][0] / round["study"][0] for round in rounds)
    spent = statistics.median(round["loop"][1] / round["study"][1] for round in rounds)
    print(f"medians: study / its sweeps {ratio:.3f}; loop / study {loops:.2f} by the clock, {spent:.2f} of processors")
    if arguments.json:
        arguments.json.write_text(json.dumps(rounds, indent=1))


if __name__ == "__main__":
    main()
