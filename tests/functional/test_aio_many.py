"""The asyncio client's stream, map and submit over a real socket; what they share with the synchronous ones is tested
there."""

from __future__ import annotations

import asyncio
import inspect

import batched_functions as functions
import pytest

import callgate
import callgate._aio_many
import callgate._many
import callgate.aio
from callgate._submitting import LANES
from tests.contract.test_waiting import wait_until
from tests.functional.test_client_streams import EXPOSED, M
from tests.functional.test_client_submit import EXECUTORS


@pytest.fixture(autouse=True)
def _anew():
    functions.reset()
    yield
    functions.hold_on.set()


@pytest.fixture
def server(serve):
    return serve(expose=EXPOSED, executors=EXECUTORS)


def with_gate(server, main, **options):
    async def run():
        async with callgate.aio.connect(server.address, **options) as gate:
            return await asyncio.wait_for(main(gate), 30)

    return asyncio.run(run())


async def happened(event):
    """Whether an event was set, waited for without holding the loop."""
    return await asyncio.to_thread(event.wait, 20)


async def occupy_lanes(gate):
    held = []
    for number in range(LANES):
        functions.started.clear()
        held.append(gate.submit(M, "hold", number))
        assert await happened(functions.started)
    return held


async def listed(items):
    return [item async for item in items]


def test_it_has_the_names_and_parameters_of_the_synchronous_client():
    ours, theirs = callgate._aio_many.ManyCalls, callgate._many.ManyCalls
    public = [name for name in vars(theirs) if not name.startswith("_")]
    assert [name for name in vars(ours) if not name.startswith("_")] == public
    for name in public:
        assert inspect.signature(getattr(ours, name)) == inspect.signature(getattr(theirs, name)), name


# stream


def test_a_streams_items_come_in_order_and_its_exception_after_them(server):
    async def main(gate):
        assert await listed(gate.stream(M, "count", 100)) == list(range(100))
        stream = gate.stream(M, "count_then_fail", 2)
        assert [await anext(stream), await anext(stream)] == [0, 1]
        with pytest.raises(LookupError, match="no more"):
            await anext(stream)
        assert await listed(stream) == []
        with pytest.raises(callgate.FailedPrecondition):
            await listed(gate.stream(M, "square", 2))
        with pytest.raises(callgate.DeadlineExceeded):
            await listed(gate.stream(M, "count_forever", timeout=0.1))

    with_gate(server, main)


def test_closing_a_stream_closes_the_generator(server):
    async def main(gate):
        async with gate.stream(M, "count_forever") as stream:
            assert await anext(stream) == 0
        assert await happened(functions.closed)
        assert await listed(stream) == []

    with_gate(server, main)


def test_cancelling_the_task_that_reads_closes_the_generator(server):
    async def main(gate):
        async def read():
            async for _ in gate.stream(M, "count_forever"):
                reading.set()

        reading = asyncio.Event()
        task = asyncio.create_task(read())
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await happened(functions.closed)

    with_gate(server, main)


def test_closing_the_gate_ends_its_streams_with_an_error_not_with_cancellation(server):
    async def main(gate):
        stream = gate.stream(M, "count_forever")
        await anext(stream)
        await gate.close()
        with pytest.raises(callgate.Cancelled, match="closed"):
            await listed(stream)
        with pytest.raises(RuntimeError, match="this Gate is closed"):
            gate.stream(M, "count", 1)

    with_gate(server, main)


# map


@pytest.mark.parametrize("chunk", [7, None])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("asynchronous", [True, False])
def test_any_iterable_and_any_chunk_give_the_same_results(server, chunk, ordered, asynchronous):
    async def numbers():
        for number in range(300):
            yield number

    async def main(gate):
        items = numbers() if asynchronous else range(300)
        results = await listed(gate.map(M, "square", items, chunk=chunk, ordered=ordered))
        assert (results if ordered else sorted(results)) == [n * n for n in range(300)]

    with_gate(server, main)


@pytest.mark.parametrize("ordered", [True, False])
def test_an_endless_iterable_is_read_no_further_than_a_few_batches_ahead(server, ordered):
    taken = 0

    async def numbers():
        nonlocal taken
        while True:
            taken += 1
            yield taken - 1

    async def main(gate):
        results = gate.map(M, "square", numbers(), chunk=10, ordered=ordered)
        assert taken == 0
        for count in range(1, 60):
            await anext(results)
            assert taken <= count + 30
        await results.aclose()

    with_gate(server, main)


@pytest.mark.parametrize("ordered", [True, False])
def test_exceptions_in_place_and_raised(server, ordered):
    async def main(gate):
        items = [(3, 0), (3, object()), (3, 3), (3, 1)]
        results = await listed(
            gate.map(M, "fail_on", items, unpack=True, return_exceptions=True, ordered=ordered, chunk=2)
        )
        assert sorted(one for one in results if isinstance(one, int)) == [0, 1]
        assert sum(isinstance(one, KeyError) for one in results) == 1
        assert sum(isinstance(one, callgate.ValueFormError) for one in results) == 1
        with pytest.raises(KeyError):
            await listed(gate.map(M, "fail_on", [(3, 3)], unpack=True, ordered=ordered))

    with_gate(server, main)


def test_results_as_they_finish_do_not_wait_for_a_slow_call(server):
    async def main(gate):
        results = gate.map(M, "hold_or", ["hold", *range(9)], ordered=False, chunk=5)
        assert sorted([await anext(results) for _ in range(9)]) == list(range(9))
        functions.hold_on.set()
        assert await listed(results) == ["hold"]

    with_gate(server, main)


def test_batches_adapt_to_what_the_server_takes(serve):
    server = serve(expose=EXPOSED, executors=EXECUTORS, limits={"batch": 10})

    async def main(gate):
        assert await listed(gate.map(M, "square", range(200), chunk=64)) == [n * n for n in range(200)]
        assert sorted(await listed(gate.map(M, "square", range(200), chunk=64, ordered=False))) == [
            n * n for n in range(200)
        ]
        futures = [gate.submit(M, "square", n) for n in range(100)]
        assert await asyncio.gather(*futures) == [n * n for n in range(100)]

    with_gate(server, main)
    assert set(functions.ran.values()) == {2, 3}


def test_the_deadline_of_the_whole_is_raised(server):
    async def main(gate):
        with pytest.raises(callgate.DeadlineExceeded):
            await listed(gate.map(M, "spin", [()], unpack=True, timeout=0.1, return_exceptions=True))

    with_gate(server, main)


# submit


def test_what_one_turn_of_the_loop_submits_goes_in_one_batch(server, monkeypatch):
    async def main(gate):
        sent = []
        send = gate._line.open_batch
        monkeypatch.setattr(gate._line, "open_batch", lambda data, *rest: sent.append(data) or send(data, *rest))
        results = await asyncio.gather(*(gate.submit(M, "square", n) for n in range(500)))
        assert results == [n * n for n in range(500)]
        assert len(sent) == 1
        with pytest.raises(KeyError):
            await gate.submit(M, "fail_on", 1, 1)
        with pytest.raises(callgate.ValueFormError):
            gate.submit(M, "square", object())

    with_gate(server, main)


def test_many_tasks_get_their_own_answers(server):
    async def main(gate):
        async def client(number):
            for turn in range(10):
                value = number * 100 + turn
                assert await gate.submit(M, "many", value, of=str(value)) == [[value], {"of": str(value)}]

        await asyncio.gather(*(client(number) for number in range(64)))

    with_gate(server, main)


def test_a_slow_call_holds_up_no_later_one(server):
    async def main(gate):
        slow = [gate.submit(M, "hold", "slow")]
        assert await happened(functions.started)
        assert await gate.submit(M, "square", 3) == 9
        slow.append(gate.submit(M, "hold", 2))
        await asyncio.sleep(0)  # to the next turn, in which the lane sends it
        slow.append(gate.submit(M, "hold", 3))
        assert await gate.submit(M, "square", 4) == 16
        functions.hold_on.set()
        assert await asyncio.gather(*slow) == ["slow", 2, 3]

    with_gate(server, main)


def test_deadlines_in_the_queue_and_on_the_way(server):
    async def main(gate):
        with pytest.raises(callgate.DeadlineExceeded):
            await gate.submit(M, "spin", timeout=0.1)
        held = await occupy_lanes(gate)
        other = gate.submit(M, "square", 5)
        with pytest.raises(callgate.DeadlineExceeded) as caught:
            await gate.submit(M, "square", 4, timeout=0.05)
        assert caught.value.reason == "EXPIRED_IN_QUEUE"
        functions.hold_on.set()
        assert await other == 25
        assert await asyncio.gather(*held) == list(range(LANES))

    with_gate(server, main)
    assert functions.ran == {5: 1}


def test_cancelled_before_it_is_sent_it_never_starts_and_after_that_its_batch_is_cancelled(server):
    async def main(gate):
        await asyncio.to_thread(wait_until, lambda: server.dispatcher.admitted == 0)  # an earlier test's, interrupted
        held = await occupy_lanes(gate)
        waiting, other = gate.submit(M, "square", 1), gate.submit(M, "square", 2)
        waiting.cancel()
        running = server.dispatcher.admitted
        assert running == LANES
        held[0].cancel()
        await asyncio.to_thread(functions.hold_on.set)
        assert await other == 4
        assert await asyncio.gather(*held[1:]) == list(range(1, LANES))
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with_gate(server, main)
    assert functions.ran == {2: 1}


def test_a_cancelled_call_that_runs_frees_its_lane_and_ends_on_the_server(server):
    async def main(gate):
        future = gate.submit(M, "spin")
        assert await happened(functions.started)
        future.cancel()
        while server.dispatcher.admitted or gate._submitter._lanes:
            await asyncio.sleep(0.001)  # the state of another thread: nothing announces it

    with_gate(server, main)


def test_closing_the_gate_fails_what_waits_and_what_is_on_its_way(server):
    async def main(gate):
        held = await occupy_lanes(gate)
        waiting = [gate.submit(M, "square", number) for number in range(5)]
        await gate.close()
        for future in held:
            assert "may have run" in str(future.exception())
        for future in waiting:
            assert isinstance(future.exception(), callgate.Cancelled)
            assert "never started" in str(future.exception())
        with pytest.raises(RuntimeError, match="this Gate is closed"):
            gate.submit(M, "square", 1)

    with_gate(server, main)


def test_a_lost_connection_fails_what_was_on_its_way(serve):
    server = serve(expose=EXPOSED, executors=EXECUTORS, shared=False)

    async def main(gate):
        future = gate.submit(M, "hold")
        assert await happened(functions.started)
        await asyncio.to_thread(server.stop, 0.0)
        with pytest.raises(callgate.GateError):
            await future
        with pytest.raises(callgate.Unavailable):
            await gate.submit(M, "square", 1)

    with_gate(server, main)
    assert not functions.ran
