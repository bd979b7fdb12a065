"""Lints, tests, builds and documents the Python package in an environment of its own in the cache.

    python3 scripts/python_package.py lint
    python3 scripts/python_package.py test [--torch yes|no|only|if-there] [--command FILE] [--wheel FILE] [pytest's arguments]
    python3 scripts/python_package.py wheel [--profile NAME]
    python3 scripts/python_package.py docs
    python3 scripts/python_package.py bench [--command FILE] [its arguments]

Tests run the command that is named, else the one that cargo has built. Those with PyTorch, and the notebooks, borrow the packages of the
environment that scripts/export.py runs in: with `--torch yes` that is made (4 GB), with `if-there` its absence is said.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import build_wheel
from export import environment as export_environment
from provision import CHECKOUT, SCRIPTS, Failure, install, locked_cache, python_environment, run_script, say
from system import install_python_venv

REQUIREMENTS = SCRIPTS / "requirements-python.txt"
PACKAGE = CHECKOUT / "python"


def environment() -> Path:
    """The interpreter that has what the package and its tests need."""
    with locked_cache() as cache:
        python = python_environment(cache, install_python_venv, name="package")
        install(python, REQUIREMENTS)
    return python


def run(*line: str | Path, **variables: str) -> None:
    done = subprocess.run([str(part) for part in line], cwd=PACKAGE, env={**os.environ, **variables})
    if done.returncode != 0:
        raise Failure(f"{Path(line[0]).name} {' '.join(map(str, line[1:4]))} ended with status {done.returncode}")


def target() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or CHECKOUT / "target")


def lint() -> None:
    python = environment()
    run(python, "-m", "ruff", "format", "--check", "--quiet", ".", "../examples/notebooks")
    run(python, "-m", "ruff", "check", "--quiet", ".", "../examples/notebooks")
    run(python, "-m", "mypy")


def test(torch: str, command: Path, wheel: Path | None, more: list[str]) -> None:
    if not command.is_file():
        raise Failure(f"{command} is not there: run `cargo build`, or name the command by --command")
    python = environment()
    # One test per core at a time, each in one thread: networks this small gain nothing from a second.
    variables = {"ALIASCOPE_COMMAND": str(command.resolve()), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    pytest = [python, "-m", "pytest", "--quiet", "--numprocesses", "auto", "--dist", "worksteal"]
    if wheel is None:
        # Of what cargo has built for the tests, so that nothing compiles twice.
        wheel = build_wheel.build(python, "dev", target(), target() / "wheels")
    variables["ALIASCOPE_WHEEL"] = str(wheel.resolve())
    if torch != "only":
        short = ["--ignore=tests/torch", "--ignore=tests/notebooks"]
        run(*pytest, *short, "tests", *more, **variables)
    if torch == "no":
        return
    packages = export_packages(torch in ("yes", "only"))
    if packages is None:
        say("Tests with PyTorch, and of notebooks, are left out: `make check-python` installs it (4 GB) and runs them.")
        return
    # First on the path, so that PyTorch finds the versions that it was installed with.
    run(*pytest, "tests/torch", "tests/notebooks", *more, **variables, PYTHONPATH=str(packages))


def export_packages(wanted: bool) -> Path | None:
    """The packages of the environment that has PyTorch, which is made where it is `wanted`."""
    python = export_environment(make=wanted)
    if python is None:
        return None
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return python.parent.parent / "lib" / version / "site-packages"


def bench(command: Path, more: list[str]) -> None:
    python = environment()
    paths = os.pathsep.join([str(export_packages(True)), str(PACKAGE)])
    run(python, CHECKOUT / "benches/python_call.py", *more, ALIASCOPE_COMMAND=str(command.resolve()), PYTHONPATH=paths)


def docs() -> None:
    folder = target() / "doc" / "python"
    line = ["--no-show-source", "--output-directory", folder, "aliascope", "aliascope.options"]
    # Of a TypedDict pdoc does not know in which class an inherited key was written, and PyTorch is not there to be named;
    # it says so of each.
    unknown = "ignore::UserWarning:pdoc.doc,ignore::UserWarning:pdoc.doc_types"
    run(environment(), "-m", "pdoc", *line, PYTHONWARNINGS=unknown)
    say(f"Open {folder / 'aliascope.html'}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Lint, test, build and document the Python package.")
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("lint")
    what.add_parser("docs")
    tests = what.add_parser("test")
    tests.add_argument("--torch", choices=("yes", "no", "only", "if-there"), default="if-there")
    tests.add_argument("--command", type=Path, default=target() / "debug" / "aliascope")
    tests.add_argument("--wheel", type=Path, help="the wheel to test [default: one of the tests' own build]")
    timed = what.add_parser("bench")
    timed.add_argument("--command", type=Path, default=target() / "debug" / "aliascope")
    built = what.add_parser("wheel")
    built.add_argument("--profile", default="release")
    built.add_argument("--output", type=Path, default=target() / "wheels")
    arguments, arguments.more = parser.parse_known_args()
    if arguments.more and arguments.what not in ("test", "bench"):
        parser.error(f"unknown arguments: {' '.join(arguments.more)}")
    return arguments


def main() -> None:
    arguments = parse()
    if arguments.what == "lint":
        lint()
    elif arguments.what == "test":
        test(arguments.torch, arguments.command, arguments.wheel, arguments.more)
    elif arguments.what == "wheel":
        build_wheel.build(environment(), arguments.profile, target(), arguments.output)
    elif arguments.what == "bench":
        bench(arguments.command, arguments.more)
    else:
        docs()


if __name__ == "__main__":
    run_script(main)
