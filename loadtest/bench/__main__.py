"""`make bench`: run the measurements, write results.json, make README's table from it.

Exit code 1 if a figure is not what it is held to: the results are written all the same.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

from loadtest import bench
from loadtest.bench.report import RESULTS, met, read, record, write_table
from tests.conformance.runner import LANGUAGES


def measurements() -> dict[str, object]:
    """The modules of this package that have a `run`, by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(bench.__path__) if not info.name.startswith("_"))
    modules = {name: importlib.import_module(f"{bench.__name__}.{name}") for name in names}
    return {name: module.run for name, module in modules.items() if hasattr(module, "run")}


def main() -> int:
    """Run what the command line names."""
    found = measurements()
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    names = f"only these of: {', '.join(found)}; one language's client: clients:go"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--table", action="store_true", help="measure nothing; make README's table from the results")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the results; README follows only the default")
    parser.add_argument("--report-only", action="store_true", help="exit code 0 also where a figure is not met")
    options = parser.parse_args()
    unknown = sorted(
        name for name in options.names if name not in found and name not in {f"clients:{one}" for one in LANGUAGES}
    )
    if unknown:
        parser.error(f"no measurement {', '.join(unknown)}; there is {', '.join(found)}")
    missed = []
    for name in () if options.table else options.names or found:
        module, _, part = name.partition(":")
        figures = found[module](*([part] if part else []))  # type: ignore[operator]  # a module's run
        for figure in figures:
            bound = f"{'at most' if figure.at_most else 'at least'} {figure.target:g}"
            verdict = "" if met(figure) else "  MISSED"
            low, high = figure.spread
            print(
                f"{name}: {figure.name}: {figure.ratio:.3f} ({low:.3f} to {high:.3f}), {bound}{verdict}; {figure.notes}"
            )
            sys.stdout.flush()
            if not met(figure):
                missed.append(figure.name)
        record(name, figures, f"make bench ARGS={name}", options.output)
    if options.output == RESULTS:
        write_table(read())
    return 1 if missed and not options.report_only else 0


if __name__ == "__main__":
    sys.exit(main())
