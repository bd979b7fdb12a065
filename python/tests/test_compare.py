"""Networks beside each other: what the command says, under the names that the caller gives."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import convolution
from safetensors.numpy import save_file

import aliascope as al


@pytest.fixture(scope="module")
def networks(path: Path) -> dict:
    return {"file": path, "stride 1": convolution(stride=1), "stride 4": convolution(stride=4)}


def test_the_comparison_is_the_commands(
    networks: dict, frames: np.ndarray, tested_command: Path, tmp_path: Path
) -> None:
    save_file({"x": frames}, tmp_path / "x.safetensors")
    files = []
    for name, network in networks.items():
        files.append(str(tmp_path / f"{name}.onnx"))
        onnx.save(onnx.load(network) if isinstance(network, Path) else network, files[-1])
    line = [
        str(tested_command),
        "compare",
        *files,
        "--images",
        str(tmp_path / "x.safetensors"),
        "--json",
        "-",
        "--quiet",
    ]
    theirs = json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
    ours = al.compare(networks, frames)
    assert ours.report["differences"] == theirs["differences"]
    assert ours.networks == ["file", "stride 1", "stride 4"]
    for mine, other in zip(ours.report["networks"], theirs["networks"]):
        assert mine["generators"] == other["generators"]
    assert ours.report["networks"][0]["run"]["model"]["path"] == str(networks["file"])
    assert "stride 1" in ours.svg


def test_lee_is_that_of_each_network(networks: dict, frames: np.ndarray) -> None:
    comparison = al.compare(networks, frames, ["translate_x", "rotate"], figure=False)
    alone = al.lee(networks["stride 1"], frames, ["translate_x", "rotate"])
    assert comparison.lee["stride 1"] == pytest.approx(alone.lee, rel=1e-12)
    table = comparison.table
    assert list(table["network"].unique()) == comparison.networks
    per_image = comparison.per_image.groupby(["network", "generator"])["lee"].mean()
    for name, by_generator in comparison.lee.items():
        for generator, lee in by_generator.items():
            assert per_image[name, generator] == pytest.approx(lee, rel=1e-12)
    assert "stride 1" in repr(comparison) and "<table" in comparison._repr_html_()
    assert "stride 4" in comparison.to_latex()


def test_pairs(networks: dict, frames: np.ndarray, tmp_path: Path) -> None:
    comparison = al.compare(networks, frames, "translate_x", figure=False)
    values = comparison.per_image.pivot(index="image", columns="network", values="lee")
    for network, reference in (("stride 1", "file"), ("file", "stride 1"), ("stride 1", "stride 4")):
        pair = comparison.paired(network, reference, "translate_x")
        difference = (values[network] - values[reference]).mean()
        assert pair["difference"]["value"] == pytest.approx(difference, rel=1e-9)
        ratio = np.exp(np.log(values[network] / values[reference]).mean())
        assert pair["ratio"]["geometric"]["value"] == pytest.approx(ratio, rel=1e-9)
        assert (pair["network"], pair["reference"], pair["images"]) == (network, reference, 2)
    with pytest.raises(al.UsageError, match="no network 'nothing'"):
        comparison.paired("nothing", "file", "translate_x")
    with pytest.raises(al.UsageError, match="names a file"):
        al.compare({"a/b": networks["file"]}, frames)
    with pytest.raises(al.UsageError, match="itself"):
        comparison.paired("file", "file", "translate_x")
    with pytest.raises(al.UsageError, match="measured are translate_x"):
        comparison.paired("stride 1", "file", "rotate")
    comparison.to_latex(tmp_path / "t.tex")
    assert r"\begin{tabular}" in (tmp_path / "t.tex").read_text()


def test_a_network_that_cannot_be_measured_is_told_of(networks: dict, frames: np.ndarray, tmp_path: Path) -> None:
    with pytest.warns(al.AliascopeWarning, match=r"nowhere\.onnx"):
        comparison = al.compare({**networks, "absent": tmp_path / "nowhere.onnx"}, frames, "rotate")
    assert comparison.networks == ["file", "stride 1", "stride 4"]
    assert list(comparison.failures) == ["nowhere"]
    with pytest.raises(al.ModelError, match=r"nowhere\.onnx"):
        al.compare({"absent": tmp_path / "nowhere.onnx"}, frames)


def test_weights_beside_a_file_are_found(frames: np.ndarray, path: Path, tmp_path: Path) -> None:
    model = convolution()
    file = tmp_path / "apart.onnx"
    onnx.save(model, str(file), save_as_external_data=True, location="apart.bin", size_threshold=0)
    comparison = al.compare({"apart": file, "whole": path}, frames, "rotate")
    assert comparison.lee["apart"] == comparison.lee["whole"]
