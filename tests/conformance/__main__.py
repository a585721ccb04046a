"""The conformance driver: starts real servers, runs every case in every language, prints the table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.cases import Case, CaseError, load_all
from tests.conformance.play import Player
from tests.conformance.report import LanguageReport, told
from tests.conformance.runner import LANGUAGES, Language, Runner, RunnerFault
from tests.conformance.servers import Servers

#: So many cases in a row that broke the runner are enough to know that it is broken itself.
_HOPELESS = 5

_HELP = """\
examples:
  python -m tests.conformance                              every case in every language that is built
  python -m tests.conformance --language go                one language (build it first: make -C client/go runner)
  python -m tests.conformance --language go --case cause   cases whose name has "cause" in it
  python -m tests.conformance --file failures --list       what cases/failures.yaml asks for, and why
  python -m tests.conformance --require-all                a language that cannot run is a failure, not skipped
  python -m tests.conformance --bench --language go        how fast its client is beside its bare stub

A failure is told with its case's why, the step, and expected beside got. Look at the case in tests/conformance/cases/:
it is data. tests/conformance/README.md has the protocol and the cases' language. Exit code 1 if anything failed.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description=__doc__,
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--language", action="append", choices=LANGUAGES, help="only this one; may come again (default: all)"
    )
    made.add_argument("--case", action="append", metavar="TEXT", help="only cases with this in their name; may repeat")
    made.add_argument("--file", action="append", metavar="NAME", help="only cases/NAME.yaml; may come again")
    made.add_argument("--list", action="store_true", help="show the cases and their whys, and run nothing")
    made.add_argument("--quick", action="store_true", help="leave out the cases that are marked slow")
    made.add_argument("--require-all", action="store_true", help="fail where a language cannot run")
    made.add_argument("--transport", default="grpcio", help="the servers' transport (default: %(default)s)")
    made.add_argument("--bench", action="store_true", help="measure each client beside its bare stub; plays no case")
    made.add_argument("--seconds", type=float, default=2.0, help="of each measurement (default: %(default)s)")
    made.add_argument("--output", type=Path, metavar="FILE", help="with --bench: put the figures into this JSON file")
    made.add_argument("--verbose", action="store_true", help="name each case as it is played")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    options = parser().parse_args(arguments)
    if options.bench:
        return _bench(options)
    try:
        cases = _chosen(options)
    except CaseError as error:
        print(f"tests.conformance: {error}", file=sys.stderr)
        return 2
    if not cases:
        print("tests.conformance: no case has that name; --list shows them", file=sys.stderr)
        return 2
    if options.list:
        for case in cases:
            print(f"{case.group} · {case.name}{' (slow)' if case.slow else ''}\n    {case.why}")
        return 0
    languages = [LANGUAGES[name] for name in options.language or LANGUAGES]
    with tempfile.TemporaryDirectory(prefix="callgate-conformance-") as folder:
        try:
            reports = run(languages, cases, Path(folder), options.transport, verbose=options.verbose)
        except CaseError as error:  # what only playing it shows
            print(f"tests.conformance: {error}", file=sys.stderr)
            return 2
    print(told(reports, colour=sys.stdout.isatty()), end="")
    return 1 if failed(reports, require_all=options.require_all or bool(options.language)) else 0


def _bench(options: argparse.Namespace) -> int:
    from loadtest.bench.clients import measure
    from loadtest.bench.report import met, record

    names = options.language or LANGUAGES
    figures = measure([LANGUAGES[name] for name in names], options.transport, options.seconds)
    for figure in figures:
        low, high = figure.spread
        verdict = "" if met(figure) else "  MISSED"
        print(f"{figure.name}: {figure.ratio:.3f} ({low:.3f} to {high:.3f}){verdict}; {figure.notes}")
    if options.output:
        flags = [f"--language {name}" for name in options.language or ()]
        command = " ".join(["python -m tests.conformance --bench", *flags, f"--transport {options.transport}"])
        record("clients", figures, command, options.output)
    return 0 if figures and all(map(met, figures)) else 1


def failed(reports: Sequence[LanguageReport], *, require_all: bool) -> bool:
    """Whether the run is a failure."""
    return any(report.failed or report.problems or (report.missing and require_all) for report in reports) or all(
        report.missing for report in reports
    )


def _chosen(options: argparse.Namespace) -> list[Case]:
    cases = load_all()
    if options.file:
        cases = [case for case in cases if case.group in {name.removesuffix(".yaml") for name in options.file}]
    if options.case:
        cases = [case for case in cases if any(text.lower() in case.name.lower() for text in options.case)]
    return [case for case in cases if not (options.quick and case.slow)]


def run(
    languages: Sequence[Language],
    cases: Sequence[Case],
    folder: Path,
    transport: str = "grpcio",
    *,
    verbose: bool = False,
) -> list[LanguageReport]:
    """Play cases in languages, one language after the other, against the same servers.

    Args:
        languages: which.
        cases: which.
        folder: an empty folder for the servers' files.
        transport: the servers' transport.
        verbose: whether to name each case on standard error as it is played.

    Returns:
        How each language did.
    """
    with Servers(folder, transport) as servers:
        return [_run_language(language, cases, servers, verbose=verbose) for language in languages]


def _run_language(language: Language, cases: Sequence[Case], servers: Servers, *, verbose: bool) -> LanguageReport:
    report = LanguageReport(language.name, missing=language.missing())
    if report.missing:
        return report
    player = Player(servers, lambda: Runner(language))
    try:
        hello = player.runner.ask("hello")
    except RunnerFault as fault:
        report.missing = str(fault)
        return report
    report.about = f"{hello.get('language')} {hello.get('version')}, {hello.get('grpc')}"
    for case in cases:
        if verbose:
            print(f"{language.name} · {case.group} · {case.name}", file=sys.stderr, flush=True)
        report.outcomes.append(player.play(case))
        if len(report.outcomes) >= _HOPELESS and all(one.broke for one in report.outcomes[-_HOPELESS:]):
            report.problems.append(f"the last {_HOPELESS} cases all broke the runner; the rest was not played")
            return report
    problem = player.close()
    if problem:
        report.problems.append(problem)
    return report


if __name__ == "__main__":
    sys.exit(main())
