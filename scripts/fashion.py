"""`make study-fashion` begins with this: Fashion-MNIST out of a pinned Debian package, linked as `fashion`.

The package (dataset-fashion-mnist; images by Zalando SE, MIT licence) is not installed: its files are taken out of it.

    python3 scripts/fashion.py [--verify]
"""

from __future__ import annotations

import argparse
import gzip
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from provision import Failure, check_space, digest, fill, is_complete, link, locked_cache, run_script, say

PACKAGE = "dataset-fashion-mnist"
VERSION = "0.0~git20200523.55506a9-1"
SHA256 = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
FILES = "./usr/share/datasets/fashion-mnist/"


def fetch(folder: Path) -> Path:
    """The package's file, with the hash that is known."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Failure(
            "Fashion-MNIST comes out of a Debian package, and there is no apt-get here: put its four IDX files, "
            "unpacked, into a folder and run `cargo run --example fashion -- --fashion FOLDER`"
        )
    line = ["apt-get", "download", f"{PACKAGE}={VERSION}"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    found = sorted(folder.glob("*.deb"))
    if done.returncode != 0 or len(found) != 1:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise Failure(f"`{' '.join(line)}` failed ({said}): run `apt-get update`, then run again")
    if digest(found[0]) != SHA256:
        raise Failure(f"{found[0].name} has another hash than recorded: this script knows version {VERSION} alone")
    return found[0]


def make_fashion(folder: Path) -> None:
    package = fetch(folder)
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            if member.name.startswith(FILES) and member.name.endswith("-ubyte.gz"):
                packed = members.extractfile(member)
                assert packed is not None
                (folder / Path(member.name).stem).write_bytes(gzip.decompress(packed.read()))
    package.unlink()
    if len(list(folder.glob("*-ubyte"))) != 4:
        raise Failure(f"{PACKAGE} {VERSION} has not the four files that this script knows")


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch Fashion-MNIST.")
    parser.add_argument("--verify", action="store_true", help="compare every file's hash, not only its size")
    arguments = parser.parse_args()
    with locked_cache() as cache:
        fashion = cache / f"fashion-{SHA256[:8]}"
        if not is_complete(fashion, arguments.verify):
            check_space(cache, 150_000_000, "Fashion-MNIST")
            say("Downloading Fashion-MNIST (31 MB) …")
            fill(fashion, make_fashion)
        link("fashion", fashion)


if __name__ == "__main__":
    run_script(main)
