"""`python -m aliascope setup` fetches libtorch; every other subcommand is the command's own."""

from __future__ import annotations

import argparse
import subprocess
import sys

from .calls import setup
from .command import command, environment
from .errors import AliascopeError


def main() -> int:
    if sys.argv[1:2] == ["setup"]:
        parser = argparse.ArgumentParser("python -m aliascope setup", description="Fetch libtorch, once per user.")
        parser.add_argument("--verify", action="store_true", help="compare every file's hash, not only its size")
        print(f"libtorch is ready: {setup(parser.parse_args(sys.argv[2:]).verify)}")
        return 0
    own = {name: value for name, value in environment().items() if name != "ALIASCOPE_PROGRESS"}
    return subprocess.run([str(command()), *sys.argv[1:]], env=own).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AliascopeError as error:
        sys.exit(f"aliascope: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
