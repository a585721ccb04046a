"""The Python client passes the conformance cases; `python -m tests.conformance` plays them in every language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import callgate._connection
import tests.conftest

pytest.importorskip("yaml", reason="PyYAML is not installed")

from callgate.failures import REASON_CODES
from tests.conformance import bad_values, cases
from tests.conformance.matching import Wire
from tests.conformance.play import Player
from tests.conformance.runner import LANGUAGES, Runner
from tests.conformance.servers import Servers

CASES = cases.load_all()


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    with Servers(tmp_path_factory.mktemp("conformance"), tests.conftest.transport) as servers:
        native = callgate._connection.DEFAULT_TRANSPORT == "native"
        made = Player(servers, lambda: Runner(LANGUAGES["python-native" if native else "python"]))
        yield made
        assert made.close() == ""


def _parameters() -> Iterator[Any]:
    """The cases that are for every run; those that start a server or wait for a deadline take longer than 0.25 s."""
    for case in CASES:
        if not case.slow:
            quick = case.server == "plain" and not case.alone
            quick = quick and case.group not in ("concurrency", "connection", "deadlines", "payloads", "security")
            marks = () if quick else (pytest.mark.slow,)
            yield pytest.param(case, id=f"{case.group}: {ascii(case.name)[1:-1]}", marks=marks)


@pytest.mark.parametrize("case", list(_parameters()))
def test_python_passes(case: cases.Case, player: Player) -> None:
    outcome = player.play(case)
    if outcome.problems and "python" in case.gaps:
        pytest.xfail(case.gaps["python"])
    assert outcome.problems == [], case.why
    assert "python" not in case.gaps, "it passes: the gap is to be taken out"
    if outcome.unsupported:
        pytest.skip(outcome.unsupported)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if case.slow])
def test_python_passes_with_many_callers(case: cases.Case, player: Player) -> None:
    outcome = player.play(case)
    assert outcome.problems == [], case.why


def test_the_bad_values_file_is_what_its_module_makes() -> None:
    assert bad_values.FILE.read_text("utf-8") == bad_values.content()


def test_every_reason_of_the_contract_is_met_by_a_case() -> None:
    met = {
        step.options["failure"].get("reason")
        for case in CASES
        for step in case.steps
        if isinstance(step.options.get("failure"), dict)
    }
    assert set(REASON_CODES) <= {reason for reason in met if isinstance(reason, str)}


def test_every_server_that_is_defined_is_used(tmp_path) -> None:
    with Servers(tmp_path) as servers:
        assert servers.names() == {case.server for case in CASES}


def test_golden_values_are_sent_in_each_of_their_forms() -> None:
    (floats,) = (case for case in CASES if case.group == "values" and case.name == "list of floats")
    decoded = [step.subject for step in floats.steps if step.verb == "decode"]
    assert len(decoded) == 2
    assert all(isinstance(value, Wire) for value in decoded)
