"""Frames between front and worker: what is sent is what is read, and what is no frame is told from a hang-up."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate_server.executors.frames import (
    MAX_BODY,
    MAX_HEAD,
    BadFrame,
    Frame,
    FrameTooLarge,
    Hangup,
    Kind,
    receive,
    send,
)  # fmt: skip


@pytest.fixture
def pair():
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def through(head=b"", body=b"", kind=Kind.CALL, number=0, flags=0):
    one, other = socket.socketpair()
    with one, other:
        writer = threading.Thread(
            target=send, args=(one, kind), kwargs={"number": number, "head": head, "body": body, "flags": flags}
        )
        writer.start()
        frame = receive(other)
        writer.join()
        return frame


@given(
    st.sampled_from(Kind),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.integers(0, 255),
)
def test_a_frame_is_read_as_it_was_sent(kind, number, head, body, flags):
    assert through(head, body, kind, number, flags) == Frame(kind, flags, number, head, body)


@pytest.mark.parametrize("size", [0, 1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 5_000_003])
def test_sizes_around_the_limits_of_one_read_go_through(size):
    body = os.urandom(1) * size
    for head in (b"", b"{}", b"x" * 70_000):
        frame = through(head, body)
        assert frame.head == head
        assert frame.body == body
        assert type(frame.body) is bytes


def test_frames_one_after_the_other_keep_their_borders(pair):
    one, other = pair
    for number in range(5):
        send(one, Kind.RESULT, number=number, body=b"x" * number)
    assert [receive(other).number for _ in range(5)] == list(range(5))


def test_a_read_that_signals_split_is_put_together():
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
        body = bytes(range(256)) * 80_000
        for _ in range(5):
            assert through(b"{}", body).body == body
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen


HEADER = struct.Struct("!2sBBIQQ")


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 24,
        HEADER.pack(b"cg", 0, 0, 0, 0, 0),
        HEADER.pack(b"cg", 200, 0, 0, 0, 0),
        HEADER.pack(b"cg", 5, 0, MAX_HEAD + 1, 0, 0),
        HEADER.pack(b"cg", 5, 0, 0, MAX_BODY + 1, 0),
        HEADER.pack(b"gc", 5, 0, 0, 0, 0),
    ],
    ids=["text", "kind 0", "kind 200", "long head", "long body", "magic"],
)
def test_what_is_no_frame_is_a_bad_frame_before_anything_is_allocated(pair, data):
    one, other = pair
    one.sendall(data)
    with pytest.raises(BadFrame):
        receive(other)


@given(st.binary(min_size=24, max_size=200))
def test_arbitrary_bytes_are_a_bad_frame_or_a_hang_up_and_nothing_else(data):
    one, other = socket.socketpair()
    with one, other:
        one.sendall(data)
        one.close()
        try:
            receive(other)
        except (BadFrame, Hangup):
            return
        assert data.startswith(b"cg")


@pytest.mark.parametrize("cut", [0, 1, 23, 24, 30])
def test_a_socket_that_closes_in_the_middle_of_a_frame_is_a_hang_up(pair, cut):
    one, other = pair
    frame = HEADER.pack(b"cg", 5, 0, 2, 10, 0) + b"{}" + b"x" * 10
    one.sendall(frame[:cut])
    one.close()
    with pytest.raises(Hangup) as caught:
        receive(other)
    assert not caught.value.unread


def test_a_peer_that_dies_with_a_request_unread_is_known_not_to_have_started_it(pair):
    one, other = pair
    send(one, Kind.CALL, number=1, body=b"request")
    other.close()
    with pytest.raises(Hangup) as caught:
        receive(one)
    assert caught.value.unread


def test_a_peer_that_is_gone_before_it_is_written_to_has_not_started_either(pair):
    one, other = pair
    other.close()
    with pytest.raises(Hangup) as caught:
        send(one, Kind.CALL, number=1, body=b"request")
    assert caught.value.unread


def test_a_peer_that_read_the_request_and_died_may_have_started_it(pair):
    one, other = pair
    send(one, Kind.CALL, number=1, body=b"request")
    receive(other)
    other.close()
    with pytest.raises(Hangup) as caught:
        receive(one)
    assert not caught.value.unread


def test_a_body_without_room_in_memory_is_dropped_and_the_next_frame_is_read():
    import resource

    one, other = socket.socketpair()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with one, other:

        def write():
            send(one, Kind.CALL, number=1, body=body)
            send(one, Kind.CALL, number=2, body=b"small")

        body = bytes(256 << 20)
        with open("/proc/self/statm", "rb") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        writer = threading.Thread(target=write)
        writer.start()
        resource.setrlimit(resource.RLIMIT_AS, (used + (128 << 20), limits[1]))
        try:
            with pytest.raises(FrameTooLarge) as caught:
                receive(other)
            assert caught.value.number == 1
            assert receive(other) == Frame(Kind.CALL, 0, 2, b"", b"small")
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
            writer.join()
