"""libtorch, on which networks run: the one of an installed PyTorch, or one that is fetched into the cache, once per
user.

It comes out of PyTorch's wheel, without the gigabytes of CUDA that PyTorch itself installs: half a gigabyte is
downloaded, and what aliascope is linked with is kept. Only one version fits, as libtorch has no stable binary
interface.

The scripts of a checkout use this file too, so it imports the standard library alone.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .provision import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    Download,
    Failure,
    check_space,
    download,
    extract,
    fill,
    is_complete,
    locked_cache,
    megabytes,
    python_environment,
    say,
)

VERSION = "2.13.0"  # the one that the tch crate in Cargo.toml is written for
HEADERS = "torch/include/"
REQUIREMENTS = Path(__file__).resolve().parent / "requirements"


@dataclass(frozen=True)
class Libtorch:
    """What to take out of the wheels on one kind of machine."""

    tags: tuple[str, ...]
    download_size: int
    unpacked_size: int
    libraries: dict[str, str]
    """Path in a wheel of each shared library, and the wheel it is in. They load each other from one folder."""

    linked_as: str | None
    """A name that the linker asks for, given to libtorch_cpu: the wheel's own libtorch would pull in CUDA."""


CUDA_LIBRARIES = {
    "nvidia/cu13/lib/libcupti.so.13": "nvidia_cuda_cupti",
    "nvidia/cu13/lib/libcudart.so.13": "nvidia_cuda_runtime",
}


def torch_libraries(*names: str) -> dict[str, str]:
    return {f"torch/lib/{name}": "torch" for name in names}


LIBTORCH = {
    "linux-x86_64": Libtorch(
        tags=LINUX_X86_64,
        download_size=540_000_000,
        unpacked_size=490_000_000,
        libraries=torch_libraries("libtorch_cpu.so", "libc10.so", "libgomp.so.1") | CUDA_LIBRARIES,
        linked_as="libtorch.so",
    ),
    "linux-aarch64": Libtorch(
        tags=LINUX_AARCH64,
        download_size=440_000_000,
        unpacked_size=350_000_000,
        libraries=torch_libraries(
            "libtorch_cpu.so",
            "libc10.so",
            "libgomp.so.1",
            "libarm_compute.so",
            "libarm_compute_graph.so",
            "libnvpl_blas_core.so.0",
            "libnvpl_blas_lp64_gomp.so.0",
            "libnvpl_lapack_core.so.0",
            "libnvpl_lapack_lp64_gomp.so.0",
        )
        | CUDA_LIBRARIES,
        linked_as="libtorch.so",
    ),
    "macos-arm64": Libtorch(
        tags=MACOS_ARM64,
        download_size=111_000_000,
        unpacked_size=390_000_000,
        libraries=torch_libraries("libtorch.dylib", "libtorch_cpu.dylib", "libc10.dylib", "libomp.dylib"),
        linked_as=None,
    ),
}


def unpack(folder: Path, wheels: Download, libtorch: Libtorch) -> None:
    """Lays libraries and headers out as torch-sys expects them: lib, include and build-version."""
    say("Unpacking libtorch (about 10 s) …")
    for member, distribution in libtorch.libraries.items():
        extract(wheels.wheel(distribution), member, folder / "lib" / Path(member).name)
    if libtorch.linked_as:
        (folder / "lib" / libtorch.linked_as).symlink_to("libtorch_cpu.so")
    torch = wheels.wheel("torch")
    for member in torch.namelist():
        if member.startswith(HEADERS) and not member.endswith("/"):
            extract(torch, member, folder / "include" / member.removeprefix(HEADERS))
    (folder / "build-version").write_text(VERSION)


def machine() -> str:
    """This machine by the names of the requirements files: `linux-x86_64`, `linux-aarch64`, `macos-arm64` or
    another."""
    system = {"Linux": "linux", "Darwin": "macos"}.get(platform.system(), platform.system().lower())
    processor = {"amd64": "x86_64", "arm64": "arm64" if system == "macos" else "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    return f"{system}-{processor}"


def installed() -> Path | None:
    """The libraries of the PyTorch that this Python has, if its version fits; PyTorch is not imported."""
    try:
        torch = importlib.metadata.distribution("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
    if torch.version.partition("+")[0] != VERSION:
        return None
    folder = Path(str(torch.locate_file("torch"))) / "lib"
    return folder if any(folder.glob("libtorch_cpu.*")) else None


def provide(
    verify: bool = False,
    install_venv: Callable[[], None] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Path:
    """Fills libtorch's folder in the cache, if it is not complete, and gives it; `lib` in it has the libraries.

    With `verify` every file's hash is compared, not only its size. `watch` is told now and then how many bytes of how
    many are downloaded.
    """
    libtorch = LIBTORCH.get(machine())
    if libtorch is None:
        raise Failure(
            f"there is no libtorch to download for {machine()}: "
            f"install PyTorch {VERSION} yourself and set LIBTORCH_USE_PYTORCH=1, "
            "or set LIBTORCH to a libtorch of that version, then run again"
        )
    with locked_cache() as cache:
        folder = cache / f"libtorch-{VERSION}"
        if not is_complete(folder, verify):
            check_space(cache, libtorch.download_size + libtorch.unpacked_size, "libtorch")
            python = python_environment(cache, install_venv)
            say(f"Downloading libtorch {VERSION} ({megabytes(libtorch.download_size)}; 10 s to ten minutes) …")
            told = (
                None if watch is None else lambda size: watch(min(size, libtorch.download_size), libtorch.download_size)
            )
            requirements = REQUIREMENTS / f"libtorch-{machine()}.txt"
            wheels = download(python, requirements, cache, libtorch.tags, told)
            fill(folder, lambda making: unpack(making, wheels, libtorch))
            wheels.delete()
        return folder
