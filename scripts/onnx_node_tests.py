"""Fetches ONNX's own node tests, which tests/onnx_conformance.rs runs, and links them as `onnx-node-tests`.

They come out of the wheel of `onnx`: a folder per test with `model.onnx` and `test_data_set_0/{input,output}_N.pb`.

    python3 scripts/onnx_node_tests.py [--verify]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from provision import (
    LINUX_X86_64,
    SCRIPTS,
    Download,
    check_space,
    digest,
    download,
    extract,
    fill,
    is_complete,
    link,
    locked_cache,
    python_environment,
    run_script,
    say,
)
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
    with locked_cache() as cache:
        tests = cache / f"onnx-node-tests-{digest(REQUIREMENTS)[:8]}"
        if not is_complete(tests, arguments.verify):
            check_space(cache, 100_000_000, "ONNX's node tests")
            python = python_environment(cache, install_python_venv)
            say("Downloading ONNX's node tests (16 MB) …")
            wheels = download(python, REQUIREMENTS, cache, LINUX_X86_64)
            fill(tests, lambda folder: unpack(folder, wheels))
            wheels.delete()
        link("onnx-node-tests", tests)


if __name__ == "__main__":
    run_script(main)
