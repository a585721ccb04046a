"""Threads that share a Link: each gets its own answer, one reads for all, and nobody waits where nobody reads."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import grpc
import pytest

from callgate.http2.failure import RpcFailed
from callgate.http2.kinds import ANSWER, CALL, GONE, LOCAL, MESSAGE, REFUSED_STREAM, STATUS, Event

session = pytest.importorskip("callgate.http2.session", reason="nghttp2 was not there when callgate was installed")

from callgate.http2.link import Link, TimePassed, Waiter  # noqa: E402 -- it needs nghttp2
from callgate.http2.wires import PlainWire  # noqa: E402 -- likewise

PATH = b"/package.Service/Method"
LIMIT = 64 << 20

#: What a server does with an event: it is given itself, too.
Serve = Callable[["Server", Event], None]


class Server:
    """A server of one connection, on a thread of its own, that does with events what a test says."""

    def __init__(self, sock: socket.socket, serve: Serve) -> None:
        self.session = session.Session(server=True, max_message=LIMIT, crowd=1 << 20, window=1 << 20, streams=10_000)
        self.events: list[Event] = []
        self._sock = sock
        self._serve = serve
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.flush()
        while True:
            try:
                data = self._sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            with self._lock:
                events = self.session.receive(data)
            for event in events:
                self.events.append(event)
                self._serve(self, event)
            self.flush()

    def flush(self) -> None:
        with self._lock:
            while data := self.session.output(65536):
                try:
                    self._sock.sendall(data)
                except OSError:
                    return

    def do(self, work: Callable[[], object]) -> None:
        """Do something to the session from another thread."""
        with self._lock:
            work()
        self.flush()

    def close(self) -> None:
        self._sock.close()
        self._thread.join(10)


def echo(server: Server, event: Event) -> None:
    if event[0] == CALL:
        server.session.respond(event[1], event[5])


def silent(server: Server, event: Event) -> None:
    pass


class Make:
    def __init__(self) -> None:
        self._made: list[tuple[Link, Server]] = []

    def __call__(self, serve: Serve = echo) -> tuple[Link, Server]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        made = session.Session(
            server=False, max_message=LIMIT, crowd=1 << 20, window=1 << 20, streams=0,
            authority=b"test", scheme=b"http", agent=b"test",
        )  # fmt: skip
        link, server = Link(ours, PlainWire, made), Server(theirs, serve)
        link.greet(time.monotonic() + 10)
        self._made.append((link, server))
        return link, server

    def close(self) -> None:
        for link, server in self._made:
            link.close(RpcFailed(grpc.StatusCode.CANCELLED, "the test is over"))
            server.close()


@pytest.fixture
def make() -> Iterator[Make]:
    made = Make()
    yield made
    made.close()


def call(link: Link, message: bytes, seconds: float = 20.0) -> bytes:
    waiter = Waiter()
    assert link.begin(waiter, PATH, None, (), message, False)
    event = link.wait(waiter, time.monotonic() + seconds)
    assert event[0] == ANSWER
    return event[2]


def in_threads(count: int, work: Callable[[int], None]) -> None:
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
        assert not thread.is_alive()
    assert failures == []


def test_one_call_after_the_other(make):
    link, _ = make()
    for message in (b"", b"x", b"y" * 3_000_000):
        assert call(link, message) == message


def test_many_threads_get_each_its_own_answer(make):
    link, _ = make()

    def work(number: int) -> None:
        for turn in range(100):
            message = b"%d/%d" % (number, turn)
            assert call(link, message) == message

    in_threads(16, work)


def test_answers_in_another_order_come_to_their_own_threads(make):
    waiting: list[Event] = []

    def shuffled(server: Server, event: Event) -> None:
        if event[0] == CALL:
            waiting.append(event)
        if len(waiting) == 8:
            random.Random(len(server.events)).shuffle(waiting)
            while waiting:
                one = waiting.pop()
                server.session.respond(one[1], one[5])

    link, _ = make(shuffled)

    def work(number: int) -> None:
        for turn in range(50):
            message = b"%d/%d" % (number, turn)
            assert call(link, message) == message

    in_threads(8, work)


def test_large_messages_of_several_threads_both_ways_at_once(make):
    """More than sockets hold: who writes must not wait for who reads, nor the other way round."""
    link, _ = make()

    def work(number: int) -> None:
        for _ in range(3):
            message = bytes([number]) * 4_000_000
            assert call(link, message) == message

    in_threads(4, work)


def test_whose_time_passes_leaves_alone_and_the_others_go_on(make):
    def only_large(server: Server, event: Event) -> None:
        if event[0] == CALL and len(event[5]) > 1:
            server.session.respond(event[1], event[5])

    link, server = make(only_large)

    def work(number: int) -> None:
        for turn in range(20):
            if number % 2:
                assert call(link, b"%d/%d" % (number, turn)) == b"%d/%d" % (number, turn)
                continue
            waiter = Waiter()
            link.begin(waiter, PATH, None, (), b"x", False)
            with pytest.raises(TimePassed):
                link.wait(waiter, time.monotonic() + 0.002 * (number + 1))
            link.cancel(waiter)

    in_threads(6, work)
    assert call(link, b"after all") == b"after all"
    assert Counter(event[0] for event in server.events)[GONE] == 60


def test_a_deadline_that_has_passed_is_noticed_at_once(make):
    link, _ = make(silent)
    waiter = Waiter()
    link.begin(waiter, PATH, None, (), b"x", False)
    with pytest.raises(TimePassed):
        link.wait(waiter, time.monotonic() - 1)


@pytest.mark.parametrize("reads", [True, False], ids=["who reads", "who sleeps"])
def test_who_waits_is_woken_by_an_event_of_our_own(make, reads):
    link, _ = make(silent)
    first, second = Waiter(), Waiter()
    ends: list[object] = []

    def wait(waiter: Waiter) -> threading.Thread:
        link.begin(waiter, PATH, None, (), b"x", False)
        thread = threading.Thread(target=lambda: ends.append(link.wait(waiter, None)))
        thread.start()
        return thread

    threads = [wait(first)]
    while link._reader is None:  # the first that waits reads
        pass
    threads.append(wait(second))
    while second.asleep is None:
        pass
    one, other = (first, second) if reads else (second, first)
    for waiter, thread in ((one, threads[not reads]), (other, threads[reads])):
        link.cancel(waiter)
        link.push(waiter, (LOCAL, waiter))
        thread.join(10)
        assert not thread.is_alive()
    assert ends == [(LOCAL, one), (LOCAL, other)]


def test_who_reads_passes_it_on_when_it_has_its_answer(make):
    link, server = make(silent)
    waiters = [Waiter() for _ in range(3)]
    got: list[int] = []
    threads = []
    for number, waiter in enumerate(waiters):
        link.begin(waiter, PATH, None, (), b"x", False)
        thread = threading.Thread(target=lambda n=number, w=waiter: (link.wait(w, None), got.append(n)))
        thread.start()
        threads.append(thread)
        while not (link._reader is waiter or waiter.asleep is not None):
            pass
    while len(server.events) < len(waiters):  # it has all requests
        pass
    for number, waiter in enumerate(waiters):
        server.do(lambda waiter=waiter: server.session.respond(waiter.stream, b"y"))
        threads[number].join(10)
        assert got == list(range(number + 1))


def test_a_lost_connection_fails_all_and_is_not_used_again(make):
    link, server = make(silent)
    waiters = [Waiter() for _ in range(4)]
    failures: list[grpc.StatusCode] = []

    def wait(waiter: Waiter) -> None:
        try:
            link.wait(waiter, None)
        except RpcFailed as failed:
            failures.append(failed.code())

    for waiter in waiters:
        link.begin(waiter, PATH, None, (), b"x", False)
    threads = [threading.Thread(target=wait, args=(waiter,)) for waiter in waiters]
    for thread in threads:
        thread.start()
    server._sock.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(10)
    assert failures == [grpc.StatusCode.UNAVAILABLE] * 4
    assert not link.usable
    assert not link.begin(Waiter(), PATH, None, (), b"x", False)


def test_a_connection_that_ended_between_two_calls_is_noticed_before_the_next_is_sent(make):
    link, server = make()
    assert call(link, b"x") == b"x"
    server._sock.shutdown(socket.SHUT_RDWR)
    assert not link.begin(Waiter(), PATH, None, (), b"x", False)


def test_a_server_that_leaves_answers_what_it_took_and_gets_no_more(make):
    link, server = make(silent)
    waiter = Waiter()
    link.begin(waiter, PATH, None, (), b"x", False)
    while not server.events:
        pass
    server.do(lambda: server.session.go_away(True))
    while link.begin(other := Waiter(), PATH, None, (), b"x", False):
        # Sent before the goodbye was read: refused, so that it can be made again elsewhere.
        assert link.wait(other, time.monotonic() + 10)[::2] == (GONE, REFUSED_STREAM)
    assert not link.usable
    server.do(lambda: server.session.respond(waiter.stream, b"y"))
    assert link.wait(waiter, time.monotonic() + 10)[2] == b"y"


def test_a_stream_is_read_at_its_readers_pace(make):
    def endless(server: Server, event: Event) -> None:
        if event[0] == CALL:
            for _ in range(3000):
                server.session.send(event[1], b"z" * 1000)
            server.session.finish(event[1], 0, b"", ())

    link, server = make(endless)
    waiter = Waiter()
    link.begin(waiter, PATH, None, (), b"x", True)
    assert link.wait(waiter, None)[0] == MESSAGE
    held = server.session.queued
    assert held > 1_500_000  # more than the window did not leave
    count = 1
    while True:
        event = link.wait(waiter, time.monotonic() + 10)
        if event[0] == STATUS:
            break
        count += 1
        link.consume(waiter, len(event[2]) + 5)
    assert count == 3000


def test_closing_wakes_who_waits(make):
    link, _ = make(silent)
    waiter = Waiter()
    link.begin(waiter, PATH, None, (), b"x", False)
    caught: list[RpcFailed] = []

    def wait() -> None:
        with pytest.raises(RpcFailed) as failed:
            link.wait(waiter, None)
        caught.append(failed.value)

    thread = threading.Thread(target=wait)
    thread.start()
    while link._reader is None:
        pass
    link.close(RpcFailed(grpc.StatusCode.CANCELLED, "closed"))
    thread.join(10)
    assert [failed.code() for failed in caught] == [grpc.StatusCode.CANCELLED]
    link.close(RpcFailed(grpc.StatusCode.CANCELLED, "closed"))
    link.cancel(waiter)
    link.consume(waiter, 1)


@pytest.mark.slow
def test_stress_of_answers_deadlines_cancellations_and_readers_that_leave(make):
    """Whatever a thread does with its own call, every other gets its own answer."""
    chance = random.Random(20261129)

    def late(server: Server, event: Event) -> None:
        if event[0] == CALL and event[5][:1] != b"-":
            server.session.respond(event[1], event[5])

    link, _ = make(late)
    plans = [[chance.random() for _ in range(150)] for _ in range(12)]

    def work(number: int) -> None:
        for turn, luck in enumerate(plans[number]):
            message = b"%d/%d" % (number, turn)
            if luck < 0.6:
                assert call(link, message) == message
                continue
            waiter = Waiter()
            link.begin(waiter, PATH, None, (), b"-" + message, False)
            if luck < 0.8:
                link.cancel(waiter)
                continue
            with pytest.raises(TimePassed):
                link.wait(waiter, time.monotonic() + (luck - 0.8) / 50)
            link.cancel(waiter)

    in_threads(12, work)
