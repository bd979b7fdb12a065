"""What recipes of scripts/zoo_networks.py are made of, against closed forms and ONNX Runtime; nothing is fetched."""

from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import zoo_graph
import zoo_networks


def run(graph: zoo_graph.Graph, x: np.ndarray, output: str, shape: list[int]) -> np.ndarray:
    model = graph.model("small", x.shape, output, shape, None)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": x.astype(np.float32)})[0]


def test_same_padding_is_tensorflows() -> None:
    # size, window, stride: the odd row comes after, and a stride that leaves pixels over needs none.
    for given, wanted in {
        (224, 3, 2): (0, 1),
        (225, 3, 2): (1, 1),
        (10, 5, 1): (2, 2),
        (8, 1, 2): (0, 0),
        (7, 2, 3): (0, 1),
    }.items():
        assert zoo_graph.same_padding(*given) == wanted


def test_a_folded_batch_norm_is_the_batch_norm() -> None:
    draw = np.random.default_rng(1)
    kernel = draw.normal(size=(3, 3, 2, 4))
    gamma, beta, mean = draw.normal(size=(3, 4))
    variance = draw.uniform(0.1, 2, size=4)
    x = draw.normal(size=(1, 2, 6, 6))
    weight, bias = zoo_graph.folded(zoo_graph.oihw(kernel), gamma, beta, mean, variance, 1e-3)
    graph = zoo_graph.Graph()
    graph.convolution("image", "y", weight, bias, pads=[0] * 4)
    found = run(graph, x, "y", [1, 4, 4, 4])
    windows = np.lib.stride_tricks.sliding_window_view(x[0], (3, 3), axis=(1, 2))
    plain = np.einsum("crskl,klco->ors", windows, kernel)
    scale = (gamma / np.sqrt(variance + 1e-3))[:, None, None]
    wanted = (plain - mean[:, None, None]) * scale + beta[:, None, None]
    # Single precision, sums of 18 terms of order 1.
    np.testing.assert_allclose(found[0], wanted, atol=2e-5)


def test_a_nearest_resize_repeats_pixels() -> None:
    x = np.arange(12.0).reshape(1, 1, 3, 4)
    for factor in (2, 3):
        graph = zoo_graph.Graph()
        graph.resize("image", "y", factor, "nearest")
        found = run(graph, x, "y", [1, 1, 3 * factor, 4 * factor])
        assert np.array_equal(found, x.repeat(factor, 2).repeat(factor, 3))


class Calls:
    """What a hostile pickle holds."""

    def __reduce__(self) -> tuple:
        return (print, ("code ran",))


def test_a_pickle_of_more_than_arrays_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = {"conv1": [np.ones((2, 3), np.float32), np.arange(4.0)]}
    read = zoo_networks._Arrays(io.BytesIO(pickle.dumps(arrays, 3)), encoding="latin1").load()
    assert all(np.array_equal(a, b) for a, b in zip(read["conv1"], arrays["conv1"]))
    with pytest.raises(zoo_graph.RecipeError, match="only arrays are allowed"):
        zoo_networks._Arrays(io.BytesIO(pickle.dumps(Calls(), 2)), encoding="latin1").load()
    assert "code ran" not in capsys.readouterr().out


def test_weights_that_are_left_over_or_missing_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.pkl"
    file.write_bytes(pickle.dumps({"conv1": [np.ones((3, 3, 3, 64), np.float32), np.zeros(64, np.float32)]}, 2))
    assert zoo_networks.main(["squeezenet", str(file), str(tmp_path / "out.onnx")]) == 1
    assert not (tmp_path / "out.onnx").exists()
