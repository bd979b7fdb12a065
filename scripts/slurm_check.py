"""Runs examples/survey.sbatch on a real Slurm of one node on loopback: kills a task, requeues it, and compares the result.

    sudo apt-get install slurm-wlm
    python3 scripts/slurm_check.py --binary target/debug/aliascope

munged, slurmctld and slurmd of this script's own are started in a temporary folder, on free ports, and stopped at the end;
a Slurm that runs here already is left alone. The merged study must have the rows of an undisturbed run to the last bit.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from provision import CHECKOUT, Failure, run_script, say
from survey_kills import rows, small_study

SHARES = 3
CONFIGURATION = """
ClusterName=aliascope
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmctldPort={control}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
KillWait=1
MailProg=/bin/true
# As many processors as the array asks for, whatever this machine has.
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=12 RealMemory=32000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(what: str, is_so: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise Failure(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.2)


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """A Slurm of one node: the environment in which its commands find it."""
    missing = [
        name for name in ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol") if not shutil.which(name)
    ]
    if missing:
        raise Failure(f"{', '.join(missing)} are not there: run `apt-get install slurm-wlm`, then run again")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(64))
    key.chmod(0o600)
    configuration = folder / "slurm.conf"
    settings = {"folder": folder, "user": getpass.getuser(), "host": socket.gethostname().split(".")[0]}
    settings |= {"control": free_port(), "node": free_port()}
    configuration.write_text(CONFIGURATION.format(**settings))
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    started: list[subprocess.Popen[bytes]] = []

    def start(*line: str) -> None:
        with (folder / f"{line[0]}.out").open("wb") as log:
            started.append(subprocess.Popen(line, env=environment, stdout=log, stderr=log))

    try:
        files = [f"--{kind}-file={folder}/munge.{kind}" for kind in ("key", "pid", "log", "seed")]
        start("munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files)
        wait_for("munged's start", (folder / "munge.socket").exists, 20)
        start("slurmctld", "-D", "-f", str(configuration))
        start("slurmd", "-D", "-f", str(configuration))

        def is_idle() -> bool:
            told = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
            return told.stdout.strip() == "idle"

        wait_for("Slurm's start (its logs: slurmctld.log, slurmd.log)", is_idle, 60)
        yield environment
    except Failure:
        for log in ("slurmctld.log", "slurmd.log"):
            if (folder / log).exists():
                say("\n".join([f"{log}:", *(folder / log).read_text().splitlines()[-15:]]))
        raise
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def measured(store: Path) -> int:
    """How many images a share has measured so far."""
    if not store.exists():
        return 0
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(store, timeout=5)) as connection:
        return connection.execute("SELECT COUNT(*) FROM measured").fetchone()[0]
    return 0


def main() -> None:
    """Runs the study undisturbed, then as a job array of which one task is killed."""
    parser = argparse.ArgumentParser(description="Check the job array of a survey on a real Slurm.")
    parser.add_argument("--binary", type=Path, required=True)
    arguments = parser.parse_args()
    binary = arguments.binary.resolve()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        study, results, calm = folder / "STUDY.toml", folder / "results", folder / "calm.db"
        # Metrics make it take a while, so that a task can be killed in its midst.
        study.write_text(small_study(copies=SHARES, photos_each=15, draws=2), encoding="utf-8")
        say("The study, undisturbed …")
        # As many threads as a task of the array has: rounding depends on them.
        line = [str(binary), "survey", "run", str(study), "--into", str(calm), "--threads", "4", "--quiet"]
        if subprocess.run(line).returncode != 0:
            raise Failure("the undisturbed study failed (its own message is above)")
        (folder / "slurm").mkdir()
        with slurm(folder / "slurm") as environment:

            def told(*line: str) -> str:
                done = subprocess.run(line, env=environment, capture_output=True, text=True, cwd=folder)
                if done.returncode != 0:
                    raise Failure(f"{' '.join(line)}: {done.stderr.strip()}")
                return done.stdout

            environment["ALIASCOPE"] = str(binary)
            script = CHECKOUT / "examples" / "survey.sbatch"
            merge = told("bash", str(script), str(study), str(results), str(SHARES)).strip()
            array = told("squeue", "-h", "-r", "-o", "%F %K").split("\n")[0].split()[0]
            say(f"Submitted: job array {array} of {SHARES} tasks, and the merge behind it, job {merge}.")
            second = results / "part-2.db"
            wait_for("the second task's first rows", lambda: measured(second) > 0, 300)
            before = measured(second)
            told("scancel", "--signal=KILL", "--full", f"{array}_2")
            wait_for(
                "the second task's end",
                lambda: "RUNNING" not in told("scontrol", "show", "job", f"{array}_2"),
                60,
            )
            told("scontrol", "requeue", f"{array}_2")
            say(f"Task 2 was killed with {before} images measured, and requeued.")
            wait_for("the end of all jobs", lambda: told("squeue", "-h").strip() == "", 1800)
            shown = told("scontrol", "show", "job", f"{array}_2")
            if "Restarts=1" not in shown:
                raise Failure(f"the second task was not run twice: {shown}")
            again = (results / "part-2.log").read_text()
            say(
                f"Task 2 went on: {next((line for line in again.splitlines() if 'from before' in line), again.strip())}"
            )
        merged = results / "study.db"
        if not merged.exists():
            raise Failure(f"there is no merged study: {(results / 'merge.log').read_text()}")
        found, wanted = rows(merged), rows(calm)
        if found != wanted:
            raise Failure("the merged rows are not those of the undisturbed run")
        if not (results / "study.html").exists():
            raise Failure("the merge step made no report")
        say(f"The merged study has the {sum(map(len, wanted))} rows of the undisturbed one, to the last bit.")


if __name__ == "__main__":
    run_script(main)
