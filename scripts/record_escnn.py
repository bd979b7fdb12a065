"""Records what escnn's group convolutions over p4 compute, as tests/fixtures/escnn-p4.safetensors.

escnn 1.0.11 (BSD-3-Clause-Clear) with PyTorch: a lifting convolution of one image channel to two regular fields, and
one of two regular fields to three, 5 × 5 and 3 × 3 taps, with weights of its own. Kept are its expanded filters, the
input and the outputs, in single precision. Its modules for three dimensions need packages that have to be compiled and
are of no use here (lie_learn, py3nj): empty ones stand in for them.

    pip install torch==2.13.0 numpy safetensors scipy joblib autograd pymanopt && pip install --no-deps escnn==1.0.11
    python3 scripts/record_escnn.py
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

for name in ("lie_learn", "lie_learn.representations", "lie_learn.representations.SO3",
             "lie_learn.representations.SO3.wigner_d", "lie_learn.spaces", "lie_learn.spaces.S3", "py3nj"):  # fmt: skip
    module = types.ModuleType(name)
    module.__getattr__ = lambda attribute: MagicMock()  # type: ignore[method-assign]
    module.__path__ = []  # type: ignore[attr-defined]
    sys.modules.setdefault(name, module)

import torch  # noqa: E402
from escnn import gspaces, nn  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

FIXTURE = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "escnn-p4.safetensors"


def main() -> None:
    torch.manual_seed(0)
    plane = gspaces.rot2dOnR2(N=4)
    image = nn.FieldType(plane, [plane.trivial_repr])
    fields = [nn.FieldType(plane, count * [plane.regular_repr]) for count in (2, 3)]
    lifting = nn.R2Conv(image, fields[0], kernel_size=5, padding=2, bias=False)
    between = nn.R2Conv(fields[0], fields[1], kernel_size=3, padding=1, bias=False)
    x = torch.randn(2, 1, 7, 7)
    lifting.eval()
    between.eval()
    with torch.no_grad():
        lifted = lifting(nn.GeometricTensor(x, image))
        output = between(lifted)
    tensors = {
        "x": x,
        "lifting": lifting.filter,
        "lifted": lifted.tensor,
        "between": between.filter,
        "output": output.tensor,
    }
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, FIXTURE)


if __name__ == "__main__":
    main()
