"""Writes a PyTorch network as ONNX, with its preprocessing in the file where it is known, so that aliascope needs no flags.

    python3 scripts/export.py timm:resnet50 --pretrained resnet50.onnx
    python3 scripts/export.py torchvision:convnext_tiny --seed 0 convnext.onnx
    python3 scripts/export.py timm:resnet18 --checkpoint mine.pth --classes 10 mine.onnx
    python3 scripts/export.py nets.py:make --checkpoint mine.pth --size 32 mine.onnx
    python3 scripts/export.py module.pt --trust-code --input-shape 1,3,224,224

A network is one of timm or torchvision by its name, or what a function of a file of your own returns, which is called
without arguments. Its weights are those that timm or torchvision publish (`--pretrained`, a download), seeded ones
(`--seed N`; scripts/torch_networks.py says which), those of a checkpoint (`--checkpoint`, a state dict, of which every
key has to fit), or, for a function of your own, those that it gives its network.

A TorchScript module has its weights; it is written as `module.onnx` where no other name is given. It is code, which runs
with your rights when it is loaded, so it takes `--trust-code`.

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

from provision import (
    SCRIPTS,
    Failure,
    check_space,
    install,
    is_installed,
    locked_cache,
    python_environment,
    run_script,
    say,
)
from system import install_python_venv

REQUIREMENTS = SCRIPTS / "requirements-export.txt"
INSIDE = "ALIASCOPE_EXPORT_ENVIRONMENT"
MODULES = (".pt", ".pth", ".torchscript")


def environment(make: bool = True) -> Path | None:
    """The interpreter of the environment that has PyTorch; nothing where it is not there, complete, and not to be made."""
    if sys.version_info < (3, 11):
        if not make:
            return None
        raise Failure(f"exporting needs Python 3.11 or later, and this is {sys.version.split()[0]}")
    with locked_cache() as cache:
        if not is_installed(cache, "export", REQUIREMENTS):
            if not make:
                return None
            check_space(cache, 7_000_000_000, "PyTorch with what it is linked against")
            say("Installing PyTorch, timm and torchvision into an environment of their own (2.5 GB, once per user) …")
        python = python_environment(cache, install_python_venv, name="export")
        install(python, REQUIREMENTS)
    return python


def run_inside(script: Path) -> None:
    """Runs `script` with this process's arguments in the environment that has PyTorch, unless this is that one."""
    if os.environ.get(INSIDE):
        return
    python = environment()
    done = subprocess.run([str(python), str(script), *sys.argv[1:]], env={**os.environ, INSIDE: "1"})
    sys.exit(done.returncode)


def lacking(network: str, exporter: str) -> list[str]:
    """What this Python lacks of the packages that exporting this network needs."""
    library = network.partition(":")[0]
    needed = ["torch", "onnx", "numpy"]
    needed += [library] if library in ("timm", "torchvision") else []
    needed += ["onnxscript"] if exporter == "dynamo" else []
    return [package for package in needed if importlib.util.find_spec(package) is None]


def is_module(network: str) -> bool:
    """Whether it names a TorchScript module, and no network with a colon in its name."""
    return Path(network).suffix in MODULES


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Write a PyTorch network as ONNX.",
        epilog="Example: export.py timm:resnet18 --checkpoint mine.pth --classes 10 mine.onnx",
    )
    parser.add_argument(
        "network",
        help="timm:NAME, torchvision:NAME, FILE.py:FUNCTION, which returns a module, or FILE.pt, a TorchScript module",
    )
    parser.add_argument("output", type=Path, nargs="?", help="the ONNX file to write [default: FILE.onnx beside FILE.pt]")
    parser.add_argument("--trust-code", action="store_true", help="run the TorchScript module's code, with your rights")
    parser.add_argument("--input-shape", metavar="N,C,H,W", help="the TorchScript module's input, such as 1,3,224,224")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--pretrained", action="store_true", help="published weights, which are downloaded")
    weights.add_argument("--seed", type=int, help="seeded weights, for tests and timings")
    weights.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights of a state dict (.pth, .pt, .safetensors)")
    parser.add_argument("--classes", type=int, metavar="N", help="classes of the network [default: its own]")
    parser.add_argument("--size", type=int, help="rows and columns of the input [default: the network's own]")
    parser.add_argument("--channels", type=int, help="channels of the input [default: 3]")
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
    arguments = parser.parse_intermixed_args()  # the output may stand after options
    if arguments.output is None and is_module(arguments.network):
        arguments.output = Path(arguments.network).with_suffix(".onnx")
    return arguments


def input_shape(arguments: argparse.Namespace) -> tuple[int, ...] | None:
    """The shape that `--input-shape` states, where it is one of an image."""
    parts = (arguments.input_shape or "").split(",")
    shape = tuple(int(part) for part in parts if part.isdecimal())
    return shape if len(parts) == len(shape) == 4 and shape[0] == 1 and 0 not in shape else None


def check_module(arguments: argparse.Namespace) -> None:
    """Refuses a TorchScript module that is not trusted or not said enough of."""
    module = arguments.network
    if not arguments.trust_code:
        raise Failure(
            f"{module} is a TorchScript module, code that would run with your rights, and is not run: pass --trust-code "
            "if you trust whoever made it"
        )
    if not Path(module).is_file():
        raise Failure(f"{module} is not a file: name a TorchScript module")
    if input_shape(arguments) is None:
        raise Failure(f"which input does {module} take? pass --input-shape with four sizes, such as 1,3,224,224")
    given = {"--pretrained": arguments.pretrained, "--seed": arguments.seed is not None}
    given |= {"--checkpoint": arguments.checkpoint, "--classes": arguments.classes is not None}
    given |= {"--size": arguments.size is not None, "--channels": arguments.channels is not None}
    given |= {"--exporter dynamo": arguments.exporter == "dynamo"}
    unfit = [option for option, is_given in given.items() if is_given]
    if unfit:
        raise Failure(f"{unfit[0]} is not for TorchScript modules, whose weights and input are their own: leave it out")


def check(arguments: argparse.Namespace) -> None:
    """Refuses what can be refused before anything is imported or downloaded."""
    if arguments.output is None:
        raise Failure(f"name the ONNX file to write after {arguments.network}")
    if arguments.output.exists() and not arguments.force:
        raise Failure(f"{arguments.output} exists: pass --force to replace it, or name another file")
    if is_module(arguments.network):
        check_module(arguments)
        return
    if arguments.trust_code or arguments.input_shape:
        raise Failure("--trust-code and --input-shape are for TorchScript modules (FILE.pt): pass --size and --channels")
    library, separator, name = arguments.network.rpartition(":")
    own = separator and library.endswith(".py")
    if not own and (not separator or not name or library not in ("timm", "torchvision")):
        raise Failure(f"{arguments.network} is neither timm:NAME nor torchvision:NAME nor FILE.py:FUNCTION nor FILE.pt")
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
    if is_module(spec):
        return networks.scripted(Path(spec))
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
        shape = input_shape(arguments)
        if shape is None:
            size = arguments.size or networks.input_size(model)
            shape = (1, arguments.channels or 3, size, size)
        preprocess = None if arguments.no_preprocessing else networks.preprocessing(model)
        if arguments.double:
            model = model.double()
        exported = networks.to_onnx(model, shape, preprocess, arguments.opset, arguments.exporter)
    except networks.NetworkError as error:
        raise Failure(f"{arguments.network}: {error}") from error
    except ImportError as error:
        raise Failure(f"{arguments.network}: {error.name or error} cannot be imported by {sys.executable}") from error
    except OSError as error:  # what timm and torchvision raise where a download fails
        told = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise Failure(f"{arguments.network}: its files cannot be fetched or read ({told.strip().rstrip('.')})") from error
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        # TorchScript tells where in the module first, and what after it.
        told = next((line.removeprefix("RuntimeError: ") for line in lines if line.startswith("RuntimeError: ")), lines[0])
        raise Failure(f"{arguments.network} cannot be made or exported: {told.rstrip('.')}") from error
    networks.save(exported, arguments.output)
    nodes, megabytes = len(exported.graph.node), arguments.output.stat().st_size / 1e6
    say(f"{arguments.output}: {arguments.network}, {shape[2]}×{shape[3]}, {nodes} nodes, {megabytes:.1f} MB")
    if preprocess is None and not arguments.no_preprocessing:
        say("How photos become its input is not known: give aliascope --preprocess.")


if __name__ == "__main__":
    run_script(main)
