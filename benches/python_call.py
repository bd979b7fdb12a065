"""What a call from Python costs beyond the command's own time, for a ResNet-50 that is exported already.

    make bench-python

The time that the command runs is taken inside of the call and subtracted, so that neither other programs nor the command's
own variation count. The budget is 0.3 s.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import timm
import torch

import aliascope as al
from aliascope import command
from aliascope.fingerprint import fingerprint

BUDGET = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a call from Python, and the command inside of it.")
    parser.add_argument("--turns", type=int, default=7)
    turns = parser.parse_args().turns
    torch.manual_seed(0)
    network = timm.create_model("resnet50", pretrained=False)
    image = torch.randn(1, 3, 224, 224)
    inside: list[float] = []
    watch = command._watch

    def timed(*arguments):
        began = time.perf_counter()
        done = watch(*arguments)
        inside.append(time.perf_counter() - began)
        return done

    command._watch = timed
    calls, hashes = [], []
    for _ in range(turns + 1):
        began = time.perf_counter()
        al.lee(network, image, "translate_x")
        calls.append(time.perf_counter() - began)
    for _ in range(turns):
        began = time.perf_counter()
        fingerprint(network)
        hashes.append(time.perf_counter() - began)
    own = [call - run for call, run in zip(calls, inside)]
    print(f"the first call's own, an export     {own[0]:6.2f} s")
    print(f"a later call                        {statistics.median(calls[1:]):6.2f} s")
    print(f"  of which: the command             {statistics.median(inside[1:]):6.2f} s")
    print(f"  of which: the package's own       {statistics.median(own[1:]):6.2f} s, at most {max(own[1:]):.2f}")
    print(f"    of which: hash of weights, code {statistics.median(hashes):6.2f} s")
    if statistics.median(own[1:]) > BUDGET:
        sys.exit(f"the call's own time is above the budget of {BUDGET} s")


if __name__ == "__main__":
    main()
