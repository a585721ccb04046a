"""Where the native transport listens: what can be bound, and what is said of what cannot."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callgate_server.transports.base import TransportFailed
from callgate_server.transports.listening import Listeners, listen_on


@contextmanager
def listening(where: str) -> Iterator[Listeners]:
    made = listen_on(where)
    try:
        for sock in made.sockets:
            sock.listen()
        yield made
    finally:
        made.close()


def reaches(family: int, address: object) -> bool:
    with socket.socket(family) as client:
        client.settimeout(5)
        return client.connect_ex(address) == 0


def test_a_free_port_is_told():
    with listening("127.0.0.1:0") as made:
        host, _, port = made.address.rpartition(":")
        assert host == "127.0.0.1"
        assert reaches(socket.AF_INET, ("127.0.0.1", int(port)))


def test_a_name_is_listened_on_at_all_of_its_addresses_with_one_port():
    with listening("localhost:0") as made:
        port = int(made.address.removeprefix("localhost:"))
        assert {sock.getsockname()[1] for sock in made.sockets} == {port}
        assert reaches(socket.AF_INET, ("127.0.0.1", port))


@pytest.mark.skipif(not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
@pytest.mark.parametrize("where", ["[::1]:0", "[::]:0"])
def test_ipv6_is_listened_on(where):
    with listening(where) as made:
        host, _, port = made.address.rpartition(":")
        assert host == where.rpartition(":")[0]
        assert reaches(socket.AF_INET6, ("::1", int(port)))
        assert reaches(socket.AF_INET, ("127.0.0.1", int(port))) == (where == "[::]:0")


def test_a_port_in_use_is_refused():
    with (
        listening("127.0.0.1:0") as made,
        pytest.raises(TransportFailed, match=r"the port is in use.*--listen HOST:PORT"),
    ):
        listen_on(made.address)


def test_an_address_that_is_not_this_machines_is_refused():
    with pytest.raises(TransportFailed, match="not this machine's"):
        listen_on("192.0.2.1:0")  # TEST-NET-1 (RFC 5737)


def test_a_name_that_is_none_is_refused():
    with pytest.raises(TransportFailed, match=r"cannot listen on no-such-host\.invalid:1"):
        listen_on("no-such-host.invalid:1")


def test_a_unix_socket_goes_with_its_server(tmp_path):
    path = tmp_path / "socket"
    with listening(f"unix:{path}") as made:
        assert made.address == f"unix:{path}"
        assert reaches(socket.AF_UNIX, str(path))
    assert not path.exists()


def test_a_socket_that_a_dead_server_left_is_taken_over(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with listening(f"unix:{path}"):
        assert reaches(socket.AF_UNIX, str(path))


def test_a_socket_that_another_server_listens_on_is_in_use(tmp_path):
    path = tmp_path / "socket"
    with listening(f"unix:{path}"):
        with pytest.raises(TransportFailed, match="in use"):
            listen_on(f"unix:{path}")
        assert reaches(socket.AF_UNIX, str(path))


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(TransportFailed):
        listen_on(f"unix:{path}")
    assert path.read_text() == "mine"


def test_a_socket_that_was_taken_over_is_not_removed_by_its_first_owner(tmp_path):
    path = tmp_path / "socket"
    first = listen_on(f"unix:{path}")
    path.unlink()
    with listening(f"unix:{path}"):
        first.close()
        assert path.exists()
