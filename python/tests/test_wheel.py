"""The wheel, installed into empty environments: what it has, and which libtorch its command takes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from aliascope import libtorch

WHEEL = "ALIASCOPE_WHEEL"
LARGEST = 20_000_000
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel() -> Path:
    if WHEEL not in os.environ:
        pytest.fail(f"set {WHEEL} to the package's wheel, or run `make test`, which builds one")
    return Path(os.environ[WHEEL])


@pytest.fixture(scope="session")
def libraries() -> Path:
    """The libtorch that the command was built with."""
    own = os.environ.get("LIBTORCH")
    return (Path(own) if own else CHECKOUT / "libtorch").resolve() / "lib"


class Installed:
    """An environment of its own, with the wheel in it; what that needs is borrowed from the one that runs this."""

    def __init__(self, prefix: Path, wheel: Path, cache: Path) -> None:
        venv.create(prefix, symlinks=True, with_pip=False)
        self.prefix = prefix
        self.python = prefix / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(self.python)]
        line = [*pip, "install", "--no-deps", str(wheel)]
        subprocess.run(line, check=True)
        (self.packages,) = prefix.glob("lib/python*/site-packages")
        (self.packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        drop = {"ALIASCOPE_COMMAND", "ALIASCOPE_LIBTORCH", "LD_LIBRARY_PATH", "PYTHONPATH", "LIBTORCH"}
        self.variables = {name: value for name, value in os.environ.items() if name not in drop}
        self.variables["ALIASCOPE_CACHE"] = str(cache)

    def run(self, *line: object) -> subprocess.CompletedProcess[str]:
        # In another folder, so that the package in the checkout is not found first.
        return subprocess.run(
            [str(part) for part in line], capture_output=True, text=True, env=self.variables, cwd=self.prefix
        )

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self.run(self.prefix / "bin" / "aliascope", *arguments)

    def libtorch(self) -> str:
        """Where the command finds libtorch, in words."""
        said = self.command("doctor", "--json", "-")
        return next(entry["found"] for entry in json.loads(said.stdout) if entry["what"] == "libtorch")

    def add_torch(self, version: str, library: Callable[[Path], None]) -> Path:
        """A torch of this version beside the package, as far as it matters here: its metadata and its library."""
        folder = self.packages / "torch" / "lib"
        folder.mkdir(parents=True)
        library(folder)
        information = self.packages / f"torch-{version}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        (information / "RECORD").write_text("torch/lib/libtorch_cpu.so,,\n")
        return folder


@pytest.fixture
def install(wheel: Path, tmp_path: Path) -> Callable[[], Installed]:
    return lambda: Installed(tmp_path / "environment", wheel, tmp_path / "cache")


def fill_cache(environment: Installed, libraries: Path) -> Path:
    folder = Path(environment.variables["ALIASCOPE_CACHE"]) / f"libtorch-{libtorch.VERSION}"
    folder.mkdir(parents=True)
    (folder / "lib").symlink_to(libraries)
    return folder


def measures(environment: Installed, path: Path, frames: np.ndarray, tmp_path: Path) -> dict[str, float]:
    """LEE by the command itself and by the package, which must agree."""
    save_file({"x": frames}, tmp_path / "x.safetensors")
    said = environment.command("lee", path, "--images", tmp_path / "x.safetensors", "--json", "-", "--quiet")
    assert said.returncode == 0, said.stderr
    theirs = {name: entry["lee"] for name, entry in json.loads(said.stdout)["generators"].items()}
    code = "import sys, json, aliascope as al; print(al.__file__); print(json.dumps(al.lee(*sys.argv[1:]).lee))"
    ours = environment.run(environment.python, "-c", code, path, tmp_path / "x.safetensors")
    assert ours.returncode == 0, ours.stderr
    place, numbers = ours.stdout.splitlines()
    assert Path(place).parent.parent == environment.packages
    assert json.loads(numbers) == theirs
    return theirs


def test_what_a_wheel_has(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (record,) = (name for name in names if name.endswith(".dist-info/RECORD"))
        for line in archive.read(record).decode().splitlines():
            name, digest, _ = line.rsplit(",", 2)
            if digest:
                hashed = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).rstrip(b"=").decode()
                assert digest == f"sha256={hashed}", name
        programs = [name for name in names if ".data/scripts/" in name]
    assert {Path(name).name for name in programs} == {"aliascope", "aliascope-networks"}
    assert {"aliascope/py.typed", "aliascope/requirements/libtorch-linux-x86_64.txt"} <= set(names)
    assert not any(name.startswith("tests/") for name in names)
    if os.environ.get("ALIASCOPE_WHEEL_PROFILE") == "release":
        assert wheel.stat().st_size <= LARGEST


@pytest.mark.skipif(sys.platform != "linux", reason="another linker's paths")
def test_programs_know_no_path_of_the_machine_that_built_them(install) -> None:
    environment = install()
    for program in ("aliascope", "aliascope-networks"):
        file = str(environment.prefix / "bin" / program)
        section = subprocess.run(["readelf", "-d", file], capture_output=True, text=True, check=True).stdout
        assert "NEEDED" in section and "PATH" not in section


def test_without_torch_the_cache_is_used(
    install, libraries: Path, path: Path, frames: np.ndarray, tmp_path: Path
) -> None:
    environment = install()
    said = environment.command("lee", path, "--images", "x.png")
    assert said.returncode == 8
    assert "run `python -m aliascope setup`" in said.stderr and len(said.stderr.splitlines()) == 1
    code = f"import aliascope as al; al.lee({str(path)!r}, 'x.png')"
    raised = environment.run(environment.python, "-c", code)
    assert "aliascope.errors.MachineError: libtorch 2.13.0 is not here" in raised.stderr
    # The doctor says the same, and not how a build is mended.
    advice = environment.command("doctor")
    assert advice.returncode == 1 and "→ run `python -m aliascope setup`" in advice.stdout
    # What needs no network needs no libtorch.
    assert environment.command("harmonics", "--activation", "relu").returncode == 0
    fill_cache(environment, libraries)
    assert str(libraries) in environment.libtorch()
    measures(environment, path, frames, tmp_path)


def test_a_torch_of_the_same_version_is_used(
    install, libraries: Path, path: Path, frames: np.ndarray, tmp_path: Path
) -> None:
    def link(folder: Path) -> None:
        for library in libraries.iterdir():
            # Another name of the same file, so that the system says by which name it was loaded.
            try:
                os.link(library.resolve(), folder / library.name)
            except OSError:  # on another file system
                shutil.copy(library.resolve(), folder / library.name)

    environment = install()
    folder = environment.add_torch("2.13.0+cpu", link)
    fill_cache(environment, libraries)
    assert str(folder) in environment.libtorch()
    measures(environment, path, frames, tmp_path)


def test_a_torch_of_another_version_is_left_alone(
    install, libraries: Path, path: Path, frames: np.ndarray, tmp_path: Path
) -> None:
    environment = install()
    environment.add_torch("2.5.1", lambda folder: (folder / "libtorch_cpu.so").write_bytes(b"of another version"))
    assert "setup" in environment.command("lee", path, "--images", "x.png").stderr
    fill_cache(environment, libraries)
    assert str(libraries) in environment.libtorch()
    measures(environment, path, frames, tmp_path)


def test_another_search_path_does_not_hide_libtorch(
    install, libraries: Path, path: Path, frames: np.ndarray, tmp_path: Path
) -> None:
    environment = install()
    fill_cache(environment, libraries)
    environment.variables["LD_LIBRARY_PATH"] = "/usr/local/cuda/lib64"
    measures(environment, path, frames, tmp_path)


def test_set_up_finds_what_is_there(install, libraries: Path) -> None:
    environment = install()
    folder = fill_cache(environment, libraries)
    (folder / ".complete.json").write_text('{"files": {}}')
    said = environment.run(environment.python, "-m", "aliascope", "setup")
    assert said.stdout.strip() == f"libtorch is ready: {folder / 'lib'}"


def test_uninstalling_leaves_nothing(install) -> None:
    environment = install()
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(environment.python)]
    subprocess.run([*pip, "uninstall", "--yes", "aliascope"], check=True)
    left = [file for file in environment.prefix.rglob("*aliascope*") if "__pycache__" not in file.parts]
    assert left == []
