"""EfficientNet-Lite from its published checkpoints to ONNX, with numpy and onnx alone.

The checkpoints are conversions of the official TensorFlow weights, saved in torch's old format: a row of pickles
followed by raw numbers. They are read here without torch, by an unpickler which knows tensors and nothing else, so
a checkpoint cannot run code.

The network built is the one that was trained, and three things differ from what PyTorch would do by itself:
TensorFlow's SAME padding, which at stride 2 puts the odd row or column after the image; batch norm's epsilon of 1e-3;
and ReLU6. Batch norm is folded into the convolution before it, in float64, and rounded once to float32.

Node names carry the module path that timm gives this network, so that layers can be grouped by it.

    python efficientnet_lite.py CHECKPOINT.pth lite0 efficientnet-lite0.onnx
"""

from __future__ import annotations

import collections
import json
import math
import pickle
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # the oldest that holds opset 17, so that old readers open the files too
CLASSES = 1000
BATCH_NORM_EPSILON = 1e-3

# What the network takes: a photo's centre square, resized bicubically, then (value - mean) / std with values in 0..scale.
PREPROCESSING = {
    "mean": [127, 127, 127],
    "std": [128, 128, 128],
    "scale": 255,
    "crop": 1.0,
    "interpolation": "bicubic",
}


@dataclass(frozen=True)
class Stage:
    """A run of inverted-residual blocks; only its first block changes the stride and the width."""

    repeats: int
    kernel: int
    stride: int
    channels: int


@dataclass(frozen=True)
class Variant:
    """How far a member of the family is scaled from the base network, and the image size it was trained at."""

    width: float
    depth: float
    size: int


BASE_STAGES = (
    Stage(1, 3, 1, 16),
    Stage(2, 3, 2, 24),
    Stage(2, 5, 2, 40),
    Stage(3, 3, 2, 80),
    Stage(3, 5, 1, 112),
    Stage(4, 5, 2, 192),
    Stage(1, 3, 1, 320),
)
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280

VARIANTS = {
    "lite0": Variant(1.0, 1.0, 224),
    "lite1": Variant(1.0, 1.1, 240),
    "lite2": Variant(1.1, 1.2, 260),
}


class CheckpointError(Exception):
    """The checkpoint is not what this script reads; the message says where it differs."""


# --- The checkpoint ---------------------------------------------------------------------------------------------------


@dataclass
class _Storage:
    """A flat run of numbers that tensors are views of. Its values come after the pickles, so they are filled in late."""

    dtype: np.dtype
    length: int
    values: np.ndarray | None = None


@dataclass
class _TensorView:
    """What the pickle says of a tensor: which storage, and how it strides through it."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        values = self.storage.values
        assert values is not None, "storages are read before tensors are made"
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides))
        if min(self.shape, default=1) > 0 and not 0 <= self.offset <= last < len(values):
            raise CheckpointError(
                f"a tensor of shape {self.shape} reaches outside its storage of {len(values)} numbers"
            )
        steps = [s * values.itemsize for s in self.strides]
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps)
        return np.ascontiguousarray(view).reshape(self.shape)


_STORAGE_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def _tensor_view(storage: _Storage, offset: int, shape: tuple, strides: tuple, *_grad_and_hooks: Any) -> _TensorView:
    if not isinstance(storage, _Storage) or min((*shape, *strides, offset), default=0) < 0:
        raise CheckpointError("a tensor is described in a way that torch does not write")
    return _TensorView(storage, offset, tuple(shape), tuple(strides))


class _TensorUnpickler(pickle.Unpickler):
    """Allows an ordered dictionary of tensors and nothing else: no other name is ever looked up or called."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="latin-1")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor_view
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        raise CheckpointError(f"the checkpoint names {module}.{name}, and only tensors are allowed in it")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, length, view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or view is not None:
            raise CheckpointError("the checkpoint refers to something that is not a plain storage")
        return self.storages.setdefault(key, _Storage(dtype, int(length)))


# What unpickling raises when the bytes are not what torch wrote.
_DAMAGE = (
    pickle.UnpicklingError, struct.error, EOFError, KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError
)  # fmt: skip
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def _read_pickle(file: BinaryIO) -> Any:
    return _TensorUnpickler(file).load()


def read_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a state dict in torch's old format: magic, protocol, machine, state dict, keys, numbers."""
    with path.open("rb") as file:
        try:
            if _read_pickle(file) != _MAGIC or _read_pickle(file) != _PROTOCOL:
                raise CheckpointError(f"{path.name} is not in torch's old checkpoint format")
            if not _read_pickle(file).get("little_endian"):
                raise CheckpointError(f"{path.name} was written big-endian")
            unpickler = _TensorUnpickler(file)
            state: dict[str, _TensorView] = unpickler.load()
            if not all(isinstance(view, _TensorView) for view in state.values()):
                raise CheckpointError(f"{path.name} holds more than tensors")
            for key in _read_pickle(file):
                storage = unpickler.storages[key]
                (length,) = struct.unpack("<q", file.read(8))
                if length != storage.length:
                    raise CheckpointError(f"{path.name}: storage {key} has {length} numbers, not {storage.length}")
                raw = file.read(length * storage.dtype.itemsize)
                storage.values = np.frombuffer(raw, dtype=storage.dtype, count=length)
        except _DAMAGE as error:
            raise CheckpointError(f"{path.name} is damaged or not a torch checkpoint: {error}") from error
    return {name: view.array() for name, view in state.items()}


# --- The network ------------------------------------------------------------------------------------------------------


def round_channels(channels: float, multiple: int = 8) -> int:
    """The family's rule for widths: the nearest multiple of 8, never more than a tenth below what was asked for."""
    rounded = max(multiple, int(channels + multiple / 2) // multiple * multiple)
    return rounded + multiple if rounded < 0.9 * channels else rounded


def scaled_stages(variant: Variant) -> list[Stage]:
    """The Lite family scales depth in all stages but the first and the last, and width in all but stem and head."""
    last = len(BASE_STAGES) - 1
    return [
        Stage(
            repeats=stage.repeats if index in (0, last) else math.ceil(stage.repeats * variant.depth),
            kernel=stage.kernel,
            stride=stage.stride,
            channels=round_channels(stage.channels * variant.width),
        )
        for index, stage in enumerate(BASE_STAGES)
    ]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding on one axis, as (before, after): the odd one goes after."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class GraphBuilder:
    """Appends layers one after another, keeping track of the image size that SAME padding depends on."""

    def __init__(self, weights: dict[str, np.ndarray], size: int) -> None:
        self._weights = dict(weights)
        self.size = size
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.value = "input"
        self._relu6_bounds = [self._initializer("relu6.min", 0.0), self._initializer("relu6.max", 6.0)]

    def take(self, name: str) -> np.ndarray:
        """Takes a tensor out of the checkpoint, so that what is left over at the end was never used."""
        try:
            return self._weights.pop(name)
        except KeyError:
            raise CheckpointError(f"the checkpoint has no tensor {name}") from None

    def unused(self) -> list[str]:
        return [name for name in self._weights if not name.endswith("num_batches_tracked")]

    def _initializer(self, name: str, values: np.ndarray | float) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype=np.float32), name))
        return name

    def node(self, operator: str, path: str, inputs: list[str], output: str | None = None, **attributes: Any) -> None:
        name = f"{path}/{operator}"
        self.value = output or f"{name}_output_0"
        self.nodes.append(helper.make_node(operator, inputs, [self.value], name=name, **attributes))

    def convolution(
        self, path: str, checkpoint_conv: str, checkpoint_norm: str, shape: tuple[int, ...], stride: int, group: int
    ) -> None:
        """Convolution with the batch norm after it folded in: w γ/√(σ² + ε) and β − μ γ/√(σ² + ε)."""
        weight = self.take(f"{checkpoint_conv}.weight").astype(np.float64)
        if weight.shape != shape:
            raise CheckpointError(f"{checkpoint_conv}.weight has shape {weight.shape}, and the network needs {shape}")
        gamma, beta, mean, variance = (
            self.take(f"{checkpoint_norm}.{part}").astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)

        module = ".".join(path.strip("/").split("/")[-2:])
        kernel = shape[-1]
        before, after = same_padding(self.size, kernel, stride)
        self.node(
            "Conv",
            path,
            [
                self.value,
                self._initializer(f"{module}.weight", weight * gain[:, None, None, None]),
                self._initializer(f"{module}.bias", beta - mean * gain),
            ],
            dilations=[1, 1],
            group=group,
            kernel_shape=[kernel, kernel],
            pads=[before, before, after, after],
            strides=[stride, stride],
        )
        self.size = math.ceil(self.size / stride)

    def relu6(self, path: str) -> None:
        self.node("Clip", f"{path}/act", [self.value, *self._relu6_bounds])

    def block(self, path: str, checkpoint: str, channels: int, stage: Stage, stride: int, expand: int) -> None:
        """Inverted residual: widen by 1×1, filter depthwise, narrow by 1×1 without activation, add where shapes agree."""
        entry, wide = self.value, channels * expand
        norms = iter(("bn1", "bn2", "bn3"))
        if expand > 1:
            widening = f"{checkpoint}._expand_conv", f"{checkpoint}._bn0"
            self.convolution(f"{path}/conv_pw", *widening, (wide, channels, 1, 1), stride=1, group=1)
            self.relu6(f"{path}/{next(norms)}")
        k = stage.kernel
        depthwise = f"{checkpoint}._depthwise_conv", f"{checkpoint}._bn1"
        self.convolution(f"{path}/conv_dw", *depthwise, (wide, 1, k, k), stride=stride, group=wide)
        self.relu6(f"{path}/{next(norms)}")
        narrowing = f"{checkpoint}._project_conv", f"{checkpoint}._bn2"
        module = "conv_pwl" if expand > 1 else "conv_pw"
        self.convolution(f"{path}/{module}", *narrowing, (stage.channels, wide, 1, 1), stride=1, group=1)
        if stride == 1 and channels == stage.channels:
            self.node("Add", path, [self.value, entry])

    def classifier(self) -> None:
        weight, bias = self.take("_fc.weight"), self.take("_fc.bias")
        if weight.shape != (CLASSES, HEAD_CHANNELS):
            raise CheckpointError(
                f"_fc.weight has shape {weight.shape}, and the network needs {(CLASSES, HEAD_CHANNELS)}"
            )
        self.node("GlobalAveragePool", "/global_pool/pool", [self.value])
        self.node("Flatten", "/global_pool/flatten", [self.value], axis=1)
        inputs = [
            self.value,
            self._initializer("classifier.weight", weight),
            self._initializer("classifier.bias", bias),
        ]
        self.node("Gemm", "/classifier", inputs, output="logits", alpha=1.0, beta=1.0, transB=1)


def build(weights: dict[str, np.ndarray], name: str) -> onnx.ModelProto:
    """Builds the ONNX model of one variant (`lite0`, `lite1`, `lite2`) from its checkpoint's tensors."""
    variant = VARIANTS[name]
    graph = GraphBuilder(weights, variant.size)
    graph.convolution("/conv_stem", "_conv_stem", "_bn0", (STEM_CHANNELS, 3, 3, 3), stride=2, group=1)
    graph.relu6("/bn1")
    channels, block = STEM_CHANNELS, 0
    for index, stage in enumerate(scaled_stages(variant)):
        for repeat in range(stage.repeats):
            graph.block(
                path=f"/blocks/blocks.{index}/blocks.{index}.{repeat}",
                checkpoint=f"_blocks.{block}",
                channels=channels,
                stage=stage,
                stride=stage.stride if repeat == 0 else 1,
                expand=1 if index == 0 else 6,
            )
            channels, block = stage.channels, block + 1
    graph.convolution("/conv_head", "_conv_head", "_bn1", (HEAD_CHANNELS, channels, 1, 1), stride=1, group=1)
    graph.relu6("/bn2")
    graph.classifier()
    if graph.unused():
        raise CheckpointError(
            f"the checkpoint holds tensors that {name} has no place for: {', '.join(graph.unused()[:3])}"
        )

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            f"efficientnet-{name}",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, variant.size, variant.size])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES])],
            graph.initializers,
        ),
        producer_name="aliascope",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(model, {"aliascope.preprocessing": json.dumps(PREPROCESSING)})
    onnx.checker.check_model(model, full_check=True)
    return model


def main(arguments: list[str]) -> int:
    if len(arguments) != 3 or arguments[1] not in VARIANTS:
        print(f"usage: efficientnet_lite.py CHECKPOINT.pth {'|'.join(VARIANTS)} OUTPUT.onnx", file=sys.stderr)
        return 2
    checkpoint, name, output = arguments
    try:
        model = build(read_checkpoint(Path(checkpoint)), name)
    except (CheckpointError, OSError) as error:
        print(f"efficientnet_lite.py: {error}", file=sys.stderr)
        return 1
    Path(output).write_bytes(model.SerializeToString())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
