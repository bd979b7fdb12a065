"""How the time of `aliascope` grows with the number of a network's nodes, phase by phase.

    python3 benches/nodes.py --binary target/debug/aliascope
    python3 benches/nodes.py --nodes 2000 4000 8000 14600 --size 32 --channels 16

The networks are written here, of the kind that TensorFlow's export of MAXIM is (14,601 nodes): gated MLPs along the
grid and along blocks of it, of which each layer norm is nine nodes and each GELU five, on maps so small that the arithmetic
is little. What is left is what a node costs. Seconds are the commands' own: `inspect` loads the network and ends;
`lee` measures one photo and three, whose difference is two photos; `layers` likewise where it is asked for. Needs the
Python packages onnx and numpy.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHECKOUT = Path(__file__).resolve().parents[1]


class Writer:
    """Nodes and constants of a graph, each under a name of its own."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def node(self, operator: str, inputs: list[str], outputs: int = 1, **attributes: object) -> str | list[str]:
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=f"{operator}_{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def number(self, value: float) -> str:
        return self.constant(np.float32(value).reshape(()))

    def weight(self, *shape: int) -> str:
        return self.constant(self.random.normal(0, shape[0] ** -0.5, shape).astype(np.float32))

    def reshape(self, x: str, *shape: int) -> str:
        return self.node("Reshape", [x, self.constant(np.array(shape, np.int64))])

    def transpose(self, x: str, *axes: int) -> str:
        return self.node("Transpose", [x], perm=axes)

    def norm(self, x: str, channels: int) -> str:
        mean = self.node("ReduceMean", [x], axes=[-1])
        centred = self.node("Sub", [x, mean])
        variance = self.node("ReduceMean", [self.node("Mul", [centred, centred])], axes=[-1])
        scale = self.node("Reciprocal", [self.node("Sqrt", [self.node("Add", [variance, self.number(1e-6)])])])
        gain = self.node("Mul", [scale, self.constant(np.ones(channels, np.float32))])
        return self.node("Add", [self.node("Mul", [centred, gain]), self.weight(channels)])

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        return self.node("Add", [self.node("MatMul", [x, self.weight(inputs, outputs)]), self.weight(outputs)])

    def gelu(self, x: str) -> str:
        erf = self.node("Erf", [self.node("Div", [x, self.number(2**0.5)])])
        return self.node("Mul", [self.node("Mul", [x, self.node("Add", [erf, self.number(1)])]), self.number(0.5)])

    def gated(self, x: str, windows: int, sites: int, channels: int, along_grid: bool) -> str:
        """A gated MLP of `[1, windows, sites, channels]`, mixing sites within windows or along the grid of windows."""
        y = self.gelu(self.dense(self.norm(x, channels), channels, 2 * channels))
        u, v = self.node("Split", [y, self.constant(np.array([channels, channels], np.int64))], 2, axis=-1)
        turn = (0, 3, 2, 1) if along_grid else (0, 1, 3, 2)
        mixed = windows if along_grid else sites
        v = self.dense(self.transpose(self.norm(v, channels), *turn), mixed, mixed)
        v = self.node("Add", [self.transpose(v, *turn), self.number(1)])
        return self.node("Add", [self.dense(self.node("Mul", [u, v]), channels, channels), x])

    def block(self, x: str, size: int, channels: int, window: int) -> str:
        """A multi-axis gated MLP of `[1, size, size, channels]`."""
        y = self.gelu(self.dense(self.norm(x, channels), channels, 2 * channels))
        halves = self.node("Split", [y, self.constant(np.array([channels, channels], np.int64))], 2, axis=-1)
        count, parts = size // window, []
        for half, along_grid in zip(halves, (True, False)):
            cut = self.transpose(self.reshape(half, 1, count, window, count, window, channels), 0, 1, 3, 2, 4, 5)
            cut = self.reshape(cut, 1, count * count, window * window, channels)
            cut = self.gated(cut, count * count, window * window, channels, along_grid)
            cut = self.transpose(self.reshape(cut, 1, count, count, window, window, channels), 0, 1, 3, 2, 4, 5)
            parts.append(self.reshape(cut, 1, size, size, channels))
        joined = self.dense(self.node("Concat", parts, axis=-1), 2 * channels, channels)
        return self.node("Add", [self.node("Mul", [joined, self.number(0.1)]), x])


def network(path: Path, nodes: int, size: int, channels: int, window: int) -> int:
    """Writes a network of about so many nodes, and says how many they are."""
    writer = Writer(0)
    x = writer.node("Conv", ["image", writer.weight(channels, 3, 3, 3)], pads=[1, 1, 1, 1])
    x = writer.transpose(x, 0, 2, 3, 1)
    while len(writer.nodes) < nodes - 60:
        x = writer.block(x, size, channels, window)
    x = writer.transpose(x, 0, 3, 1, 2)
    x = writer.node("Conv", [x, writer.weight(3, channels, 3, 3)], pads=[1, 1, 1, 1])
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, size, size])
    output = helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 3, size, size])
    constants = [numpy_helper.from_array(value, name) for name, value in writer.constants.items()]
    graph = helper.make_graph(writer.nodes, "gated", [image], [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return len(writer.nodes)


def seconds(command: list[str]) -> float:
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with status {done.returncode}")
    return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of aliascope against the number of nodes.")
    parser.add_argument("--binary", type=Path, default=CHECKOUT / "target" / "debug" / "aliascope")
    parser.add_argument("--nodes", type=int, nargs="*", default=[1800, 3600, 7300, 14600])
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--layers", action="store_true", help="time layers too")
    arguments = parser.parse_args()
    photos = sorted(str(photo) for photo in (CHECKOUT / "photos").glob("*.png"))
    if len(photos) < 3:
        sys.exit("the photos are not there: run `make models`, then run again")
    commands = ["lee", "layers"] if arguments.layers else ["lee"]
    print(f"{arguments.size}x{arguments.size}, {arguments.channels} channels, {arguments.threads} threads")
    print(f"{'nodes':>7} {'load':>8}" + "".join(f" {name + ', first':>14} {'per photo':>10}" for name in commands))
    with tempfile.TemporaryDirectory() as folder:
        for asked in arguments.nodes:
            path = Path(folder) / "network.onnx"
            nodes = network(path, asked, arguments.size, arguments.channels, arguments.window)
            load = seconds([str(arguments.binary), "inspect", str(path), "--quiet"])
            line = f"{nodes:>7} {load:>8.2f}"
            for name in commands:
                options = ["--quiet", "--threads", str(arguments.threads), "--preprocess", "imagenet"]
                run = [str(arguments.binary), name, str(path), *options, "--images"]
                one, three = seconds([*run, photos[0]]), seconds([*run, *photos[:3]])
                line += f" {one:>14.2f} {(three - one) / 2:>10.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
