"""Threads that receive and run: everything is run once, one at a time receives, and what blocks holds up nothing."""

from __future__ import annotations

import queue
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from callgate_server.transports.receivers import Receivers, Worker

Job = Callable[[Worker], None]


class Source:
    """Where receivers get their jobs: it notes how many receive at once."""

    receivers: Receivers[Job]

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self.receiving = self.most_receiving = 0

    def give(self, *jobs: Job) -> None:
        self._jobs.put(list(jobs))

    def close(self) -> None:
        self._jobs.put(None)

    def receive(self) -> list[Job] | None:
        with self._lock:
            self.receiving += 1
            self.most_receiving = max(self.most_receiving, self.receiving)
        jobs = self._jobs.get()
        with self._lock:
            self.receiving -= 1
        return jobs


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    receivers = Receivers(made.receive, lambda job, worker: job(worker), threads=12, name="test-receiver")
    made.receivers = receivers
    receivers.start()
    yield made
    made.close()
    assert made.most_receiving == 1


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread loses the lead for being slow: a busy machine makes it so."""
    monkeypatch.setattr(Receivers, "_watch", lambda receivers: None)


def test_short_jobs_run_on_the_thread_that_receives(unwatched, source):
    threads: queue.SimpleQueue[str] = queue.SimpleQueue()
    for _ in range(50):
        source.give(*[lambda worker: threads.put(threading.current_thread().name)] * 4)
    assert {threads.get(timeout=10) for _ in range(200)} == {"test-receiver-0"}


def test_a_job_that_steps_aside_holds_up_no_other(source):
    go, ran = threading.Event(), threading.Event()

    def blocks(worker: Worker) -> None:
        worker.aside()
        go.wait(20)

    source.give(blocks, blocks, blocks, lambda worker: ran.set())
    assert ran.wait(10)
    go.set()


def test_a_job_that_stays_and_blocks_loses_the_lead(source):
    go, ran = threading.Event(), threading.Event()

    def blocks(worker: Worker) -> None:
        worker.stay()
        go.wait(20)

    source.give(blocks, lambda worker: ran.set())
    assert ran.wait(10)
    go.set()


def test_jobs_that_step_aside_leave_the_watch_asleep_and_one_that_stays_wakes_it():
    source = Source()
    receivers = Receivers(source.receive, lambda job, worker: job(worker), threads=4, name="test-asleep")
    receivers.start()
    done = threading.Semaphore(0)

    def stays_and_blocks(worker: Worker) -> None:
        worker.stay()
        done.acquire(timeout=10)

    for _ in range(3):
        while receivers._stayed or not receivers._watch_sleeps:
            threading.Event().wait(0.001)
        wakes = receivers._watch_wakes.qsize()
        for _ in range(20):
            source.give(lambda worker: (worker.aside(), done.release()))
            assert done.acquire(timeout=10)
        assert receivers._watch_sleeps
        assert receivers._watch_wakes.qsize() == wakes == 0
        ran = threading.Event()
        source.give(stays_and_blocks, lambda worker, ran=ran: ran.set())
        assert ran.wait(10)  # although the job before it blocks
        done.release()
    source.close()


@pytest.mark.parametrize("look", range(1, 8))
def test_a_job_that_stays_just_as_the_watch_looks_is_seen(look):
    """At its last looks before it sleeps the watch lowers the flag that the job has raised in the same moment."""
    source = Source()
    ran, stayed = threading.Event(), threading.Event()

    def blocks(worker: Worker) -> None:
        worker.stay()
        stayed.set()
        ran.wait(20)

    class Interleaved(Receivers[Job]):
        lowered = 0

        @property
        def _stayed(self) -> bool:
            return self.raised

        @_stayed.setter
        def _stayed(self, raised: bool) -> None:
            if threading.current_thread().name == "test-interleaved-watch":
                self.lowered += 1
                if self.lowered == look:
                    source.give(blocks, lambda worker: ran.set())
                    assert stayed.wait(10)
            self.raised = raised

    receivers = Interleaved(source.receive, lambda job, worker: job(worker), threads=4, name="test-interleaved")
    receivers.start()
    if not stayed.wait(1):  # the watch sleeps, and this is one look too many
        source.give(blocks, lambda worker: ran.set())
    assert ran.wait(10)
    source.close()


def test_everything_is_run_once_whatever_steps_aside_and_blocks(source):
    """Each job steps aside, is found to be slow, or is quick; 8 at most block at once, fewer than there are threads."""
    random_ = random.Random(20261123)
    runs: Counter[int] = Counter()
    done = threading.Semaphore(0)
    blocking = threading.Semaphore(8)
    never = threading.Event()

    def job(number: int, kind: float) -> Job:
        def run(worker: Worker) -> None:
            if kind < 0.3 and blocking.acquire(blocking=False):
                if kind < 0.2:
                    worker.aside()
                else:
                    worker.stay()
                never.wait(0.02 * kind)
                blocking.release()
            runs[number] += 1  # on one thread at a time, or of another number
            done.release()

        return run

    numbers = iter(range(5_000))
    for _ in range(500):
        source.give(*[job(next(numbers), random_.random()) for _ in range(10)])
    for _ in range(5_000):
        assert done.acquire(timeout=20)
    assert runs == Counter(range(5_000))


def test_an_idle_leader_keeps_the_lead_after_it_has_lost_it_once(source):
    """It had looked as if it still ran the call with which it lost the lead: others were made leaders without end."""
    names: queue.SimpleQueue[str] = queue.SimpleQueue()

    def blocks(worker: Worker) -> None:
        worker.aside()
        names.put(threading.current_thread().name)

    looks = threading.Event()
    for _ in range(20):
        source.give(blocks)
        names.get(timeout=10)
        looks.wait(0.012)  # two looks of the watch at an idle leader
    source.give(lambda worker: names.put(threading.current_thread().name))
    assert names.get(timeout=10)
    assert source.receivers._threads < 12  # two, but for what a busy machine makes late; without end, all there may be


def test_a_thread_takes_more_while_it_leads_and_none_when_it_leads_no_longer(source):
    taken: list[object] = []
    go, others = threading.Event(), threading.Event()

    def first(worker: Worker) -> None:
        taken.append(worker.take())
        worker.aside()
        taken.append(worker.take())
        go.set()

    def second(worker: Worker) -> None:
        raise AssertionError("it was taken, and is for who took it")

    source.give(first, second, lambda worker: others.set())
    assert go.wait(10)
    assert others.wait(10)
    assert taken == [second, None]


def test_what_takes_long_is_told_on_another_thread_when_it_loses_the_lead(source):
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    go = threading.Event()

    def slow(worker: Worker) -> None:
        worker.overdue = lambda: (told.put(threading.current_thread().name), go.set())
        worker.stay()
        go.wait(20)
        worker.overdue = None

    source.give(slow)
    assert told.get(timeout=10) == "test-receiver-watch"


def test_a_thread_settles_what_it_left_undone_before_it_stops_leading():
    source = Source()
    settled, undone = threading.Semaphore(0), threading.Event()

    def settle() -> None:
        if undone.is_set():
            settled.release()

    go = threading.Event()
    receivers = Receivers(source.receive, lambda job, worker: job(worker), settle, threads=4, name="test-settle")
    receivers.start()

    def steps_aside(worker: Worker) -> None:
        undone.set()
        worker.aside()
        assert settled.acquire(timeout=10)  # before another leads

    def loses_the_lead(worker: Worker) -> None:
        worker.stay()
        go.wait(20)

    source.give(steps_aside)
    assert settled.acquire(timeout=10)  # and when it was done, since it did not lead then
    source.give(loses_the_lead, lambda worker: go.set())
    assert settled.acquire(timeout=10)
    source.close()
