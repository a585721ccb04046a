"""The asyncio client over a real socket: the same answers and errors as the synchronous one, and cancellation."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any

import pytest
import served_functions

import callgate
import callgate.aio
import callgate.client

M = "served_functions"


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(main)


async def happened(name: str) -> bool:
    """Whether an event was set, waited for without holding the loop."""
    return await asyncio.to_thread(served_functions.event(name).wait, 10)


def test_it_has_the_names_and_parameters_of_the_synchronous_client():
    assert inspect.signature(callgate.aio.connect) == inspect.signature(callgate.connect).replace(
        return_annotation="Gate"
    )
    for kind in ("Gate", "Module"):
        ours, theirs = getattr(callgate.aio, kind), getattr(callgate.client, kind)
        public = [name for name in vars(theirs) if not name.startswith("_")]
        assert [name for name in vars(ours) if not name.startswith("_")] == public
        for name in public:
            assert inspect.signature(getattr(ours, name)) == inspect.signature(getattr(theirs, name)), name


def test_a_call_gives_what_the_function_returns(address):
    async def main() -> None:
        async with callgate.aio.connect(address) as gate:
            assert await gate.call(M, "add", 40, right=2) == 42
            assert await gate.call_with(M, "keyworded", kwargs={"timeout": 7}) == 7
            assert await gate.module(M).shape(1, 2, c=3) == served_functions.shape(1, 2, c=3)
            assert await gate.health() == "SERVING"
            assert await gate.health("some.other.Service") == "SERVICE_UNKNOWN"
            assert (await gate.function(M, "add")).name == f"{M}.add"
            assert "add" in {info.function for info in await gate.functions()}

    run(main())


def test_a_gate_may_be_awaited_and_closed_by_hand(address):
    async def main() -> None:
        gate = await callgate.aio.connect(address)
        assert await gate.call(M, "add", 1) == 2
        await gate.close()
        await gate.close()
        with pytest.raises(RuntimeError, match="this Gate is closed"):
            await gate.call(M, "add", 1)
        with pytest.raises(RuntimeError, match="this Gate is closed"):
            await gate

    run(main())


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("boom", ()),
        ("divide", (1, 0)),
        ("refuse_order", (7,)),
        ("choose_status", ("ABORTED", "x")),
        ("unspeakable", ()),
        ("no_such_function", ()),
        ("add", ()),
        ("echo", (object(),)),
    ],
)
def test_every_failure_is_the_one_that_the_synchronous_client_raises(gate, address, function, args):
    with pytest.raises(callgate.CallgateError) as expected:
        gate.call(M, function, *args)

    async def main() -> None:
        async with callgate.aio.connect(address) as gate:
            await gate.call(M, function, *args)

    with pytest.raises(callgate.CallgateError) as caught:
        run(main())
    assert type(caught.value) is type(expected.value)
    assert str(caught.value) == str(expected.value)
    assert getattr(caught.value, "code", "") == getattr(expected.value, "code", "")
    assert getattr(caught.value, "reason", "") == getattr(expected.value, "reason", "")
    assert type(caught.value.__cause__) is type(expected.value.__cause__)


def test_a_cancelled_task_cancels_the_call_on_the_server_and_raises_cancelled_error(address):
    async def main() -> None:
        async with callgate.aio.connect(address) as gate:
            task = asyncio.create_task(gate.call(M, "wait_until_cancelled", "task"))
            assert await happened("task started")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()
            assert await happened("task cancelled")
            assert await gate.call(M, "add", 1) == 2

    run(main())


def test_a_timeout_of_asyncio_cancels_the_call_too(address):
    async def main() -> None:
        async with callgate.aio.connect(address) as gate:
            limit = asyncio.timeout(None)

            async def expire() -> None:
                assert await happened("asyncio timeout started")
                limit.reschedule(asyncio.get_running_loop().time())

            expiring = asyncio.create_task(expire())
            with pytest.raises(TimeoutError):
                async with limit:
                    await gate.call(M, "wait_until_cancelled", "asyncio timeout")
            await expiring
            assert await happened("asyncio timeout cancelled")

    run(main())


def test_a_task_group_that_fails_cancels_its_other_calls(address):
    async def main() -> None:
        async with callgate.aio.connect(address) as gate:

            async def fail() -> None:
                assert await happened("group started")
                raise LookupError("one of the group")

            async def both() -> None:
                async with asyncio.TaskGroup() as group:
                    group.create_task(gate.call(M, "wait_until_cancelled", "group"))
                    group.create_task(fail())

            with pytest.raises(ExceptionGroup) as caught:
                await both()
            assert [type(error) for error in caught.value.exceptions] == [LookupError]
            assert await happened("group cancelled")

    run(main())


def test_closing_while_a_call_is_on_its_way_cancels_it_and_says_so(address):
    async def main() -> None:
        gate = await callgate.aio.connect(address)
        task = asyncio.create_task(gate.call(M, "wait_until_cancelled", "aio closing"))
        assert await happened("aio closing started")
        await gate.close()
        with pytest.raises(callgate.Cancelled, match="closed while the call was on its way"):
            await task
        assert not task.cancelled()
        assert await happened("aio closing cancelled")

    run(main())


@pytest.mark.slow
def test_a_deadline_ends_the_call_on_the_server(address):
    async def main() -> None:
        async with callgate.aio.connect(address, timeout=1) as gate:
            with pytest.raises(callgate.DeadlineExceeded):
                await gate.call(M, "wait_until_cancelled", "aio deadline")
            assert await happened("aio deadline cancelled")
            with pytest.raises(callgate.DeadlineExceeded):
                await gate.call(M, "leave_trace", "aio no time", timeout=0)
        assert ("aio no time", "ran") not in served_functions.TRACES

    run(main())


def test_no_more_calls_are_on_their_way_than_was_said(serve):
    server = serve(limits={"calls": 3})  # a fourth at once would be shed

    async def main() -> list[Any]:
        async with callgate.aio.connect(server.address, in_flight=3) as gate:
            return await asyncio.gather(*(gate.call(M, "echo", number) for number in range(24)))

    assert run(main()) == list(range(24))


def test_a_call_that_waits_for_its_place_keeps_its_deadline_and_its_cancellation(address):
    async def main() -> None:
        async with callgate.aio.connect(address, in_flight=1) as gate:
            holder = asyncio.create_task(gate.call(M, "wait_for", "aio place"))
            assert await happened("aio place started")
            with pytest.raises(callgate.DeadlineExceeded, match="in_flight"):
                await gate.call(M, "add", 1, timeout=0.01)
            waiting = asyncio.create_task(gate.call(M, "leave_trace", "aio waiting"))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            served_functions.event("aio place").set()
            await holder
            assert await gate.call(M, "add", 1) == 2
        assert ("aio waiting", "ran") not in served_functions.TRACES

    run(main())


def test_a_gate_of_another_event_loop_says_so(address):
    gates: list[callgate.aio.Gate] = []

    async def first() -> None:
        gates.append(await callgate.aio.connect(address))

    async def second() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await gates[0].call(M, "add", 1)

    async def both() -> None:
        await first()
        await asyncio.to_thread(asyncio.run, second())
        await gates[0].close()

    run(both())


@pytest.mark.slow
def test_connecting_says_what_is_wrong_as_the_synchronous_client_does(tmp_path):
    async def main() -> None:
        async with callgate.aio.connect(f"unix:{tmp_path}/none.sock", wait=2):  # time to be refused
            pass

    with pytest.raises(callgate.Unavailable, match="nothing listens there"):
        run(main())
    with pytest.raises(ValueError, match="is no target"):
        callgate.aio.connect("nonsense")


def test_a_gate_is_made_before_there_is_a_loop(address):
    gate = callgate.aio.connect(address)

    async def main() -> Any:
        async with gate:
            return await gate.call(M, "add", 1)

    assert run(main()) == 2
