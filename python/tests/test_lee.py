"""`aliascope.lee`: the command's numbers, for every kind of network and image."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

import aliascope as al


def by_hand(command: Path, folder: Path, *arguments: object) -> dict:
    """What the command itself writes as JSON."""
    line = [str(command), *map(str, arguments), "--quiet", "--json", str(folder / "result.json")]
    subprocess.run(line, check=True)
    return json.loads((folder / "result.json").read_text())


def test_the_result_is_the_commands(path: Path, frames: np.ndarray, tested_command: Path, tmp_path: Path) -> None:
    save_file({"x": frames}, tmp_path / "x.safetensors")
    ours = al.lee(path, tmp_path / "x.safetensors")
    vectors = tmp_path / "vectors.safetensors"
    theirs = by_hand(
        tested_command, tmp_path, "lee", path, "--images", tmp_path / "x.safetensors", "--vectors", vectors
    )
    for part in ("generators", "gram", "symmetry_spectrum", "images_constant", "schema_version"):
        assert ours.report[part] == theirs[part], part
    assert ours.lee == {name: entry["lee"] for name, entry in theirs["generators"].items()}
    assert ours.sem == {name: entry["sem"] for name, entry in theirs["generators"].items()}
    tensors = load_file(vectors)
    for name in ours.lee:
        assert np.array_equal(ours.vectors[name], tensors[f"lie/{name}"])
    assert np.array_equal(ours.value, tensors["value"])


def test_lee_is_the_mean_square_of_its_vectors(path: Path, frames: np.ndarray) -> None:
    result = al.lee(path, frames, ["translate_x", "rotate"])
    for name, lee in result.lee.items():
        # The vectors are in single precision, and so is their square.
        assert np.mean(np.float64(result.vectors[name]) ** 2) == pytest.approx(lee, rel=1e-5)


def test_how_far_the_linear_answer_holds(path: Path, frames: np.ndarray) -> None:
    result = al.lee(path, frames, "translate_x")
    assert result.horizon == result.report["horizon"]["pixels"]
    assert al.lee(path, frames, "translate_x", no_horizon=True).horizon is None


def test_a_model_a_path_and_text_are_the_same_network(path: Path, model: onnx.ModelProto, frames: np.ndarray) -> None:
    of_path, of_text, of_proto = (al.lee(network, frames, "rotate") for network in (path, str(path), model))
    assert of_path.lee == of_text.lee == of_proto.lee
    assert of_proto.provenance["model"]["path"] == "small.onnx"


def test_tables_hold_the_numbers_to_the_last_bit(path: Path, frames: np.ndarray) -> None:
    result = al.lee(path, frames)
    table = result.table.set_index("name")
    assert table["lee"].to_dict() == result.lee
    assert table["sem"].to_dict() == result.sem
    assert table["geometric_mean"].to_dict() == result.geometric_mean
    per_image = result.per_image
    assert list(per_image["image"].unique()) == ["images[0]", "images[1]"] == result.images
    means = per_image.groupby("name")["lee"].mean()
    for name, lee in result.lee.items():
        assert means[name] == pytest.approx(lee, rel=1e-12)
    assert set(per_image["predicted"]) <= set(range(5))
    gram = result.gram
    assert gram.loc["translate_x", "translate_x"] == pytest.approx(result.lee["translate_x"], rel=1e-12)


def test_photos_in_memory_are_those_on_disk(path: Path, photos: Path) -> None:
    files = sorted(photos.iterdir())
    on_disk = al.lee(path, photos, "translate_x", preprocess="half")
    pil = [Image.open(file) for file in files]
    arrays = np.stack([np.asarray(photo) for photo in pil])
    for given in (files, pil, arrays, arrays.transpose(0, 3, 1, 2), list(arrays), [files[0], *pil[1:]]):
        assert al.lee(path, given, "translate_x", preprocess="half").lee == on_disk.lee
    named = al.lee(path, [files[0], pil[1]], "translate_x", preprocess="half")
    assert named.images == [str(files[0]), "images[1]"]


def test_a_limit_draws_as_the_command_does(path: Path, photos: Path, tested_command: Path, tmp_path: Path) -> None:
    with pytest.warns(al.AliascopeWarning):
        ours = al.lee(path, al.images(photos, limit=2, seed=5), "translate_x")
    options = ("--generator", "translate_x", "--limit", 2, "--seed", 5)
    theirs = by_hand(tested_command, tmp_path, "lee", path, "--images", photos, *options)
    assert ours.images == theirs["run"]["images"]["names"]
    assert ours.lee["translate_x"] == theirs["generators"]["translate_x"]["lee"]
    with pytest.raises(al.UsageError, match="limit=2 and the call has limit=1"):
        al.lee(path, al.images(photos, limit=2), limit=1)


def test_options_reach_the_command(path: Path, frames: np.ndarray) -> None:
    result = al.lee(path, frames, "rotate", derivative="central", units="pixel", precision="f64", threads=1)
    run = result.provenance
    assert (run["lie"]["derivative"], run["lie"]["units"]) == ("central", "pixel")
    assert (run["precision"], run["threads"]) == ("f64", 1)
    assert result.vectors["rotate"].dtype == np.float64


def test_an_open_shape_is_given(model: onnx.ModelProto, frames: np.ndarray) -> None:
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    for axis in (2, 3):
        open_model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"side{axis}"
    assert al.lee(open_model, frames, "rotate", input_shape=(1, 3, 16, 16)).lee == al.lee(model, frames, "rotate").lee


def test_classes_are_read(path: Path, frames: np.ndarray, photos: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("".join(f"{number}.png,{number}\n" for number in range(3)))
    with pytest.warns(al.AliascopeWarning):
        result = al.lee(path, photos, "rotate", labels=labels)
    right = sum(predicted == number for number, predicted in enumerate(result.predicted or []))
    assert result.accuracy == right / 3
    assert al.lee(path, frames, "rotate").accuracy is None


def test_notes_are_warnings_and_part_of_the_result(path: Path, photos: Path) -> None:
    with pytest.warns(al.AliascopeWarning, match="imagenet") as told:
        result = al.lee(path, photos, "rotate")
    assert [str(warning.message) for warning in told] == result.notes
    # It points at the caller's line, not into the package.
    assert told[0].filename == __file__


def test_unreadable_photos_are_left_out_with_a_warning(path: Path, photos: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    given = [*sorted(photos.iterdir()), damaged]
    with pytest.warns(al.AliascopeWarning, match=r"damaged\.png"):
        result = al.lee(path, given, "rotate", preprocess="imagenet")
    assert len(result.images) == 3
    assert result.skipped[0]["image"] == str(damaged)
    assert result.lee == al.lee(path, photos, "rotate", preprocess="imagenet").lee
    with pytest.raises(al.InputError, match=r"damaged\.png"):
        al.lee(path, given, "rotate", strict=True, preprocess="imagenet")


def test_figures_are_the_commands(path: Path, frames: np.ndarray) -> None:
    result = al.lee(path, frames)
    assert result.svg.startswith("<svg") and "rotate" in result.svg
    assert result.figures["tangents"].startswith(b"\x89PNG")
    without = al.lee(path, frames, figure=False, vectors=False)
    assert without.figures == {}
    with pytest.raises(ValueError, match="figure=False"):
        _ = without.svg
    with pytest.raises(ValueError, match="vectors=False"):
        _ = without.vectors


def test_notebooks_show_table_and_figure(path: Path, frames: np.ndarray) -> None:
    result = al.lee(path, frames, ["translate_x", "rotate"])
    page = result._repr_html_()
    assert "<table" in page and "<svg" in page and "translate_x" in page
    text = repr(result)
    assert "small.onnx, 2 images" in text and f"{result.lee['rotate']:.3g}" in text
    assert isinstance(result.table, pd.DataFrame)
