"""`make peers` and `make growth`: measure, write the results, and make tables and plots from them.

  make peers                                   everything beside the peers, and scale: 40 to 65 minutes
  make growth                                  callers, functions and payloads that grow: about 2 minutes
  make peers ARGS=--quick                      one short round of everything: figures for development, not for showing
  make peers ARGS='--only rpyc --only callgate-native'      these alone
  make peers ARGS='--function sqrt --callers 64'            this function alone, with so many callers
  make peers ARGS=--tables                     measure nothing; make tables and plots from the results
  make peers ARGS=--list                       what can be measured, and what is not installed here

Results go to loadtest/peers/results.json; README's table, docs/peers.md and docs/peers/*.svg follow if it is that file.
What is narrowed by any option goes to loadtest/results/peers.json instead, so that the shown figures stay of one run.
Close other programs: on two cores whatever else runs is in the figures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from loadtest.peers.cases import CASES
from loadtest.peers.growth import grow
from loadtest.peers.pair import cores_of_this_machine
from loadtest.peers.plan import LEVELS, Target, select
from loadtest.peers.results import RESULTS, circumstances, environment_of, read, record, systems_of
from loadtest.peers.rounds import Extent, measure
from loadtest.peers.scale import scale
from loadtest.peers.served import transports_here
from loadtest.peers.systems.callgate import TRANSPORTS
from loadtest.peers.tables import page, put, small_table
from loadtest.server import ROOT

#: Where narrowed runs go.
_ASIDE = ROOT / "loadtest/results/peers.json"

_PAGE_HEADING = "# Callgate beside what a user would pick instead"


def main() -> int:
    """Do what the command line says; 1 if nothing could be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="peers, scale, growth; without: peers and scale")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a target, or the start of its name"
    )
    parser.add_argument("--function", action="append", default=[], choices=list(CASES), help="only this function")
    parser.add_argument("--callers", action="append", default=[], type=int, metavar="N", help="only so many callers")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of everything; default 5")
    parser.add_argument("--window", type=float, default=0.2, help="seconds of one measurement; default 0.2")
    parser.add_argument("--quick", action="store_true", help="one round, 1 and 64 callers, short windows")
    parser.add_argument("--output", type=Path, help="the results' file")
    parser.add_argument("--tables", action="store_true", help="measure nothing; make tables and plots anew")
    parser.add_argument("--list", action="store_true", help="list the targets")
    options = parser.parse_args()
    unknown = sorted(set(options.parts) - {"peers", "scale", "growth"})
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there is peers, scale, growth")
    if options.rounds < 1 or options.window <= 0 or any(not 1 <= count <= 4096 for count in options.callers):
        parser.error("--rounds is 1 or more, --window above 0, --callers 1 to 4096")
    try:
        chosen = select(options.only)
    except ValueError as error:
        parser.error(str(error))
    narrowed = bool(options.only or options.function or options.callers or options.quick or options.rounds < 5)
    output: Path = options.output or (_ASIDE if narrowed else RESULTS)
    if options.list:
        return _list(chosen)
    if not options.tables:
        _measure(options, chosen, output)
    if output == RESULTS or options.tables:
        _show(read(output), output)
    else:
        print(page(read(output)))
    return 0


def _list(chosen: list[Target]) -> int:
    for target in chosen:
        here = "" if environment_of(target.system) else f"  (not installed here: no {target.system.environment})"
        print(f"{target.name:32} {target.title}{here}")
    return 0


def _measure(options: argparse.Namespace, chosen: list[Target], output: Path) -> None:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", file=sys.stderr, flush=True)

    refused = transports_here(TRANSPORTS)
    for transport, why in refused.items():
        say(f"Callgate's transport {transport} is left out: {why}")
    transports = [transport for transport in TRANSPORTS if transport not in refused]
    cores = cores_of_this_machine()
    parts = options.parts or ["peers", "scale"]
    given = [one for one in sys.argv[1:] if one != "growth"]
    make = "make growth" if parts == ["growth"] else "make peers"
    command = " ".join([make, *([f"ARGS='{' '.join(given)}'"] if given else [])])
    rounds, window = (1, 0.2) if options.quick else (options.rounds, options.window)
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        folder = Path(name)
        if "peers" in parts:
            about = circumstances(command)
            missing = {
                target.system.title: f"no {target.system.environment}: see requirements/"
                for target in chosen
                if not environment_of(target.system)
            }
            for title, why in missing.items():
                say(f"{title} is not installed here: {why}")
            here = [
                target
                for target in chosen
                if target.system.title not in missing and target.variant.partition("-")[0] not in refused
            ]
            levels = tuple(options.callers) or ((1, 64) if options.quick else LEVELS)
            functions = tuple(name for name in Extent().functions if name in (options.function or CASES))
            extent = Extent(rounds, window, functions, levels)

            def started(targets: dict[str, Any]) -> None:
                part = {**about, "rounds": rounds, "window": window, "targets": targets, "not_here": missing}
                part["functions"] = {name: about["functions"][name] for name in functions}
                part["seconds"] = round(time.monotonic() - began)
                record("peers", {**part, "systems": systems_of(here)}, output)

            measure(here, extent, cores, folder, started=started, say=say)
        if "scale" in parts:
            scaled = scale(transports, rounds, 1.0, folder, say)
            record("scale", {**circumstances(command), "transports": scaled}, output)
        if "growth" in parts:
            grown = grow(transports, rounds, 2 * window, cores, folder, say)
            record("growth", {**circumstances(command), "transports": grown}, output)
    say("done")


def _show(results: dict[str, Any], output: Path) -> None:
    """Tables and plots."""
    if not results:
        print(f"{output} has no results yet", file=sys.stderr)
        return
    put(ROOT / "docs/peers.md", page(results), _PAGE_HEADING)
    if "peers" in results:
        put(ROOT / "README.md", small_table(results), "## Beside what you might pick instead")
    python = ROOT / ".venv-peers/bin/python"
    if not python.exists():
        print(f"the plots are as they were: {python} is missing; make .venv-peers/.peers installs it", file=sys.stderr)
        return
    subprocess.run([str(python), "-m", "loadtest.peers.plots", str(output), "docs/peers"], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
