"""Whatever comes in gets a clear error, and the server still answers afterwards."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

import callgate
from callgate.v1 import function_service_pb2 as pb
from callgate.v1 import value_pb2
from tests.functional.raw_http2 import CALL, status_of

M = "served_functions"


@pytest.fixture(scope="module")
def channel(address) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address, [("grpc.max_metadata_size", 1 << 20)]) as made:
        yield made


@pytest.fixture(autouse=True)
def _still_answers(gate) -> Iterator[None]:
    yield
    assert gate.call(M, "add", 1, 2) == 3


def refusal(channel: grpc.Channel, data: bytes, method: str = CALL, **options) -> tuple[grpc.RpcError, str]:
    """How the server refuses a raw request: the error and the reason."""
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(method)(data, **options)
    status = rpc_status.from_call(caught.value)
    reason = ""
    for detail in status.details if status is not None else ():
        if detail.Is(ErrorInfo.DESCRIPTOR):
            info = ErrorInfo()
            detail.Unpack(info)
            assert info.domain == "callgate"
            reason = info.reason
    return caught.value, reason


def request(module: str = M, function: str = "echo", *args: value_pb2.Value, **kwargs: value_pb2.Value) -> bytes:
    return pb.CallFunctionRequest(module=module, function=function, args=args, kwargs=kwargs).SerializeToString()


def number(value: int) -> value_pb2.Value:
    return value_pb2.Value(int_value=value)


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff", b"\x0a\x7f", b"\x0a\x05abc", b"\x0a\x02\xff\xfe", b"{}", b"\x00" * 100], ids=repr
)
def test_bytes_that_are_no_request_are_refused_as_malformed(channel, data):
    error, reason = refusal(channel, data)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason == "MALFORMED_REQUEST"
    assert "callgate.v1.CallFunctionRequest" in error.details()


@pytest.mark.parametrize("method", ["ListFunctions", "GetFunction"])
def test_the_other_methods_refuse_malformed_bytes_too(channel, method):
    error, reason = refusal(channel, b"\xff\xff", f"/callgate.v1.FunctionService/{method}")
    assert (error.code(), reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")


def test_fields_of_a_later_version_are_passed_over(channel):
    unknown = b"\xfa\x7f\x03xyz"  # field 2047, three bytes
    answer = channel.unary_unary(CALL)(request(M, "add", number(1)) + unknown)
    assert pb.CallFunctionResponse.FromString(answer).value == number(2)


@pytest.mark.parametrize(("module", "function"), [("", "echo"), (M, ""), ("", "")])
def test_a_request_without_a_name_says_which_is_missing(channel, module, function):
    error, reason = refusal(channel, request(module, function))
    assert (error.code(), reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")
    assert ("module" if not module else "function") in error.details()


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"wrong": 2}), ((1,), {"left": 2}), ((), {"right": 1})],
    ids=["too few", "too many", "unknown keyword", "both positional and keyword", "one missing"],
)
def test_arguments_that_do_not_fit_name_the_signature(gate, args, kwargs):
    with pytest.raises(callgate.InvalidCall) as caught:
        gate.call_with(M, "add", args, kwargs)
    assert caught.value.reason == "ARGUMENTS_MISMATCH"
    assert "left" in caught.value.metadata["signature"]
    assert isinstance(caught.value, TypeError)


def test_a_type_error_of_the_function_itself_is_the_functions(gate):
    with pytest.raises(callgate.RemoteError) as caught:
        gate.call(M, "join_untyped", 1, "text")
    assert isinstance(caught.value, TypeError)


def test_an_argument_that_its_type_hint_does_not_take_is_refused_before_the_function_runs(gate):
    with pytest.raises(callgate.InvalidCall) as caught:
        gate.call(M, "add", 1, "text")
    assert caught.value.reason == "ARGUMENTS_MISMATCH"
    assert "right" in str(caught.value)


def test_a_value_of_no_kind_is_refused_with_its_place(channel):
    inner = value_pb2.Value()
    inner.list_value.values.add(int_value=1)
    inner.list_value.values.add()
    error, reason = refusal(channel, request(M, "echo", inner))
    assert (error.code(), reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNDECODABLE_VALUE")
    assert "args[0][1]" in error.details()


def test_a_value_that_python_could_not_hold_is_refused_with_its_place(channel):
    value = value_pb2.Value(decimal_value="12x")
    error, reason = refusal(channel, request(M, "add", number(1), right=value))
    assert (error.code(), reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNDECODABLE_VALUE")
    assert "right" in error.details()


@pytest.mark.parametrize("depth", [200, 5_000])
def test_values_nested_beyond_the_limit_are_refused(channel, depth):
    def field(tag: int, body: bytes) -> bytes:
        size = b""
        rest = len(body)
        while rest > 127:
            size += bytes([rest & 127 | 128])
            rest >>= 7
        return bytes([tag << 3 | 2]) + size + bytes([rest]) + body

    value = number(1).SerializeToString()
    for _ in range(depth):
        value = field(8, field(1, value))  # Value.list_value, ListValue.values
    error, reason = refusal(channel, request(M, "echo") + field(3, value))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    # protobuf's own limit, of 100 messages, comes first.
    assert reason in {"LIMIT_EXCEEDED", "MALFORMED_REQUEST"}


def test_a_request_beyond_the_servers_limit_is_refused_by_the_transport(serve):
    server = serve(limits={"message": 2048})
    with grpc.insecure_channel(server.address) as channel:
        value = value_pb2.Value(bytes_value=b"x" * 10_000)
        error, _ = refusal(channel, request(M, "echo", value))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        answer = channel.unary_unary(CALL)(request(M, "add", number(1)))
        assert pb.CallFunctionResponse.FromString(answer).value == number(2)


def test_a_request_beyond_the_clients_limit_never_leaves(address):
    with callgate.connect(address, max_message=1000) as gate:
        with pytest.raises(callgate.Exhausted) as caught:
            gate.call(M, "echo", b"x" * 2000)
        assert caught.value.reason == "REQUEST_TOO_LARGE"
        assert caught.value.metadata["limit"] == "1000"


def test_a_request_beyond_the_servers_limit_is_told_with_both_numbers(serve):
    server = serve(limits={"message": 2048})
    with callgate.connect(server.address) as gate:
        with pytest.raises(callgate.Exhausted) as caught:
            gate.call(M, "echo", b"x" * 10_000)
        assert caught.value.reason == "REQUEST_TOO_LARGE"
        assert int(caught.value.metadata["size"]) > 10_000
        assert int(caught.value.metadata["limit"]) >= 2048
        assert gate.call(M, "add", 1) == 2


@pytest.mark.slow
def test_a_server_with_a_larger_limit_needs_no_setting_here(serve):
    server = serve(limits={"message": 100 << 20})
    with callgate.connect(server.address) as gate:
        sent = bytes(70 << 20)
        assert gate.call(M, "echo", sent) == sent


def test_a_result_beyond_the_clients_limit_is_refused_here(address):
    with callgate.connect(address, max_message=1000) as gate:
        with pytest.raises(callgate.Exhausted) as caught:
            gate.call(M, "sized", 10_000)
        assert caught.value.reason == "RESPONSE_TOO_LARGE"
        assert caught.value.metadata["limit"] == str(1000 + 1024)
        assert gate.call(M, "add", 1) == 2


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("math", "__loader__"),
        ("json.decoder", "scanner"),
        ("json", "decoder.scanner.py_make_scanner"),
        (f"{M}.os", "system"),
        (M, "os.system"),
        (M, "system"),
        (M, "os"),
        (M, "_private"),
        (M, "__builtins__"),
        (M, "__dict__"),
        (M, "Account"),
        (M, "echo.__globals__"),
        (f"{M}.echo", "__globals__"),
        ("builtins", "eval"),
        ("builtins", "__import__"),
        ("os", "system"),
        ("sys", "exit"),
        (M.upper(), "echo"),
        (f" {M}", "echo"),
        (M, "echo\0"),
        (M, "echo\n"),
        (M, "есho"),  # Cyrillic
        (M, "ｅｃｈｏ"),  # fullwidth: NFKC makes it echo
        (M, "ec\u200bho"),  # a zero-width space
        (M, "\u202eohce"),
        (f"{M}\u0307", "echo"),
        ("../../etc", "passwd"),
        ("%s%s%n", "{0.__class__}"),
    ],
    ids=ascii,
)
def test_nothing_is_resolved_from_a_callers_text(gate, module, function):
    with pytest.raises(callgate.FunctionNotFound) as caught:
        gate.call(module, function, 1)
    assert caught.value.reason == "FUNCTION_NOT_FOUND"
    assert caught.value.message.isascii()
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(("module", "function"), [("m" * 1_000_000, "f"), (M, "f" * 1_000_000)])
def test_a_name_of_a_megabyte_is_refused_in_few_words(gate, module, function):
    with pytest.raises(callgate.InvalidCall) as caught:
        gate.call(module, function)
    assert caught.value.reason == "MALFORMED_REQUEST"
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "chain",
    [",".join(f"{n:016x}" for n in range(65)), "x" * 65],
    ids=["too many ids", "an id too long"],
)
def test_a_chain_that_no_client_of_ours_sends_is_refused(channel, chain):
    error, reason = refusal(channel, request(M, "echo", number(1)), metadata=[("callgate-call-chain", chain)])
    assert (error.code(), reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")


def test_metadata_of_a_quarter_megabyte_is_refused_by_the_transport(channel):
    error, _ = refusal(channel, request(), metadata=[("callgate-call-chain", "x" * 250_000)])
    assert error.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL}


def test_a_chain_of_unknown_calls_is_passed_on_to_the_function(channel):
    answer = channel.unary_unary(CALL)(request(M, "chain"), metadata=[("callgate-call-chain", "a,b")])
    values = pb.CallFunctionResponse.FromString(answer).value
    assert "a" in str(values)
    assert "b" in str(values)


@pytest.mark.parametrize("method", ["/callgate.v1.FunctionService/Nothing", "/other.Service/Call", "/", "//", "/a/b/c"])
def test_a_method_that_is_not_there_is_unimplemented(channel, method):
    error, _ = refusal(channel, b"", method)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


# ------------------------------------------------------------------ what only a raw HTTP/2 client can send


def test_something_that_is_not_http2_is_cut_off(address):
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        with contextlib.suppress(ConnectionResetError):  # which is one way to be cut off
            while raw.recv(4096):
                pass


@pytest.mark.parametrize(
    ("timeout", "codes"),
    [
        (b"-1S", {None, 0, 4, 13}),
        (b"0n", {4}),
        (b"1n", {0, 4}),
        (b"99999999H", {0}),
        (b"999999999999H", {None, 0, 13}),
        (b"soon", {None, 0, 13}),
        (b"", {None, 0, 13}),
        (b"5", {None, 0, 13}),
    ],
    ids=repr,
)
def test_an_absurd_deadline_neither_runs_late_nor_breaks_the_connection(address, timeout, codes):
    """A grpc-timeout as sent by hand: gRPC takes what is no timeout as none, or resets the stream; it rounds 1n up."""
    assert status_of(address, request(M, "add", number(1)), [(b"grpc-timeout", timeout)]) in codes
