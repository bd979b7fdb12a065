"""How equivariant a vision network is, which layers break it, why, and what would fix it.

    import aliascope as al

    result = al.lee(network, al.images("photos", limit=100))   # a torch.nn.Module, an ONNX file, "timm:resnet50"
    result.table                                               # LEE of each generator, with standard errors
    al.layers(network, "photos", "translate_x").plot()         # which layer makes the error

Every call runs the command `aliascope` in a process of its own and reads the files that it writes: the numbers are the
command's, two versions of libtorch never share a process, and a crash does not take the notebook along. `setup` fetches
libtorch where no PyTorch of the same version is installed, and `doctor` says what is here and what is missing.

Whatever goes wrong is an `AliascopeError` with the command's sentence; notes are `AliascopeWarning`s.
"""

from __future__ import annotations

import importlib.metadata

from .calls import antialias, doctor, harmonics, layers, lee, metrics, setup, theorem
from .comparison import Comparison, compare
from .errors import (
    AliascopeError,
    AliascopeWarning,
    CheckError,
    DefectError,
    ExportError,
    InputError,
    InterruptedRun,
    MachineError,
    ModelError,
    NotFiniteError,
    OutputError,
    UnsupportedError,
    UsageError,
)
from .images import Images, images
from .results import (
    AntialiasResult,
    HarmonicsResult,
    LayersResult,
    LeeResult,
    MetricsResult,
    NetworkResult,
    NodeTheoremResult,
    Result,
    TheoremResult,
)

try:
    __version__ = importlib.metadata.version("aliascope")
except importlib.metadata.PackageNotFoundError:  # run from its sources
    __version__ = "0+sources"

__all__ = [
    "AliascopeError",
    "AliascopeWarning",
    "AntialiasResult",
    "CheckError",
    "Comparison",
    "DefectError",
    "ExportError",
    "HarmonicsResult",
    "Images",
    "InputError",
    "InterruptedRun",
    "LayersResult",
    "LeeResult",
    "MachineError",
    "MetricsResult",
    "ModelError",
    "NetworkResult",
    "NodeTheoremResult",
    "NotFiniteError",
    "OutputError",
    "Result",
    "TheoremResult",
    "UnsupportedError",
    "UsageError",
    "antialias",
    "compare",
    "doctor",
    "harmonics",
    "images",
    "layers",
    "lee",
    "metrics",
    "setup",
    "theorem",
]
