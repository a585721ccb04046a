"""What people read: a table of files × languages, and every failure with its case's why."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.conformance.play import Outcome

__all__ = ["LanguageReport", "told"]

#: Of one case: more problems, and longer ones, teach nothing.
_MOST, _CHARS = 6, 1500


@dataclass
class LanguageReport:
    """How one language did.

    Attributes:
        language: its name.
        about: what its runner said of itself.
        missing: why it was skipped; "" if it was not.
        outcomes: how each case went.
        problems: what was wrong beside the cases.
    """

    language: str
    about: str = ""
    missing: str = ""
    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[Outcome]:
        """The cases that it failed, known gaps aside."""
        return [one for one in self.outcomes if one.problems and not self.gap(one)]

    def gap(self, outcome: Outcome) -> str:
        """Why a case is known not to pass in this language; "" if it is not."""
        return outcome.case.gaps.get(self.language, "")


def told(reports: Sequence[LanguageReport], width: int = 120, *, colour: bool = False) -> str:
    """All of it as text."""
    console = Console(file=io.StringIO(), width=width, force_terminal=colour, highlight=False, emoji=False)
    groups = list(dict.fromkeys(outcome.case.group for report in reports for outcome in report.outcomes))
    if groups:
        console.print(_table(reports, groups))
    for report in reports:
        _print_details(console, report)
    made: io.StringIO = console.file  # type: ignore[assignment]  # as made above
    return made.getvalue()


def _table(reports: Sequence[LanguageReport], groups: Iterable[str]) -> Table:
    played = [report for report in reports if not report.missing]
    table = Table("cases", *(report.language for report in played), title="passed / played", title_justify="left")
    for group in groups:
        cells = (_cell(report, [one for one in report.outcomes if one.case.group == group]) for report in played)
        table.add_row(group, *cells)
    table.add_section()
    table.add_row("all", *(_cell(report, report.outcomes) for report in played))
    table.add_row("seconds", *(f"{sum(one.seconds for one in report.outcomes):.1f}" for report in played))
    return table


def _cell(report: LanguageReport, outcomes: Sequence[Outcome]) -> Text:
    if not outcomes:
        return Text("–", "dim")
    passed = sum(one.passed for one in outcomes)
    failed = sum(bool(one.problems) and not report.gap(one) for one in outcomes)
    notes = {
        "failed": failed,
        "gaps": sum(bool(one.problems) and bool(report.gap(one)) for one in outcomes),
        "unsupported": sum(bool(one.unsupported) for one in outcomes),
    }
    text = f"{passed}/{len(outcomes)}" + "".join(f", {count} {name}" for name, count in notes.items() if count)
    return Text(text, "bold red" if failed else "yellow" if passed < len(outcomes) else "green")


def _print_details(console: Console, report: LanguageReport) -> None:
    def say(text: Text) -> None:
        console.print(text, soft_wrap=True)  # one line each, however long: for grep

    if report.missing:
        say(Text(f"SKIPPED {report.language}: {report.missing}", "yellow"))
        return
    say(Text(f"{report.language}: {report.about}", "dim"))
    for outcome in report.outcomes:
        case, gap = outcome.case, report.gap(outcome)
        name = f"{report.language} · {case.group} · {case.name}"
        if outcome.problems and gap:
            say(Text(f"GAP {name}: {gap}", "yellow"))
        elif outcome.problems:
            say(Text(f"FAILED {name}", "bold red"))
            say(Text(f"  why it matters: {case.why}"))
            for problem in outcome.problems[:_MOST]:
                say(Text(f"  {problem if len(problem) <= _CHARS else problem[:_CHARS] + '…'}"))
            if len(outcome.problems) > _MOST:
                say(Text(f"  … and {len(outcome.problems) - _MOST} more"))
        elif outcome.unsupported:
            say(Text(f"UNSUPPORTED {name}: {outcome.unsupported}", "yellow"))
        elif gap:
            say(Text(f"PASSED, though {name} is noted as a gap: take the note out", "yellow"))
    for problem in report.problems:
        say(Text(f"FAILED {report.language}: {problem}", "bold red"))
