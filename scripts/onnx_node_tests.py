"""Fetches ONNX's own node tests, which tests/onnx_conformance.rs runs, and links them as `onnx-node-tests`.

They come out of the wheel of `onnx`: a folder per test with `model.onnx` and `test_data_set_0/{input,output}_N.pb`.

    python3 scripts/onnx_node_tests.py [--verify]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from provision import SCRIPTS, Download, extract, fetch_into, run_script
from system import install_python_venv

REQUIREMENTS = SCRIPTS / "requirements-onnx-tests.txt"
TESTS = "onnx/backend/test/data/node/"


def unpack(folder: Path, wheels: Download) -> None:
    wheel = wheels.wheel("onnx")
    for member in wheel.namelist():
        if member.startswith(TESTS) and not member.endswith("/"):
            extract(wheel, member, folder / member.removeprefix(TESTS))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch ONNX's node tests.")
    parser.add_argument("--verify", action="store_true", help="compare every file's hash, not only its size")
    arguments = parser.parse_args()
    needed = (100_000_000, "ONNX's node tests", "Downloading ONNX's node tests (16 MB) …")
    fetch_into("onnx-node-tests", REQUIREMENTS, needed, install_python_venv, unpack, arguments.verify)


if __name__ == "__main__":
    run_script(main)
