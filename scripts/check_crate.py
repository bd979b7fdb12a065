"""Builds a crate outside of this project that depends on it, by the lines of docs/guide.md, "From Rust", and runs it.

    python3 scripts/check_crate.py [--folder FOLDER]

The three files are taken out of the guide, so that what the guide shows is what is tried. torch-sys compiles once more for
it, in FOLDER, which is a temporary one unless it is given.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
from pathlib import Path

from provision import Failure, run_script, say

ROOT = Path(__file__).resolve().parent.parent
FILES = ("Cargo.toml", "build.rs", "src/main.rs")


def files_of_the_guide() -> dict[str, str]:
    """The code blocks that stand under a file's name in the guide's section."""
    guide = (ROOT / "docs" / "guide.md").read_text()
    section = guide.partition("\n## From Rust\n")[2].partition("\n## ")[0]
    files = {}
    for name in FILES:
        found = re.search(rf"`{re.escape(name)}`:\n\n```\w+\n(.*?)```", section, re.DOTALL)
        if not found:
            raise Failure(f"docs/guide.md shows no {name} under “From Rust”: give it back, then run again")
        files[name] = found[1]
    return files


def check(folder: Path) -> None:
    for name, text in files_of_the_guide().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("/path/to/aliascope", str(ROOT)))
    for name in ("models", "photos"):
        link = folder / name
        if not link.exists():
            link.symlink_to((ROOT / name).resolve())
    libtorch = os.environ.get("LIBTORCH") or str((ROOT / "libtorch").resolve())
    environment = {**os.environ, "LIBTORCH": libtorch, "CARGO_TARGET_DIR": str(folder / "target")}
    say(f"Building the guide's crate in {folder} (about five minutes on two cores) …")
    if subprocess.run(["cargo", "run", "--quiet"], cwd=folder, env=environment).returncode != 0:
        raise Failure(f"the guide's crate does not build or run (its own message is above); it is in {folder}")
    for name in ("lee.json", "lee.svg"):
        if not (folder / name).is_file():
            raise Failure(f"the guide's crate wrote no {name}; it is in {folder}")
    say("The guide's crate builds, runs, and wrote lee.json and lee.svg.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="build here instead of in a temporary folder")
    arguments = parser.parse_args()
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        check(arguments.folder.resolve())
        return
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder))


if __name__ == "__main__":
    run_script(main)
