"""What `connect` is told: taken, or refused with a sentence, before anything is connected."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

import callgate
import callgate.aio
from callgate import _connection, _wire
from callgate._connection import Connection
from callgate.v1 import function_service_pb2 as pb


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    monkeypatch.delenv("CALLGATE_SERVER", raising=False)
    monkeypatch.delenv("CALLGATE_TOKEN", raising=False)


# ---------------------------------------------------------------------- targets


@pytest.mark.parametrize(
    "target",
    [
        "localhost:50051",
        "127.0.0.1:1",
        "[::1]:65535",
        "[fe80::1%eth0]:50051",
        "gate.example.org:443",
        "under_score:1",
        "unix:/run/gate.sock",
        "unix:relative.sock",
        "unix:///run/gate.sock",
        "dns:///gate.example.org:50051",
        "ipv4:10.0.0.1:50051,10.0.0.2:50051",
        "ipv6:[::1]:50051",
    ],
)
def test_a_target_that_grpc_knows_is_taken_as_it_is(target):
    assert Connection.make(target).target == target


@pytest.mark.parametrize(
    ("target", "right"),
    [
        ("localhost", "write HOST:PORT"),
        ("", "write HOST:PORT"),
        (":50051", "write HOST:PORT"),
        ("foo bar:1", "write HOST:PORT"),
        ("::1:50051", "write HOST:PORT"),
        ("localhost:", "1 to 65535"),
        ("localhost:http", "1 to 65535"),
        ("localhost:0", "1 to 65535"),
        ("localhost:99999", "1 to 65535"),  # gRPC would take it modulo 65536
        ("localhost:-1", "1 to 65535"),
        ("localhost:\u0661", "1 to 65535"),  # an Arabic digit
        ("http://localhost:50051", "HOST:PORT alone"),
        ("https://gate.example.org", "tls=True"),
    ],
)
def test_a_target_that_is_none_is_refused_with_what_to_write(target, right):
    for connect in (callgate.connect, callgate.aio.connect):
        with pytest.raises(ValueError, match="is no target") as caught:
            connect(target)
        assert right in str(caught.value)


def test_a_target_of_another_type_is_refused():
    with pytest.raises(TypeError, match="not int"):
        callgate.connect(50051)


def test_without_a_target_it_is_the_environments_or_the_default(monkeypatch):
    assert Connection.make().target == "127.0.0.1:50051"
    monkeypatch.setenv("CALLGATE_SERVER", "elsewhere:1")
    assert Connection.make().target == "elsewhere:1"


# ---------------------------------------------------------------------- TLS and tokens


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"certificate": b"-----BEGIN"}, "certificate and key go together"),
        ({"key": b"-----BEGIN"}, "certificate and key go together"),
        ({"tls": False, "ca": b"-----BEGIN"}, "tls=False contradicts"),
        ({"server_name": "gate"}, "it needs tls=True"),
        ({"ca": "/no/such/file.pem"}, "ca: /no/such/file.pem cannot be read: No such file"),
        ({"ca": b"abc"}, "ca: the bytes given is not PEM"),
        ({"ca": "/dev/null"}, "ca: /dev/null is not PEM"),
        ({"certificate": "/no/c", "key": "/no/k"}, "key: /no/k cannot be read"),
    ],
)
def test_tls_that_contradicts_itself_or_cannot_be_read_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        callgate.connect("localhost:1", **given)


def test_without_anything_about_tls_it_is_plain_text():
    assert Connection.make("localhost:1").credentials is None
    assert Connection.make("localhost:1", tls=True).credentials is not None


@pytest.mark.parametrize("token", ["t\u00f6ken", "two words", "line\nbreak", "nul\0", "tab\tbed"])
def test_a_token_that_no_header_takes_is_refused_and_not_shown(token):
    with pytest.raises(ValueError, match="one word of printable ASCII") as caught:
        callgate.connect("localhost:1", token=token)
    assert token not in str(caught.value)


def test_a_token_does_not_show_in_a_repr():
    connection = Connection.make("localhost:1", token="secret-token")
    assert "secret-token" not in repr(connection)
    with callgate.connect("localhost:1", token="secret-token", wait=None) as gate:
        assert "secret-token" not in repr(gate)


def test_the_space_around_a_token_is_the_files_not_the_tokens():
    assert Connection.make("localhost:1", token=" abc\n").metadata() == (("authorization", "Bearer abc"),)


def test_nothing_is_sent_along_that_there_is_no_need_for(monkeypatch):
    assert Connection.make("localhost:1").metadata() is None
    monkeypatch.setenv("CALLGATE_TOKEN", "abc")
    assert Connection.make("localhost:1", token="").metadata() is None


# ---------------------------------------------------------------------- numbers


@pytest.mark.parametrize("timeout", [-1, -0.001, math.nan, -math.inf])
def test_a_timeout_that_no_clock_shows_is_a_value_error(timeout):
    with callgate.connect("localhost:1", wait=None) as gate:
        for ask in (
            lambda: gate.call("m", "f", timeout=timeout),
            lambda: gate.functions(timeout=timeout),
            lambda: gate.function("m", "f", timeout=timeout),
            lambda: gate.health(timeout=timeout),
        ):
            with pytest.raises(ValueError, match="0 or more seconds is right"):
                ask()
    with pytest.raises(ValueError, match="0 or more seconds is right"):
        callgate.connect("localhost:1", timeout=timeout, wait=None)
    with pytest.raises(ValueError, match="0 or more seconds is right"):
        callgate.connect("localhost:1", wait=timeout)


@pytest.mark.parametrize("timeout", ["5", "5s", True, [1], 1j, object()], ids=repr)
def test_a_timeout_that_is_no_number_is_a_type_error(timeout):
    with callgate.connect("localhost:1", wait=None) as gate, pytest.raises(TypeError, match="number of seconds"):
        gate.call("m", "f", timeout=timeout)


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (0, 0.0),
        (1, 1.0),
        (0.5, 0.5),
        (Fraction(1, 4), 0.25),
        (math.inf, None),
        (1e300, None),
        (10**30, None),
        (2**2000, None),
        (None, 7.0),
    ],
    ids=range(9),
)
def test_a_timeout_is_any_real_number_and_what_outlasts_us_all_is_none(timeout, seconds):
    assert _wire.seconds_of(timeout, 7.0) == seconds


@pytest.mark.parametrize("name", ["max_message", "in_flight"])
def test_counts_are_whole_and_positive(name):
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=f"{name} is {wrong}; 1 or more is right"):
            callgate.connect("localhost:1", **{name: wrong})
    for wrong in (1.5, "1", None, True):
        with pytest.raises(TypeError, match=f"{name} is a whole number"):
            callgate.connect("localhost:1", **{name: wrong})


# ---------------------------------------------------------------------- requests


@pytest.mark.parametrize(("module", "function"), [(1, "f"), ("m", None), (b"m", "f")])
def test_names_are_strings(module, function):
    with pytest.raises(TypeError, match="as strings"):
        _wire.call_request(module, function, (), {}, 1000)


def test_names_that_utf8_cannot_carry_are_refused():
    for module, function, kwargs in (("\ud800", "f", {}), ("m", "\ud800", {}), ("m", "f", {"\ud800": 1})):
        with pytest.raises(ValueError, match="surrogate") as caught:
            _wire.call_request(module, function, (), kwargs, 1000)
        assert str(caught.value).isascii()


@pytest.mark.parametrize(("args", "kwargs"), [("text", {}), (b"bytes", {}), ((), [("a", 1)]), ((), {1: 2})])
def test_arguments_of_the_wrong_shape_are_refused(args, kwargs):
    with pytest.raises(TypeError):
        _wire.call_request("m", "f", args, kwargs, 1000)


def test_what_has_no_form_is_named_by_its_place():
    for args, kwargs, path in (([[object()]], {}, "args[0][0]"), ([], {"k": {"a": object()}}, "kwargs['k']['a']")):
        with pytest.raises(callgate.ValueFormError) as caught:
            _wire.call_request("m", "f", args, kwargs, 1000)
        assert caught.value.path == path


# ---------------------------------------------------------------------- errors


class Failed(grpc.RpcError):
    """What grpc raises."""

    def __init__(self, code: grpc.StatusCode, details: str = "", rich: bytes | None = None) -> None:
        self._given = code, details, rich

    def code(self) -> grpc.StatusCode:
        return self._given[0]

    def details(self) -> str:
        return self._given[1]

    def trailing_metadata(self):
        return None if self._given[2] is None else (("grpc-status-details-bin", self._given[2]),)


CONNECTION = Connection.make("localhost:1")


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_code_has_an_exception(code):
    error = _wire.error_of(Failed(code, "said"), CONNECTION)
    assert isinstance(error, callgate.GateError)
    assert error.code == code.name
    assert error.reason == ""
    known = {"UNKNOWN", "ALREADY_EXISTS", "ABORTED", "OUT_OF_RANGE", "INTERNAL", "DATA_LOSS"}
    assert (type(error) is callgate.ServerFault) is (code.name in known)


def rich(code: int, reason: str = "OVERLOADED") -> bytes:
    status = Status(code=code, message="from the server")
    status.details.add().Pack(ErrorInfo(domain="callgate", reason=reason))
    return status.SerializeToString()


def test_the_rich_status_tells_the_reason():
    error = _wire.error_of(Failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "x", rich(8)), CONNECTION)
    assert isinstance(error, callgate.Exhausted)
    assert error.reason == "OVERLOADED"
    assert error.message == "from the server"


@pytest.mark.parametrize("details", [rich(5), b"\xff\xff", b""], ids=["another code's", "junk", "empty"])
def test_a_rich_status_that_does_not_belong_to_the_answer_is_passed_over(details):
    error = _wire.error_of(Failed(grpc.StatusCode.UNAVAILABLE, "a proxy's", details), CONNECTION)
    assert isinstance(error, callgate.Unavailable)
    assert error.message == "a proxy's"
    assert error.reason == ""


def test_an_answer_that_is_no_message_is_the_servers_fault():
    with pytest.raises(callgate.ServerFault, match="is it a Callgate server"):
        _wire.decode_response(b"\xff\xff")
    with pytest.raises(callgate.ServerFault, match="is it a Callgate server"):
        _wire.health_status(b"\xff\xff")


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"", "UNKNOWN"), (b"\x08\x01", "SERVING"), (b"\x08\x02", "NOT_SERVING"), (b"\x08\x03", "SERVICE_UNKNOWN"),
     (b"\x08\x63", "UNKNOWN")],
)  # fmt: skip
def test_the_health_protocol_is_read_without_its_package(data, status):
    assert _wire.health_status(data) == status


def test_the_health_request_is_the_protocols_own():
    health_pb2 = pytest.importorskip("grpc_health.v1.health_pb2")
    for service in ("", "callgate.v1.FunctionService"):
        expected = health_pb2.HealthCheckRequest(service=service).SerializeToString()
        assert _wire.health_request(service) == expected


def test_grpc_retries_only_what_changes_nothing():
    options = dict(CONNECTION.options)
    config = json.loads(options["grpc.service_config"])
    methods = {name["method"] for one in config["methodConfig"] for name in one["name"]}
    assert methods == {"ListFunctions", "GetFunction"}
    assert methods <= set(pb.DESCRIPTOR.services_by_name["FunctionService"].methods_by_name)
    assert {code for one in config["methodConfig"] for code in one["retryPolicy"]["retryableStatusCodes"]} == {
        "UNAVAILABLE"
    }


def test_options_of_ones_own_come_last_so_that_they_win():
    connection = Connection.make("localhost:1", options=[("grpc.keepalive_time_ms", 1)])
    assert connection.options[-1] == ("grpc.keepalive_time_ms", 1)


# ---------------------------------------------------------------------- greeting


def attempts(*outcomes: Failed | None) -> list[_connection.Greeting]:
    """The attempts that the plan makes when they end like this."""
    plan = _connection.greet(CONNECTION, 5.0)
    made = [next(plan)]
    for outcome in outcomes:
        try:
            made.append(plan.send(outcome))
        except StopIteration:
            break
    return made


REFUSED = Failed(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses; last error: Connection refused")
LATE = Failed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
HANDSHAKE = Failed(grpc.StatusCode.UNAVAILABLE, "SSL_ERROR_SSL: WRONG_VERSION_NUMBER")


def test_a_connection_that_stands_is_asked_once():
    assert [attempt.patient for attempt in attempts(None)] == [False]


def test_a_server_that_is_not_there_yet_is_waited_for_in_one_attempt():
    assert [attempt.patient for attempt in attempts(REFUSED, None)] == [False, True]


def test_what_is_wrong_in_the_end_is_what_is_told():
    with pytest.raises(callgate.Unavailable, match="does not speak TLS"):
        attempts(REFUSED, LATE, HANDSHAKE)
    with pytest.raises(callgate.Unavailable, match="nothing listens there"):
        attempts(REFUSED, LATE, LATE)


def test_where_waiting_will_not_help_nobody_waits():
    with pytest.raises(callgate.Unavailable, match="does not speak TLS"):
        attempts(HANDSHAKE)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED]
)
def test_any_other_answer_shows_that_the_connection_stands(code):
    assert len(attempts(Failed(code))) == 1


def test_what_grpc_says_in_words_that_we_do_not_know_is_told_as_it_is():
    said = CONNECTION.unreachable("failed to connect to all addresses; last error: something new")
    assert said == "cannot connect to localhost:1: something new"
    assert CONNECTION.unreachable("about something else") == "about something else"
