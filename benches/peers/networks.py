"""Times PyTorch and aliascope on the same networks, photo and threads, taking turns in one run, and prints ratios.

    make bench-networks
    python3 benches/peers/networks.py --networks resnet50 vit_tiny_patch16_224 --rounds 5 --threads 2

Peers, for one photo and the seven generators (EfficientNet-Lite0 is timm's, the other networks too, all seeded):

* `eager 1`, `eager 8`: PyTorch's forward pass of one photo and of eight, gradients off, in its default memory format and
  with timm's attention written out, which is what the derivatives below can go through.
* `eager 8, tuned`: the same in channels-last memory, and with PyTorch's fused attention where there is one: the
  faster of the two orders of memory counts.
* `vmap(jvp)`: torch.func.vmap over torch.func.jvp along the seven tangents.
* `jvp in turn`: seven calls of torch.func.jvp.
* `through the transform`: what the released script of the paper does, in our words: for each generator the photo is
  moved by a bilinear sampler whose parameter t carries the derivative, and the network follows, so that each generator
  costs the network's derivative and the sampler's.

aliascope runs `lee` in a process of its own, once a round, which times one forward pass, one of eight and the sweep
in it; so PyTorch and aliascope take turns, and a drift of the machine's speed falls on both. Times are medians of
rounds, and ratios medians of the rounds' ratios; the JSON with all of them is results/peers.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "scripts"))

from export import run_inside  # noqa: E402
from provision import Failure, run_script, say  # noqa: E402

PHOTO = CHECKOUT / "photos" / "chelsea.png"
RESULT = CHECKOUT / "results" / "peers.json"
PREPROCESS = {"mean": [0.5] * 3, "std": [0.25] * 3, "scale": 1.0, "crop": 1.0, "interpolation": "bicubic"}
NETWORKS = [
    "efficientnet_lite0",
    "resnet50",
    "vit_tiny_patch16_224",
    "convnext_tiny",
    "swin_tiny_patch4_window7_224",
]
GENERATORS = {  # the velocity of each generator at (u, v), in half-widths
    "translate_x": lambda u, v: (u * 0 + 1, v * 0),
    "translate_y": lambda u, v: (u * 0, v * 0 + 1),
    "stretch_x": lambda u, v: (u, v * 0),
    "stretch_y": lambda u, v: (u * 0, v),
    "shear_x": lambda u, v: (v, v * 0),
    "shear_y": lambda u, v: (u * 0, u),
}


def peers(model: Any, x: Any, dx: Any) -> dict[str, Callable[[], Any]]:
    """Name → what is timed. `x` is `[1, 3, N, N]`, `dx` `[7, 1, 3, N, N]`."""
    import torch

    eight = x.expand(8, -1, -1, -1).contiguous()

    def along(tangent: torch.Tensor) -> torch.Tensor:
        return torch.func.jvp(model, (x,), (tangent,))[1]

    n = x.shape[-1]
    ticks = (2 * torch.arange(n) + 1) / n - 1
    v, u = torch.meshgrid(ticks, ticks, indexing="ij")

    def moved(name: str) -> torch.Tensor:
        def network(t: torch.Tensor) -> torch.Tensor:
            if name == "saturate":
                return model((1 + t) * x)
            a, b = GENERATORS[name](u, v)
            return model(sample(x, u + t * a, v + t * b))

        return torch.func.jvp(network, (torch.zeros(()),), (torch.ones(()),))[1]

    return {
        "eager 1": lambda: model(x),
        "eager 8": lambda: model(eight),
        "vmap(jvp)": lambda: torch.func.vmap(along)(dx),
        "jvp in turn": lambda: [along(tangent) for tangent in dx],
        "through the transform": lambda: [moved(name) for name in [*GENERATORS, "saturate"]],
    }


def tuned(model: Any, x: Any) -> dict[str, Callable[[], Any]]:
    """Forwards of eight as one would set them up for speed."""
    import torch

    eight = x.expand(8, -1, -1, -1).contiguous()
    plain = copy.deepcopy(model)
    for module in plain.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = True
    last = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    eight_last = eight.to(memory_format=torch.channels_last)
    return {"eager 8, fused": lambda: plain(eight), "eager 8, channels last": lambda: last(eight_last)}


def sample(x: Any, u: Any, v: Any) -> Any:
    """The image at (u, v), bilinear, reflecting at its edge; differentiable in u and v in forward mode."""
    import torch

    n = x.shape[-1]

    def place(w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        at = ((w + 1) * n - 1) / 2
        at = (n - 1) - ((n - 1) - at.abs()).abs()
        low = at.detach().floor().clamp(0, n - 2)
        return low.long(), at - low

    (column, right), (row, down) = place(u), place(v)
    image = x[0]
    top = image[:, row, column] * (1 - right) + image[:, row, column + 1] * right
    bottom = image[:, row + 1, column] * (1 - right) + image[:, row + 1, column + 1] * right
    return (top * (1 - down) + bottom * down)[None]


def timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def ours(binary: Path, model: Path, frame: Path, threads: int, folder: Path) -> dict[str, float]:
    report = folder / "lee.json"
    command = [
        str(binary), "lee", str(model), "--images", str(frame), "--output", "logits", "--threads", str(threads),
        "--json", str(report), "--force", "--quiet",
    ]  # fmt: skip
    # Threads wait as aliascope chooses, whatever was chosen for PyTorch.
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_NUM_THREADS")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise Failure(f"aliascope says of {model.name}: {done.stderr.strip()}")
    timing = json.loads(report.read_text())["timing"]
    return {
        "ours 1": timing["forward_ms"],
        "ours 8": timing["forward_batch8_ms"],
        "ours sweep": timing["sweep_ms"],
    }


def measure(name: str, binary: Path, threads: int, rounds: int, slow: bool) -> dict[str, Any]:
    import numpy as np
    import safetensors.numpy
    import spectral_tangents
    import torch
    import torch_networks as networks

    torch.set_num_threads(threads)
    model = networks.seeded(f"timm:{name}", 0)
    size = networks.input_size(model)
    x = spectral_tangents.photo(PHOTO, size, PREPROCESS)
    dx = torch.from_numpy(np.stack(list(spectral_tangents.tangents(x).values()))).float()
    runs = peers(model, torch.from_numpy(x), dx)
    if not slow:
        runs = {k: v for k, v in runs.items() if k.startswith("eager")}
    runs |= tuned(model, torch.from_numpy(x))
    times: dict[str, list[float]] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary, torch.no_grad():
        folder = Path(temporary)
        path, frame = folder / f"{name}.onnx", folder / "x.safetensors"
        networks.save(networks.to_onnx(model, size, None), path)
        safetensors.numpy.save_file({"x": x}, frame)
        for at in range(rounds + 1):  # the first round sets up and is not counted
            for peer, run in list(runs.items()):
                try:
                    milliseconds = timed(run)
                except Exception as error:  # noqa: BLE001: a peer that cannot is told as such
                    failed[peer] = str(error).strip().splitlines()[0][:200]
                    del runs[peer]
                    continue
                if at:
                    times.setdefault(peer, []).append(milliseconds)
            own = ours(binary, path, frame, threads, folder)
            if at:
                for key, value in own.items():
                    times.setdefault(key, []).append(value)
    medians = {key: statistics.median(values) for key, values in times.items()}
    kinds = [key for key in ("eager 8, fused", "eager 8, channels last") if key in medians]
    best = min(kinds, key=medians.__getitem__, default="eager 8")
    medians["eager 8, tuned"], times["eager 8, tuned"] = medians[best], times[best]

    def ratio(a: str, b: str) -> float | None:
        if a not in times or len(times[a]) != len(times.get(b, [])):
            return None
        # Round by round, so that the machine's drift between rounds falls on both.
        return statistics.median(x / y for x, y in zip(times[a], times[b], strict=True))

    return {
        "network": name,
        "size": size,
        "medians_ms": medians,
        "times_ms": times,
        "failed": failed,
        "ratios": {
            "sweep / own forward of 8": ratio("ours sweep", "ours 8"),
            "sweep / eager forward of 8": ratio("ours sweep", "eager 8"),
            "sweep / tuned forward of 8": ratio("ours sweep", "eager 8, tuned"),
            "forward of 8 / eager": ratio("ours 8", "eager 8"),
            "forward of 8 / tuned": ratio("ours 8", "eager 8, tuned"),
            "forward of 1 / eager": ratio("ours 1", "eager 1"),
            "vmap(jvp) / sweep": ratio("vmap(jvp)", "ours sweep"),
            "jvp in turn / sweep": ratio("jvp in turn", "ours sweep"),
            "through the transform / sweep": ratio("through the transform", "ours sweep"),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time PyTorch and aliascope side by side.")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="names in timm")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--eager-only", action="store_true", help="leave out the peers that take derivatives")
    parser.add_argument("--binary", type=Path, default=CHECKOUT / "target" / "release" / "aliascope")
    arguments = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # for both sides alike, on a machine where others work too
    run_inside(Path(__file__).resolve())
    if not arguments.binary.exists():
        raise Failure(f"{arguments.binary} is not built: run `cargo build --release`, then run again")
    results = []
    for name in arguments.networks:
        result = measure(name, arguments.binary, arguments.threads, arguments.rounds, not arguments.eager_only)
        results.append(result)
        say(f"{name}, {result['size']}×{result['size']}, medians of {arguments.rounds} rounds, {arguments.threads} threads")
        for key, value in result["medians_ms"].items():
            say(f"  {key:<24} {value:9.1f} ms")
        for key, value in result["ratios"].items():
            if value is not None:
                say(f"  {key:<32} {value:6.2f}")
        for key, reason in result["failed"].items():
            say(f"  {key}: PyTorch refuses: {reason}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"threads": arguments.threads, "networks": results}, indent=1) + "\n")
    say(f"All figures are in {RESULT.relative_to(CHECKOUT)}.")


if __name__ == "__main__":
    run_script(main)
