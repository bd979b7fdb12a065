#!/usr/bin/env python3
"""Makes assets/fonts from DejaVu Sans (Debian: fonts-dejavu-core; Python: fonttools).

Figures must look the same on a machine without fonts, so the two faces that they use are part of the crate, cut
down to the characters that labels can need.
"""

import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/fonts/truetype/dejavu")
TARGET = pathlib.Path(__file__).resolve().parent.parent / "assets" / "fonts"
UNICODES = ",".join(
    [
        "U+0020-007E",  # ASCII
        "U+00A0-00FF",  # Latin-1: ² ³ · × ÷ ± °
        "U+0391-03C9",  # Greek
        "U+2010-2027",  # dashes, quotation marks, …
        "U+2070-209C",  # superscripts and subscripts
        "U+2190-2193",  # arrows
        "U+2200-22A5",  # mathematical operators: ∂ ∇ ∈ − √ ∞ ‖ ≤ ≥ ≈
        "U+27E8-27E9",  # angle brackets
        "U+FFFD",  # what stands for the rest
    ]
)

for face in ["DejaVuSans", "DejaVuSans-Bold"]:
    command = [sys.executable, "-m", "fontTools.subset", str(SOURCE / f"{face}.ttf"), f"--unicodes={UNICODES}"]
    command += [f"--output-file={TARGET / face}.ttf", "--layout-features=kern", "--no-hinting", "--name-IDs=*"]
    subprocess.run(command, check=True)
