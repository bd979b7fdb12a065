"""How the tests run a notebook, and look at what it shows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[3] / "examples" / "notebooks"
PACKAGE = Path(__file__).parents[2]


class Shown:
    """A notebook that was run to its end: an error in a cell fails the test."""

    def __init__(self, name: str, **asked: str) -> None:
        """Afterwards the expressions `asked` are evaluated in it, to compare their values; they must be JSON."""
        book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
        assert not any(cell.get("outputs") for cell in book.cells), "a notebook is kept without its outputs"
        values = ", ".join(f"{key!r}: {expression}" for key, expression in asked.items())
        book.cells.append(nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({{{values}}}))"))
        paths = [str(PACKAGE), os.environ.get("PYTHONPATH", "")]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
        variables.pop("MPLBACKEND", None)  # notebooks draw into themselves
        client = NotebookClient(book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}})
        client.execute(env=variables)
        self.cells = [cell for cell in book.cells if cell.cell_type == "code"]
        self.asked: dict[str, Any] = json.loads(self.text(-1))

    def outputs(self, cell: int) -> list[Any]:
        return list(self.cells[cell].outputs)

    def text(self, cell: int) -> str:
        """What a cell printed or showed as text."""
        said = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in self.outputs(cell)]
        return "\n".join(said)

    def html(self, cell: int) -> str:
        """What a cell showed as HTML."""
        return "\n".join(output.get("data", {}).get("text/html", "") for output in self.outputs(cell))

    def pictures(self) -> int:
        return sum("image/png" in output.get("data", {}) for cell in self.cells for output in cell.outputs)

    def complaints(self) -> str:
        """What was written on standard error."""
        said = [output.text for cell in self.cells for output in cell.outputs if output.get("name") == "stderr"]
        return "\n".join(said)
