"""What only `coroutines` does."""

from __future__ import annotations

import time

import pytest

from tests.contract.conftest import EXECUTORS, make_harness


@pytest.fixture
def coroutines():
    yield from make_harness("coroutines", EXECUTORS["coroutines"])


@pytest.mark.slow
def test_calls_are_in_flight_together_on_one_thread(coroutines):
    calls = [coroutines.in_background("gather", 50) for _ in range(50)]
    assert [call.result() for call in calls] == [50] * 50


@pytest.mark.slow
def test_a_coroutine_that_blocks_the_loop_is_reported(coroutines, signal):
    started = signal("started")
    call = coroutines.in_background("hold_in_c", started.path, 1.0, deadline=time.monotonic() + 0.2)
    started.wait()
    assert call.ended() in ("OK", "RAN_TOO_LONG")
    assert coroutines.wedges[0][0] == "hold_in_c"
