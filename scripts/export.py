"""Writes a PyTorch network as ONNX, with its preprocessing in the file where it is known, so that aliascope needs no flags.

    python3 scripts/export.py timm:resnet50 --pretrained resnet50.onnx
    python3 scripts/export.py torchvision:convnext_tiny --seed 0 convnext.onnx
    python3 scripts/export.py timm:resnet18 --checkpoint mine.pth --classes 10 mine.onnx
    python3 scripts/export.py nets.py:make --checkpoint mine.pth --size 32 mine.onnx

A network is one of timm or torchvision by its name, or what a function of a file of your own returns, which is called
without arguments. Its weights are those that timm or torchvision publish (`--pretrained`, a download), seeded ones
(`--seed N`; scripts/torch_networks.py says which), those of a checkpoint (`--checkpoint`, a state dict, of which every
key has to fit), or, for a function of your own, those that it gives its network.

The environment whose Python runs this script is used where it has PyTorch and what else is needed. Otherwise, and with
`--own-environment`, PyTorch, timm and torchvision are installed into an environment in the cache, which is 4 GB and made
once per user; whoever has ONNX files needs none of it.
"""

from __future__ import annotations

import argparse
import importlib.util
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


def lacking(network: str, exporter: str) -> list[str]:
    """What this Python lacks of the packages that exporting this network needs."""
    library = network.partition(":")[0]
    needed = ["torch", "onnx", "numpy"]
    needed += [library] if library in ("timm", "torchvision") else []
    needed += ["onnxscript"] if exporter == "dynamo" else []
    return [package for package in needed if importlib.util.find_spec(package) is None]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Write a PyTorch network as ONNX.",
        epilog="Example: export.py timm:resnet18 --checkpoint mine.pth --classes 10 mine.onnx",
    )
    parser.add_argument("network", help="timm:NAME, torchvision:NAME, or FILE.py:FUNCTION, which returns a module")
    parser.add_argument("output", type=Path, help="the ONNX file to write")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--pretrained", action="store_true", help="published weights, which are downloaded")
    weights.add_argument("--seed", type=int, help="seeded weights, for tests and timings")
    weights.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights of a state dict (.pth, .pt, .safetensors)")
    parser.add_argument("--classes", type=int, metavar="N", help="classes of the network [default: its own]")
    parser.add_argument("--size", type=int, help="rows and columns of the input [default: the network's own]")
    parser.add_argument("--channels", type=int, default=3, help="channels of the input [default: 3]")
    parser.add_argument(
        "--exporter",
        choices=("torchscript", "dynamo"),
        default="torchscript",
        help="PyTorch's exporter that traces, or its newer one [default: torchscript]",
    )
    parser.add_argument("--opset", type=int, help="ONNX opset [default: 17, of the newer exporter 20]")
    parser.add_argument("--double", action="store_true", help="weights in double precision")
    parser.add_argument("--no-preprocessing", action="store_true", help="leave the preprocessing out of the file")
    parser.add_argument("--own-environment", action="store_true", help="use the cache's PyTorch, not this Python's")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    return parser.parse_args()


def check(arguments: argparse.Namespace) -> None:
    """Refuses what can be refused before anything is imported or downloaded."""
    if arguments.output.exists() and not arguments.force:
        raise Failure(f"{arguments.output} exists: pass --force to replace it, or name another file")
    library, separator, name = arguments.network.rpartition(":")
    own = separator and library.endswith(".py")
    if not own and (not separator or not name or library not in ("timm", "torchvision")):
        raise Failure(f"{arguments.network} is neither timm:NAME nor torchvision:NAME nor FILE.py:FUNCTION")
    if own and not Path(library).is_file():
        raise Failure(f"{library} is not a file: name the Python file that has the function {name}")
    if own and arguments.pretrained:
        raise Failure("--pretrained is for networks of timm and torchvision: pass --checkpoint FILE, or nothing")
    if own and arguments.classes is not None:
        raise Failure(f"--classes is for networks of timm and torchvision: let {name} make the network with as many")
    if not own and not (arguments.pretrained or arguments.checkpoint or arguments.seed is not None):
        raise Failure("which weights? pass --pretrained, --checkpoint FILE or --seed N")
    if arguments.checkpoint is not None and not arguments.checkpoint.is_file():
        raise Failure(f"{arguments.checkpoint} is not a file: name a state dict")


def make(arguments: argparse.Namespace):
    """The network with its weights."""
    import torch_networks as networks

    spec, size = arguments.network, arguments.size
    options = {} if arguments.classes is None else {"num_classes": arguments.classes}
    if spec.rpartition(":")[0].endswith(".py"):
        model = networks.own(spec)
        if arguments.seed is not None:
            networks.enliven(model, arguments.seed, size or networks.input_size(model))
    elif arguments.seed is not None:
        model = networks.seeded(spec, arguments.seed, size, **options)
    else:
        model = networks.create(spec, pretrained=arguments.pretrained, size=size, **options)
    if arguments.checkpoint is not None:
        for note in networks.load_checkpoint(model, arguments.checkpoint):
            say(note)
    return model


def main() -> None:
    arguments = parse()
    check(arguments)
    missing = lacking(arguments.network, arguments.exporter)
    if missing or arguments.own_environment:
        run_inside(Path(__file__))
    if missing:
        raise Failure(f"the environment for exporting lacks {', '.join(missing)}: remove its folder and run again")

    import torch
    import torch_networks as networks

    if not os.environ.get(INSIDE):
        say(f"Using PyTorch {torch.__version__} of {sys.prefix}; --own-environment takes the cache's …")
    try:
        model = make(arguments)
        size = arguments.size or networks.input_size(model)
        preprocess = None if arguments.no_preprocessing else networks.preprocessing(model)
        if arguments.double:
            model = model.double()
        exported = networks.to_onnx(model, size, preprocess, arguments.opset, arguments.exporter, arguments.channels)
    except networks.NetworkError as error:
        raise Failure(f"{arguments.network}: {error}") from error
    except ImportError as error:
        raise Failure(f"{arguments.network}: {error.name or error} cannot be imported by {sys.executable}") from error
    except OSError as error:  # what timm and torchvision raise where a download fails
        told = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise Failure(f"{arguments.network}: its files cannot be fetched or read ({told.strip().rstrip('.')})") from error
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Failure(f"{arguments.network} cannot be made or exported: {lines[0].rstrip('.')}") from error
    networks.save(exported, arguments.output)
    nodes, megabytes = len(exported.graph.node), arguments.output.stat().st_size / 1e6
    say(f"{arguments.output}: {arguments.network}, {size}×{size}, {nodes} nodes, {megabytes:.1f} MB")
    if preprocess is None and not arguments.no_preprocessing:
        say("How photos become its input is not known: give aliascope --preprocess.")


if __name__ == "__main__":
    run_script(main)
