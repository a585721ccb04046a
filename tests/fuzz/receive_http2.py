"""Fuzzes the native transport's Session under atheris: whatever the bytes, events or a ProtocolError, soon.

    python -m tests.fuzz.receive_http2 [SECONDS] [libFuzzer options]

An input is what a client sends to a server, and what a server sends to a client that has calls on their way; both cut
where the input's first byte says. Starts from real conversations. Stops with a non-zero exit and the offending input at
any other exception, at an event that is none, at an input that takes more than 100 ms of this process's time (taken
again first), or beyond 1 GiB of memory.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["callgate"]):
    from callgate.http2.compression import CompressionError, Larger, decompressed
    from callgate.http2.failure import RpcFailed, failure_of
    from callgate.http2.headers import received
    from callgate.http2.kinds import CALL, GOAWAY, MESSAGE, STATUS, TOO_LARGE
    from callgate.http2.session import ProtocolError, Session

SECONDS = 60
#: Of CPU time, for one input of at most 64 KiB.
LIMIT = 0.1
_INPUT_BYTES = 64 << 10
_MEMORY_MB = 1024
_MESSAGE = 1 << 16
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_PATH = b"/callgate.v1.FunctionService/CallFunction"


def _server() -> Session:
    made = Session(server=True, max_message=_MESSAGE, crowd=1000, window=1 << 20, streams=100)
    made.receive(_PREFACE)  # fixed: what is random almost never has it
    return made


def _client() -> Session:
    fixed = {"authority": b"x:1", "scheme": b"http", "agent": b"fuzz"}
    return Session(server=False, max_message=_MESSAGE, crowd=1000, window=1 << 20, streams=0, **fixed)  # type: ignore[arg-type]  # bytes, as it says


def _serve(server: Session, event: Any) -> None:
    kind, stream = event[0], event[1]
    if kind == CALL:
        assert isinstance(event[2], str)
        received(event[4])
        message = event[5]
        if isinstance(message, tuple):
            try:
                message = decompressed(*message, _MESSAGE)
            except (CompressionError, Larger):
                message = None
        if message is None:
            server.finish(stream, 12, b"no", (("a-bin", b"AAEC"),))
        elif len(message) % 2:
            server.respond(stream, message)
        else:
            server.send(stream, message)
            server.converse(stream)
    elif kind == TOO_LARGE:
        assert event[5] > _MESSAGE
        server.finish(stream, 8, b"large", ())


def _call(client: Session, event: Any) -> None:
    if event[0] == MESSAGE:
        client.consume(event[1], len(event[2]) + 5)
    elif event[0] == STATUS:
        assert isinstance(failure_of(event, _MESSAGE), RpcFailed | None)
    elif event[0] != GOAWAY:
        failure_of(event, _MESSAGE)


def _play(session: Session, data: bytes, cut: int, do: Any) -> None:
    try:
        for part in (data[:cut], data[cut:]):
            for event in session.receive(part):
                do(session, event)
            session.output(1 << 16)
            for event in session.receive(b""):
                do(session, event)
    except ProtocolError:
        session.output(1 << 16)
    session.take_drained()


def _both(data: bytes) -> float:
    began = time.process_time()
    cut = data[0] * len(data) // 256 if data else 0
    _play(_server(), data[1:], cut, _serve)
    client = _client()
    for streaming in (False, True, False):
        client.request(_PATH, b"1S", (), b"question", streaming)
    client.output(1 << 16)
    _play(client, data[1:], cut, _call)
    return time.process_time() - began


def check(data: bytes) -> None:
    """Play one input.

    Raises:
        Exception: if the Session does what it should not.
    """
    if _both(data) > LIMIT and min(_both(data), _both(data)) > LIMIT:
        raise RuntimeError(f"an input of {len(data)} bytes takes more than {LIMIT * 1e3:.0f} ms")


def _conversations() -> list[bytes]:
    """What real clients and servers say."""
    said: list[bytes] = []
    client, server = _client(), _server()
    for number, size in enumerate((0, 10, 3000, 70_000)):
        client.request(
            _PATH, b"20S" if number % 2 else None, (("a-bin", b"AAEC"), ("k", "v")), b"x" * size, number == 1
        )
        said.append(client.output(1 << 20))
        for event in server.receive(said[-1].removeprefix(_PREFACE)):
            _serve(server, event)
        said.append(server.output(1 << 20))
        client.receive(said[-1])
    client.reset(1, 8)
    server.go_away(True)
    said += [client.output(1 << 20), server.output(1 << 20)]
    said[0] = said[0].removeprefix(_PREFACE)
    return [*said, b"".join(said[::2]), b"".join(said[1::2])]


def main() -> None:
    """Run for the seconds that the first argument says."""
    arguments = sys.argv[1:]
    seconds = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else SECONDS
    with tempfile.TemporaryDirectory() as corpus:
        for index, data in enumerate(_conversations()):
            (Path(corpus) / str(index)).write_bytes(b"\x80" + data)
        options = [
            f"-max_total_time={seconds}", f"-rss_limit_mb={_MEMORY_MB}", f"-max_len={_INPUT_BYTES}", "-timeout=10",
            "-print_final_stats=1", *arguments, corpus,
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *options], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
