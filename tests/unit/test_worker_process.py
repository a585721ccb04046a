"""One worker process, seen from the front, played by small scripts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from callgate_server.executors.frames import Kind
from callgate_server.executors.worker_process import Doom, WorkerLost, WorkerProcess

ANSWERS = {Kind.RESULT, Kind.STATUS}

SERVER = str(Path(__file__).parents[2] / "server")
PRELUDE = f"import sys, os, socket; sys.path.insert(0, {SERVER!r}); " + (
    "from callgate_server.executors.frames import *; calls = socket.socket(fileno=int(sys.argv[1])); "
)


@pytest.fixture
def play():
    made = []

    def play(script):
        worker = WorkerProcess("test/1", (sys.executable, "-c", PRELUDE + script), 1)
        made.append(worker)
        return worker

    yield play
    for worker in made:
        worker.end(Doom.REPLACED)
        worker.bury()
        worker.close()


def test_an_answer_that_was_sent_before_the_worker_died_is_not_lost(play):
    worker = play("frame = receive(calls); send(calls, Kind.RESULT, number=frame.number, body=b'done'); os._exit(9)")
    frame = worker.ask(Kind.CALL, 7, ANSWERS, b"{}", b"request")
    assert (frame.kind, frame.body) == (Kind.RESULT, b"done")
    assert worker.bury().metadata == {"exit_code": "9"}


def test_a_worker_that_dies_in_the_middle_of_its_answer_has_crashed(play):
    worker = play("receive(calls); calls.send(b'cg' + bytes([5]) + bytes(8)); os._exit(2)")
    with pytest.raises(WorkerLost) as caught:
        worker.ask(Kind.CALL, 1, ANSWERS, b"{}", b"request")
    assert caught.value.started
    assert worker.bury().how == "exited with code 2"


@pytest.mark.parametrize("kind", ["START", "READY", "FAILED", "CALL"])
def test_a_frame_that_is_no_answer_is_garbage(play, kind):
    worker = play(f"frame = receive(calls); send(calls, Kind.{kind}, number=frame.number); receive(calls)")
    with pytest.raises(WorkerLost) as caught:
        worker.ask(Kind.CALL, 1, ANSWERS, b"{}", b"request")
    assert caught.value.started
    assert worker.doom is Doom.GARBAGE
    assert worker.bury().metadata == {"garbage": "true"}


def test_how_it_ended_is_the_same_each_time_it_is_asked(play):
    worker = play("os.kill(os.getpid(), 11)")
    death = worker.bury()
    assert death.metadata == {"signal": "SIGSEGV"}
    assert worker.bury() is death
    worker.end(Doom.STOPPED)  # too late, and harmless: its number may be another process's by now
    assert worker.bury() is death


def test_a_worker_that_is_told_to_leave_may_finish_what_it_does_at_exit(play):
    worker = play("import atexit; atexit.register(print, 'bye', flush=True); calls.recv(1)")
    worker.leave()
    assert worker.stdout.readline() == b"bye\n"


def test_control_messages_to_a_closed_worker_go_nowhere(play):
    worker = play("os._exit(0)")
    worker.bury()
    worker.close()
    assert worker.tell(2, 1) is False
