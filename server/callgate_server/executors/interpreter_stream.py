"""A stream in a sub-interpreter: it keeps its interpreter, and its turn, from its begin to its end.

The generator lives inside; each item is an entry of its own, open to interruption under a number of its own. Between
two items nothing runs there, and there is nothing to interrupt: the next step sees that nobody waits any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import structlog

from callgate_server.call import Call
from callgate_server.executors.interpreter_calls import InterpreterRun, answered, message_of
from callgate_server.executors.interpreter_worker import InterpreterWorker
from callgate_server.executors.run import stopped
from callgate_server.inside import ENDED, RETURNED, STREAMING
from callgate_server.invocation import Invoker
from callgate_server.ladder import Ladder
from callgate_server.streaming import _iterator as stream_of

__all__ = ["interpreter_stream"]

log = structlog.get_logger("callgate.stream")


def interpreter_stream(
    run: InterpreterRun, worker: InterpreterWorker, key: tuple[str, str], invoker: Invoker, ladder: Ladder
) -> Iterator[bytes]:
    """Run a stream that has its turn and its interpreter.

    Args:
        run: the stream's.
        worker: its interpreter.
        key: module and name of its function.
        invoker: encodes items.
        ladder: stops it.

    Returns:
        The items; closing this iterator closes the stream.

    Raises:
        CallFailed: before, between or instead of items.
    """
    number = worker.begin()
    run.lent(worker, number)
    call = run.call
    climb = ladder.start(call, run)
    opened = False
    try:
        answer = _end_step(worker, worker.open(message_of(call, number, key, invoker)))
        opened = answer[0] == STREAMING
        if answer[0] == RETURNED:
            for piece in stream_of(answer[1]):
                _refuse_if_left(call)
                yield invoker.encode_result(piece, call.context)
            return
        if not opened:
            answered(answer, run, invoker)  # raises
        while True:
            _refuse_if_left(call)
            answer = _end_step(worker, worker.step(run.stepping()))
            if answer[0] == ENDED:
                return
            yield answered(answer, run, invoker)
    finally:
        climb.done()
        if opened:
            answer = _end_step(worker, worker.close(run.stepping()))
            if answer[0] != ENDED:  # what its finally blocks raise: nobody waits for it
                log.warning("closing a stream raised", call_id=call.context.id)
        worker.finish()


def _end_step(worker: InterpreterWorker, answer: Any) -> Any:
    worker.finish()
    return answer


def _refuse_if_left(call: Call) -> None:
    if call.context.flag.raised:
        raise stopped(call)
