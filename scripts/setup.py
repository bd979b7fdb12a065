"""`make setup`: what the build needs and cargo does not bring, which is system packages and libtorch.

libtorch comes out of PyTorch's wheel, without the gigabytes of CUDA that PyTorch itself installs: half a gigabyte is
downloaded once per user, and what aliascope links against is kept in the cache and linked as `libtorch`.

    python3 scripts/setup.py [--verify] [--browser]
"""

from __future__ import annotations

import argparse
import os

from provision import link, run_script, say
from system import check_rust, install_packages, install_python_venv, missing_browser, missing_packages

from aliascope import libtorch


def provide_libtorch(verify: bool) -> None:
    """Links `libtorch` to a complete folder in the cache, and fills that folder where it is not."""
    own = os.environ.get("LIBTORCH")
    if own or os.environ.get("LIBTORCH_USE_PYTORCH"):
        reason = f"LIBTORCH is {own}" if own else "LIBTORCH_USE_PYTORCH is set"
        say(f"libtorch: yours is used, since {reason}; it has to be version {libtorch.VERSION}.")
        return
    folder = libtorch.provide(verify, install_python_venv)
    link("libtorch", folder)
    say(f"libtorch {libtorch.VERSION} is ready: libtorch/ → {folder}")


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
