"""Everything at once: calls, streams, crashes, callers that leave, deadlines, recycling, reloads, random shots.

What must hold: every call ends, with its own answer or a failure that fits what was done to it; and afterwards the crew
is as large as it was, with as many turns as workers.
"""

from __future__ import annotations

import os
import random
import signal as signals
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest

from callgate.failures import CallFailed
from callgate_server.settings import SettingsError
from tests.chaos.conftest import SOON, children
from tests.contract.conftest import Background, Caller
from tests.contract.test_waiting import wait_until

SECONDS = 3.0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_every_call_gets_its_own_answer_and_the_crew_stays_whole(make_front, seed):
    front = make_front(workers=2, max_calls=100, max_crashes=100_000, queue=1000)
    front.ladder.graces = SOON
    front.executor._calls._quarantine._crashes = 10**9  # here, crashing is everybody's habit
    end = time.monotonic() + SECONDS
    outcomes: list[str] = []
    unfit: list[str] = []

    def going() -> bool:
        """Whether there is time, or there should have been more of it: a busy machine gets little done."""
        now = time.monotonic()
        return now < end or (now < end + 30 and outcomes.count("OK") <= 50)

    def client(number: int) -> None:
        source = random.Random(seed * 100 + number)
        turn = 0
        while going():
            turn += 1
            token = f"{number}/{turn}"
            kind = source.choices(
                ["plain", "leaves", "expires", "crashes", "streams", "large"], weights=[600, 100, 100, 5, 100, 30]
            )[0]
            try:
                if kind == "leaves":
                    caller = Caller()
                    timer = threading.Timer(source.uniform(0, 0.002), caller.leave)
                    timer.start()
                    try:
                        assert front.call("same", token, caller=caller) == token
                    finally:
                        timer.join()
                elif kind == "expires":
                    assert front.call("same", token, seconds=source.uniform(0, 0.01)) == token
                elif kind == "crashes":
                    front.call("exit_unless", False)
                elif kind == "streams":
                    items = front.stream("count", source.randrange(20))
                    for expected, item in enumerate(items):
                        assert item == expected
                        if source.random() < 0.1:
                            items.close()
                            break
                elif kind == "large":
                    value = os.urandom(16) * 50_000
                    assert front.call("same", value) == value
                else:
                    assert front.call("same", token) == token
                outcomes.append("OK")
            except CallFailed as failure:
                outcomes.append(failure.reason)
                allowed = {"leaves": {"CANCELLED"}, "expires": {"EXPIRED_IN_QUEUE", "RAN_TOO_LONG"}}.get(kind, set())
                if failure.reason not in {"WORKER_CRASHED"} | allowed:
                    unfit.append(f"{kind}: {failure}")

    def shoot() -> None:
        source = random.Random(seed)
        pause = threading.Event()
        while going():
            pause.wait(source.uniform(0.2, 0.8))
            victims = children()
            if victims:
                with suppress(
                    ProcessLookupError
                ):  # it may have died by itself meanwhile: crashes are what this is about
                    os.kill(source.choice(victims), signals.SIGKILL)

    def reload() -> None:
        pause = threading.Event()
        while going():
            pause.wait(1.5)
            try:
                front.executor.reload(list(front.registry))
            except SettingsError:
                pass  # one of the new ones was shot before it was ready

    work = [Background(lambda number=number: client(number)) for number in range(4)]
    for one in [*work, Background(shoot), Background(reload)]:
        one.result(SECONDS + 40)

    assert not unfit, Counter(outcomes)
    assert outcomes.count("OK") > 50, Counter(outcomes)
    assert not front.gave_up
    assert front.executor.stats().running == 0
    crew = front.executor._crew
    wait_until(lambda: len(crew._idle) == 2 and not crew._launcher.coming(crew._charter.generation))
    assert set(crew._idle) == crew._serving
    assert not crew._lent
    assert front.executor._turn.places == 2
    wait_until(lambda: len(children()) == 2 + len(crew._spares))
