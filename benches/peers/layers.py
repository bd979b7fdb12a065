"""Times the layerwise estimator of the paper in PyTorch beside `aliascope layers`, on the same networks and photo.

    make bench-networks
    python3 benches/peers/layers.py --networks resnet50 --probes 10 --threads 2

The peer does what the released code does, in our words: a hook at every leaf module takes the Lie derivative of that
module by moving its input and moving its output back (bilinear, forward mode); then every random probe z of the softmax
is one forward and one backward pass, in which the square of each module's gradient times its Lie derivative is
collected. The paper takes 100 probes, each of which leaves a relative standard error of √2; what is timed is `--probes`
of them, and 100 are said as the hooks' pass plus 100 times the median probe. Ours is the exact attribution, with the
standard error 0, in a process of its own, once a round. The JSON with all figures is results/peers-layers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from networks import CHECKOUT, GENERATORS, PHOTO, PREPROCESS, sample, timed

sys.path.insert(0, str(CHECKOUT / "scripts"))

from export import run_inside  # noqa: E402
from provision import Failure, run_script, say  # noqa: E402

RESULT = CHECKOUT / "results" / "peers-layers.json"
NETWORKS = ["efficientnet_lite0", "resnet50"]
OF_THE_PAPER = 100


def move(x: Any, t: Any) -> Any:
    """Translates what has rows and columns by t half-widths; leaves the rest alone."""
    import torch

    if x.ndim != 4 or x.shape[-1] != x.shape[-2] or x.shape[-1] < 2:
        return x
    n = x.shape[-1]
    ticks = (2 * torch.arange(n) + 1) / n - 1
    v, u = torch.meshgrid(ticks, ticks, indexing="ij")
    a, b = GENERATORS["translate_x"](u, v)
    return sample(x, u + t * a, v + t * b)


class Estimator:
    """Hooks on every leaf of a network."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.lie: dict[str, Any] = {}
        self.squares: dict[str, list[float]] = {}
        self.busy = False
        for name, module in model.named_modules():
            if hasattr(module, "inplace"):
                module.inplace = False  # a hook would see what was overwritten
            if not list(module.children()):
                module.register_forward_hook(lambda m, i, o, name=name: self.after(name, m, i, o))

    def after(self, name: str, module: Any, inputs: Any, output: Any) -> None:
        import torch

        if self.busy or len(inputs) != 1:
            return
        if name not in self.lie:
            self.busy = True
            x = inputs[0].detach()
            with torch.no_grad():
                there_and_back = lambda t: move(module(move(x, t)), -t)  # noqa: E731
                self.lie[name] = torch.func.jvp(there_and_back, (torch.zeros(()),), (torch.ones(()),))[1]
            self.busy = False
        if output.requires_grad:
            output.register_hook(lambda gradient: self.collect(name, gradient))

    def collect(self, name: str, gradient: Any) -> None:
        square = (gradient * self.lie[name]).sum().square().item()
        self.squares.setdefault(name, []).append(square)

    def probe(self, x: Any) -> None:
        """One forward and one backward pass."""
        import torch

        output = torch.softmax(self.model(x), -1)
        (torch.randn_like(output) * output).sum().backward()
        self.model.zero_grad()


def ours(binary: Path, model: Path, frame: Path, threads: int, folder: Path) -> dict[str, float]:
    report = folder / "layers.json"
    command = [
        str(binary), "layers", str(model), "--images", str(frame), "--output", "softmax", "--threads", str(threads),
        "--no-split", "--json", str(report), "--force", "--quiet",
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_NUM_THREADS")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise Failure(f"aliascope says of {model.name}: {done.stderr.strip()}")
    result = json.loads(report.read_text())
    return {
        "ours forward": result["forward_ms"],
        "ours exact": result["attribution_ms"],
        "layers": len(result["layers"]),
        "residual": result["conservation_residual"],
    }


def measure(name: str, binary: Path, threads: int, rounds: int, probes: int) -> dict[str, Any]:
    import safetensors.numpy
    import spectral_tangents
    import torch
    import torch_networks as networks

    torch.set_num_threads(threads)
    model = networks.seeded(f"timm:{name}", 0)
    size = networks.input_size(model)
    x = spectral_tangents.photo(PHOTO, size, PREPROCESS)
    image = torch.from_numpy(x)
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path, frame = folder / f"{name}.onnx", folder / "x.safetensors"
        networks.save(networks.to_onnx(model, size, None), path)
        safetensors.numpy.save_file({"x": x}, frame)
        with torch.no_grad():
            model(image)
            for _ in range(rounds):
                times.setdefault("forward", []).append(timed(lambda: model(image)))
        estimator = Estimator(model)
        first = timed(lambda: estimator.probe(image))
        share = max(probes // rounds, 1)
        for _ in range(rounds):  # both sides in turn
            for _ in range(share):
                times.setdefault("probe", []).append(timed(lambda: estimator.probe(image)))
            for key, value in ours(binary, path, frame, threads, folder).items():
                times.setdefault(key, []).append(value)
    medians = {key: statistics.median(values) for key, values in times.items()}
    setup = max(first - medians["probe"], 0.0)
    peer = lambda count: setup + count * medians["probe"]  # noqa: E731
    forward = medians["forward"]
    return {
        "network": name,
        "modules": len(estimator.lie),
        "layers": medians["layers"],
        "medians_ms": medians | {"hooks": setup},
        "times_ms": times,
        "in_forwards_of_pytorch": {
            "10 probes": peer(10) / forward,
            f"{OF_THE_PAPER} probes": peer(OF_THE_PAPER) / forward,
            "ours, exact": medians["ours exact"] / forward,
        },
        "in_own_forwards": medians["ours exact"] / medians["ours forward"],
        "100 probes / exact": peer(OF_THE_PAPER) / medians["ours exact"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the paper's layerwise estimator beside ours.")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="names in timm")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--probes", type=int, default=10, help="how many are timed in all")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--binary", type=Path, default=CHECKOUT / "target" / "release" / "aliascope")
    arguments = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    run_inside(Path(__file__).resolve())
    if not arguments.binary.exists():
        raise Failure(f"{arguments.binary} is not built: run `cargo build --release`, then run again")
    results = []
    for name in arguments.networks:
        result = measure(name, arguments.binary, arguments.threads, arguments.rounds, arguments.probes)
        results.append(result)
        say(f"{name}: {result['modules']} modules there, {result['layers']:.0f} layers that make errors here")
        for key, value in result["medians_ms"].items():
            if key not in ("layers", "residual"):
                say(f"  {key:<16} {value:9.1f} ms")
        for key, value in result["in_forwards_of_pytorch"].items():
            say(f"  {key:<16} {value:9.1f} of PyTorch's forward passes")
        say(f"  ours, exact      {result['in_own_forwards']:9.1f} of its own forward passes, residual {result['medians_ms']['residual']:.1e}")
        say(f"  {OF_THE_PAPER} probes / exact: {result['100 probes / exact']:.1f}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"threads": arguments.threads, "networks": results}, indent=1) + "\n")
    say(f"All figures are in {RESULT.relative_to(CHECKOUT)}.")


if __name__ == "__main__":
    run_script(main)
