"""The other calls: each gives what the command writes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import aliascope as al


def test_layers_add_up(path: Path, frames: np.ndarray) -> None:
    result = al.layers(path, frames, "translate_x")
    assert 0 <= result.residual < 1e-5
    assert result.residual == result.report["conservation_residual"]
    assert result.lee["translate_x"] == pytest.approx(al.lee(path, frames, "translate_x").lee["translate_x"], rel=1e-5)
    table = result.table
    # What a share is: of the sum of all layers' contributions.
    assert table["share"].sum() == pytest.approx(1, rel=1e-12)
    assert table["signed_share"].sum() == pytest.approx(1, rel=1e-4)
    assert table.query("share > .05")["class"].iloc[0] == "strided-convolution"
    per_image = result.per_image
    means = per_image.groupby("name")["contribution"].mean()
    for layer in result.report["layers"]:
        assert means[layer["name"]] == pytest.approx(layer["contribution"], rel=1e-12)
    assert result.by_type["contribution"].sum() == pytest.approx(table["contribution"].sum(), rel=1e-9)
    assert {"", "worst", "graph", "maps"} <= set(result.figures)


def test_layers_under_several_generators(path: Path, frames: np.ndarray) -> None:
    result = al.layers(path, frames, ["translate_x", "rotate"], no_split=True, figure=False)
    assert list(result.lee) == ["translate_x", "rotate"] or set(result.lee) == {"translate_x", "rotate"}
    shares = result.table.groupby("generator")["share"].sum()
    assert shares.to_list() == pytest.approx([1, 1], rel=1e-12)
    assert result.residual == max(part["conservation_residual"] for part in result.attributions)
    assert set(result.per_image["generator"]) == {"translate_x", "rotate"}


def test_metrics(path: Path, photos: Path) -> None:
    result = al.metrics(path, photos, draws=2, preprocess="half")
    table = result.table.set_index("measure")["value"]
    assert {name: table[name] for name in result.values} == result.values
    assert 0 <= result.values["consistency_integer_circular"] <= 1
    assert "eq_t" in result.missing
    per_image = result.per_image
    assert per_image["consistency_integer_circular"].mean() == pytest.approx(
        result.values["consistency_integer_circular"]
    )
    assert result.svg.startswith("<svg")
    per_layer = al.metrics(path, photos, draws=2, preprocess="half", layers=True)
    assert per_layer.report["layers"] is not None and per_layer.svg.startswith("<svg")


def test_the_theorem_of_a_field() -> None:
    # One harmonic on a grid that aliases it: n = 4 on 7 samples is −3, so v·(Alias(n) − n) = −7, and the defect's mean
    # square is (2π·7)² for a coefficient of 1.
    result = al.theorem([[4, 0, 1.0, 0.0]], grid=7)
    table = result.table.set_index("form")["mean_square_defect"]
    assert table["exact"] == pytest.approx((2 * np.pi * 7) ** 2, rel=1e-12)
    assert table["measured"] == pytest.approx(table["exact"], rel=1e-12)
    assert result.svg.startswith("<svg")
    askew = al.theorem("random:9,seed=1", grid=7, velocity=(0.8, -0.6)).table.set_index("form")["mean_square_defect"]
    assert askew["measured"] == pytest.approx(askew["exact"], rel=1e-9)
    assert askew["paper"] != pytest.approx(askew["exact"], rel=1e-3)


def test_the_theorem_at_nodes(path: Path, frames: np.ndarray) -> None:
    result = al.theorem(path, frames, velocity=(0.8, -0.6))
    assert isinstance(result, al.NodeTheoremResult)
    kinds = {node["kind"] for node in result.report["nodes"]}
    assert kinds == {"strided convolution", "activation"}
    strided = result.table[result.table["kind"] == "strided convolution"]
    assert strided["predicted"].to_list() == pytest.approx(strided["measured"].to_list(), rel=1e-4)
    with pytest.raises(al.UsageError, match="grid is for fields"):
        al.theorem(path, frames, grid=7)


def test_harmonics() -> None:
    result = al.harmonics("relu", frequency=3, samples=32)
    # ReLU of cos θ: 1/π and 1/4, Bronstein's table.
    assert result.table["magnitude"].to_list()[:2] == pytest.approx([1 / np.pi, 1 / 4], rel=1e-9)
    assert 0 < result.aliased_fraction < 1


def test_antialias(path: Path, frames: np.ndarray, tmp_path: Path) -> None:
    result = al.antialias(path, {"stride": "blurpool:3"}, frames, ["translate_x", "rotate"], draws=0)
    assert list(result.paired.index) == ["translate_x", "rotate"]
    before, after = (
        al.lee(path, frames, ["translate_x", "rotate"]),
        al.lee(result.model, frames, ["translate_x", "rotate"]),
    )
    for name, row in result.paired.iterrows():
        assert row["before"] == pytest.approx(before.lee[name], rel=1e-6)
        # The file rounds nothing that the run did not.
        assert row["after"] == pytest.approx(after.lee[name], rel=1e-4)
        assert row["difference"] == pytest.approx(row["after"] - row["before"], rel=1e-9)
    assert len(result.insertions) == 1
    result.save(tmp_path / "new.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "new.onnx"), providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"input": frames[:1]})
    exponentials = np.exp(np.float64(scores[0]))
    # The measured function is the softmax; two libraries of single precision.
    assert after.value[0] == pytest.approx(exponentials / exponentials.sum(), rel=1e-4)
    assert result.report["saved_difference"] < 1e-5
    with pytest.raises(al.UsageError, match="dictionary"):
        al.antialias(path, {}, frames)


def test_doctor_lists_what_is_here(tested_command: Path) -> None:
    table = al.doctor().set_index("what")
    said = subprocess.run([str(tested_command), "doctor", "--json", "-"], capture_output=True, text=True, check=True)
    assert list(table["found"]) == [finding["found"] for finding in json.loads(said.stdout)]
    assert table.loc["libtorch", "ok"]


@pytest.mark.parametrize("draw", ["lee", "layers", "metrics", "theorem", "nodes", "harmonics", "antialias", "compare"])
def test_plots_can_be_restyled(draw: str, path: Path, frames: np.ndarray, photos: Path) -> None:
    import matplotlib.pyplot as plt

    result = {
        "lee": lambda: al.lee(path, frames, ["translate_x", "rotate"]),
        "layers": lambda: al.layers(path, frames, no_split=True),
        "metrics": lambda: al.metrics(path, photos, draws=1, preprocess="half"),
        "theorem": lambda: al.theorem("random:9", grid=7),
        "nodes": lambda: al.theorem(path, frames),
        "harmonics": lambda: al.harmonics("relu"),
        "antialias": lambda: al.antialias(path, {"stride": "blurpool:3"}, frames, draws=0, no_layers=True),
        "compare": lambda: al.compare({"a": path, "b": path}, frames, "rotate"),
    }[draw]()
    _, ax = plt.subplots()
    assert result.plot(ax) is ax
    assert ax.get_xlabel() or ax.get_ylabel()
    drawn = [*ax.lines, *ax.patches, *ax.collections]
    assert drawn
    plt.close("all")
    alone = result.plot()
    assert alone.figure is not ax.figure
    plt.close("all")


def test_a_layers_plot_has_the_scale_that_is_asked_for(path: Path, frames: np.ndarray) -> None:
    result = al.layers(path, frames, no_split=True, figure=False)
    for scale in ("share", "contribution", "signed_share"):
        heights = [bar.get_height() for bar in result.plot(scale=scale).patches]
        assert sorted(heights) == sorted(result.table[scale])
    assert len(result.plot(top=1).patches) == 1
    with pytest.raises(al.UsageError, match="known are share"):
        result.plot(scale="loudness")
