"""Checks licences, sources and advisories of the libraries against deny.toml.

    python3 scripts/deny.py

With cargo-deny (0.16 or newer) where it is installed; its database of advisories is fetched. Where cargo-deny is not,
licences and sources are checked here by what cargo knows of the packages, and advisories are not: it says so.
"""

import json
import re
import shutil
import subprocess

from provision import CHECKOUT, Failure, run_script, say

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression can be met with allowed licences alone: OR chooses, AND needs both, AND binds closer."""
    words = re.findall(r"[()]|[^\s()/]+|/", expression)
    at = 0

    def any_of() -> bool:
        nonlocal at
        met = all_of()
        while at < len(words) and words[at] in ("OR", "/"):
            at += 1
            met = all_of() or met
        return met

    def all_of() -> bool:
        nonlocal at
        met = one()
        while at < len(words) and words[at] == "AND":
            at += 1
            met = one() and met
        return met

    def one() -> bool:
        nonlocal at
        word = words[at]
        at += 1
        if word == "(":
            met = any_of()
            at += 1
            return met
        if at < len(words) and words[at] == "WITH":
            word = " ".join(words[at - 1 : at + 2])
            at += 2
        return word in allowed

    return any_of()


def with_cargo_deny() -> None:
    checks = ["licenses", "bans", "sources"]
    if subprocess.run(["cargo", "deny", "--offline", "check", "--hide-inclusion-graph", *checks], cwd=CHECKOUT).returncode:
        raise Failure("cargo-deny found what deny.toml does not allow; its own message is above")
    if subprocess.run(["cargo", "deny", "fetch", "db"], cwd=CHECKOUT, capture_output=True).returncode:
        say("Advisories are not checked: their database cannot be fetched from here.")
    elif subprocess.run(["cargo", "deny", "check", "advisories"], cwd=CHECKOUT).returncode:
        raise Failure("an advisory concerns a library; cargo-deny's message is above")


def by_metadata() -> None:
    listed = re.search(r"^allow = \[(.*?)^\]", (CHECKOUT / "deny.toml").read_text(), re.DOTALL | re.MULTILINE)
    allowed = set(re.findall(r'"([^"]+)"', listed.group(1) if listed else ""))
    told = subprocess.run(["cargo", "metadata", "--format-version", "1", "--locked"], cwd=CHECKOUT, stdout=subprocess.PIPE)
    if told.returncode:
        raise Failure("cargo cannot list the packages; its own message is above")
    packages = json.loads(told.stdout)["packages"]
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if package["source"] not in (None, REGISTRY):
            raise Failure(f"{name} comes from {package['source']}, not from crates.io")
        if not is_allowed(package["license"] or "none", allowed):
            raise Failure(f"{name} is under {package['license']}, which deny.toml does not allow")
    say(f"{len(packages)} packages: licences and sources are those that deny.toml allows.")
    say("Advisories are not checked: cargo-deny is not installed (`cargo install cargo-deny`).")


def main() -> None:
    if shutil.which("cargo-deny"):
        with_cargo_deny()
    else:
        by_metadata()


if __name__ == "__main__":
    run_script(main)
