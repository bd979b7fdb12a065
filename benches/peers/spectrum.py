"""Times 2-D real transforms of aliascope and of SciPy (scipy.fft, pocketfft) in turn, on the same arrays.

    make bench-spectra

Both libraries read the same file, plan beforehand, allocate their results and are held to the same number of threads;
repetitions take turns, so that a drift of the machine's speed falls on both alike. Times are those of the fastest turn,
which other programs disturbed least, and `ratio` is that of them; `median` is the median over turns of the ratio within
each, which agrees on a quiet machine. What both compute is compared first: a fast wrong transform would not be worth a ratio.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy
import scipy.fft

# (batch, rows, columns, what it is)
CASES = [
    (64, 112, 112, "64 feature maps of 112"),
    (1, 224, 224, "2^5·7"),
    (1, 240, 240, "2^4·3·5"),
    (1, 480, 640, "2^5·3·5 by 2^7·5"),
    (1, 960, 960, "2^6·3·5"),
    (1, 1024, 1024, "2^10"),
    (1, 3840, 3840, "2^8·3·5"),
    (1, 4096, 4096, "2^12"),
    (1, 227, 227, "prime"),
    (1, 499, 499, "prime"),
    (1, 1021, 1021, "prime"),
    (1, 4093, 4093, "prime"),
]
LIMIT, PRIME_LIMIT = 1.0, 1.3


class Ours:
    """The bench program, which answers one command a line."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen(
            [str(program), "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str) -> str:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            sys.exit(f"spectrum.py: {self.process.args[0]} did not answer '{command}'; its message is above.")
        return answer


def peer(direction: str, field: np.ndarray, bins: np.ndarray, threads: int, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        if direction == "forward":
            scipy.fft.rfft2(field, norm="forward", workers=threads)
        else:
            scipy.fft.irfft2(bins, s=field.shape[1:], norm="forward", workers=threads)
    return time.perf_counter() - start


def measure(ours: Ours, field: np.ndarray, threads: int, turns: int, folder: Path) -> list[tuple[str, float, float, float]]:
    batch, rows, columns = field.shape
    precision = "f32" if field.dtype == np.float32 else "f64"
    path = folder / "field"
    field.tofile(path)
    ours.ask(f"load {precision} {batch} {rows} {columns} {threads} {path}")
    bins = scipy.fft.rfft2(field, norm="forward", workers=threads)
    ours.ask(f"save {folder / 'bins'}")
    own = np.fromfile(folder / "bins", dtype=bins.dtype).reshape(bins.shape)
    # Coefficients of white noise are all of one size; a few roundings per doubling.
    worst = float(np.abs(own - bins).max() / np.abs(bins).max())
    if worst > 100 * np.finfo(field.dtype).eps:
        sys.exit(f"spectrum.py: the transforms of {field.shape} differ by {worst:.1e} of the largest coefficient.")
    results = []
    for direction in ("forward", "inverse"):
        once = peer(direction, field, bins, threads, 1)
        # Turns long enough for the clock, and shorter than the slices in which a busy machine takes a core away.
        count = max(1, round(0.002 / once))
        peer(direction, field, bins, threads, 1), ours.ask(f"time {direction} 1")
        pairs = []
        for turn in range(turns):
            if turn % 2:
                theirs = peer(direction, field, bins, threads, count) / count
                mine = float(ours.ask(f"time {direction} {count}")) / count
            else:
                mine = float(ours.ask(f"time {direction} {count}")) / count
                theirs = peer(direction, field, bins, threads, count) / count
            pairs.append((mine, theirs))
        mine, theirs = (min(values) for values in zip(*pairs))
        results.append((direction, mine, theirs, statistics.median(m / t for m, t in pairs)))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare transforms with SciPy.")
    parser.add_argument("program", type=Path, help="the built bench `spectrum`")
    parser.add_argument("--turns", type=int, default=31)
    parser.add_argument("--only", type=int, help="the side of the one size to time")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    arguments = parser.parse_args()
    ours = Ours(arguments.program)
    rng = np.random.default_rng(1)
    print(f"SciPy {scipy.__version__}, NumPy {np.__version__}, Python {sys.version.split()[0]}; {arguments.turns} turns")
    print(f"{'size':<18} {'':<24} {'type':<4} {'threads':>7} {'':<8} {'ours ms':>9} {'SciPy ms':>9} {'ratio':>6} {'median':>6}")
    beyond = 0
    with tempfile.TemporaryDirectory() as folder:
        for batch, rows, columns, kind in CASES:
            if arguments.only and arguments.only != columns:
                continue
            for dtype in (np.float32, np.float64):
                field = rng.standard_normal((batch, rows, columns)).astype(dtype)
                turns = arguments.turns if field.size < 1 << 22 else max(5, arguments.turns // 3)
                for threads in arguments.threads:
                    for direction, mine, theirs, median in measure(ours, field, threads, turns, Path(folder)):
                        ratio = mine / theirs
                        over = ratio > (PRIME_LIMIT if kind == "prime" else LIMIT)
                        beyond += over
                        size = f"{batch} x {rows} x {columns}" if batch > 1 else f"{rows} x {columns}"
                        print(
                            f"{size:<18} {kind:<24} {field.dtype.str[1:]:<4} {threads:>7} {direction:<8} "
                            f"{1e3 * mine:>9.3f} {1e3 * theirs:>9.3f} {ratio:>6.2f} {median:>6.2f}{' *' if over else ''}",
                            flush=True,
                        )
    print(f"{beyond} of these beyond {LIMIT} times SciPy's time ({PRIME_LIMIT} for primes), marked *")


if __name__ == "__main__":
    main()
