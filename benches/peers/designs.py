"""Times layers of anti-aliasing designs beside PyTorch's own ways of writing them, in one run on the same field size.

    make bench-networks
    python3 benches/peers/designs.py --samples 112 --threads 2

Both take 16 channels of N × N samples in single precision with circular padding; the least of nine calls counts, as what
else a machine does only adds to a time. PyTorch's ways are, for filters of finite length, a depthwise convolution with
the stride, of k × k taps and as two of k, of which the faster counts; for ideal filters `torch.fft.rfft2`, a crop, and
`irfft2`. aliascope's outputs have been compared with such layers in its tests; here only time is. The JSON with all
figures is results/peers-designs.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Callable

from networks import CHECKOUT, timed

from export import run_inside  # noqa: E402  (networks puts scripts/ on the path)
from provision import Failure, run_script, say  # noqa: E402

RESULT = CHECKOUT / "results" / "peers-designs.json"
CHANNELS = 16
CALLS = 9
STRIDE = 2


def peers(n: int) -> dict[str, list[Callable[[], Any]]]:
    """Design → PyTorch's ways."""
    import torch
    from torch.nn import functional

    x = torch.randn(1, CHANNELS, n, n)

    def fir(taps: int) -> list[Callable[[], Any]]:
        row = torch.ones(taps) / taps
        square = torch.outer(row, row).expand(CHANNELS, 1, taps, taps).contiguous()
        across, down = (row.view(s).expand(CHANNELS, *s[1:]).contiguous() for s in ((1, 1, 1, taps), (1, 1, taps, 1)))
        low, high = (taps - 1) // 2, taps // 2

        def whole() -> Any:
            padded = functional.pad(x, (low, high, low, high), mode="circular")
            return functional.conv2d(padded, square, stride=STRIDE, groups=CHANNELS)

        def apart() -> Any:
            padded = functional.pad(x, (low, high, low, high), mode="circular")
            half = functional.conv2d(padded, across, stride=(1, STRIDE), groups=CHANNELS)
            return functional.conv2d(half, down, stride=(STRIDE, 1), groups=CHANNELS)

        return [whole, apart]

    def resampled(x: Any, to: int) -> Any:
        """To a grid of `to` samples by its Fourier coefficients."""
        bins, size = torch.fft.rfft2(x, norm="forward"), x.shape[-1]
        half = min(to, size) // 2
        rows = torch.cat([bins[..., :half, : half + 1], bins[..., size - half :, : half + 1]], -2)
        if to > size:
            rows = functional.pad(rows, (0, to // 2 - half))
            gap = rows.new_zeros(*rows.shape[:-2], to - 2 * half, rows.shape[-1])
            rows = torch.cat([rows[..., :half, :], gap, rows[..., half:, :]], -2)
        return torch.fft.irfft2(rows, s=(to, to), norm="forward")

    return {
        "blurpool:3": fir(3),
        "blurpool:5": fir(5),
        "blurpool:7": fir(7),
        "lanczos:3": fir(12),
        "wavelet:db3": fir(6),
        "ideal": [lambda: resampled(x, n // STRIDE)],
        "bicubic": [lambda: functional.interpolate(x, scale_factor=1 / STRIDE, mode="bicubic", antialias=True)],
        "upsample:ideal": [lambda: resampled(x, STRIDE * n)],
        "filtered:relu:2x:ideal": [lambda: resampled(functional.relu(resampled(x, 2 * n)), n)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time designs beside PyTorch's ways of writing them.")
    parser.add_argument("--samples", type=int, nargs="+", default=[56, 112])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--binary", type=Path, default=CHECKOUT / "target" / "release" / "aliascope")
    arguments = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    run_inside(Path(__file__).resolve())
    if not arguments.binary.exists():
        raise Failure(f"{arguments.binary} is not built: run `cargo build --release`, then run again")
    import torch

    torch.set_num_threads(arguments.threads)
    rows = []
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_NUM_THREADS")}
    say(f"{'design':<24} {'samples':>8} {'ours ms':>9} {'PyTorch ms':>11} {'ratio':>6}")
    for n in arguments.samples:
        ways = peers(n)
        theirs = {name: float("inf") for name in ways}
        ours = dict(theirs)
        command = [
            str(arguments.binary), "antialias", "--design", ",".join(ways), "--random", "8", "--samples", str(n), "--stride",
            str(STRIDE), "--threads", str(arguments.threads), "--json", "-", "--quiet",
        ]  # fmt: skip
        with torch.no_grad():
            for _ in range(arguments.rounds):  # both sides in turn
                for name, runs in ways.items():
                    theirs[name] = min(theirs[name], *(timed(run) for run in runs for _ in range(CALLS)))
                done = subprocess.run(command, capture_output=True, text=True, env=environment)
                if done.returncode != 0:
                    raise Failure(f"aliascope says: {done.stderr.strip()}")
                for design in json.loads(done.stdout)["designs"]:
                    ours[design["name"]] = min(ours[design["name"]], design["time_ms"])
        for name in ways:
            ratio = ours[name] / theirs[name]
            rows.append({"design": name, "samples": n, "ours_ms": ours[name], "torch_ms": theirs[name], "ratio": ratio})
            say(f"{name:<24} {n:>8} {ours[name]:>9.3f} {theirs[name]:>11.3f} {ratio:>6.2f}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"threads": arguments.threads, "designs": rows}, indent=1) + "\n")
    say(f"All figures are in {RESULT.relative_to(CHECKOUT)}.")


if __name__ == "__main__":
    run_script(main)
