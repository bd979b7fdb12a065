"""Checks the documentation's Markdown: no line of prose is too long, and every link and path leads somewhere.

    python3 scripts/prose.py
    python3 scripts/prose.py FILE.md...     these files alone

Tables, code blocks and lines that hold nothing but a link may be longer. A relative link must name a file that exists
and, after a #, a heading of it. A path in code quotes, such as `src/graph/mod.rs`, must exist as well. Each fault is
printed as FILE:LINE: what is wrong.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Iterator

from provision import CHECKOUT, Failure, run_script

LONGEST = 120
PAGES = ("*.md", "docs/**/*.md", "fuzz/*.md")

LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\]\([^)]*\))*\]\(([^)\s]+)\)")
LINK_ALONE = re.compile(r"\s*(?:[-*] )?(?:!?\[[^\]]*\]\([^)]*\)|\[[^\]]*\]: \S+|<\S+>)[.,;:]?\s*")
PATH = re.compile(r"`((?:assets|benches|core|docs|examples|fuzz|scripts|src|tests)/[\w./*-]+)`")
LIST_ITEM = re.compile(r" {0,3}(?:[-*]|\d+\.) ")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a page outside of code blocks and tables, with their numbers from 1."""
    fenced = code = in_list = False
    blank = True
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if fenced:
            continue
        if not line.strip():
            blank = True
            continue
        # Four spaces begin a code block after a blank line; below a list item they may continue it.
        code = line.startswith("    ") and (code or (blank and not in_list))
        if not line.startswith(" "):
            in_list = False
        in_list = in_list or bool(LIST_ITEM.match(line))
        blank = False
        if not code and not line.lstrip().startswith("|"):
            yield number, line


def anchors(text: str) -> set[str]:
    """The names that links give the headings of a page: lower case, without punctuation, spaces as hyphens."""
    found: set[str] = set()
    for _, line in prose(text):
        if re.match(r"#{1,6} ", line):
            plain = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            found.add(plain.replace(" ", "-"))
    return found


def faults(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(CHECKOUT) if page.is_relative_to(CHECKOUT) else page
    for number, line in prose(text):
        if len(line) > LONGEST and not LINK_ALONE.fullmatch(line):
            yield f"{name}:{number}: {len(line)} characters of prose, where {LONGEST} are the most: wrap it"
    # Links and paths may stand in tables too.
    for number, line in enumerate(text.splitlines(), start=1):
        for path in PATH.findall(line):
            if not any(CHECKOUT.glob(path)):
                yield f"{name}:{number}: there is no {path}"
        for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists():
                yield f"{name}:{number}: the link {target} leads to no file"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
                yield f"{name}:{number}: the link {target} leads to no heading"


def main() -> None:
    given = [Path(argument).resolve() for argument in sys.argv[1:]]
    pages = given or sorted({page for pattern in PAGES for page in CHECKOUT.glob(pattern)})
    found = [fault for page in pages for fault in faults(page)]
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        raise Failure(f"{len(found)} faults in the documentation, listed above")


if __name__ == "__main__":
    run_script(main)
