"""What a function raised, there and back: as whole as fits, and nothing breaks on the way."""

from __future__ import annotations

import asyncio
import re
import traceback
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate import GateError, RemoteError, StatusError, ValueFormError
from callgate.errors import STATUS_CODES
from callgate.failures import REASON_CODES, error_from_status, exception_status, gate_failure
from callgate.failures.status import STATUS_BYTES
from callgate.v1 import failure_pb2 as pb

TRAILERS = 8192  # gRPC's soft limit


def raised(function: Any, *args: Any) -> BaseException:
    try:
        function(*args)
    except BaseException as error:
        return error
    raise AssertionError("did not raise")


def there_and_back(error: BaseException, **options: Any) -> Any:
    status = exception_status(error, traceback=True, **options)
    assert status.ByteSize() <= STATUS_BYTES
    return error_from_status(Status.FromString(status.SerializeToString()))


def test_every_reason_of_the_contract_has_its_code() -> None:
    proto = Path(__file__).parents[2] / "protos/callgate/v1/failure.proto"
    found = re.findall(r"// ([A-Z_]+)[^\n]*(?:\n  //[^\n]*)*\n  ERROR_REASON_([A-Z_]+) = [1-9]", proto.read_text())
    assert {reason: code for code, reason in found} == dict(REASON_CODES)
    assert set(REASON_CODES.values()) <= set(STATUS_CODES)


def test_the_class_message_args_notes_frames_and_links_come_back() -> None:
    def inner() -> None:
        raise KeyError("k", 1)

    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            failure = ValueError("bad", [1, 2.5])
            failure.add_note("a note")
            raise failure from error

    error = there_and_back(raised(outer))
    assert isinstance(error, ValueError)
    assert isinstance(error, RemoteError)
    assert (error.remote_type, error.args, error.__notes__[0]) == ("ValueError", ("bad", [1, 2.5]), "a note")
    assert (error.code, error.error_reason, error.truncated) == ("UNKNOWN", "FUNCTION_RAISED", False)
    assert error.frames[-1].source == "raise failure from error"
    assert error.frames[-1].function.endswith("outer")
    assert isinstance(error.__cause__, KeyError)
    assert error.__cause__.args == ("k", 1)
    assert error.__suppress_context__
    text = "".join(traceback.format_exception(error))
    assert text.index("bad") < text.rindex("Remote traceback (most recent call last):")
    assert "The above exception was the direct cause" in text


def test_a_context_comes_back_and_stays_suppressed_if_it_was() -> None:
    def shown() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second")  # noqa: B904  # the context is what is tested

    def hidden() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second") from None

    error = there_and_back(raised(shown))
    assert isinstance(error.__context__, KeyError)
    assert not error.__suppress_context__
    assert there_and_back(raised(hidden)).__suppress_context__


def test_groups_come_back_as_groups_that_except_star_takes_apart() -> None:
    group = ExceptionGroup("several", [ValueError("v"), ExceptionGroup("deeper", [TypeError("t"), OSError(2, "gone")])])
    caught: dict[str, Any] = {}
    try:
        raise there_and_back(raised(_raise, group))
    except* ValueError as values:
        caught["values"] = values
    except* OSError as files:
        caught["files"] = files
    except* TypeError as types:
        caught["types"] = types
    assert [error.message for error in caught["values"].exceptions] == ["v"]
    assert caught["files"].exceptions[0].exceptions[0].errno == 2
    assert caught["types"].exceptions[0].exceptions[0].message == "t"


def test_a_group_of_what_would_end_a_process_is_a_plain_group_here() -> None:
    error = there_and_back(BaseExceptionGroup("g", [KeyboardInterrupt(), ValueError("v")]))
    assert isinstance(error, ExceptionGroup)
    assert [type(member).__mro__[1] for member in error.exceptions] == [RemoteError, RemoteError]
    assert not isinstance(error.exceptions[0], KeyboardInterrupt)


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
def test_what_would_end_this_process_is_a_plain_remote_error(kind: type[BaseException]) -> None:
    error = there_and_back(raised(_raise, kind("x")))
    assert not isinstance(error, kind)
    assert isinstance(error, Exception)
    assert error.remote_type.endswith(kind.__name__)
    assert error.args == ("x",)


def test_fields_of_the_builtins_come_back() -> None:
    missing = there_and_back(raised(open, "/no/such/file"))
    assert (missing.errno, missing.strerror, missing.filename) == (2, "No such file or directory", "/no/such/file")
    assert isinstance(missing, FileNotFoundError)
    syntax = there_and_back(raised(compile, "a = (1,\nb c", "f.py", "exec"))
    assert (syntax.filename, syntax.lineno, syntax.text.rstrip()) == ("f.py", 1, "a = (1,")
    undecodable = there_and_back(raised(b"ab\xff".decode, "utf-8"))
    assert (undecodable.encoding, undecodable.object, undecodable.start, undecodable.reason) == (
        "utf-8", b"ab\xff", 2, "invalid start byte",
    )  # fmt: skip
    assert str(undecodable) == "'utf-8' codec can't decode byte 0xff in position 2: invalid start byte"
    assert there_and_back(raised("\ud800".encode)).start == 0
    assert there_and_back(raised(getattr, 1, "nope")).name == "nope"


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no str")

    __repr__ = __str__

    @property
    def args(self) -> Any:  # type: ignore[override]  # the point
        raise RuntimeError("no args")

    @property
    def __notes__(self) -> Any:
        raise SystemExit

    @property
    def __cause__(self) -> Any:  # type: ignore[override]  # the point
        raise RuntimeError("no cause")


class Liar(Exception):
    __class__ = StatusError  # type: ignore[assignment]  # the point


class LyingGroup(Exception):
    __class__ = ExceptionGroup  # type: ignore[assignment]  # the point


class OddStatus(StatusError):
    def __init__(self) -> None:
        self.code = ["not", "a", "code"]  # type: ignore[assignment]  # the point
        self.details = 7  # type: ignore[assignment]  # the point


class Argument:
    def __reduce__(self) -> Any:
        raise AssertionError("asked")


def test_an_exception_whose_own_code_raises_still_gets_through() -> None:
    error = there_and_back(raised(_raise, Hostile("x")))
    assert error.remote_type == f"{__name__}.Hostile"
    assert "raised RuntimeError" in error.message


@pytest.mark.parametrize(
    "make", [Liar, LyingGroup, OddStatus, lambda: Liar(Argument()), lambda: ValueError(Argument())]
)
def test_an_exception_that_lies_about_itself_gets_through(make: Any) -> None:
    assert there_and_back(raised(_raise, make())).code == "UNKNOWN"


class Unaskable:
    @property
    def __class__(self) -> Any:  # type: ignore[override]  # the point
        raise RuntimeError("asked for its class")


def test_what_an_exception_carries_may_be_hostile_too() -> None:
    failure = OSError(2, "gone", Unaskable())
    failure.__notes__ = ["kept", Unaskable()]  # type: ignore[list-item]  # the point
    error = there_and_back(raised(_raise, failure))
    assert error.__notes__[0] == "kept"
    assert error.errno == 2


def test_exceptions_in_a_circle_end() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert there_and_back(first).__cause__.__cause__ is None


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * 100_000),
        ValueError("\U0001f600" * 100_000),
        ValueError(*["long argument" * 10] * 100),
        ExceptionGroup("g" * 5000, [ValueError("m" * 3000, "x" * 500) for _ in range(200)]),
        type("N" * 5000, (ValueError,), {"__module__": "m" * 5000})("x"),
        UnicodeDecodeError("utf-8", b"x" * 100_000, 0, 1, "r"),
        OSError(2, "n" * 5000, "f" * 5000),
    ],
    ids=["ascii", "emoji", "args", "group", "name", "object", "file"],
)
def test_what_does_not_fit_is_cut_and_says_so(error: Exception) -> None:
    error.add_note("n" * 5000)
    error.__cause__ = ValueError("c" * 5000)
    status = exception_status(raised(_raise, error), traceback=True)
    # As gRPC counts: base64 of the details, the message percent-encoded, the keys.
    message = sum(1 if 32 <= byte < 127 else 3 for byte in status.message.encode())
    assert status.ByteSize() * 4 / 3 + message + 200 < TRAILERS
    back: Any = error_from_status(status)
    assert back.truncated
    assert isinstance(back, RemoteError)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.text(max_size=3000), st.lists(st.text(max_size=2000), max_size=5), st.integers(0, 6))
def test_any_text_fits_into_the_trailers(message: str, notes: list[str], links: int) -> None:
    error: BaseException = ValueError(message, *notes)
    for note in notes:
        error.add_note(note)
    for _ in range(links):
        outer = LookupError(message)
        outer.__cause__ = error
        error = outer
    there_and_back(raised(_raise, error))


def test_deep_recursion_is_one_frame_with_a_count() -> None:
    def down(n: int) -> None:
        down(n + 1)

    error = there_and_back(raised(down, 0))
    assert isinstance(error, RecursionError)
    assert any(frame.repeated > 500 for frame in error.frames)


def test_without_a_traceback_no_file_name_leaves() -> None:
    status = exception_status(raised(_raise, ValueError("x")), traceback=False)
    assert __file__.encode() not in status.SerializeToString()


def test_a_status_error_chooses_the_status_and_its_details_arrive() -> None:
    status = exception_status(StatusError("NOT_FOUND", "no quote", [Duration(seconds=3), "no message"]), traceback=True)
    assert (status.code, status.message) == (5, "no quote")
    error: Any = error_from_status(status)
    assert (error.code, error.message, error.truncated) == ("NOT_FOUND", "no quote", True)
    duration = Duration()
    assert error.details[0].Unpack(duration)
    assert duration.seconds == 3


@pytest.mark.parametrize("code", ["OK", 0, "NOPE", 99])
def test_a_status_error_takes_only_error_codes(code: Any) -> None:
    with pytest.raises(ValueError, match="choose one of CANCELLED"):
        StatusError(code, "x")


def test_a_result_without_a_form_is_a_value_form_error_at_the_client_too() -> None:
    error = there_and_back(ValueFormError("object has no Value form", "result[3]"), reason="NO_VALUE_FORM")
    assert isinstance(error, ValueFormError)
    assert isinstance(error, TypeError)
    assert (error.path, error.error_reason) == ("result[3]", "NO_VALUE_FORM")


def test_a_server_cannot_set_what_it_likes_on_the_error() -> None:
    exception = pb.PythonException(type="ValueError", module="builtins", message="m")
    exception.attributes["__traceback__"].string_value = "x"
    exception.attributes["call_id"].string_value = "x"
    status = Status(code=2)
    status.details.add().Pack(exception)
    error: Any = error_from_status(status)
    assert (error.call_id, error.__traceback__) == ("", None)


@pytest.mark.parametrize("name", ["eval", "open", "__import__", "object", "BaseException", "SystemExit", "copyright"])
def test_only_builtin_exceptions_become_bases(name: str) -> None:
    exception = pb.PythonException(type=name, module="builtins", message="m", builtin_bases=[name])
    status = Status(code=2)
    status.details.add().Pack(exception)
    assert type(error_from_status(status)).__mro__[1] is RemoteError


def test_a_status_without_details_is_known_by_its_code() -> None:
    error = error_from_status(Status(code=14, message="proxy"))
    assert isinstance(error, ConnectionError)
    assert isinstance(error, GateError)
    status = Status(code=2, message="x")
    status.details.add(type_url="type.googleapis.com/callgate.v1.PythonException", value=b"\xff")
    assert isinstance(error_from_status(status), GateError)


def test_metadata_and_retry_come_back() -> None:
    failure = gate_failure("OVERLOADED", "busy", {"k": "v" * 1000}, retry_after=0.25)
    error: Any = error_from_status(failure.status)
    assert (error.reason, error.retry_after, len(error.metadata["k"])) == ("OVERLOADED", 0.25, 300)
