"""Who may speak to the server at all: TLS, client certificates, tokens; checked for every method of every service."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import callgate
from callgate_server.security.identity import ANONYMOUS
from callgate_server.server import Server
from callgate_server.settings import Settings
from tests.contract.test_waiting import wait_until
from tests.functional.raw_http2 import status_of

M = "served_functions"


@pytest.fixture
def guarded(serve, folder, tokens) -> Server:
    """A server that asks for a token."""
    return serve(auth={"tokens": folder / "tokens.txt"})


# ---------------------------------------------------------------------- tokens


def test_a_known_token_names_the_caller_to_the_function(guarded, tokens):
    for name, token in tokens.items():
        with callgate.connect(guarded.address, token=token) as gate:
            assert gate.call(M, "who") == name


def test_identities_are_not_mixed_up_between_calls_at_once(guarded, tokens):
    gates = {name: callgate.connect(guarded.address, token=token) for name, token in tokens.items()}
    names = [name for name in tokens for _ in range(100)]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda name: gates[name].call(M, "who"), names)) == names
    for gate in gates.values():
        gate.close()


def test_the_scheme_is_told_in_any_case(guarded, tokens):
    assert refusal(guarded.address, [("authorization", f"bEARER {tokens['alice']}")]) is None


METHODS = [
    "/callgate.v1.FunctionService/CallFunction",
    "/callgate.v1.FunctionService/StreamFunction",
    "/callgate.v1.FunctionService/BatchCallFunctions",
    "/callgate.v1.FunctionService/ListFunctions",
    "/callgate.v1.FunctionService/GetFunction",
    "/callgate.v1.FunctionService/NoSuchMethod",
    "/callgate.v1.AdminService/ReloadFunctions",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/no.such.Service/Method",
    "/",
]


def refusal(address: str, metadata: list[tuple[str, str]], method: str = METHODS[0]) -> grpc.RpcError | None:
    """How a call with this metadata and a payload that is no message is refused; None if it got to the decoding."""
    with grpc.insecure_channel(address, [("grpc.max_metadata_size", 4 << 20)]) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(method)(b"\xff\xff\xff", metadata=metadata)
        return None if "MALFORMED_REQUEST" in str(dict(caught.value.trailing_metadata())) else caught.value


@pytest.mark.parametrize("method", METHODS)
def test_without_a_token_every_method_gives_the_same_answer_before_it_reads_the_request(guarded, method):
    error = refusal(guarded.address, [], method)
    assert error is not None
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    plain = refusal(guarded.address, [])
    assert plain is not None
    assert error.details() == plain.details()
    # Nothing about what there is: not even whether the method exists.
    assert method not in str(error.details())


def test_every_method_that_the_server_has_is_among_those_tried(guarded, tokens):
    """So that a service added later is tried too."""

    class WithToken(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
        def _with(self, continuation, details, request):
            details = details._replace(metadata=[("authorization", f"Bearer {tokens['alice']}")])
            return continuation(details, request)

        intercept_unary_unary = _with
        intercept_stream_stream = _with

    with grpc.insecure_channel(guarded.address) as channel:
        database = ProtoReflectionDescriptorDatabase(grpc.intercept_channel(channel, WithToken()))
        there = {
            f"/{service}/{method.name}"
            for service in database.get_services()
            for file in [database.FindFileContainingSymbol(service)]
            for described in file.service
            if f"{file.package}.{described.name}" == service
            for method in described.method
        }
    assert there <= set(METHODS)
    assert len(there) > 5


@pytest.mark.parametrize(
    "headers",
    [
        [""],
        ["Bearer"],
        ["Bearer "],
        ["Bearer  "],
        ["Basic YWxpY2U6cGFzc3dvcmQ="],
        ["Bearer wrong"],
        ["{token}"],
        ["Token {token}"],
        ["Bearer {token}x"],
        ["Bearer {token} x"],
        ["Bearer {token_less}"],
        ["Bearer x{token}"],
        ["Bearer {token}", "Bearer wrong"],
        ["Bearer wrong", "Bearer {token}"],
        ["Bearer {token}", "Bearer {token}"],
        ["Bearer {token},Bearer {token}"],
        ["Bearer {stored}"],
    ],
    ids=ascii,
)
def test_whatever_is_not_exactly_one_known_token_is_refused(guarded, folder, tokens, headers):
    stored = (folder / "tokens.txt").read_text().split()[1]
    token = tokens["alice"]
    metadata = [
        ("authorization", header.format(token=token, token_less=token[:-1], stored=stored)) for header in headers
    ]
    error = refusal(guarded.address, metadata)
    assert error is not None
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "token", ["t\u00f6ken".encode(), "t\u00f6ken".encode("latin-1"), b"\xff\xfe\x01", b"\x00"], ids=repr
)
def test_a_header_that_no_library_would_send_is_refused(guarded, tokens, token):
    unauthenticated = grpc.StatusCode.UNAUTHENTICATED.value[0]
    # None: gRPC's own HTTP/2 has cut it off.
    assert status_of(guarded.address, b"\xff", [(b"authorization", b"Bearer " + token)]) in {unauthenticated, None}
    known = [(b"authorization", b"Bearer " + tokens["alice"].encode())]
    assert status_of(guarded.address, b"\xff", known) == grpc.StatusCode.INVALID_ARGUMENT.value[0]


def test_a_token_of_a_megabyte_is_refused_and_the_server_goes_on(guarded, tokens):
    error = refusal(guarded.address, [("authorization", "Bearer " + "x" * 1_000_000)])
    assert error is not None
    assert error.code() in {
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
    }
    assert refusal(guarded.address, [("authorization", f"Bearer {tokens['alice']}")]) is None


def test_connecting_without_a_token_says_how_to_give_one(guarded):
    with pytest.raises(callgate.Unauthenticated) as caught:
        callgate.connect(guarded.address)
    assert "token" in str(caught.value)
    assert caught.value.reason == "UNAUTHENTICATED"


def test_a_gate_that_did_not_wait_learns_it_with_its_first_call(guarded):
    with callgate.connect(guarded.address, wait=None, token="wrong") as gate:
        for ask in (lambda: gate.call(M, "who"), gate.functions, gate.health, lambda: gate.function(M, "who")):
            with pytest.raises(callgate.Unauthenticated) as caught:
                ask()
            assert caught.value.reason == "UNAUTHENTICATED"


def test_the_token_comes_from_the_environment_unless_it_is_given(guarded, tokens, monkeypatch):
    monkeypatch.setenv("CALLGATE_TOKEN", tokens["bob"])
    with callgate.connect(guarded.address) as gate:
        assert gate.call(M, "who") == "bob"
    with callgate.connect(guarded.address, token=tokens["alice"]) as gate:
        assert gate.call(M, "who") == "alice"
    with pytest.raises(callgate.Unauthenticated):
        callgate.connect(guarded.address, token="")


def test_strangers_do_not_keep_the_others_out(guarded, tokens):
    """A crowd without tokens, each of whom is refused, beside one caller who has one."""
    stop = threading.Event()
    refused: list[str] = []

    def knock() -> None:
        with callgate.connect(guarded.address, wait=None, token="wrong") as gate:
            while not stop.is_set():
                try:
                    gate.call(M, "who")
                except callgate.Unauthenticated as error:
                    refused.append(error.reason)

    crowd = [threading.Thread(target=knock) for _ in range(4)]
    for one in crowd:
        one.start()
    try:
        wait_until(lambda: refused)
        with callgate.connect(guarded.address, token=tokens["alice"]) as gate:
            assert [gate.call(M, "who") for _ in range(50)] == ["alice"] * 50
    finally:
        stop.set()
        for one in crowd:
            one.join()
    assert set(refused) == {"UNAUTHENTICATED"}


def test_where_nobody_is_asked_everybody_is_anonymous(gate, address, tokens):
    assert gate.call(M, "who") == ANONYMOUS
    with callgate.connect(address, token=tokens["alice"]) as other:
        assert other.call(M, "who") == ANONYMOUS


def test_an_administrator_is_named_in_the_settings(serve, folder, tokens):
    server = serve(auth={"tokens": folder / "tokens.txt", "administrators": ("bob",)}, shared=False)
    reload = "/callgate.v1.AdminService/ReloadFunctions"
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(reload)(b"", metadata=[("authorization", f"Bearer {tokens['alice']}")])
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


# ---------------------------------------------------------------------- beyond loopback


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051", "example.org:50051"])
def test_a_server_that_others_can_reach_asks_for_credentials_or_does_not_start(listen, pair, folder, authority):
    tls = {"certificate": pair.certificate, "key": pair.key}
    for settings in ({}, {"tls": tls}, {"auth": {"tokens": folder / "tokens.txt"}}):
        with pytest.raises(ValueError, match="can be reached from other machines") as caught:
            Settings(listen=listen, **settings)
        assert "--insecure" in str(caught.value)
    assert Settings(listen=listen, insecure=True).listen == listen
    assert Settings(listen=listen, tls=tls, auth={"tokens": folder / "tokens.txt"}).listen == listen
    assert Settings(listen=listen, tls={**tls, "client_ca": authority.certificate}).listen == listen


def test_a_server_for_all_machines_serves_with_tls_and_tokens(serve, pair, folder, authority, tokens):
    server = serve(
        listen="0.0.0.0:0",
        tls={"certificate": pair.certificate, "key": pair.key},
        auth={"tokens": folder / "tokens.txt"},
    )
    port = server.address.rpartition(":")[2]
    with callgate.connect(f"localhost:{port}", ca=authority.certificate, token=tokens["bob"]) as gate:
        assert gate.call(M, "who") == "bob"
        with pytest.raises(ValueError, match="boom") as caught:
            gate.call(M, "boom")
    assert caught.value.frames == ()  # tracebacks stay on the machine, by default
