"""System packages: what the build needs, whether it is there, and how to get it on this system."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from provision import Failure, say

OLDEST_RUST = (1, 88)

# How each package manager calls what `make setup` needs.
INSTALL_SENTENCES = {
    "dnf": "`sudo dnf install make gcc-c++ pkgconf-pkg-config openblas-devel`",
    "pacman": "`sudo pacman -S --needed make gcc pkgconf openblas`",
    "zypper": "`sudo zypper install make gcc-c++ pkgconf-pkg-config openblas-devel`",
    "brew": "`brew install openblas pkgconf` and `xcode-select --install`",
}


def check_rust() -> None:
    """Fails unless cargo is there and new enough: nothing else is worth downloading before that."""
    how = "get it from https://rustup.rs (`rustup update` if you have an older one), then run again"
    if not shutil.which("cargo"):
        raise Failure(f"aliascope is built with Rust {version_text(OLDEST_RUST)} or later and there is no cargo: {how}")
    said = subprocess.run(["cargo", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    if not found or (int(found[1]), int(found[2])) < OLDEST_RUST:
        raise Failure(
            f"aliascope needs Rust {version_text(OLDEST_RUST)} or later and cargo says “{said.strip()}”: {how}"
        )


def version_text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def missing_packages() -> list[str]:
    """What the build lacks here, by Debian's names; found by trying, so other sources of the same tools count too."""
    missing = []
    if not (shutil.which("c++") or shutil.which("g++")):
        missing.append("g++")
    if not shutil.which("make"):
        missing.append("make")
    if not (shutil.which("pkg-config") or shutil.which("pkgconf")):
        missing.append("pkg-config")
    if not _has_openblas():
        missing.append("libopenblas-dev")
    return missing


def _has_openblas() -> bool:
    pkg_config = shutil.which("pkg-config") or shutil.which("pkgconf")
    if pkg_config and subprocess.run([pkg_config, "--exists", "openblas"]).returncode == 0:
        return True
    brew = shutil.which("brew") if sys.platform == "darwin" else None
    return brew is not None and _quietly([brew, "--prefix", "--installed", "openblas"]).returncode == 0


def missing_browser() -> list[str]:
    """What opening a page in headless Chromium lacks, by Debian's names."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    return ([] if browser else ["chromium"]) + ([] if shutil.which("chromedriver") else ["chromium-driver"])


def install_packages(packages: list[str], purpose: str = "the build") -> None:
    """Installs Debian packages without asking anything, or fails with the command that would."""
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        for manager, sentence in INSTALL_SENTENCES.items():
            if purpose == "the build" and shutil.which(manager):
                raise Failure(f"the build lacks {names} (Debian's names): run {sentence}, then run again")
        raise Failure(
            f"{purpose} lacks {names} (Debian's names): install them with this system's package manager, then run again"
        )
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if root and (not shutil.which("sudo") or subprocess.run([*root, "true"], capture_output=True).returncode != 0):
        raise Failure(
            f"system packages are missing and only root may install them: run `sudo apt-get install -y {names}`, then run again"
        )

    say(f"Installing system packages: {names} (under a minute) …")
    # `env` comes after sudo, which drops the caller's environment.
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    install = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    if _quietly(install).returncode == 0:
        return
    # A fresh machine has no package lists; refreshing them only then keeps other machines quick.
    update, retry = _quietly([*apt, "update"]), _quietly(install)
    if retry.returncode != 0:
        print(update.stderr + retry.stderr, end="", file=sys.stderr)
        raise Failure(
            f"apt-get could not install {names} (its own message is above): fix that, or install them yourself, then run again"
        )


def _quietly(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def install_python_venv() -> None:
    """Debian ships Python without what makes virtual environments."""
    if shutil.which("apt-get"):
        install_packages(["python3-venv"])
