"""PyTorch modules: the right number, or one sentence, and the module stays as it was."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn

import aliascope as al
from aliascope import exporting, networks

# Networks of five families that timm has for tests.
FAMILIES = ["test_resnet", "test_vit", "test_efficientnet", "test_convnext", "test_mambaout"]
SIZE = 16
SCALE = 2.0


class Small(nn.Module):
    def __init__(self, act: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), act or nn.SiLU())
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 5)
        self.factor = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * self.head(self.drop(self.stem(x).mean((2, 3))))


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(5).normal(size=(2, 3, SIZE, SIZE)).astype(np.float32))


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list:
    """What is exported, call by call; nothing is left from before."""
    made: list = []
    original = exporting.write_onnx

    def counted(*given: object, **named: object) -> None:
        made.append(given)
        original(*given, **named)

    monkeypatch.setattr(exporting, "write_onnx", counted)
    monkeypatch.setattr(networks, "_EXPORTS", networks._Exports())
    return made


def probabilities(network: nn.Module, x: torch.Tensor) -> np.ndarray:
    # In evaluation mode, of a copy, as the measured network is.
    with torch.no_grad():
        return copy.deepcopy(network).eval()(x).double().softmax(1).numpy()


@pytest.mark.parametrize("exporter", networks.EXPORTERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_families_compute_what_pytorch_computes(family: str, exporter: str) -> None:
    torch.manual_seed(0)
    network = timm.create_model(family, pretrained=False, num_classes=7)
    size = network.pretrained_cfg["input_size"][-1]
    x = torch.randn(2, 3, size, size)
    result = al.lee(network, x, "translate_x", exporter=exporter)
    # Single precision through some dozens of layers, of two exporters and two libraries of kernels.
    assert result.value == pytest.approx(probabilities(network, x), rel=1e-3, abs=1e-6)
    assert result.provenance["model"]["path"] == f"{type(network).__name__}.onnx"
    layers = al.layers(network, x[:1], "translate_x", no_split=True, figure=False, exporter=exporter)
    known = {name for name, _ in network.named_modules()}
    named = [name for name in layers.table["module"] if name]
    assert len(named) > len(layers.table) / 2
    assert set(named) <= known


def test_the_lie_derivative_is_pytorchs(x: torch.Tensor) -> None:
    # In double precision from the start: exporters fold norms into convolutions, which rounds.
    double = Small().double().eval()
    result = al.lee(double, x.double(), "saturate", precision="f64")
    # Saturation multiplies the input by 1 + t: its Lie derivative is the derivative along the input itself.
    _, wanted = torch.func.jvp(lambda x: double(x).softmax(1), (x.double(),), (x.double(),))
    assert result.vectors["saturate"] == pytest.approx(wanted.detach().numpy(), rel=1e-9, abs=1e-12)


def test_the_module_stays_as_it_is(x: torch.Tensor) -> None:
    network = Small().train()
    network.stem[1].eval()  # a frozen norm in a network that trains
    seen = []
    network.head.register_forward_hook(lambda *_: seen.append(1))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    flags = [(name, module.training) for name, module in network.named_modules()]
    al.lee(network, x, "rotate")
    assert [(name, module.training) for name, module in network.named_modules()] == flags
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert len(network.head._forward_hooks) == 1


def test_training_mode_is_measured_as_evaluation(x: torch.Tensor) -> None:
    network = Small()
    assert al.lee(network.train(), x, "rotate").lee == al.lee(network.eval(), x, "rotate").lee


def test_hooks_that_change_the_output_count(x: torch.Tensor) -> None:
    network = Small()
    plain = al.lee(network, x, "rotate")
    network.stem.register_forward_hook(lambda module, inputs, output: 3 * output)
    result = al.lee(network, x, "rotate")
    assert result.value == pytest.approx(probabilities(network, x), rel=1e-4)
    assert result.lee != plain.lee


@pytest.mark.parametrize("exporter", networks.EXPORTERS)
def test_double_precision_is_kept(x: torch.Tensor, exporter: str) -> None:
    network = Small().double()
    result = al.lee(network, x.double(), "rotate", precision="f64", exporter=exporter)
    assert result.value == pytest.approx(probabilities(network, x.double()), rel=1e-12)


def test_half_precision_is_measured_or_refused_in_a_sentence(x: torch.Tensor) -> None:
    network = Small().bfloat16()
    try:
        result = al.lee(network, x, "rotate")
    except al.AliascopeError as error:
        assert "bfloat16" in str(error).lower()
    else:
        # The weights have 8 bits, and are computed with in 24.
        assert result.value == pytest.approx(probabilities(network.float(), x), rel=1e-4)


def test_lambdas_in_modules(x: torch.Tensor, exports: list) -> None:
    network = Small()
    network.act = lambda x: x.relu()
    network.forward = lambda x: network.head(network.act(network.stem(x).mean((2, 3))))
    result = al.lee(network, x, "rotate")
    with torch.no_grad():
        wanted = network.eval()(x).double().softmax(1).numpy()
    assert result.value == pytest.approx(wanted, rel=1e-4)
    al.lee(network, x, "rotate")
    assert len(exports) == 1
    network.act = lambda x: x.sigmoid()
    assert al.lee(network, x, "rotate").lee != result.lee


def test_what_cannot_be_stored_is_exported_every_time(x: torch.Tensor, exports: list) -> None:
    network = Small()
    network.numbers = (number for number in range(3))  # a generator, whose state nobody can know
    assert al.lee(network, x, "rotate").lee == al.lee(network, x, "rotate").lee
    assert len(exports) == 2


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile], ids=["DataParallel", "compile"])
def test_wrapped_modules_are_what_they_wrap(x: torch.Tensor, wrap) -> None:
    network = Small().eval()
    assert al.lee(wrap(network), x, "rotate").lee == al.lee(network, x, "rotate").lee


def test_modules_that_are_called_by_numbers(x: torch.Tensor) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    table = al.layers(network, x, no_split=True, figure=False).table
    assert list(table["module"])[:2] == list(table["name"])[:2] == ["0", "1"]


def test_several_outputs(x: torch.Tensor) -> None:
    class Two(Small):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            h = self.stem(x).mean((2, 3))
            return self.head(h), h

    network = Two()
    with pytest.warns(al.AliascopeWarning, match="not measured"):
        result = al.lee(network, x, "rotate")
    with torch.no_grad():
        wanted = network.eval()(x)[0].double().softmax(1).numpy()
    assert result.value == pytest.approx(wanted, rel=1e-4)


def test_a_wrong_shape_is_a_sentence_with_the_modules_name(x: torch.Tensor) -> None:
    for exporter in networks.EXPORTERS:
        words = r"Small's module 'stem\.0' cannot be exported .*\[1, 1, 16, 16\]"
        with pytest.raises(al.ExportError, match=words) as told:
            al.lee(Small(), x[:, :1], "rotate", exporter=exporter)
        assert "\n" not in str(told.value)


def test_what_cannot_be_exported_is_a_sentence_with_the_modules_name(x: torch.Tensor) -> None:
    class Eigen(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(x @ x.transpose(-1, -2)).abs()[..., None]

    with pytest.raises(al.ExportError, match=r"linalg_eigvals") as told:
        al.lee(Small(act=Eigen()), x, "rotate")
    assert "Small" in str(told.value) and "\n" not in str(told.value)


def test_the_size_of_the_input(x: torch.Tensor, tmp_path: Path) -> None:
    from PIL import Image

    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 20, 3), dtype=np.uint8))
    with pytest.raises(al.ExportError, match="input_shape="):
        al.lee(Small(), photo, "rotate")
    result = al.lee(Small(), photo, "rotate", input_shape=(1, 3, 12, 12), preprocess="half")
    assert result.provenance["model"]["input_shape"] == [1, 3, 12, 12]
    with pytest.raises(al.UsageError, match="channels, rows, columns"):
        al.lee(Small(), photo, "rotate", input_shape=(12, 12))
    # timm's networks say it themselves, and how photos become their input.
    network = timm.create_model("test_resnet", pretrained=False)
    with pytest.warns(al.AliascopeWarning, match=r"^images\[0\]\.png is smaller"):
        run = al.lee(network, photo, "rotate").provenance
    assert run["model"]["input_shape"][-1] == network.pretrained_cfg["input_size"][-1]
    assert run["images"]["preprocess"].startswith("metadata")


def test_timm_by_name(x: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    original, asked = timm.create_model, []

    def seeded(name: str, pretrained: bool, **options: object) -> nn.Module:
        asked.append(pretrained)
        torch.manual_seed(0)
        return original(name, pretrained=False, **options)  # their weights cannot be fetched by a test

    monkeypatch.setattr(timm, "create_model", seeded)
    network = seeded("test_resnet", True)
    asked.clear()
    x = torch.randn(1, 3, 64, 64)
    by_name = al.lee("timm:test_resnet", x, "rotate")
    assert by_name.lee == al.lee(network, x, "rotate").lee
    assert by_name.provenance["model"]["path"] == "timm:test_resnet"
    assert set(asked) == {True}
    asked.clear()
    al.lee("timm:test_resnet", x, "rotate")
    assert asked == []  # it is exported already
    with pytest.raises(al.UsageError, match="has no network tset_resnet"):
        al.lee("timm:tset_resnet", x)


def test_tensors_as_images(x: torch.Tensor) -> None:
    network = Small()
    wanted = al.lee(network, x.numpy(), "rotate").lee
    for given in (x, x.clone().requires_grad_(), list(x), x.double().float()):
        assert al.lee(network, given, "rotate").lee == wanted
    half = al.lee(network, x.bfloat16(), "rotate")
    assert half.lee == al.lee(network, x.bfloat16().float(), "rotate").lee
    pixels = (x.clamp(-1, 1) * 127 + 128).byte()
    photos = al.lee(network, pixels, "rotate", input_shape=(1, 3, SIZE, SIZE), preprocess="raw")
    as_floats = al.lee(network, pixels.float() / 255, "rotate")
    assert photos.lee["rotate"] == pytest.approx(as_floats.lee["rotate"], rel=1e-4)
    with pytest.raises(al.InputError, match="meta"):
        al.lee(network, x.to("meta"))


# --- Exports that are kept --------------------------------------------------------------------------------------------


def test_an_export_is_kept_until_the_module_changes(x: torch.Tensor, exports: list, monkeypatch) -> None:
    network = Small()

    def lee() -> float:
        value = al.lee(network, x, "rotate")
        assert value.value == pytest.approx(probabilities(network, x), rel=1e-4)
        return value.lee["rotate"]

    first = lee()
    assert lee() == first and len(exports) == 1
    network.train()
    assert lee() == first and len(exports) == 1  # evaluation is measured in any case
    changes = [
        lambda: network.head.weight.data.mul_(1.5),  # which PyTorch's own version counters do not see
        lambda: network.stem[1].running_mean.add_(0.5),
        lambda: setattr(network, "factor", 0.5),
        lambda: setattr(network.stem[0], "stride", (1, 1)),
        lambda: network.stem.register_forward_hook(doubled),
        lambda: monkeypatch.setattr(Small, "forward", squared),
        lambda: monkeypatch.setitem(globals(), "SCALE", 3.0),
    ]
    for number, change in enumerate(changes):
        change()
        lee()
        assert len(exports) == 2 + number, f"change {number} was not seen"
        lee()
        assert len(exports) == 2 + number, f"change {number} was seen twice"
    assert al.lee(network, x[:, :, :12], "rotate").provenance["model"]["input_shape"] == [1, 3, 12, SIZE]


def doubled(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
    return 2 * output


def scaled(x: torch.Tensor) -> torch.Tensor:
    return SCALE * x


def squared(self: Small, x: torch.Tensor) -> torch.Tensor:
    return scaled(self.head(self.stem(x).mean((2, 3)) ** 2))


def test_steps_of_a_training_leave_one_file(x: torch.Tensor, exports: list) -> None:
    network, files = Small(), []
    for _ in range(4):
        with torch.no_grad():
            network.head.bias.add_(0.1)
        al.lee(network, x, "rotate", vectors=False, figure=False)
        files.append(exports[-1][2])
    assert [file.exists() for file in files] == [False, False, False, True]


def test_a_failed_export_leaves_nothing(x: torch.Tensor, exports: list) -> None:
    with pytest.raises(al.ExportError):
        al.lee(Small(), x[:, :1], "rotate")
    assert not exports[-1][2].parent.exists()


def test_exporting_warns_of_nothing(x: torch.Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        al.lee(Small(), x, "rotate")
