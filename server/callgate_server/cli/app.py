"""The commands and their options."""

from __future__ import annotations

import typer

from callgate import __version__
from callgate_server.cli.call import call
from callgate_server.cli.exit_codes import EXIT_CODES_HELP
from callgate_server.cli.remote import describe, health, list_functions, reload
from callgate_server.cli.serve import serve
from callgate_server.cli.token import token

__all__ = ["app"]

app = typer.Typer(
    name="callgate",
    help="Call Python functions from a program in any language, over gRPC.\n\n"
    "Start with: callgate serve math mymodule.py   then, elsewhere: callgate call math.sqrt 16.0",
    epilog=EXIT_CODES_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"callgate {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None: ...


app.command()(serve)
# A negative number is an argument, not an option.
app.command(context_settings={"ignore_unknown_options": True})(call)
app.command(name="list")(list_functions)
app.command()(describe)
app.command()(health)
app.command()(reload)
app.command()(token)
