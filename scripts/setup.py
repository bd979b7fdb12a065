"""`make setup`: what the build needs and cargo does not bring, which is system packages and libtorch.

libtorch comes out of PyTorch's wheel, without the gigabytes of CUDA that PyTorch itself installs: half a gigabyte is
downloaded once per user, and what aliascope links against is kept in the cache and linked as `libtorch`.

    python3 scripts/setup.py [--verify] [--browser]
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from provision import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    SCRIPTS,
    Download,
    Failure,
    check_space,
    download,
    extract,
    fill,
    is_complete,
    link,
    locked_cache,
    megabytes,
    python_environment,
    run_script,
    say,
)
from system import check_rust, install_packages, install_python_venv, machine, missing_browser, missing_packages

LIBTORCH_VERSION = "2.13.0"  # the one that the tch crate in Cargo.toml is written for
HEADERS = "torch/include/"


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
    (folder / "build-version").write_text(LIBTORCH_VERSION)


def provide_libtorch(verify: bool) -> None:
    """Links `libtorch` to a complete folder in the cache, and fills that folder where it is not."""
    own = os.environ.get("LIBTORCH")
    if own or os.environ.get("LIBTORCH_USE_PYTORCH"):
        reason = f"LIBTORCH is {own}" if own else "LIBTORCH_USE_PYTORCH is set"
        say(f"libtorch: yours is used, since {reason}; it has to be version {LIBTORCH_VERSION}.")
        return
    libtorch = LIBTORCH.get(machine())
    if libtorch is None:
        raise Failure(
            f"there is no libtorch to download for {machine()}: "
            f"install PyTorch {LIBTORCH_VERSION} yourself and set LIBTORCH_USE_PYTORCH=1, "
            "or set LIBTORCH to a libtorch of that version, then run again"
        )
    with locked_cache() as cache:
        folder = cache / f"libtorch-{LIBTORCH_VERSION}"
        if not is_complete(folder, verify):
            check_space(cache, libtorch.download_size + libtorch.unpacked_size, "libtorch")
            python = python_environment(cache, install_python_venv)
            say(f"Downloading libtorch {LIBTORCH_VERSION} ({megabytes(libtorch.download_size)}; 10 s to ten minutes) …")
            wheels = download(python, SCRIPTS / f"requirements-libtorch-{machine()}.txt", cache, libtorch.tags)
            fill(folder, lambda making: unpack(making, wheels, libtorch))
            wheels.delete()
        link("libtorch", folder)
        say(f"libtorch {LIBTORCH_VERSION} is ready: libtorch/ → {folder}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Install what aliascope's build needs: system packages and libtorch.")
    parser.add_argument("--verify", action="store_true", help="compare every file's hash, not only its size")
    parser.add_argument("--browser", action="store_true", help="install Chromium and its driver instead, for `make check-page`")
    arguments = parser.parse_args()

    if arguments.browser:
        missing = missing_browser()
        if missing:
            install_packages(missing, "opening a page in a browser")
        return
    check_rust()
    missing = missing_packages()
    if missing:
        install_packages(missing)
    provide_libtorch(arguments.verify)


if __name__ == "__main__":
    run_script(main)
