"""`callgate token`: make a bearer token."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from callgate_server.cli.exit_codes import ExitCode
from callgate_server.security.tokens import TokenFileError, add_token

__all__ = ["token"]


def token(
    name: Annotated[
        str, typer.Argument(help="Who it is for: what functions and the log will see.", show_default=False)
    ],
    file: Annotated[Path, typer.Option(help="The token file to add it to; made if it is not there.")] = Path(
        "tokens.txt"
    ),
) -> None:
    """Make a bearer token: it is printed once, and its hash goes into the token file.

    callgate token alice --file tokens.txt > alice.token

    callgate serve math --tokens tokens.txt

    callgate call math.sqrt 16.0 --token-file alice.token
    """
    try:
        made = add_token(file, name)
    except (TokenFileError, OSError) as error:
        print(f"callgate token: {error}", file=sys.stderr)
        raise typer.Exit(ExitCode.USAGE) from None
    print(made)
    print(f"added {name} to {file}; the token above is stored nowhere else", file=sys.stderr)
