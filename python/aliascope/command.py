"""The command `aliascope`: where it is, and how it is run."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import libtorch
from .errors import AliascopeWarning, MachineError, error_of
from .progress import Steps

COMMAND = "ALIASCOPE_COMMAND"
"""An environment variable that names the command to run, in the place of the one that was installed with the
package."""

SKIPPED = 10
"""The status of a run that left images out, whose results are those of the others."""

_PROGRESS = re.compile(r"progress: (\d+)/(\d+) (.*)")
_PATIENCE = 10.0
"""Seconds that the command has to end after Ctrl-C, until it is killed."""


@dataclass
class Done:
    """What a run of the command left."""

    arguments: list[str]
    report: Any = None
    rows: str = ""
    figures: dict[str, bytes] = field(default_factory=dict)
    """By name; the main one is ``""``."""

    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@functools.cache
def _command(chosen: str | None) -> Path:
    name = "aliascope" + (".exe" if os.name == "nt" else "")
    if chosen:
        if not Path(chosen).is_file():
            raise MachineError(f"{COMMAND} is {chosen}, which is not a file; name the command aliascope")
        return Path(chosen)
    schemes = {sysconfig.get_path("scripts")}
    if "posix_user" in sysconfig.get_scheme_names():
        schemes.add(sysconfig.get_path("scripts", "posix_user"))
    # After `pip install --target` it lies beside the packages.
    schemes.add(str(Path(__file__).resolve().parents[1] / "bin"))
    places = [Path(scheme) / name for scheme in schemes if scheme]
    found = next((place for place in places if place.is_file()), None) or shutil.which(name)
    if not found:
        raise MachineError(
            f"the command aliascope is neither in {sysconfig.get_path('scripts')} nor on the PATH; install the "
            f"package's wheel again, or set {COMMAND} to the command"
        )
    _check_version(Path(found))
    return Path(found)


def _check_version(command: Path) -> None:
    """A command of another version would write results that this package reads wrongly."""
    try:
        ours = importlib.metadata.version("aliascope")
    except importlib.metadata.PackageNotFoundError:
        return  # run from its sources, beside a command of the user's choice
    try:
        said = subprocess.run([str(command), "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise MachineError(f"{command} cannot be run: {error.strerror}; install the wheel for this machine") from error
    found = re.match(r"aliascope (\S+)", said.stdout)
    theirs = found[1] if found else ""
    if theirs != ours:
        raise MachineError(
            f"{command} is aliascope {theirs or 'of no version'} and the Python package is {ours}; install them "
            "together"
        )


def command() -> Path:
    """The command that this package runs: `ALIASCOPE_COMMAND`, else the one of the same installation."""
    return _command(os.environ.get(COMMAND))


def environment() -> dict[str, str]:
    """The environment of the command: with the libtorch of this Python's PyTorch, if that has the right version."""
    added = {"ALIASCOPE_PROGRESS": "lines"}
    torch = libtorch.installed()
    if torch is not None and "ALIASCOPE_LIBTORCH" not in os.environ and COMMAND not in os.environ:
        added["ALIASCOPE_LIBTORCH"] = str(torch)
    return {**os.environ, **added}


class Folder:
    """A temporary folder for a run's inputs and outputs, which is gone at its end, however it ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="aliascope-"))
        self.names: dict[str, str] = {}
        self._roots = [str(self.path)]

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def call(self, file: str | Path, name: str) -> None:
        """Lets results call a temporary file, or an entry of one, by this name."""
        self.names[str(file)] = name
        if str(self.path) not in str(file):
            self._roots.append(str(file))

    def named(self, value: Any) -> Any:
        """A result, or a message, with the names that the user knows in the place of temporary files."""
        if isinstance(value, str):
            if value in self.names:
                return self.names[value]
            if not any(root in value for root in self._roots):
                return value
            # Longer ones first: one name may be the start of another.
            for file in sorted(self.names, key=len, reverse=True):
                value = value.replace(file, self.names[file])
            return value.replace(f"{self.path}{os.sep}", "")
        if isinstance(value, list):
            return [self.named(entry) for entry in value]
        if isinstance(value, dict):
            return {key: self.named(entry) for key, entry in value.items()}
        return value


def run(
    folder: Folder,
    arguments: Sequence[str],
    *,
    rows: bool = True,
    figure: bool = False,
    files: Sequence[tuple[str, str]] = (),
    progress: bool | None = None,
    accepted: Sequence[int] = (0, SKIPPED),
) -> Done:
    """Runs the command with `arguments`, lets it write its results into the folder, and reads them.

    `files` are more output options with the names of their files. The command's notes become warnings, its failure an
    exception unless its status is `accepted`. At Ctrl-C the command is stopped first.
    """
    program = str(command())
    outputs = ["--json", str(folder.path / "result.json")]
    outputs += ["--csv", str(folder.path / "rows.csv")] if rows else []
    outputs += ["--plot", str(folder.path / "figure.svg")] if figure else []
    for option, name in files:
        outputs += [option, str(folder.path / name)]
    status, said = _watch([program, *arguments, *outputs], Steps(arguments[0], progress))
    notes = [folder.named(line[len("note: ") :]) for line in said if line.startswith("note: ")]
    result = folder.path / "result.json"
    if status not in accepted or not result.exists():
        raise error_of(status, folder.named(_message(said, status)))
    if status == SKIPPED:
        notes.append(folder.named(_message(said, status)))
    for note in dict.fromkeys(notes):
        warnings.warn(note, AliascopeWarning, stacklevel=_caller())
    figures = {
        path.stem.removeprefix("figure").removeprefix("-"): path.read_bytes()
        for path in sorted(folder.path.glob("figure*"))
    }
    return Done(
        arguments=[Path(program).name, *folder.named(list(arguments))],
        report=folder.named(json.loads(result.read_text(encoding="utf-8"))),
        rows=(folder.path / "rows.csv").read_text(encoding="utf-8") if rows else "",
        figures=figures,
        files={name: (folder.path / name).read_bytes() for _, name in files},
        notes=notes,
    )


def _watch(command_line: list[str], bar: Steps) -> tuple[int, list[str]]:
    """Runs a command line to its end; gives its status and what it said on standard error, without progress."""
    said: list[str] = []
    try:
        process = subprocess.Popen(
            command_line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment(),
        )
    except OSError as error:
        raise MachineError(
            f"{command_line[0]} cannot be run: {error.strerror}; install the wheel for this machine"
        ) from error
    with bar, process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                text = line.rstrip("\n")
                step = _PROGRESS.fullmatch(text)
                if step:
                    bar.reach(int(step[1]), int(step[2]), step[3])
                elif text:
                    said.append(text)
            status = process.wait()
        except BaseException:
            _stop(process)
            raise
    return status, said


def _stop(process: subprocess.Popen[str]) -> None:
    """Ends the command as Ctrl-C does, so that it leaves no half-written file; kills it where that takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _message(said: list[str], status: int) -> str:
    """The command's last message, with what it lists; its own name in front is left out."""
    starts = [at for at, line in enumerate(said) if line.startswith(("aliascope: ", "error: "))]
    if starts:
        lines = [line for line in said[starts[-1] :] if not line.startswith("note: ")]
        lines[0] = lines[0].partition(": ")[2]
        # clap says behind an error how the command is used, which a caller from Python does not type.
        usage = next((at for at, line in enumerate(lines) if line.startswith(("Usage:", "For more information"))), None)
        return "\n".join(line for line in lines[:usage] if line.strip())
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
        return f"the command was ended by {name}; if that was not you, the machine may have run out of memory"
    last = said[-1] if said else "it said nothing"
    return f"the command ended with status {status}: {last}"


def _caller() -> int:
    """How many frames up the first is that is not of this package, for warnings."""
    package = str(Path(__file__).parent)
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    return level
