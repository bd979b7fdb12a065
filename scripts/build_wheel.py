"""Builds the Python package's wheel: the package and the command's two programs, which find libtorch when they start.

    python3 scripts/python_package.py wheel

maturin builds it. The programs that it puts in are linked with the libtorch of this machine, by a path that other machines
have not, which patchelf takes out. Then the wheel is named by the system that it needs.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from provision import CHECKOUT, Failure, megabytes, say
from system import install_packages

PACKAGE = CHECKOUT / "python"
LARGEST = 20_000_000
"""Bytes that a wheel may have."""

ARCHIVES = ("liblapack.a", "libblas.a", "libgfortran.a")
"""Netlib's LAPACK and what it is linked with, by Debian's packages."""


def lapack_folders() -> str:
    """The folders of the archives that build.rs links, so that a wheel needs no OpenBLAS where it is installed."""
    triplet = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
    compiler = Path(subprocess.run(["gcc", "-print-libgcc-file-name"], capture_output=True, text=True).stdout.strip())
    folders = [Path("/usr/lib", triplet, "lapack"), Path("/usr/lib", triplet, "blas"), compiler.parent]
    if not all((folder / archive).exists() for folder, archive in zip(folders, ARCHIVES)):
        install_packages(["liblapack-dev", "libblas-dev", f"libgfortran-{compiler.parent.name}-dev"], "building a wheel")
    return ":".join(str(folder) for folder in folders)


def build(python: Path, profile: str, target: Path, output: Path) -> Path:
    """Builds the wheel into the folder `output` and gives it."""
    variables = dict(os.environ)
    if profile == "release" and platform.system() == "Linux":
        variables["ALIASCOPE_STATIC_LAPACK"] = lapack_folders()
    variables["CARGO_TARGET_DIR"] = str(target)
    scripts = python.parent
    variables["PATH"] = f"{scripts}{os.pathsep}{variables['PATH']}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        line = ["build", "--locked", "--profile", profile, "--auditwheel", "skip", "--out", str(folder), "--quiet"]
        done = subprocess.run([str(scripts / "maturin"), *line], cwd=PACKAGE, env=variables)
        if done.returncode != 0:
            raise Failure(f"maturin ended with status {done.returncode}; its own message is above")
        (built,) = folder.glob("*.whl")
        wheel = finish(built, scripts, output) if platform.system() == "Linux" else shutil.copy(built, output)
    wheel = Path(wheel)
    size = wheel.stat().st_size
    if profile == "release" and size > LARGEST:
        raise Failure(f"{wheel.name} has {megabytes(size)}, more than {megabytes(LARGEST)}")
    say(f"{wheel}: {size / 1e6:.1f} MB")
    return wheel


def finish(built: Path, scripts: Path, output: Path) -> Path:
    """The wheel with programs that know no path of this machine, named by the oldest C library that they run on."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(built) as archive:
            archive.extractall(folder)
        programs = sorted(folder.glob("*.data/scripts/*"))
        for program in programs:
            program.chmod(0o755)
            checked([str(scripts / "patchelf"), "--remove-rpath", str(program)])
        tag = f"py3-none-manylinux_{'_'.join(map(str, oldest_libc(programs)))}_{platform.machine()}"
        (wheel_file,) = folder.glob("*.dist-info/WHEEL")
        wheel_file.write_text(re.sub(r"(?m)^Tag: .*$", f"Tag: {tag}", wheel_file.read_text()))
        write_records(folder, wheel_file.parent)
        output.mkdir(parents=True, exist_ok=True)
        wheel = output / f"{'-'.join(built.stem.split('-')[:2])}-{tag}.whl"
        pack(folder, wheel)
    return wheel


def oldest_libc(programs: list[Path]) -> tuple[int, int]:
    """The version of GNU's C library that the programs' symbols need."""
    needed = [(2, 17)]
    for program in programs:
        symbols = checked(["objdump", "-T", str(program)])
        needed += [(int(major), int(minor)) for major, minor in re.findall(r"GLIBC_(\d+)\.(\d+)", symbols)]
    return max(needed)


def write_records(folder: Path, information: Path) -> None:
    """RECORD: every file with its hash and size, as the wheel's format has it."""
    record = information / "RECORD"
    lines = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != record):
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
        lines.append(f"{path.relative_to(folder).as_posix()},sha256={digest},{path.stat().st_size}")
    record.write_text("\n".join([*lines, f"{record.relative_to(folder).as_posix()},,"]) + "\n")


def pack(folder: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            entry.external_attr = (path.stat().st_mode & 0xFFFF) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def checked(line: list[str]) -> str:
    try:
        done = subprocess.run(line, capture_output=True, text=True)
    except FileNotFoundError:
        raise Failure(f"{Path(line[0]).name} is not installed, which finishes wheels: install it, then run again") from None
    if done.returncode != 0:
        raise Failure(f"{Path(line[0]).name} failed: {done.stderr.strip()}")
    return done.stdout
