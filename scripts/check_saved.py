"""Runs a model that `aliascope antialias --save` wrote, and the one that it was made of, in ONNX Runtime.

    python3 scripts/check_saved.py OLD.onnx NEW.onnx [--values OUTPUTS.safetensors] [--shape 1,3,224,224]

Says whether ONNX Runtime loads the new model, whether it has the old one's inputs, outputs and metadata, and how far their
outputs lie apart on white noise. With the file that `aliascope lee NEW.onnx --images FILE.safetensors --output logits
--vectors OUTPUTS.safetensors` wrote, ONNX Runtime's outputs on the same inputs must be those within 1e-4 (of the largest, where that
is above 1); give the inputs with --inputs. Needs the packages numpy and onnxruntime, and for files safetensors.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import onnxruntime

TOLERANCE = 1e-4


def session(path: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--shape", help="the input's shape where the old model leaves it open")
    parser.add_argument("--inputs", help="inputs x [N, C, H, W] as safetensors")
    parser.add_argument("--values", help="aliascope's outputs of NEW on them, as `lee --output … --vectors` writes them")
    args = parser.parse_args()
    old, new = session(args.old), session(args.new)
    names = [[value.name for value in side] for s in (old, new) for side in (s.get_inputs(), s.get_outputs())]
    if names[:2] != names[2:]:
        sys.exit(f"check_saved.py: inputs and outputs are {names[2:]}, not {names[:2]}")
    kept = old.get_modelmeta().custom_metadata_map.items() <= new.get_modelmeta().custom_metadata_map.items()
    if not kept:
        sys.exit("check_saved.py: the new model lacks metadata of the old one")
    stated = new.get_inputs()[0]
    shape = [int(n) for n in args.shape.split(",")] if args.shape else [n if isinstance(n, int) else 1 for n in stated.shape]
    noise = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    feed = {stated.name: noise}
    before, after = old.run(None, feed)[0], new.run(None, feed)[0]
    print(f"loads; outputs {list(after.shape)}; they moved by {np.abs(after - before).max() / np.abs(before).max():.2g} of the largest")
    print("noted:", new.get_modelmeta().custom_metadata_map.get("aliascope.surgery", "-"))
    if args.inputs and args.values:
        from safetensors.numpy import load_file

        x, y = load_file(args.inputs)["x"].astype(np.float32), load_file(args.values)["value"]
        got = np.concatenate([new.run(None, {stated.name: image[None]})[0] for image in x])
        largest = float(np.abs(y).max())
        apart = float(np.abs(got.reshape(y.shape) - y).max()) / max(largest, 1.0)
        print(f"ONNX Runtime and aliascope lie {apart:.2g} apart on {len(x)} inputs; the largest output is {largest:.2g}")
        if not apart <= TOLERANCE:
            sys.exit(f"check_saved.py: more than {TOLERANCE:g}")


if __name__ == "__main__":
    main()
