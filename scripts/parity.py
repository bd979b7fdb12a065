"""Compares aliascope with PyTorch on an architecture of every family of the paper's list and later ones, and writes the table.

    make parity            (what is recorded already is not run again)
    python3 scripts/parity.py --only resnet swin      families whose names contain these words, and their rows alone
    python3 scripts/parity.py --fresh                  everything anew

For each network, seeded as scripts/torch_networks.py says: it is exported in single and in double precision;
`aliascope lee --output logits` computes the output and the Lie derivatives of the seven generators of a photo; PyTorch
computes the output and torch.func.jvp along tangents that scripts/spectral_tangents.py makes in NumPy. Differences are
largest difference over largest entry. Where single precision differs by more than the limit, scripts/kinks.py says
whether kinks account for it. Results are kept in results/parity/NAME.json as they come, so the run can be stopped and
started again. The table in docs/coverage.md then gets the rows of what has a record, and keeps the others as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from export import run_inside
from provision import CHECKOUT, Failure, run_script, say

RESULTS = CHECKOUT / "results" / "parity"
TABLE = CHECKOUT / "docs" / "coverage.md"
HEADING = "## Architectures"
PHOTO = CHECKOUT / "photos" / "chelsea.png"
VERSION = 4  # of what is recorded; a change makes the records of before useless

OUTPUT_LIMIT = {"f32": 1e-4, "f64": 1e-8}
LIE_LIMIT = {"f32": 1e-3, "f64": 1e-8}
LEFT_LIMIT = 1e-4  # where both precisions are on the same side of all kinks
# A derivative is nothing but rounding where it is this small beside what another tangent of its size moves the output by.
VANISHING = 1e-4


@dataclass(frozen=True)
class Case:
    """A family of the paper's list and the member that stands for it."""

    family: str
    name: str
    size: int | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    exporter: str = "torchscript"

    @property
    def key(self) -> str:
        return self.name if self.exporter == "torchscript" else f"{self.name}-{self.exporter}"

    @property
    def label(self) -> str:
        """What the table calls it."""
        return self.name if self.exporter == "torchscript" else f"{self.name} ({self.exporter})"


# Small members and small images, as far as the architecture allows: what is compared are operators, not accuracies.
CASES = [
    Case("ResNet", "resnet50", 128),
    Case("ResNeXt", "resnext50_32x4d", 96),
    Case("Res2Net", "res2net50_26w_4s", 96),
    Case("ResNeSt", "resnest14d", 96),
    Case("SE-ResNet", "seresnet18", 96),
    Case("SK-ResNet", "skresnet18", 96),
    Case("ECA-ResNet", "ecaresnet26t", 96),
    Case("DenseNet", "densenet121", 96),
    Case("VGG", "vgg11_bn", 224),
    Case("Inception v3", "inception_v3", 128),
    Case("Inception v4", "inception_v4", 128),
    Case("Inception-ResNet v2", "inception_resnet_v2", 128),
    Case("Xception", "xception41", 96),
    Case("NASNet", "nasnetalarge", 96),
    Case("PNASNet", "pnasnet5large", 96),
    Case("DPN", "dpn48b", 96),
    Case("DLA", "dla34", 96),
    Case("HRNet", "hrnet_w18_small", 96),
    Case("RegNetX", "regnetx_002", 128),
    Case("RegNetY", "regnety_002", 128),
    Case("ReXNet", "rexnet_100", 128),
    Case("SelecSLS", "selecsls42b", 96),
    Case("VoVNet", "ese_vovnet19b_dw", 96),
    Case("CSPNet", "cspresnet50", 96),
    Case("CSP-DarkNet", "cspdarknet53", 96),
    Case("MobileNetV2", "mobilenetv2_100", 128),
    Case("MobileNetV3", "mobilenetv3_small_100", 128),
    Case("MNASNet", "mnasnet_100", 128),
    Case("EfficientNet", "efficientnet_b0", 128),
    Case("EfficientNet, SAME padding", "tf_efficientnet_b0", 128),
    Case("EfficientNetV2", "tf_efficientnetv2_b0", 96),
    Case("MixNet", "mixnet_s", 128),
    Case("TinyNet", "tinynet_e", 106),
    Case("GhostNet", "ghostnet_100", 128),
    Case("HardCoRe-NAS", "hardcorenas_a", 128),
    Case("TResNet", "tresnet_m", 96),
    Case("GerNet", "gernet_s", 96),
    Case("RepVGG", "repvgg_a0", 96),
    Case("NFNet", "eca_nfnet_l0", 96),
    Case("BiT (ResNetV2)", "resnetv2_50x1_bit", 96),
    Case("ConvNeXt", "convnext_atto", 128),
    Case("ViT", "vit_tiny_patch16_224"),
    Case("DeiT, distilled", "deit_tiny_distilled_patch16_224"),
    Case("BEiT", "beit_base_patch16_224", 64),
    Case("CaiT", "cait_xxs24_224", 96),
    Case("Swin", "swin_tiny_patch4_window7_224", 112),
    Case("Twins-PCPVT", "twins_pcpvt_small", 128),
    Case("Twins-SVT", "twins_svt_small", 128),
    Case("PiT", "pit_ti_224", 224),
    Case("LeViT", "levit_128s", 224),
    Case("ConViT", "convit_tiny", 112),
    Case("CoaT", "coat_lite_tiny", 128),
    Case("CrossViT", "crossvit_tiny_240", 240),
    Case("XCiT", "xcit_nano_12_p16_224", 128),
    Case("JX-NesT", "nest_tiny_jx", 224),
    Case("Visformer", "visformer_tiny", 128),
    Case("TNT", "tnt_s_patch16_224", 224),
    Case("Mixer", "mixer_s32_224", 224),
    Case("gMLP", "gmlp_ti16_224", 224),
    Case("ResMLP", "resmlp_12_224", 224),
    Case("ConvMixer", "convmixer_768_32", 96),
    Case("PoolFormer", "poolformer_s12", 128),
]

# Later families, each by both of PyTorch's exporters.
LATER = [
    Case("StarNet", "starnet_s050", 96),
    Case("GhostNetV2", "ghostnetv2_100", 96),
    Case("GhostNetV3", "ghostnetv3_050", 96),
    Case("RepViT", "repvit_m0_9", 96),
    Case("MobileNetV4", "mobilenetv4_conv_small_035", 96),
    Case("EfficientViT (MIT)", "efficientvit_b0", 128),
    Case("EfficientViT (MSRA)", "efficientvit_m0", 224),
    Case("LCNet", "lcnet_035", 96),
    Case("ConvNeXtV2", "convnextv2_atto", 96),
    Case("EdgeNeXt", "edgenext_xx_small", 128),
    Case("MobileViT", "mobilevit_xxs", 128),
    Case("MobileViTV2", "mobilevitv2_050", 128),
    Case("PVTv2", "pvt_v2_b0", 128),
    Case("EVA02", "eva02_tiny_patch14_224", 112),
    Case("FastViT", "fastvit_t8", 128),
    Case("EfficientFormer", "efficientformer_l1", 224),
    Case("EfficientFormerV2", "efficientformerv2_s0", 224),
    Case("DINOv2", "vit_small_patch14_dinov2", 112),
    Case("DINOv3", "vit_tiny_patch16_dinov3_qkvb", 112),
    Case("HGNetV2", "hgnetv2_b0", 96),
    Case("RegNetZ", "regnetz_005", 96),
    Case("MaxViT", "maxvit_pico_rw_256", 256),
    Case("CAFormer", "caformer_s18", 96),
    Case("Hiera", "hiera_tiny_224", 224),
    Case("CoAtNet", "coatnet_pico_rw_224", 224),
    Case("TinyViT", "tiny_vit_5m_224", 224),
    Case("DaViT", "davit_tiny", 112),
    Case("FocalNet", "focalnet_tiny_srf", 96),
    Case("MambaOut", "test_mambaout", 96),
    Case("InceptionNeXt", "inception_next_atto", 96),
    Case("RDNet", "rdnet_tiny", 96),
    Case("SwinV2", "swinv2_tiny_window8_256", 128),
    Case("NextViT", "nextvit_small", 96),
    Case("LeViT, convolutions", "levit_conv_128s", 224),
    Case("MViTv2", "mvitv2_tiny", 224),
    Case("BoTNet", "botnet26t_256", 256),
    Case("Perception Encoder", "vit_pe_core_tiny_patch16_384", 112),
    Case("GC ViT", "gcvit_xxtiny", 224),
]
CASES += [replace(case, exporter=exporter) for case in LATER for exporter in ("torchscript", "dynamo")]


# --- One network ------------------------------------------------------------------------------------------------------


def difference(ours: Any, theirs: Any) -> float:
    """The largest difference over the largest entry."""
    import numpy as np

    ours, theirs = np.asarray(ours, np.float64).ravel(), np.asarray(theirs, np.float64).ravel()
    return float(abs(ours - theirs).max() / abs(theirs).max())


def scales(lies: Any, tangents: dict[str, Any]) -> list[float]:
    """What differences of each derivative are measured by: its largest entry.

    A network that normalises its first layer does not see contrast, and its derivative by it is the rounding of
    numbers that cancel. Such a derivative is measured by the most that a tangent of its size does among the others.
    """
    import numpy as np

    own = [float(abs(lie).max()) for lie in lies]
    sizes = [float(np.linalg.norm(tangent)) for tangent in tangents.values()]
    gain = max(largest / size for largest, size in zip(own, sizes))
    return [size * gain if largest < VANISHING * size * gain else largest for largest, size in zip(own, sizes)]


def torch_side(model: Any, x: Any, tangents: dict[str, Any], precision: str) -> dict[str, Any]:
    """Output and derivatives by PyTorch, and the seconds that the derivatives take, one after the other."""
    import contextlib

    import torch
    import torch_networks as networks

    kind = torch.float64 if precision == "f64" else torch.float32
    x = torch.from_numpy(x).to(kind)
    dx = torch.stack([torch.from_numpy(t).to(kind) for t in tangents.values()])

    def along(tangent: torch.Tensor) -> torch.Tensor:
        return torch.func.jvp(model, (x,), (tangent,))[1]

    def together() -> torch.Tensor:
        # The same derivatives, of which double precision needs no time of its own: all at once, where PyTorch can.
        try:
            return torch.func.vmap(along)(dx)
        except Exception:  # noqa: BLE001: some operators have no rule for vmap
            return torch.stack([along(tangent) for tangent in dx])

    with torch.no_grad(), networks.all_in_double() if precision == "f64" else contextlib.nullcontext():
        y = model(x)
        if precision == "f32":
            along(dx[0])  # what is set up at the first call is no part of the time
        start = time.monotonic()
        lie = together() if precision == "f64" else torch.stack([along(tangent) for tangent in dx])
        seconds = time.monotonic() - start
    return {"y": y.numpy(), "lie": lie.numpy(), "seconds": seconds}


def our_side(binary: Path, model: Path, frame: Path, folder: Path, precision: str) -> dict[str, Any]:
    """Output and derivatives by aliascope, and the seconds of its sweep; or what it says."""
    import safetensors.numpy

    report, vectors = folder / "lee.json", folder / "lee.safetensors"
    command = [
        str(binary), "lee", str(model), "--images", str(frame), "--output", "logits", "--precision", precision,
        "--threads", "1", "--json", str(report), "--vectors", str(vectors), "--force", "--quiet",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {"refused": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}"}
    read = safetensors.numpy.load_file(vectors)
    seconds = json.loads(report.read_text())["timing"]["sweep_ms"] / 1e3
    return {"y": read["value"], "lie": {k[4:]: v for k, v in read.items() if k.startswith("lie/")}, "seconds": seconds}


def apart(a: Any, b: Any, scale: Any) -> float:
    """The largest difference of two sets of derivatives `[tangents, outputs]`, each by its `scale`."""
    return float((abs(a - b).max(axis=1) / scale).max())


def at_kinks(
    model: Any, exported: Any, x: Any, tangents: dict[str, Any], binary: Path, frame: Path, folder: Path
) -> dict[str, Any]:
    """The run in single precision once more, which tells what it had at kinks, and what PyTorch has there."""
    import kinks
    import numpy as np
    import torch
    import torch_networks as networks

    single = kinks.calls(model, torch.from_numpy(x))
    path = folder / "probed.onnx"
    try:
        names = kinks.tensors(exported, single)
        networks.save(kinks.probe(exported, names), path)
        ours = our_side(binary, path, frame, folder, "f32")
        if "refused" in ours:
            raise kinks.Unmatched(f"with the inputs at kinks as outputs, aliascope refuses: {ours['refused']}")
        outputs = model(torch.from_numpy(x)).numel()
        inputs = kinks.read(ours["y"], outputs, names, single)
    except kinks.Unmatched as reason:
        return {"unmatched": str(reason)}
    finally:
        path.unlink(missing_ok=True)
    lies = np.stack([ours["lie"][name].ravel()[:outputs].astype(np.float64) for name in tangents])
    return {"single": single, "names": names, "inputs": inputs, "lies": lies}


def beside_double(
    double: Any, x: Any, tangents: dict[str, Any], probed: dict[str, Any], lies: tuple[Any, Any], scale: Any
) -> dict[str, Any]:
    """What is left of the distance from double precision where that is on the piece of aliascope's or PyTorch's run.

    `lies` are their derivatives in single precision, without the outputs of `at_kinks`.
    """
    import kinks
    import torch
    import torch_networks as networks

    if "unmatched" in probed:
        return probed
    single, ours = probed["single"], probed["lies"]
    runs = {"ours": (probed["inputs"], ours), "torch": ([call.x for call in single], lies[1])}
    image = torch.from_numpy(x).double()
    along = [torch.from_numpy(tangent).double() for tangent in tangents.values()]
    found: dict[str, Any] = {"moved_by_probing": apart(ours, lies[0], scale)}
    try:
        with networks.no_single():
            exact = kinks.calls(double, image)
            for side, (inputs, of) in runs.items():
                changes, found[side] = kinks.crossed(exact, single, probed["names"], inputs)
                found[side]["left"] = apart(of, kinks.derivatives(double, image, along, changes), scale)
    except kinks.Unmatched as reason:
        return {"unmatched": str(reason)}
    return found


def compare(case: Case, binary: Path) -> dict[str, Any]:
    """Everything that the table says of one network."""
    import numpy as np
    import safetensors.numpy
    import spectral_tangents
    import torch_networks as networks

    started = time.monotonic()
    model = networks.seeded(f"timm:{case.name}", 0, case.size, **case.arguments)
    size = case.size or networks.input_size(model)
    preprocess = {"mean": [0.5] * 3, "std": [0.25] * 3, "scale": 1.0, "crop": 1.0, "interpolation": "bicubic"}
    x = spectral_tangents.photo(PHOTO, size, preprocess)
    tangents = spectral_tangents.tangents(x)
    record: dict[str, Any] = {
        "version": VERSION,
        "family": case.family,
        "name": case.label,
        "size": size,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    lies: dict[str, Any] = {}
    probed: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frame = folder / "x.safetensors"
        safetensors.numpy.save_file({"x": x}, frame)
        for precision in ("f32", "f64"):
            if precision == "f64":
                model = model.double()
            path = folder / f"{precision}.onnx"
            exported = networks.to_onnx(model, size, None, exporter=case.exporter)
            networks.save(exported, path)
            record["nodes"] = len(exported.graph.node)
            record["operators"] = sorted({node.op_type for node in exported.graph.node})
            ours = our_side(binary, path, frame, folder, precision)
            if "refused" in ours:
                record["refused"] = ours["refused"]
                break
            theirs = torch_side(model, x, tangents, precision)
            our_lies = np.stack([np.asarray(ours["lie"][name], np.float64).ravel() for name in tangents])
            their_lies = theirs["lie"].reshape(len(tangents), -1).astype(np.float64)
            lies[precision] = (our_lies, their_lies)
            scale = scales(their_lies, tangents)
            record[precision] = {
                "output": difference(ours["y"], theirs["y"]),
                "lie": {
                    name: float(abs(our_lies[i] - their_lies[i]).max()) / scale[i] for i, name in enumerate(tangents)
                },
                "vanishing": [
                    name for i, name in enumerate(tangents) if scale[i] != float(abs(their_lies[i]).max())
                ],
                "largest_output": float(abs(theirs["y"]).max()),
                "ours_seconds": ours["seconds"],
                "torch_seconds": theirs["seconds"],
            }  # fmt: skip
            path.unlink()
            if precision == "f32" and worst(record, "f32") > LIE_LIMIT["f32"]:
                probed = at_kinks(model, exported, x, tangents, binary, frame, folder)
    if len(lies) == 2:
        exact = lies["f64"][1]
        scale = np.array(scales(exact, tangents))
        record["single_from_double"] = {
            side: apart(of, exact, scale) for side, of in zip(("ours", "torch"), lies["f32"])
        }
        if probed:
            record["kinks"] = beside_double(model, x, tangents, probed, lies["f32"], scale)
    record["seconds"] = time.monotonic() - started
    return record


# --- The table --------------------------------------------------------------------------------------------------------


def compared(record: dict[str, Any]) -> bool:
    return "refused" not in record and "failed" not in record


def worst(record: dict[str, Any], precision: str) -> float:
    return max(record[precision]["lie"].values())


def status(record: dict[str, Any]) -> str:
    """`refused`, `failed`, `agrees`, `kinks` (agrees where the units that the run crossed are crossed) or `differs`."""
    if not compared(record):
        return "refused" if "refused" in record else "failed"
    outputs = all(record[p]["output"] <= OUTPUT_LIMIT[p] for p in ("f32", "f64"))
    if not outputs or worst(record, "f64") > LIE_LIMIT["f64"]:
        return "differs"
    if worst(record, "f32") <= LIE_LIMIT["f32"]:
        return "agrees"
    return "kinks" if record["kinks"].get("ours", {}).get("left", 1.0) <= LEFT_LIMIT else "differs"


def row(record: dict[str, Any]) -> str:
    head = f"| {record['family']} | `{record['name']}` | {record['size']} |"
    if not compared(record):
        reason = record.get("refused") or record["failed"]
        return f"{head} {status(record)}: {reason.replace('|', '/')} | | | | | | | | | |"
    cells = [", ".join([status(record), *(f"{name} vanishes" for name in record["f64"]["vanishing"])])]
    for p in ("f32", "f64"):
        cells += [f"{record[p]['output']:.0e}", f"{worst(record, p):.0e}"]
    cells.append(f"{record['single_from_double']['torch']:.0e}")
    cells += left(record.get("kinks"))
    cells += [f"{record['f32']['ours_seconds']:.2f}", f"{record['f32']['torch_seconds']:.2f}"]
    return f"{head} {' | '.join(cells)} |"


def left(found: dict[str, Any] | None) -> list[str]:
    """What is left on the piece of our run, and of PyTorch's."""
    if not found:
        return ["", ""]
    if "unmatched" in found:
        return [found["unmatched"].replace("|", "/"), ""]
    cells = []
    for of in (found["ours"], found["torch"]):
        windows = f" + {of['windows']}" if of["windows"] else ""
        cells.append(f"{of['left']:.0e}, {of['crossed']} of {of['near']}{windows}")
    if found["moved_by_probing"]:
        cells[0] += f", L moved by {found['moved_by_probing']:.0e}"
    return cells


def rows_of(table: str) -> dict[str, str]:
    """The rows of the table as it stands, by the names of their networks."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return {name.strip(" `"): line for line in lines if "`" in (name := line.split("|")[2])}


def status_of(line: str) -> str:
    return line.split("|")[4].replace(":", ",").split(",")[0].strip()


def agree(line: str) -> bool:
    return status_of(line) in ("agrees", "kinks")


def wrapped(text: str) -> list[str]:
    """The lines of a paragraph, no longer than scripts/prose.py allows."""
    return textwrap.wrap(text, width=110, break_long_words=False, break_on_hyphens=False)


def section(rows: list[str]) -> str:
    import kinks
    import timm
    import torch

    count = {
        kind: sum(status_of(line) == kind for line in rows)
        for kind in ("agrees", "kinks", "refused", "failed", "differs")
    }
    ran = set(rows_of("\n".join(rows)))
    without = [case for case in CASES if case.label not in ran]
    # Of a family that was not run by any exporter, its name once.
    families = {case.family for case in CASES if case.label in ran}
    names = [case.label if case.family in families else case.family for case in without]
    missing = f" (not yet {', '.join(dict.fromkeys(names))})" if names else ""
    texts = [
        f"One architecture of each family of the paper's list and of later families, the latter by both of PyTorch's "
        f"exporters (`dynamo` is the newer one), against PyTorch. {len(rows)} of {len(CASES)} have been "
        f"run{missing}: {count['agrees']} agree, {count['kinks']} agree but for kinks, {count['refused']} are refused, "
        f"{count['failed']} could not be made or exported by PyTorch, {count['differs']} differ. `make parity` makes "
        "this table.",
        "Weights are seeded, not trained, which makes no difference to whether two programs compute the same "
        "(scripts/torch_networks.py says how). The photo is chelsea.png at the size in the table. Each number is the "
        "largest difference between aliascope and PyTorch over the largest entry: of the output, and of the Lie "
        "derivative of the worst of the seven generators, whose tangents NumPy makes for PyTorch. They agree if the "
        f"output is within {OUTPUT_LIMIT['f32']:.0e} and the derivatives are within {LIE_LIMIT['f32']:.0e} in single "
        f"precision, and both are within {OUTPUT_LIMIT['f64']:.0e} in double precision.",
        "`kinks`: the derivative of a ReLU jumps at 0. If rounding puts one of its inputs on the other side, L changes "
        "by what that one unit passes on, in every program: PyTorch's single precision may be as far from its own "
        "double precision (column PyTorch f32 to f64), by chance at other units. Which units those are is read from "
        "the run; nothing is searched or fitted (scripts/kinks.py). aliascope runs once more with the inputs of all "
        "activations with kinks and of all maximum pools as additional outputs, which leaves L the same to the last "
        "bit unless the row says otherwise, and PyTorch computes L in double precision with exactly those units on "
        f"their other side. What is left must be within {LEFT_LIMIT:.0e}, and those inputs must be within "
        f"{kinks.REACH:.0f} times PyTorch's own largest rounding error at that operator. The columns say what is left, "
        "how many of the units so close to a kink were crossed and, after a +, in how many windows of maximum pools "
        "another entry was the largest; then the same for PyTorch. A real error is not hidden by this: HRNet's "
        "derivatives times 1.005 are left at 5e-03, and with any one of its 53 close units flipped in addition, at "
        "3e-04 or more.",
        "A derivative is measured by its largest entry. If that is less than "
        f"{VANISHING:.0e} of what a tangent of the same size does to the output among the other generators, the row "
        "says that it vanishes: it is the rounding of what cancels, such as contrast in a network that normalises its "
        "first layer, and is measured by that.",
        "The last columns are seconds in single precision, measured in passing on a busy machine: one sweep of "
        "aliascope (output and seven derivatives), and seven calls of torch.func.jvp. docs/performance.md has timings.",
    ]
    lines = [
        HEADING,
        "",
        *(line for text in texts for line in (*wrapped(text), "")),
        f"PyTorch {torch.__version__}, timm {timm.__version__}, one thread each.",
        "",
        "| family | network | size | | output f32 | L f32 | output f64 | L f64 | PyTorch f32 to f64 "
        "| L f32 left, crossed | PyTorch's left, crossed | sweep s | 7 × jvp s |",
        "|---|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *rows,
        "",
    ]
    return "\n".join(lines)


def write_table() -> list[str]:
    """Puts the section into the file, and leaves the others as they are; the rows, new and kept."""
    TABLE.parent.mkdir(exist_ok=True)
    text = TABLE.read_text() if TABLE.exists() else "# What is covered\n"
    before, found, after = text.partition(HEADING + "\n")
    end = after.find("\n## ") + 1 or len(after)
    kept = rows_of(after[:end])
    rows = []
    for case in CASES:
        record = recorded(case)
        line = row(record) if record else kept.get(case.label)
        if line:
            rows.append(line)
    rest = after[end:] if found else ""
    TABLE.write_text(before.rstrip("\n") + "\n\n" + section(rows) + ("\n" + rest if rest else ""))
    return rows


# --- The run ----------------------------------------------------------------------------------------------------------


def recorded(case: Case) -> dict[str, Any] | None:
    path = RESULTS / f"{case.key}.json"
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    current = record.get("version") == VERSION and (case.size is None or record.get("size") == case.size)
    return record if current else None


def one(name: str, binary: Path) -> None:
    """The run of one network, in a process of its own, so that memory comes back and a crash ends one network alone."""
    case = next(case for case in CASES if case.key == name)
    try:
        record = compare(case, binary)
    except Exception as error:  # noqa: BLE001: whatever PyTorch or timm raise is told in the table
        first = (str(error).strip().splitlines() or [""])[0]
        record = {
            "version": VERSION, "family": case.family, "name": case.label, "size": case.size,
            "failed": f"{type(error).__name__}: {first}"[:300],
        }  # fmt: skip
    (RESULTS / f"{case.key}.json").write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare aliascope with PyTorch, family by family.")
    parser.add_argument("--only", nargs="*", default=[], help="words in the names of families or networks")
    parser.add_argument("--fresh", action="store_true", help="run again what is recorded")
    parser.add_argument("--binary", type=Path, default=CHECKOUT / "target" / "debug" / "aliascope")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    run_inside(Path(__file__).resolve())
    RESULTS.mkdir(parents=True, exist_ok=True)
    if arguments.one:
        one(arguments.one, arguments.binary)
        return
    if not arguments.binary.exists():
        raise Failure(f"{arguments.binary} is not built: run `make build`, then run again")
    if not PHOTO.exists():
        raise Failure("the photos are not there: run `make models`, then run again")
    words = [word.lower() for word in arguments.only]
    chosen = [c for c in CASES if not words or any(w in c.family.lower() or w in c.name for w in words)]
    todo = [case for case in chosen if arguments.fresh or recorded(case) is None]
    started, log = time.monotonic(), RESULTS / "log.txt"
    for at, case in enumerate(todo):
        if not arguments.fresh and recorded(case):
            continue  # another run that goes on beside this one has it
        command = [sys.executable, __file__, "--one", case.key, "--binary", str(arguments.binary)]
        with log.open("a") as file:
            # One thread each: where other programs have a core, PyTorch's threads wait for one another without end.
            done = subprocess.run(command, stdout=file, stderr=file, env={**os.environ, "OMP_NUM_THREADS": "1"})
        record = recorded(case)
        if record is None:
            say(f"{case.family}: the run of {case.name} died (status {done.returncode}); {log} has what it said")
            continue
        elapsed = time.monotonic() - started
        left = elapsed / (at + 1) * (len(todo) - at - 1)
        outcome = record.get("refused") or record.get("failed")
        if outcome is None:
            parts = (f"{p}: output {record[p]['output']:.0e}, L {worst(record, p):.0e}" for p in ("f32", "f64"))
            outcome = f"{status(record)}; {'; '.join(parts)}"
        say(f"[{at + 1}/{len(todo)}, {left / 60:.0f} min left] {case.family}, {case.name}: {outcome}")
    rows = write_table()
    good = sum(map(agree, rows))
    say(f"{TABLE.relative_to(CHECKOUT)}: {len(rows)} of {len(CASES)} networks, {good} agree")
    if good < len(rows):
        sys.exit(1)


if __name__ == "__main__":
    run_script(main)
