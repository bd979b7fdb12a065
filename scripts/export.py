"""Writes a network of timm or torchvision as ONNX, with its preprocessing in the file, so that aliascope needs no flags.

    python3 scripts/export.py timm:resnet50 --pretrained resnet50.onnx
    python3 scripts/export.py torchvision:convnext_tiny --seed 0 convnext.onnx

PyTorch, timm and torchvision are installed into an environment of their own in the cache, which is 4 GB and made once
per user; whoever has ONNX files needs none of it. `--pretrained` downloads weights from where timm or torchvision
publish them; `--seed N` gives weights that depend on N alone (scripts/torch_networks.py says which).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from provision import SCRIPTS, Failure, check_space, install, locked_cache, python_environment, run_script, say
from system import install_python_venv

REQUIREMENTS = SCRIPTS / "requirements-export.txt"
INSIDE = "ALIASCOPE_EXPORT_ENVIRONMENT"


def run_inside(script: Path) -> None:
    """Runs `script` with this process's arguments in the environment that has PyTorch, unless this is that one."""
    if os.environ.get(INSIDE):
        return
    if sys.version_info < (3, 11):
        raise Failure(f"exporting needs Python 3.11 or later, and this is {sys.version.split()[0]}")
    with locked_cache() as cache:
        if not (cache / f"export-{sys.version_info.major}.{sys.version_info.minor}").exists():
            check_space(cache, 7_000_000_000, "PyTorch with what it is linked against")
            say("Installing PyTorch, timm and torchvision into an environment of their own (2.5 GB, once per user) …")
        python = python_environment(cache, install_python_venv, name="export")
        install(python, REQUIREMENTS)
    done = subprocess.run([str(python), str(script), *sys.argv[1:]], env={**os.environ, INSIDE: "1"})
    sys.exit(done.returncode)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write a network of timm or torchvision as ONNX.")
    parser.add_argument("network", help="timm:NAME or torchvision:NAME")
    parser.add_argument("output", type=Path, help="the ONNX file to write")
    weights = parser.add_mutually_exclusive_group(required=True)
    weights.add_argument("--pretrained", action="store_true", help="published weights, which are downloaded")
    weights.add_argument("--seed", type=int, help="seeded weights, for tests and timings")
    parser.add_argument("--size", type=int, help="rows and columns of the input [default: the network's own]")
    parser.add_argument("--opset", type=int, default=17, help="ONNX opset [default: 17]")
    parser.add_argument("--double", action="store_true", help="weights in double precision")
    parser.add_argument("--no-preprocessing", action="store_true", help="leave the preprocessing out of the file")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    if arguments.output.exists() and not arguments.force:
        raise Failure(f"{arguments.output} exists: pass --force to replace it, or name another file")
    run_inside(Path(__file__))

    import torch_networks as networks

    try:
        if arguments.pretrained:
            model = networks.create(arguments.network, pretrained=True, size=arguments.size)
        else:
            model = networks.seeded(arguments.network, arguments.seed, arguments.size)
        size = arguments.size or networks.input_size(model)
        preprocess = None if arguments.no_preprocessing else networks.preprocessing(model)
        if arguments.double:
            model = model.double()
        exported = networks.to_onnx(model, size, preprocess, arguments.opset)
    except networks.NetworkError as error:
        raise Failure(f"{arguments.network}: {error}") from error
    except OSError as error:  # what timm and torchvision raise where a download fails
        told = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise Failure(f"{arguments.network}: its files cannot be fetched or read ({told.strip().rstrip('.')})") from error
    except (RuntimeError, ValueError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Failure(f"{arguments.network} cannot be made or exported: {lines[0].rstrip('.')}") from error
    networks.save(exported, arguments.output)
    nodes, megabytes = len(exported.graph.node), arguments.output.stat().st_size / 1e6
    say(f"{arguments.output}: {arguments.network}, {size}×{size}, {nodes} nodes, {megabytes:.1f} MB")


if __name__ == "__main__":
    run_script(main)
