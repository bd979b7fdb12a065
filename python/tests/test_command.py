"""How the command is found, run, stopped, and how it fails."""

from __future__ import annotations

import os
import pickle
import re
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import aliascope as al
from aliascope import command, options

# What a Python caller says by an argument of its own, or what the package itself asks of the command.
OWN = {"images", "generator", "grid", "replace", "activation", "field", "departures"}
OUTPUTS = {
    "json",
    "csv",
    "md",
    "plot",
    "plot-size",
    "title",
    "figure",
    "force",
    "quiet",
    "verbose",
    "per-image",
    "html",
    "top",
    "vectors",
    "save",
}


@pytest.mark.parametrize(
    ("subcommand", "known"),
    [
        ("lee", options.LeeOptions),
        ("layers", options.LayersOptions),
        ("compare", options.CompareOptions),
        ("metrics", options.MetricsOptions),
        ("theorem", options.TheoremOptions),
        ("harmonics", options.HarmonicsOptions),
        ("antialias", options.AntialiasOptions),
    ],
)
def test_every_option_of_the_command_is_an_argument(subcommand: str, known: type, tested_command: Path) -> None:
    said = subprocess.run(
        [str(tested_command), subcommand, "--help"], capture_output=True, text=True, check=True
    ).stdout
    theirs = (
        set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", said, re.MULTILINE)) - OWN - OUTPUTS - {"help", "list", "design"}
    )
    ours = {name.replace("_", "-") for name in known.__annotations__}
    # Designs on a field, without a network, are the command's alone.
    field = {"samples", "stride", "velocity"} if subcommand == "antialias" else set()
    assert theirs - field <= ours
    assert ours - OWN <= theirs


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda path, x: al.lee("nowhere.onnx", x), al.ModelError, r"nowhere\.onnx"),
        (lambda path, x: al.lee(path, "nowhere.png"), al.InputError, r"nowhere\.png"),
        (lambda path, x: al.lee(path, x[:, :, :8]), al.InputError, r"^images: .*\[N, 3, 16, 16\]"),
        (lambda path, x: al.lee(path, x * np.inf), al.NotFiniteError, r"images\[0\]"),
        (lambda path, x: al.lee(path, x, "sideways"), al.UsageError, "sideways"),
        (lambda path, x: al.lee(path, x, []), al.UsageError, "generators is empty"),
        (lambda path, x: al.lee(path, x, derivatve="central"), al.UsageError, "did you mean derivative"),
        (lambda path, x: al.lee(path, x, derivative="exact"), al.UsageError, "spectral, forward, central, authors"),
        (lambda path, x: al.lee(path, x, device="cuda:99"), al.MachineError, "cuda:99"),
        (lambda path, x: al.lee(path, []), al.InputError, "there is no image"),
        (lambda path, x: al.lee(path, x.astype(int)), al.InputError, "int64 is neither a photo"),
        (lambda path, x: al.lee(path, x[0, 0]), al.InputError, r"\[N, C, H, W\]"),
        (lambda path, x: al.lee(path, 3), al.InputError, "not a int"),
        (lambda path, x: al.lee(path, [3]), al.InputError, "not a int"),
        (lambda path, x: al.lee(path, np.zeros((3, 9, 3), np.uint8)), al.InputError, "both its first and its last"),
        (lambda path, x: al.lee(path, np.zeros((9, 9, 2), np.uint8)), al.InputError, "no axis of 1 or 3"),
        (lambda path, x: al.lee(7, x), al.UsageError, "not a int"),
        (lambda path, x: al.lee(path, x, exporter="tf"), al.UsageError, "torchscript and dynamo"),
        (lambda path, x: al.lee(path, x, at="nothing"), al.UsageError, "nothing"),
        (lambda path, x: al.compare({}, x), al.UsageError, "networks"),
        (lambda path, x: al.theorem([[1, 2]]), al.UsageError, "harmonics"),
        (lambda path, x: al.harmonics("sinus"), al.UsageError, "sinus"),
    ],
)
def test_failures_are_one_sentence_by_status(call, error: type, words: str, path: Path, frames: np.ndarray) -> None:
    with pytest.raises(error, match=words) as raised:
        call(path, frames)
    assert raised.value.status == error.status
    message = str(raised.value)
    assert "Traceback" not in message and tempfile.gettempdir() + "/aliascope-" not in message
    assert pickle.loads(pickle.dumps(raised.value)).args == raised.value.args


def test_nothing_is_left_behind(
    path: Path, frames: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    al.lee(path, frames, "rotate")
    with pytest.raises(al.UsageError):
        al.lee(path, frames, "sideways")
    assert list(tmp_path.iterdir()) == []


def stand_in(folder: Path, body: str) -> Path:
    """A command that is a script."""
    program = folder / "aliascope"
    program.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_ctrl_c_stops_the_command(
    path: Path, frames: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in(
        tmp_path,
        f"""
        import os, pathlib, signal, sys, time
        def end(*_):
            pathlib.Path({str(tmp_path / "ended")!r}).write_text("interrupted")
            os._exit(130)
        signal.signal(signal.SIGINT, end)
        pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
        time.sleep(60)
        """,
    )
    monkeypatch.setenv(command.COMMAND, str(program))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def interrupt() -> None:
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    # A shell starts what runs in the background with Ctrl-C ignored, and Python leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            al.lee(path, frames)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 30
    assert (tmp_path / "ended").read_text() == "interrupted"
    assert list(temporary.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_command_that_is_killed_is_told_of(path: Path, frames: np.ndarray, tmp_path: Path, monkeypatch) -> None:
    program = stand_in(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setenv(command.COMMAND, str(program))
    with pytest.raises(al.AliascopeError, match=r"SIGKILL.*memory"):
        al.lee(path, frames)


def test_progress_is_shown_where_it_is_wanted(
    path: Path, frames: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    al.lee(path, frames, "rotate", progress=True)
    shown = capfd.readouterr().err
    assert "aliascope lee:" in shown and "0/2" in shown
    al.lee(path, frames, "rotate", progress=False)
    al.lee(path, frames, "rotate")  # not a terminal
    assert capfd.readouterr().err == ""


def test_progress_counts_images(path: Path, frames: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(command.Steps, "reach", lambda self, *step: seen.append(step))
    al.lee(path, frames, "rotate")
    assert seen == [(0, 2, "images"), (1, 2, "images"), (2, 2, "images")]


def test_a_command_that_is_not_there_is_told_of(path: Path, frames: np.ndarray, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(command.COMMAND, str(tmp_path / "nothing"))
    with pytest.raises(al.MachineError, match="nothing, which is not a file"):
        al.lee(path, frames)


def test_a_command_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.importlib.metadata, "version", lambda name: "0.0.1")
    program = stand_in(tmp_path, "print('aliascope 9.9.9 (of a commit)\\nlibtorch 2.13.0')")
    with pytest.raises(al.MachineError, match=r"aliascope 9\.9\.9 and the Python package is 0\.0\.1"):
        command._check_version(program)
    program = stand_in(tmp_path, "print('aliascope 0.0.1')")
    command._check_version(program)


def test_the_packages_own_subcommands(tested_command: Path, path: Path) -> None:
    line = [sys.executable, "-m", "aliascope"]
    source = {**os.environ, "PYTHONPATH": str(Path(al.__file__).parents[1])}
    said = subprocess.run([*line, "--version"], capture_output=True, text=True, env=source, check=True)
    assert said.stdout.startswith("aliascope ")
    failed = subprocess.run(
        [*line, "lee", "nowhere.onnx", "--images", "x.png"], capture_output=True, text=True, env=source
    )
    assert failed.returncode == al.ModelError.status
    assert failed.stderr.startswith("aliascope: nowhere.onnx")
    help_of_setup = subprocess.run([*line, "setup", "--help"], capture_output=True, text=True, env=source, check=True)
    assert "--verify" in help_of_setup.stdout


def test_the_package_and_the_command_want_the_same_libtorch() -> None:
    from aliascope import libtorch

    launcher = Path(__file__).parents[2] / "src" / "libtorch.rs"
    assert f'const VERSION: &str = "{libtorch.VERSION}";' in launcher.read_text()
    for requirements in libtorch.REQUIREMENTS.glob("*.txt"):
        assert f"torch=={libtorch.VERSION} " in requirements.read_text()
