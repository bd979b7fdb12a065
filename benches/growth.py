"""How time and memory of `aliascope lee` grow with the number of photos, and how throughput depends on --batch.

    python3 benches/growth.py --binary target/debug/aliascope
    python3 benches/growth.py --model models/efficientnet-lite0.onnx --counts 250 500 1000 --batches 1 2 4 8

Photos are links to the fifteen that `make models` fetches, so that thousands cost no disk. Seconds are the whole
command's; memory is the most that the process ever held (the system's own count, as `time -v` prints it).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
SMALL = CHECKOUT / "tests" / "fixtures" / "families" / "mobilenet.onnx"


def links(folder: Path, count: int) -> None:
    photos = sorted((CHECKOUT / "photos").glob("*.png")) + sorted((CHECKOUT / "photos").glob("*.jpg"))
    if not photos:
        sys.exit("the photos are not there: run `make models`, then run again")
    for i in range(count):
        photo = photos[i % len(photos)]
        (folder / f"{i:06}{photo.suffix}").symlink_to(photo.resolve())


def measured(binary: Path, model: Path, count: int, batch: int, threads: int) -> tuple[float, float]:
    """Seconds, and MiB at the peak."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "photos"
        folder.mkdir()
        links(folder, count)
        command = [
            str(binary), "lee", str(model), "--images", str(folder), "--batch", str(batch), "--threads", str(threads),
            "--quiet", "--json", str(Path(temporary) / "lee.json"),
        ]  # fmt: skip
        start = time.monotonic()
        process = subprocess.Popen(command)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        if status != 0:
            sys.exit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
        return seconds, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of lee against photos and batch.")
    parser.add_argument("--binary", type=Path, default=CHECKOUT / "target" / "debug" / "aliascope")
    parser.add_argument("--model", type=Path, default=SMALL)
    parser.add_argument("--counts", type=int, nargs="*", default=[1250, 2500, 5000, 10000])
    parser.add_argument("--batches", type=int, nargs="*", default=[])
    parser.add_argument("--photos", type=int, default=64, help="photos for --batches")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    print(f"{arguments.model.name}, {arguments.threads} threads")
    print(f"{'photos':>8} {'batch':>6} {'seconds':>9} {'ms per photo':>13} {'MiB':>7}")
    runs = [(count, 1) for count in arguments.counts] + [(arguments.photos, batch) for batch in arguments.batches]
    for count, batch in runs:
        seconds, mib = measured(arguments.binary, arguments.model, count, batch, arguments.threads)
        print(f"{count:>8} {batch:>6} {seconds:>9.1f} {1e3 * seconds / count:>13.2f} {mib:>7.0f}", flush=True)


if __name__ == "__main__":
    main()
