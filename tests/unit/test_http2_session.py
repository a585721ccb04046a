"""The Session: two of them, client and server, joined by hand; and whatever a stranger may send to either."""

from __future__ import annotations

import gc
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callgate.http2.kinds import (
    ANSWER,
    CALL,
    CANCEL,
    END,
    GOAWAY,
    GONE,
    MESSAGE,
    NO_ERROR,
    REFUSED_STREAM,
    STATUS,
    TOO_LARGE,
    Event,
)

session = pytest.importorskip("callgate.http2.session", reason="nghttp2 was not there when callgate was installed")

PATH = b"/package.Service/Method"
LIMIT = 1 << 20


def make_server(**changed: Any) -> Any:
    return session.Session(
        **{"server": True, "max_message": LIMIT, "crowd": 1000, "window": LIMIT, "streams": 100, **changed}
    )


def make_client(**changed: Any) -> Any:
    fixed = {"authority": b"host:1", "scheme": b"http", "agent": b"test"}
    made = {"server": False, "max_message": LIMIT, "crowd": LIMIT, "window": LIMIT, "streams": 0, **fixed, **changed}
    return session.Session(**made)


class Pair:
    """A client and its server."""

    def __init__(self, client: Any = None, server: Any = None) -> None:
        self.client = client or make_client()
        self.server = server or make_server()

    def to_server(self) -> list[Event]:
        """What the client has to say reaches the server."""
        return self.server.receive(self.client.output(1 << 30))

    def to_client(self) -> list[Event]:
        """What the server has to say reaches the client."""
        return self.client.receive(self.server.output(1 << 30))

    def begin(self, message: bytes = b"question", streaming: bool = False, metadata: Any = ()) -> int:
        """A call that has reached the server."""
        stream = self.client.request(PATH, None, metadata, message, streaming)
        self.to_server()
        return stream


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_a_call_and_its_answer(pair):
    assert pair.client.request(PATH, b"20S", (), b"question", False) == 1
    assert pair.to_server() == [(CALL, 1, PATH.decode(), 20.0, (), b"question")]
    assert pair.server.respond(1, b"answer")
    assert pair.to_client() == [(ANSWER, 1, b"answer")]
    assert pair.to_server() == []
    assert (pair.client.open, pair.server.open) == (0, 0)


def test_a_call_is_answered_once(pair):
    stream = pair.begin()
    assert pair.server.respond(stream, b"answer")
    assert not pair.server.respond(stream, b"another")
    assert not pair.server.finish(stream, 13, b"", ())
    assert pair.server.send(stream, b"another") == -1
    assert pair.to_client() == [(ANSWER, stream, b"answer")]
    assert not pair.server.respond(stream, b"too late")
    assert not pair.server.respond(999, b"never was")


@pytest.mark.parametrize("message", [b"", b"x", bytes(range(256)) * 300, b"y" * LIMIT])
def test_messages_of_every_size_go_both_ways(pair, message):
    stream = pair.client.request(PATH, None, (), message, False)
    events: list[Event] = []
    while not events:
        events += pair.to_server()
        pair.to_client()
    assert [event[5] for event in events] == [message]
    pair.server.respond(stream, message)
    answers: list[Event] = []
    while not answers:
        answers += pair.to_client()
        pair.to_server()
    assert answers == [(ANSWER, stream, message)]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (b"1H", 3600.0), (b"2M", 120.0), (b"3S", 3.0), (b"4m", 0.004), (b"5u", 5e-6), (b"6n", 6e-9), (b"0S", 0.0),
        (b"99999999H", 99999999 * 3600.0), (b"", None), (b"5", None), (b"S", None), (b"-1S", None), (b"1.5S", None),
        (b"123456789S", None), (b"1x", None),
    ],
)  # fmt: skip
def test_a_timeout_is_what_grpc_says_it_is_and_none_is_none(pair, said, seconds):
    pair.client.request(PATH, said, (), b"", False)
    (event,) = pair.to_server()
    assert event[3] == pytest.approx(seconds)


def test_metadata_arrives_in_order_without_what_is_grpcs_own(pair):
    sent = (("authorization", "Bearer x"), ("a-bin", b"AAEC"), ("a-bin", b"AwQ"), ("empty", ""))
    pair.client.request(PATH, None, sent, b"", False)
    (event,) = pair.to_server()
    assert event[4] == (("authorization", "Bearer x"), ("a-bin", "AAEC"), ("a-bin", "AwQ"), ("empty", ""))


def test_a_failure_is_trailers_alone(pair):
    stream = pair.begin()
    assert pair.server.finish(stream, 5, b"not %25 there", (("detail-bin", b"AAEC"), ("id", "7")))
    assert pair.to_client() == [
        (STATUS, stream, 200, 5, "not %25 there", (("detail-bin", "AAEC"), ("id", "7")), "application/grpc")
    ]


def test_a_stream_is_messages_and_an_end(pair):
    stream = pair.begin(streaming=True)
    for item in (b"1", b"", b"3"):
        assert pair.server.send(stream, item) > 0
    pair.server.finish(stream, 0, b"", ())
    assert pair.to_client() == [
        (MESSAGE, stream, b"1"),
        (MESSAGE, stream, b""),
        (MESSAGE, stream, b"3"),
        (STATUS, stream, 200, 0, None, (), "application/grpc"),
    ]


def test_a_streams_failure_comes_after_its_messages(pair):
    stream = pair.begin(streaming=True)
    pair.server.send(stream, b"1")
    pair.server.finish(stream, 2, b"broke", (("key", "value"),))
    assert [event[0] for event in pair.to_client()] == [MESSAGE, STATUS]


def test_a_sender_is_told_when_a_reader_is_slow_and_when_it_may_go_on():
    pair = Pair(make_client(window=65_535), make_server(crowd=1000))
    stream = pair.begin(streaming=True)
    sent = 0
    while pair.server.send(stream, b"x" * 900) <= 1000:
        pair.to_client()
        sent += 1
    assert sent >= 60  # what HTTP/2 holds
    assert pair.server.take_drained() == ()
    pair.client.consume(stream, 65_000)
    pair.to_server()
    pair.to_client()
    assert pair.server.take_drained() == (stream,)
    assert pair.server.take_drained() == ()


def test_a_message_larger_than_the_window_comes_although_nobody_has_read_those_before():
    pair = Pair(make_client(window=65_535), make_server(crowd=1 << 20))
    stream = pair.begin(streaming=True)
    sizes = [10, 500_000, 20]
    for size in sizes:
        pair.server.send(stream, b"x" * size)
    pair.server.finish(stream, 0, b"", ())
    got: list[Event] = []
    for _ in range(100):
        got += pair.to_client()
        pair.to_server()
    assert [len(event[2]) for event in got if event[0] == MESSAGE] == sizes
    assert got[-1][0] == STATUS
    pair.client.consume(stream, 1 << 30)  # more than came: no harm
    pair.client.consume(999, 1)


def test_a_sender_that_waits_is_told_when_its_client_has_left():
    pair = Pair(make_client(window=65_535), make_server(crowd=10))
    stream = pair.begin(streaming=True)
    pair.server.send(stream, b"x" * 100_000)
    pair.to_client()
    pair.client.reset(stream, CANCEL)
    assert pair.to_server() == [(GONE, stream, CANCEL)]
    assert pair.server.take_drained() == (stream,)
    assert pair.server.queued == 0


def test_a_client_that_leaves_is_told_and_what_it_would_have_got_is_dropped(pair):
    stream = pair.begin()
    pair.client.reset(stream, CANCEL)
    assert pair.to_server() == [(GONE, stream, CANCEL)]
    assert not pair.server.respond(stream, b"answer")
    assert pair.to_client() == []


def test_a_call_that_was_cancelled_before_it_was_sent_is_not_sent(pair):
    stream = pair.client.request(PATH, None, (), b"question", False)
    pair.client.reset(stream, CANCEL)
    assert [event for event in pair.to_server() if event[0] == CALL] == []


def test_a_server_can_refuse_a_stream(pair):
    stream = pair.begin()
    pair.server.reset(stream, REFUSED_STREAM)
    assert pair.to_client() == [(GONE, stream, REFUSED_STREAM)]


def test_a_request_beyond_the_limit_is_told_by_its_head_and_not_kept():
    pair = Pair(make_client(max_message=1 << 30), make_server(max_message=1000, window=1 << 20))
    pair.client.request(PATH, b"1S", (("k", "v"),), b"x" * 500_000, False)
    assert pair.to_server() == [(TOO_LARGE, 1, PATH.decode(), 1.0, (("k", "v"),), 500_000)]
    assert pair.server.finish(1, 8, b"too large", ())
    assert [event[:4] for event in pair.to_client()] == [(STATUS, 1, 200, 8)]


def test_an_answer_beyond_the_limit_is_told_with_its_size():
    pair = Pair(make_client(max_message=1000))
    stream = pair.begin()
    pair.server.respond(stream, b"x" * 1001)
    assert pair.to_client() == [(TOO_LARGE, stream, 1001)]


def test_a_compressed_message_comes_with_its_encoding(pair):
    raw = raw_request(b"\1" + (4).to_bytes(4, "big") + b"wxyz", (b"grpc-encoding", b"gzip"))
    assert pair.server.receive(raw)[0][5] == ("gzip", b"wxyz")


def test_metadata_beyond_16_kb_reset_the_stream(pair):
    pair.client.request(PATH, None, (("k", "v" * 17_000),), b"", False)
    assert pair.to_server() == []
    (gone,) = pair.to_client()
    assert gone[0] == GONE


def test_a_call_without_a_message_is_one_without_a_message(pair):
    (event,) = pair.server.receive(raw_request(None))
    assert event[5] is None


def test_half_a_message_is_none(pair):
    (event,) = pair.server.receive(raw_request(b"\0\0\0\0\x05abc"))
    assert event[5] is None


def test_a_further_message_and_the_end_are_events_of_who_asks_for_them(pair):
    two = b"".join(b"\0" + len(one).to_bytes(4, "big") + one for one in (b"first", b"second"))
    events = pair.server.receive(raw_request(two))
    assert [(event[0], event[-1]) for event in events] == [(CALL, b"first"), (MESSAGE, b"second")]
    assert pair.server.converse(1) is True  # it has ended already
    assert pair.server.receive(raw_request(two, stream=3, end=False, preface=False))
    assert pair.server.converse(3) is False
    assert pair.server.receive(frame(0, 1, 3, b"")) == [(END, 3)]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b":method", b"POST"), (b"content-type", b"text/html")], "415"),
        ([(b":method", b"POST")], "415"),
        ([(b":method", b"POST"), (b"content-type", b"application/grpcx")], "415"),
        ([(b":method", b"GET"), (b"content-type", b"application/grpc")], "405"),
    ],
)
def test_what_is_no_grpc_is_refused_as_http(pair, headers, status):
    assert pair.server.receive(raw_request(b"\0\0\0\0\0", method=None, content_type=None, more=headers)) == []
    answer = pair.server.output(1 << 20)
    assert status.encode() in answer


@pytest.mark.parametrize("kind", [b"application/grpc", b"application/grpc+proto", b"application/grpc;charset=utf-8"])
def test_every_form_of_grpcs_content_type_is_taken(pair, kind):
    assert pair.server.receive(raw_request(b"\0\0\0\0\0", content_type=kind))[0][0] == CALL


def test_a_server_that_leaves_says_so_and_ends_what_runs(pair):
    stream = pair.begin()
    pair.server.go_away(False)
    assert [event[0] for event in pair.to_client()] == [GOAWAY]
    pair.server.go_away(True)
    assert pair.to_client() == [(GOAWAY, stream, NO_ERROR)]
    pair.server.respond(stream, b"answer")
    assert pair.to_client() == [(ANSWER, stream, b"answer")]
    pair.to_server()
    assert not pair.server.alive


def test_calls_that_a_leaving_server_did_not_take_are_told_to_be_refused(pair):
    taken = pair.begin()
    pair.server.go_away(True)
    late = pair.client.request(PATH, None, (), b"late", False)
    pair.client.output(1 << 20)  # on its way when the server left
    events = pair.to_client()
    assert (GONE, late, REFUSED_STREAM) in events
    assert (GONE, taken) not in [event[:2] for event in events]


def test_calls_that_waited_for_a_place_when_the_server_left_are_told(pair):
    pair = Pair(server=make_server(streams=1))
    pair.to_client()
    taken = pair.begin()
    waiting = [pair.client.request(PATH, None, (), b"question", False) for _ in range(3)]
    assert pair.to_server() == []
    pair.server.go_away(True)
    events = pair.to_client()
    pair.server.respond(taken, b"answer")
    events += pair.to_client()
    pair.to_server()
    if pair.client.pending:
        events += pair.client.receive(b"")
    assert (ANSWER, taken, b"answer") in events
    assert {event[1] for event in events if event[0] == GONE} == set(waiting)
    assert pair.client.open == 0


def test_a_client_without_a_status_is_told_so(pair):
    stream = pair.begin()
    # An answer that ends without trailers, as a proxy may give.
    pair.client.receive(pair.server.output(1 << 20))
    block = b"\x88" + literal(b"content-type", b"text/html")
    assert pair.client.receive(frame(1, 5, stream, block)) == [(STATUS, stream, 200, -1, None, (), "text/html")]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n" * 5, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + b"\0" * 100])
def test_what_is_no_http2_is_an_error(data):
    with pytest.raises(session.ProtocolError):
        make_server().receive(data)


@pytest.mark.parametrize(
    "data",
    [
        lambda: frame(0, 0, 0, b"on no stream"),
        lambda: frame(1, 4, 2, b"\x82"),  # an even number is a server's
        lambda: frame(1, 4, 1, b"\xff\xff\xff\xff\xff\xff\xff"),  # no HPACK
        lambda: frame(9, 4, 1, b""),  # a continuation of nothing
        lambda: frame(8, 0, 0, b"\0\0\0\0"),  # a window of nothing
        lambda: frame(6, 0, 0, b"short"),
    ],
)
def test_a_broken_frame_ends_the_connection_and_says_why(data):
    server = make_server()
    server.output(1 << 20)
    try:
        server.receive(PREFACE + frame(4, 0, 0, b"") + data())
    except session.ProtocolError:
        pass
    sent = server.output(1 << 20)
    assert 7 in kinds_of(sent) or not server.alive  # a GOAWAY


def test_a_flood_of_pings_and_settings_is_ended():
    for kind, body in ((6, b"8 bytes!"), (4, b"")):
        server = make_server()
        with pytest.raises(session.ProtocolError):
            server.receive(PREFACE + frame(4, 0, 0, b"") + frame(kind, 0, 0, body) * 20_000)


def test_streams_beyond_the_limit_are_refused():
    pair = Pair(server=make_server(streams=3))
    pair.to_client()
    raw = b"".join(raw_request(b"\0\0\0\0\0", stream=2 * n + 1, preface=n == 0, ack=True) for n in range(5))
    assert len([event for event in pair.server.receive(raw) if event[0] == CALL]) == 3


@given(st.lists(st.integers(1, 400), max_size=60), st.integers(0, 3))
@example([1] * 60, 2)
def test_how_bytes_are_cut_makes_no_difference(cuts, seed):
    client = make_client()
    messages = [bytes([seed]) * size for size in (0, 3, 700, 20_000)]
    for number, message in enumerate(messages):
        client.request(PATH, b"5S", (("n", str(number)),), message, bool(number % 2))
    data = client.output(1 << 30)
    whole = make_server().receive(data)
    assert [event[5] for event in whole] == messages
    server, events = make_server(), []
    for size in (*cuts, len(data)):
        part, data = data[:size], data[size:]
        events += server.receive(part)
    assert events == whole


@given(st.binary(max_size=300), st.booleans())
def test_whatever_comes_is_taken_or_refused(data, after_preface):
    for made in (make_server(), make_client()):
        made.output(1 << 20)
        try:
            if after_preface:
                made.receive((PREFACE if made.output(0) == b"" else b"") + frame(4, 0, 0, b""))
            made.receive(data)
        except session.ProtocolError:
            pass
        made.output(1 << 20)


def test_a_client_that_sends_and_does_not_read_is_stopped():
    """By HTTP/2's own means: what it may send is given back to it as it reads."""
    pair = Pair(make_client(max_message=1 << 30), make_server(max_message=8 << 20, window=4 << 20))
    pair.to_client()
    taken = 0
    for _ in range(400):
        pair.client.request(PATH, None, (), b"x" * (1 << 20), False)
        for event in pair.server.receive(pair.client.output(2 << 20)):
            if event[0] == CALL:
                taken += 1
                pair.server.respond(event[1], event[5])
        pair.client.receive(pair.server.output(1000))  # some windows, and next to no answers
    assert taken < 200
    assert pair.server.queued < 200 << 20
    while pair.to_client() or pair.to_server():  # it reads: all goes on
        pass


def test_a_session_that_is_dropped_lets_go_of_its_messages():
    class Mine(bytes):
        pass

    pair = Pair()
    stream = pair.begin(streaming=True)
    before = sum(isinstance(one, Mine) for one in gc.get_objects())
    pair.server.send(stream, bytes(100))
    pair.client.request(PATH, None, (), bytes(100), False)
    del pair
    gc.collect()
    assert sum(isinstance(one, Mine) for one in gc.get_objects()) == before


@pytest.mark.parametrize(
    "call",
    [
        lambda one: one.respond(1),
        lambda one: one.respond(1, "text"),
        lambda one: one.respond("1", b""),
        lambda one: one.send(1, None),
        lambda one: one.finish(1, 0, b"", []),
        lambda one: one.request(PATH, None, (), b"", False),
        lambda one: one.receive("text"),
        lambda one: one.output(-1),
        lambda one: one.converse("1"),
        lambda one: type(one)(),
        lambda one: type(one)(server=True, max_message="1", crowd=1, window=1, streams=1),
    ],
)
def test_what_is_wrong_is_an_exception(call):
    with pytest.raises((TypeError, ValueError)):
        call(make_server())


# ------------------------------------------------------------------ by hand (RFC 9113, RFC 7541)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def literal(name: bytes, value: bytes) -> bytes:
    """A header that is not indexed, without Huffman coding."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def raw_request(
    data: bytes | None,
    *more: tuple[bytes, bytes],
    stream: int = 1,
    end: bool = True,
    preface: bool = True,
    ack: bool = False,
    method: bytes | None = b"POST",
    content_type: bytes | None = b"application/grpc",
    **extra: Sequence[tuple[bytes, bytes]],
) -> bytes:
    """A request with headers of our own."""
    headers = [(b":scheme", b"http"), (b":path", PATH), (b":authority", b"x")]
    if method is not None:
        headers.insert(0, (b":method", method))
    if content_type is not None:
        headers.append((b"content-type", content_type))
    given = [*headers, *more, *extra.get("more", ())]
    given.sort(key=lambda one: not one[0].startswith(b":"))
    block = b"".join(literal(*one) for one in given)
    made = PREFACE + frame(4, 0, 0, b"") + (frame(4, 1, 0, b"") if ack else b"") if preface else b""
    made += frame(1, 5 if data is None else 4, stream, block)
    return made if data is None else made + frame(0, 1 if end else 0, stream, data)


def kinds_of(data: bytes) -> Iterator[int]:
    while len(data) >= 9:
        yield data[3]
        data = data[9 + int.from_bytes(data[:3], "big") :]


def test_a_compressed_message_is_decompressed_within_the_limit():
    from callgate.http2.compression import CompressionError, Larger, decompressed

    packed = zlib.compress(b"x" * 1000)
    assert decompressed("deflate", packed, 1000) == b"x" * 1000
    with pytest.raises(Larger):
        decompressed("deflate", packed, 999)
    with pytest.raises(CompressionError, match="not whole"):
        decompressed("deflate", packed[:-1], 1000)
    with pytest.raises(CompressionError, match="not gzip"):
        decompressed("gzip", packed, 1000)
    with pytest.raises(CompressionError, match="'snappy' are not taken"):
        decompressed("snappy", packed, 1000)
