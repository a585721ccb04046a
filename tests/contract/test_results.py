"""What a call returns, or raises, is the same on every executor."""

from __future__ import annotations

import math

import pytest

import callgate
from callgate.failures import error_from_status

VALUES = [
    None, True, 0, -1, 2**63, -(2**200), 1.5, math.inf, -0.0, "", "é😀", "\ud800", b"\x00\xff", [], [1, "a", None],
    (1, (2,)), {1, 2}, frozenset({"x"}), {}, {"a": [1.0, 2.0]}, {(1, 2): {"b": b"c"}, None: False},
]  # fmt: skip


def remote(failure):
    return error_from_status(failure.status)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_plain_value_comes_back_as_it_went(harness, value):
    result = harness.call("same", value)
    assert result == value
    assert type(result) is type(value)


def test_positional_and_keyword_arguments_reach_the_parameters(harness):
    assert harness.call("add", 1, b=2) == 3
    assert harness.call("add", 1) == 11
    assert harness.call("echo", 1, "two", three=3) == [[1, "two"], {"three": 3}]


def test_a_megabyte_goes_and_comes(harness):
    value = {"bytes": b"x" * (1 << 20), "floats": [float(n) for n in range(10_000)]}
    assert harness.call("same", value) == value


@pytest.mark.slow
def test_long_doubles_come_back_bit_by_bit(harness):
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    array = numpy.arange(6).reshape(2, 3).astype(numpy.longdouble) / 7
    result = harness.call("same", [array, array[0, 1]])
    assert [type(one) for one in result] == [numpy.ndarray, numpy.longdouble]
    assert result[0].dtype == array.dtype
    assert numpy.array_equal(result[0], array)  # a float64 would not be equal
    assert result[1] == array[0, 1]


def test_an_exception_arrives_whole(harness):
    error = remote(harness.fails("fail", "a key"))
    assert isinstance(error, KeyError)
    assert isinstance(error, callgate.RemoteError)
    assert error.args == ("a key",)
    assert error.frames[-1].function == "fail"
    assert error.frames[-1].source == "raise KeyError(message)"
    assert error.frames[-1].file.endswith(f"{harness.module}.py")
    assert not any("callgate_server" in frame.file for frame in error.frames)


def test_a_cause_arrives_with_its_traceback(harness):
    error = remote(harness.fails("fail_with_cause"))
    assert isinstance(error, RuntimeError)
    assert isinstance(error.__cause__, ValueError)
    assert "invalid literal" in str(error.__cause__)


def test_a_group_arrives_with_its_members(harness):
    error = remote(harness.fails("fail_in_group"))
    assert isinstance(error, ExceptionGroup)
    assert [type(member).__mro__[2] for member in error.exceptions] == [callgate.CallgateError] * 2
    assert isinstance(error.exceptions[0], ValueError)
    assert isinstance(error.exceptions[1], TypeError)


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "CancelledError"])
def test_an_exception_that_ends_programs_only_ends_its_call(harness, name):
    error = remote(harness.fails("raise_base", name))
    assert error.remote_type.rpartition(".")[2] == name
    assert isinstance(error, Exception)  # the client's process goes on
    assert harness.call("add", 1, 2) == 3


def test_a_result_without_a_value_form_names_its_path(harness):
    failure = harness.fails("unencodable")
    assert failure.reason == "NO_VALUE_FORM"
    assert "result[1]['model']" in failure.status.message
    assert "object" in failure.status.message
    assert harness.call("add", 1, 2) == 3


def test_a_function_can_choose_the_status(harness):
    error = remote(harness.fails("choose_status"))
    assert error.code == "ALREADY_EXISTS"
    assert str(error) == "there is one"


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"c": 2}), ((1,), {"a": 2})],
    ids=["few", "many", "unknown", "twice"],
)
def test_arguments_that_do_not_fit_are_refused_before_the_function_starts(harness, args, kwargs):
    failure = harness.fails("add", *args, **kwargs)
    assert failure.reason == "ARGUMENTS_MISMATCH"
    assert "(a, b=10)" in failure.status.message


def test_a_type_error_from_inside_the_function_is_the_functions_own(harness):
    failure = harness.fails("add", 1, "x")
    assert failure.reason == "FUNCTION_RAISED"
    assert isinstance(remote(failure), TypeError)


def test_the_call_knows_itself(harness):
    seen = harness.call("context", call_id="abc", identity="alice", chain=("x", "y"))
    assert seen == {
        "id": "abc",
        "identity": "alice",
        "chain": ["x", "y"],
        "has_deadline": False,
        "remaining": None,
        "cancelled": False,
    }


def test_a_module_keeps_its_state_between_calls(harness):
    counts = sorted(harness.call("count") for _ in range(10))
    # As many states as there are processes or interpreters: with two, one of them was called five times at least.
    assert counts[-1] >= 5
