"""Times aliascope beside its peers, which it installs into an environment of their own in the cache.

    python3 scripts/bench_peers.py [--turns N] [--threads 1 2] [--only SIDE]

Options go to benches/peers/spectrum.py, which says how the comparison is made.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from provision import CHECKOUT, SCRIPTS, Failure, install, locked_cache, python_environment, run_script, say
from system import install_python_venv

REQUIREMENTS = SCRIPTS / "requirements-peers.txt"
# No libtorch: what is timed is pure Rust, and builds in a minute.
BUILD = ["cargo", "bench", "--locked", "-p", "aliascope-numerics", "--bench", "spectrum", "--no-run"]


def program() -> Path:
    """Builds the bench and returns where cargo put it."""
    say("Building the bench (about a minute the first time) …")
    build = subprocess.run(
        [*BUILD, "--message-format=json-render-diagnostics"], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    if build.returncode != 0:
        raise Failure("cargo could not build the bench; its own message is above")
    for line in build.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "spectrum":
            return Path(message["executable"])
    raise Failure("cargo named no program for the bench 'spectrum'")


def main() -> None:
    with locked_cache() as cache:
        python = python_environment(cache, install_python_venv, name="peers")
        install(python, REQUIREMENTS)
    built = program()
    run = subprocess.run([str(python), str(CHECKOUT / "benches/peers/spectrum.py"), str(built), *sys.argv[1:]])
    if run.returncode != 0:
        raise Failure("the comparison did not end well; its own message is above")


if __name__ == "__main__":
    run_script(main)
