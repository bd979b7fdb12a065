"""Progress bars, by tqdm, in terminals and notebooks."""

from __future__ import annotations

import sys
import warnings
from typing import Any


def _is_watched() -> bool:
    return "ipykernel" in sys.modules or sys.stderr.isatty()


def _tqdm() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # in notebooks without ipywidgets, where it draws a bar of text
        from tqdm.auto import tqdm
    return tqdm


class Steps:
    """Steps of a run; a bar where it is wanted, else where somebody watches and there is more than one step."""

    def __init__(self, what: str, wanted: bool | None) -> None:
        self._what = what
        self._wanted = wanted
        self._bar: Any = None

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def reach(self, done: int, of: int, things: str) -> None:
        """So many of so many things are done."""
        wanted = self._wanted if self._wanted is not None else of > 1 and _is_watched()
        if not wanted:
            return
        if self._bar is None:
            self._bar = _tqdm()(total=of, desc=f"aliascope {self._what}", unit=things.rstrip("s"), leave=False)
        self._bar.total = of
        self._bar.update(done - self._bar.n)


class Bytes:
    """Bytes of a download."""

    def __init__(self, what: str, wanted: bool | None) -> None:
        self._what = what
        self._wanted = _is_watched() if wanted is None else wanted
        self._bar: Any = None

    def __enter__(self) -> Bytes:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def reach(self, done: int, of: int) -> None:
        """So many of so many bytes are there."""
        if not self._wanted:
            return
        if self._bar is None:
            self._bar = _tqdm()(total=of, desc=self._what, unit="B", unit_scale=True)
        self._bar.update(done - self._bar.n)
