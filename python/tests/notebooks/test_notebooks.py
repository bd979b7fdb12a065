"""The notebooks run, and show what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import FOLDER, Shown

import aliascope as al

CHECKOUT = Path(__file__).parents[3]
NETWORK = CHECKOUT / "models" / "efficientnet-lite0.onnx"


def test_all_notebooks_are_tested() -> None:
    tested = {"first-look", "five-networks", "anti-aliasing", "vit-and-cnn", "while-training"}
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == tested


def test_first_look() -> None:
    shown = Shown("first-look", lee="result.lee", residual="layers.residual", best='layers.table["name"].iloc[0]')
    photos = [CHECKOUT / "photos" / name for name in ("chelsea.png", "coffee.png", "rocket.jpg")]
    # Another process, and other shares of work between its threads.
    assert shown.asked["lee"] == pytest.approx(al.lee(NETWORK, photos, figure=False).lee, rel=1e-4)
    assert 0 < shown.asked["residual"] < 1e-4
    assert "the layers add up to the whole within" in shown.text(4)
    assert shown.asked["best"] == "conv_stem"
    table = shown.html(1)
    assert "translate_x" in table and "<svg" in table
    assert shown.pictures() == 1
    assert "Warning" not in shown.complaints()


def test_five_networks() -> None:
    shown = Shown("five-networks", lee="comparison.lee", pair="pair")
    lee = {name: by_generator["translate_x"] for name, by_generator in shown.asked["lee"].items()}
    assert list(lee) == ["lite0", "lite1", "lite2", "lite0, blurpool:3", "lite0, blurpool:5"]
    # Of the same three photos, so that it is no matter of chance.
    assert lee["lite0, blurpool:3"] < lee["lite0"]
    assert shown.asked["pair"]["difference"]["value"] == pytest.approx(
        lee["lite0, blurpool:3"] - lee["lite0"], rel=1e-6
    )
    assert r"\begin{tabular}" in shown.text(4)
    assert shown.pictures() == 1


def test_anti_aliasing() -> None:
    shown = Shown("anti-aliasing", difference="difference", after="result.paired['after'].to_dict()")
    assert shown.asked["difference"] < 1e-5
    assert set(shown.asked["after"]) == {"translate_x", "translate_y", "rotate"}
    assert "forward passes of the network before" in shown.text(3)
    assert shown.pictures() == 1


def test_vit_and_cnn() -> None:
    shares = "{name: result.by_type.set_index('class')['share'].to_dict() for name, result in results.items()}"
    shown = Shown("vit-and-cnn", residuals="[result.residual for result in results.values()]", shares=shares)
    assert all(0 < residual < 1e-4 for residual in shown.asked["residuals"])
    assert set(shown.asked["shares"]) == {"ViT", "CNN"}
    assert "patch-embedding" in shown.asked["shares"]["ViT"]
    assert shown.pictures() == 1
    assert "AliascopeWarning" not in shown.complaints()  # timm's own packages warn of notebooks


def test_while_training() -> None:
    shown = Shown("while-training", log="log", training="network.training")
    log = shown.asked["log"]
    assert [entry["step"] for entry in log] == list(range(0, 121, 20))
    # It learns, and its error is measured as it goes: larger than before it could tell anything apart.
    assert log[-1]["right"] > 0.9
    assert max(entry["translate_x"] for entry in log) > 3 * log[0]["translate_x"]
    assert log[-1]["rotate"] > log[-1]["translate_x"]
    assert shown.asked["training"] is True
    assert shown.pictures() == 1
