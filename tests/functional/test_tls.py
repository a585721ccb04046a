"""TLS both ways: who the server is, who the client is, and what is said where the two do not agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import callgate
from callgate_server.security.identity import ANONYMOUS
from callgate_server.server import Server
from callgate_server.settings import Settings
from callgate_server.transports.base import TransportFailed
from tests.functional.certificates import Authority, Pair

M = "served_functions"


@pytest.fixture(scope="module")
def stranger(folder) -> Authority:
    """An authority that the server does not know."""
    return Authority(folder, "stranger")


@pytest.fixture
def encrypted(serve, pair) -> Server:
    """A server with TLS."""
    return serve(tls={"certificate": pair.certificate, "key": pair.key})


@pytest.fixture
def mutual(serve, pair, authority) -> Server:
    """A server that asks for a client certificate."""
    return serve(tls={"certificate": pair.certificate, "key": pair.key, "client_ca": authority.certificate})


# ---------------------------------------------------------------------- TLS


def test_a_client_that_knows_the_authority_calls_over_tls(encrypted, authority):
    with callgate.connect(encrypted.address, ca=authority.certificate) as gate:
        assert gate.call(M, "who") == ANONYMOUS
    with callgate.connect(encrypted.address, ca=authority.certificate.read_bytes()) as gate:
        assert gate.call(M, "add", 1) == 2


def test_a_certificate_for_another_name_is_taken_only_by_that_name(serve, authority):
    other = authority.server("elsewhere", "elsewhere.example")
    server = serve(tls={"certificate": other.certificate, "key": other.key})
    with pytest.raises(callgate.Unavailable, match="server_name"):
        callgate.connect(server.address, ca=authority.certificate)
    with callgate.connect(server.address, ca=authority.certificate, server_name="elsewhere.example") as gate:
        assert gate.call(M, "add", 1) == 2


def test_an_authority_that_did_not_sign_the_server_is_told(encrypted, stranger):
    with pytest.raises(callgate.Unavailable, match="not signed by an authority that this client trusts"):
        callgate.connect(encrypted.address, ca=stranger.certificate)


def test_the_systems_authorities_do_not_know_a_private_one(encrypted):
    with pytest.raises(callgate.Unavailable, match="not signed by an authority that this client trusts"):
        callgate.connect(encrypted.address, tls=True)


def test_tls_against_plain_text_says_so(address, authority):
    with pytest.raises(callgate.Unavailable, match="does not speak TLS"):
        callgate.connect(address, ca=authority.certificate)


def test_plain_text_against_tls_says_so(encrypted):
    with (
        callgate.connect(encrypted.address, wait=None) as gate,
        pytest.raises(callgate.Unavailable, match="it may speak TLS"),
    ):
        gate.call(M, "who")


def test_the_same_is_said_by_the_first_call_of_a_gate_that_did_not_wait(address, authority):
    with (
        callgate.connect(address, ca=authority.certificate, wait=None) as gate,
        pytest.raises(callgate.Unavailable, match="does not speak TLS"),
    ):
        gate.call(M, "who")


# ---------------------------------------------------------------------- client certificates


def connect(server: Server, authority: Authority, own: Pair | None, wait: float | None = 5.0) -> callgate.Gate:
    return callgate.connect(
        server.address,
        ca=authority.certificate,
        certificate=own.certificate if own else None,
        key=own.key if own else None,
        wait=wait,
    )


def test_a_client_certificate_names_the_caller_to_the_function(mutual, authority):
    with connect(mutual, authority, authority.client("carol")) as gate:
        assert gate.call(M, "who") == "carol"


def test_a_certificate_without_a_common_name_names_the_caller_by_its_alternative_name(mutual, authority):
    own = authority.client("dave", uri="spiffe://example.org/dave")
    with connect(mutual, authority, own) as gate:
        assert gate.call(M, "who") == "spiffe://example.org/dave"


def test_a_name_with_a_line_break_in_it_stays_one_line(mutual, authority):
    own = authority.client("eve\nadmin")
    with connect(mutual, authority, own) as gate:
        assert gate.call(M, "who") == "eve\\nadmin"


def test_without_a_client_certificate_nothing_is_answered(mutual, authority):
    with (
        connect(mutual, authority, None, wait=None) as gate,
        pytest.raises(callgate.Unavailable, match="client certificate"),
    ):
        gate.call(M, "who")


def test_a_client_certificate_of_another_authority_is_refused(mutual, authority, stranger):
    with (
        connect(mutual, authority, stranger.client("carol"), wait=None) as gate,
        pytest.raises(callgate.Unavailable, match="may not know the authority"),
    ):
        gate.call(M, "who")


def test_with_both_a_token_is_wanted_and_names_the_caller(serve, folder, pair, authority, tokens):
    server = serve(
        tls={"certificate": pair.certificate, "key": pair.key, "client_ca": authority.certificate},
        auth={"tokens": folder / "tokens.txt"},
    )
    own = authority.client("frank")
    with pytest.raises(callgate.Unauthenticated):
        connect(server, authority, own)
    with callgate.connect(
        server.address, ca=authority.certificate, certificate=own.certificate, key=own.key, token=tokens["alice"]
    ) as gate:
        assert gate.call(M, "who") == "alice"


# ---------------------------------------------------------------------- files that cannot serve


@pytest.fixture
def starting() -> Callable[..., str]:
    """Why a server with these TLS files does not start."""

    def refused(certificate: Path, key: Path, client_ca: Path | None = None) -> str:
        server = Server(
            Settings(
                listen="127.0.0.1:0",
                expose=[{"functions": ("math.*",)}],
                tls={"certificate": certificate, "key": key, "client_ca": client_ca},
            )
        )
        try:
            with pytest.raises(TransportFailed) as caught:
                server.start()
        finally:
            server.stop(0.0)
        return str(caught.value)

    return refused


def test_a_key_of_another_certificate_is_named(starting, authority, pair):
    other = authority.server("other")
    assert starting(pair.certificate, other.key) == (
        f"TLS: the key {other.key} is not the key of the certificate {pair.certificate}"
    )


def test_an_expired_certificate_is_named(starting, authority):
    old = authority.server("old", days=(-3, -1))
    assert starting(old.certificate, old.key) == f"TLS: the certificate {old.certificate} has expired"


def test_a_certificate_of_the_future_is_named(starting, authority):
    new = authority.server("new", days=(1, 3))
    assert "not valid yet" in starting(new.certificate, new.key)


def test_files_that_are_swapped_are_named(starting, pair):
    assert str(pair.key) in starting(pair.key, pair.certificate)


def test_files_that_are_not_there_are_named(starting, pair, tmp_path):
    missing = tmp_path / "missing.pem"
    assert starting(missing, pair.key) == f"TLS: the certificate {missing} cannot be read: No such file or directory"
    assert starting(pair.certificate, missing) == f"TLS: the key {missing} cannot be read: No such file or directory"


def test_files_that_are_no_pem_are_named(starting, pair, tmp_path):
    junk = tmp_path / "junk.pem"
    junk.write_text("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n")
    assert str(junk) in starting(junk, pair.key)
    assert str(junk) in starting(pair.certificate, junk)
    assert str(junk) in starting(pair.certificate, pair.key, junk)


def test_a_key_with_a_passphrase_is_named_and_nobody_is_asked_for_it(starting, authority, pair, tmp_path):
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert "passphrase" in starting(pair.certificate, locked)


def test_a_client_names_its_own_wrong_files(authority, pair):
    other = authority.client("grace")
    with pytest.raises(ValueError, match="is not the key of the certificate"):
        callgate.connect("localhost:1", ca=authority.certificate, certificate=other.certificate, key=pair.key)
