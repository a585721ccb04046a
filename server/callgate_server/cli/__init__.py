"""The `callgate` command. Parts are built here and passed on; nothing below reads arguments or the environment."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    try:
        from callgate_server.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in {"callgate", "callgate_server"}:
            raise
        print(f"callgate: the command line needs {error.name}: pip install 'callgate[server]'", file=sys.stderr)
        sys.exit(2)
    app(prog_name="callgate")
