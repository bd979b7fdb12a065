"""Checks scripts/export.py with both of PyTorch's exporters, and TorchScript modules: what the files compute is what PyTorch
computes.

    make check-export

A small network of a file of its own, with seeded weights and with a checkpoint, goes through export.py as a user calls it,
in a folder that is deleted. Each file is run by ONNX's reference evaluator, beside PyTorch on the same input. It runs in the
environment that export.py runs in: the active one where it has PyTorch, else the cache's.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from export import lacking, run_inside
from provision import SCRIPTS, Failure, run_script, say

NETWORK = """
import torch

class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.act = torch.nn.SiLU()
        self.head = torch.nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.act(self.norm(self.stem(x))).mean((2, 3)))

def make():
    torch.manual_seed(3)
    return Small().eval()
"""
SIZE = 16
# Single precision, sums of a few dozen terms of order one.
TOLERANCE = 1e-5


def exported(folder: Path, output: str, *options: str) -> Path:
    command = [sys.executable, str(SCRIPTS / "export.py"), *options, output]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"export.py {' '.join(options)} ended with status {done.returncode}: {done.stderr.strip()}")
    return folder / output


def difference(file: Path, x, wanted) -> float:
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    (got,) = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x.numpy()})
    return float(abs(got - wanted.numpy()).max())


def main() -> None:
    if lacking("nets.py:make", "dynamo"):
        run_inside(Path(__file__))
    import torch

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nets.py").write_text(NETWORK)
        scope: dict = {}
        exec(compile(NETWORK, "nets.py", "exec"), scope)
        own = scope["make"]()
        trained = scope["make"]()
        with torch.no_grad():
            for parameter in trained.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        torch.save(trained.state_dict(), folder / "mine.pth")
        torch.jit.trace(trained, torch.zeros(1, 3, SIZE, SIZE)).save(folder / "module.pt")
        x = torch.randn(1, 3, SIZE, SIZE)
        size = ("--size", str(SIZE))
        cases = {
            f"{exporter}, {weights}": (network, ("nets.py:make", *size, "--exporter", exporter, *options))
            for exporter in ("torchscript", "dynamo")
            for weights, network, options in (
                ("its own weights", own, ()),
                ("a checkpoint", trained, ("--checkpoint", "mine.pth")),
            )
        }
        shape = f"1,3,{SIZE},{SIZE}"
        cases["a TorchScript module"] = (trained, ("module.pt", "--trust-code", "--input-shape", shape))
        for number, (what, (network, options)) in enumerate(cases.items()):
            file = exported(folder, f"{number}.onnx", *options)
            with torch.no_grad():
                off = difference(file, x, network(x))
            if not off <= TOLERANCE:
                raise Failure(f"{what}: the exported file's output is off by {off:.1e}")
            say(f"{what}: off by {off:.1e}")


if __name__ == "__main__":
    run_script(main)
