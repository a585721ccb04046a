"""Callgate as other programs meet it: the installed command, in processes of their own.

    with ServerProcess("math") as server:      # callgate serve math, on a free port
        assert callgate_command("call", "math.sqrt", "16.0", server=server).stdout == "4.0\\n"

For tests that need no process, `serve` in conftest.py is a hundred times faster.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from loadtest.server import CALLGATE, ServerProcess

__all__ = ["CALLGATE", "ServerProcess", "callgate_command"]


def callgate_command(
    *arguments: str,
    server: ServerProcess | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    seconds: float = 30.0,
    under: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run `callgate` to its end.

    Args:
        *arguments: its arguments.
        server: the server that it is to speak to, by $CALLGATE_SERVER.
        env: further environment variables.
        cwd: the folder to run in.
        seconds: how long it may take.
        under: a command that is to run it, with its arguments.

    Returns:
        Its exit code and what it wrote.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CALLGATE_")}
    # Wide and plain, so that no sentence of the help or an error is wrapped.
    environment |= {"COLUMNS": "200", "NO_COLOR": "1", **(env or {})}
    if server is not None:
        environment["CALLGATE_SERVER"] = server.address
    return subprocess.run(
        [*under, CALLGATE, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
        env=environment,
        cwd=cwd,
    )
