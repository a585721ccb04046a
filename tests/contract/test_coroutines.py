"""What only `coroutines` does."""

from __future__ import annotations

import time

import pytest

from tests.contract.conftest import EXECUTORS, SOON, make_harness
from tests.contract.test_waiting import wait_until


@pytest.fixture
def coroutines():
    yield from make_harness("coroutines", EXECUTORS["coroutines"])


@pytest.mark.slow
def test_calls_are_in_flight_together_on_one_thread(coroutines):
    calls = [coroutines.in_background("gather", 50) for _ in range(50)]
    assert [call.result() for call in calls] == [50] * 50


@pytest.mark.slow
def test_a_coroutine_that_blocks_the_loop_is_reported(coroutines, signal):
    coroutines.ladder.graces = SOON
    started, release = signal("started"), signal("release")
    call = coroutines.in_background("hold_in_c", started.path, release.path, deadline=time.monotonic() + 1)
    started.wait()
    wait_until(lambda: coroutines.wedges)
    assert coroutines.wedges[0][0] == "hold_in_c"
    release.set()
    assert call.ended() in ("OK", "RAN_TOO_LONG")
