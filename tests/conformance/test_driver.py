"""The driver itself: a runner that lies, dawdles or dies fails its case; a case that is written wrongly is named."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yaml", reason="PyYAML is not installed")

from tests.conformance import __main__ as driver
from tests.conformance.cases import Case, CaseError, load_file
from tests.conformance.matching import AnyOf, AtLeast, Matches, differences, hex_of, value_differences
from tests.conformance.play import Outcome, Player
from tests.conformance.report import LanguageReport, told
from tests.conformance.runner import Language, Runner, RunnerFault
from tests.conformance.servers import Servers

#: A runner that answers by a table: op -> what its answer has. `{"raw": text}` is written as it is.
_LIAR = """
import json, sys
answers = json.loads(sys.argv[1])
for line in sys.stdin:
    request = json.loads(line)
    answer = answers.get(request["op"], {"connected": True, "closed": True})
    if "raw" in answer:
        print(answer["raw"], flush=True)
    elif "exit" in answer:
        print("so long", file=sys.stderr, flush=True)
        sys.exit(answer["exit"])
    elif "silent" in answer:
        continue
    else:
        print(json.dumps({"id": request["id"], **answer}), flush=True)
"""

GOOD_FAILURE = {
    "class": "GateError",
    "raised": False,
    "code": "NOT_FOUND",
    "reason": "FUNCTION_NOT_FOUND",
    "message": "no function",
    "metadata": {},
    "retry_after": None,
    "call_id": "",
    "exception": None,
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers(tmp_path_factory.mktemp("driver")) as made:
        yield made


def liar(**answers: Any) -> Language:
    return Language("liar", (sys.executable, "-c", _LIAR, json.dumps(answers)))


@pytest.fixture
def play(servers: Servers, tmp_path: Path) -> Iterator[Callable[..., Outcome]]:
    """Plays one case, given as YAML, with a runner that answers as told."""
    players = []

    def play(case: str, **answers: Any) -> Outcome:
        player = Player(servers, lambda: Runner(liar(**answers)))
        players.append(player)
        return player.play(written(tmp_path, case))

    yield play
    for player in players:
        player.close()


def written(folder: Path, case: str) -> Case:
    file = folder / "written.yaml"
    file.write_text(f"cases:\n- {{name: a case, why: to see, {case}}}\n")
    (made,) = load_file(file)
    return made


def test_an_honest_answer_passes(play):
    assert play("call: echo, args: [4.0], value: 4.0", call={"value": hex_of(4.0), "seconds": 0.1}).passed


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"value": hex_of(5.0)}, r"expected 4\.0 .*got 5\.0"),
        ({"value": hex_of(4)}, "int_value"),
        ({"value": "zz"}, "no.* hex of a Value"),
        ({"value": None}, "no.* hex of a Value"),
        ({"failure": GOOD_FAILURE}, "it failed: GateError NOT_FOUND FUNCTION_NOT_FOUND: no function"),
        ({}, "it failed"),
        ({"fault": "a bug"}, "could not carry out 'call': a bug"),
        ({"raw": "not JSON"}, "no JSON"),
        ({"raw": '{"id": 999, "value": "1800"}'}, "id"),
        ({"raw": "[1]"}, "id"),
        ({"exit": 3}, r"exit code 3.*\n.*so long"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_answer_fails_the_case_and_says_why(play, answer, complaint):
    outcome = play("call: echo, args: [4.0], value: 4.0", call=answer)
    assert not outcome.passed
    assert not list(differences(Matches(f"(?s){complaint}"), "\n".join(outcome.problems)))


@pytest.mark.parametrize(
    "change",
    [
        {"code": "INTERNAL"},
        {"reason": ""},
        {"raised": True},
        {"raised": None},
        {"message": None},
        {"retry_after": "1"},
        {"exception": {"type": "ValueError"}},
        {"metadata": []},
        {"call_id": None},
    ],
    ids=str,
)
def test_a_failure_that_is_not_whole_or_not_the_one_fails(play, change):
    case = "call: nothing.here, failure: {raised: false, code: NOT_FOUND, reason: FUNCTION_NOT_FOUND}"
    assert play(case, call={"failure": GOOD_FAILURE}).passed
    assert not play(case, call={"failure": {**GOOD_FAILURE, **change}}).passed
    assert not play(case, call={"value": hex_of(None)}).passed


def test_a_stream_that_lacks_an_item_swaps_two_or_fails_at_the_end_fails(play):
    case = "stream: count, args: [2], values: [0, 1]"
    items = [hex_of(0), hex_of(1)]
    assert play(case, stream={"values": items, "failure": None}).passed
    for answer in (
        {"values": items[:1], "failure": None},
        {"values": items[::-1], "failure": None},
        {"values": items, "failure": GOOD_FAILURE},
        {"failure": None},
    ):
        assert not play(case, stream=answer).passed


def test_a_batch_that_swaps_results_fails(play):
    case = "batch: [{function: add, args: [1]}, {function: add, args: [2]}], results: [{value: 2}, {value: 3}]"
    results = [{"value": hex_of(2)}, {"value": hex_of(3)}]
    assert play(case, batch={"results": results}).passed
    assert not play(case, batch={"results": results[::-1]}).passed
    assert not play(case, batch={"results": results[:1]}).passed
    assert not play(case, batch={"failure": GOOD_FAILURE}).passed


def test_a_value_that_should_have_been_refused_fails(play):
    case = 'decode: !hex "", refused: {}'
    assert play(case, value={"failure": {"class": "ValueDecodeError", "message": "no kind"}}).passed
    assert not play(case, value={"value": hex_of(None)}).passed


def test_swapped_answers_and_calls_not_made_fail(play):
    case = "concurrent: 2, calls: 3"
    assert play(case, concurrent={"made": 6, "wrong": []}).passed
    assert not play(case, concurrent={"made": 5, "wrong": []}).passed
    assert not play(case, concurrent={"made": 6, "wrong": ["caller 1 got caller 0's"]}).passed
    assert not play(case, concurrent={}).passed


def test_what_is_not_offered_is_neither_passed_nor_failed(play):
    outcome = play("shared: 2, calls: 3", shared={"unsupported": "no batching here"})
    assert not outcome.passed
    assert not outcome.problems
    assert outcome.unsupported == "no batching here"


def test_a_client_that_lists_what_is_not_there_or_leaves_out_what_is_fails(play):
    case = "list: m, exactly: true, functions: {m.f: {doc: Text.}}"
    entry = {"module": "m", "function": "f", "signature": "()", "doc": "Text.", "executor": "default"}
    assert play(case, list={"functions": [entry]}).passed
    assert not play(case, list={"functions": []}).passed
    assert not play(case, list={"functions": [{**entry, "doc": ""}]}).passed
    assert not play(case, list={"functions": [entry, {**entry, "function": "g"}]}).passed
    assert not play(case, list={"functions": [entry, entry]}).passed


def test_a_runner_that_does_not_answer_is_ended():
    with Runner(liar(call={"silent": True})) as runner:
        with pytest.raises(RunnerFault, match=r"within 0\.2 s"):
            runner.ask("call", limit=0.2)
        assert not runner.alive


def test_a_runner_that_ends_badly_is_told():
    runner = Runner(Language("bad end", (sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(4)")))
    assert "exit code 4" in runner.close()


def test_a_language_without_its_runner_is_skipped_by_name_or_a_failure_if_all_are_required(tmp_path):
    missing = Language("klingon", (str(driver.LANGUAGES["go"].command[0]).replace("/go/", "/klingon/"),))
    (report,) = driver.run([missing], [], tmp_path)
    assert report.missing == "there is no client/klingon"
    assert "SKIPPED klingon: there is no client/klingon" in told([report])
    passed = LanguageReport("python", outcomes=[Outcome(Case("g", "n", "w", ()))])
    assert not driver.failed([report, passed], require_all=False)
    assert driver.failed([report, passed], require_all=True)
    assert driver.failed([report], require_all=False)


def test_a_failure_is_told_with_its_why_and_a_gap_is_no_failure():
    case = Case("group", "the case", "the why", (), gaps={"go": "known"})
    bad = [Outcome(case, problems=["value: expected 1, got 2"])]
    ours, theirs = LanguageReport("python", outcomes=bad), LanguageReport("go", outcomes=bad)
    text = told([ours, theirs])
    assert "FAILED python · group · the case\n  why it matters: the why\n  value: expected 1, got 2\n" in text
    assert "GAP go · group · the case: known" in text
    assert driver.failed([ours], require_all=False)
    assert not driver.failed([theirs], require_all=False)


@pytest.mark.parametrize(
    ("case", "complaint"),
    [
        ("call: echo, valeu: 1", "valeu"),
        ("cal: echo", "no steps"),
        ("call: echo, stream: count", "not exactly one"),
        ("steps: [{value: 1}]", "begins with"),
        ("steps: [{call: echo}], value: 1", "beside steps"),
        ("call: echo, args: [!bytes much]", "size"),
    ],
)
def test_a_case_that_is_written_wrongly_is_named(tmp_path, case, complaint):
    with pytest.raises(CaseError, match=complaint):
        written(tmp_path, case)


def test_a_case_without_its_why_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("cases:\n- {name: a case, call: echo}\n")
    with pytest.raises(CaseError, match="why"):
        load_file(tmp_path / "x.yaml")


def test_values_are_compared_as_values_not_as_bytes():
    def same(left: Any, right: Any) -> bool:
        return not list(value_differences(left, hex_of(right), "value"))

    assert same(float("nan"), float("nan"))
    assert same({1, 2, 3}, {3, 2, 1})
    assert not same(0.0, -0.0)
    assert not same(1, 1.0)
    assert not same(1, True)
    assert not same({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not same((1,), [1])


@pytest.mark.parametrize(
    ("expected", "got", "fits"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"b": 2}, False),
        ([1], [1, 2], False),
        (True, 1, False),
        (1, True, False),
        (Matches("^a"), "abc", True),
        (Matches("^a"), None, False),
        (AnyOf((1, Matches("x"))), "xyz", True),
        (AnyOf((1, 2)), 3, False),
        (AtLeast(1), 1.5, True),
        (AtLeast(1), None, False),
    ],
)
def test_expectations_are_partial_where_they_are_mappings_and_whole_elsewhere(expected, got, fits):
    assert (not list(differences(expected, got))) is fits


def test_the_command_line_lists_cases_with_their_whys_and_refuses_unknown_ones(capsys):
    assert driver.main(["--list", "--file", "streams"]) == 0
    shown = capsys.readouterr().out
    assert "streams · items come in order, to the end\n    300 of them" in shown
    assert driver.main(["--list", "--case", "no such case"]) == 2
