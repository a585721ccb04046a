"""`interpreters`: sub-interpreters with a GIL of their own, hence CPU parallelism in one process.

    pool thread ──▶ Turn with a place for each interpreter (FIFO, bounded, deadline-aware)
                      └▶ decode the arguments, borrow an idle interpreter
                           └▶ the same thread enters it: unpack, Scope, the function, pack
                         give it back, pass the turn on
                    encode the result

protobuf and grpc stay in the main interpreter, where one GIL serves all; only plain data crosses (crossing.py), and no
thread is handed over to. A module that cannot be imported in a sub-interpreter (numpy, most Cython and Rust extensions)
is found at the start, and its functions go to another executor, with a line in the log and a note on the function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields

import structlog

from callgate.failures import gate_failure
from callgate_server.call import Call
from callgate_server.executors.base import Executor, ExecutorStats, Surroundings
from callgate_server.executors.in_process import InProcessExecutor
from callgate_server.executors.interpreter_adapter import require_interpreters
from callgate_server.executors.interpreter_calls import InterpreterRun, answered, message_of
from callgate_server.executors.interpreter_pool import InterpreterPool
from callgate_server.executors.interpreter_stream import interpreter_stream
from callgate_server.executors.run import not_started
from callgate_server.registry import Exposed
from callgate_server.settings import SettingsError
from callgate_server.turn import Outcome, Waiter

__all__ = ["InterpretersExecutor"]

log = structlog.get_logger("callgate.interpreters")


class InterpretersExecutor(InProcessExecutor):
    """As many calls at once as there are interpreters.

    Args:
        name: its name in the settings.
        around: what the server lends.
        workers: how many interpreters.
        queue: how many calls may wait.
        fallback: makes the executor for functions that cannot be loaded in a sub-interpreter; called when the first
            such is found. Without it they are an error.

    Raises:
        SettingsError: if this Python has no such interpreters.
    """

    kind = "interpreters"
    stretches = False

    def __init__(
        self,
        name: str,
        around: Surroundings,
        *,
        workers: int,
        queue: int = 256,
        fallback: Callable[[], Executor] | None = None,
    ) -> None:
        require_interpreters(name)
        super().__init__(name, around, places=workers, queue=queue)
        self._pool = InterpreterPool(workers, around.import_path)
        self._make_fallback = fallback
        self._fallback: Executor | None = None
        self._elsewhere: frozenset[tuple[str, str]] = frozenset()

    def start(self, functions: Sequence[Exposed]) -> None:
        """Make the interpreters, load the functions in each, and send elsewhere what cannot be loaded.

        Raises:
            SettingsError: if there is no fallback for what cannot be loaded.
        """
        workers, problems = self._pool.make([_key(exposed) for exposed in functions])
        reasons = {(module, name): problem for module, name, problem, _ in problems}
        try:
            self._send_elsewhere([exposed for exposed in functions if _key(exposed) in reasons], reasons)
        except BaseException:
            self._pool.end(workers)
            raise
        self._pool.replace(workers)
        self._elsewhere = frozenset(reasons)

    def reload(self, functions: Sequence[Exposed]) -> None:
        """Load the functions' new code in new interpreters; old ones end with the calls that they run.

        What cannot be loaded in a sub-interpreter any more goes elsewhere, as at the start.

        Raises:
            Exception: if it cannot be loaded elsewhere either; the old interpreters stay.
        """
        self.start(functions)

    def _send_elsewhere(self, moved: Sequence[Exposed], reasons: Mapping[tuple[str, str], str]) -> None:
        if not moved:
            return
        if self._make_fallback is None:
            first = moved[0]
            raise SettingsError(
                f"executors.{self.name}: {first.full_name} cannot run in a sub-interpreter ({reasons[_key(first)]})"
            )
        if self._fallback is None:
            fallback = self._make_fallback()
            fallback.start(moved)
            self._fallback = fallback
        else:
            fallback = self._fallback
            fallback.reload(moved)
        for exposed in moved:
            reason = reasons[_key(exposed)]
            exposed.notes.append(f"runs in {fallback.kind}: it cannot be loaded in a sub-interpreter ({reason})")
            log.warning(
                "function cannot be loaded in a sub-interpreter",
                function=exposed.full_name, runs_in=fallback.kind, reason=reason,
            )  # fmt: skip

    def runs_at_once(self) -> bool:
        """Never: the thread would be inside of another interpreter, where the watch over slow calls cannot see."""
        return False

    def describe(self) -> str:
        """How many interpreters, and what does not run in them."""
        count = self._turn.places
        phrase = f"{count} sub-interpreter{'s' if count != 1 else ''}, each with a GIL of its own"
        if self._elsewhere and self._fallback is not None:
            moved = len(self._elsewhere)
            phrase += (
                f" ({moved} function{'s' if moved != 1 else ''} that cannot be loaded there: {self._fallback.kind})"
            )
        return phrase

    def call(self, exposed: Exposed, call: Call) -> bytes:
        """Run a call when its turn comes."""
        if self._elsewhere and _key(exposed) in self._elsewhere and self._fallback is not None:
            return self._fallback.call(exposed, call)
        waiter = Waiter(call.context.id)
        self._wait_for(waiter, call, call.caller.watch)
        return self._call_inside(exposed, call, waiter)

    def stream(self, exposed: Exposed, call: Call) -> Iterator[bytes]:
        """Run a stream, which keeps its interpreter to its end."""
        if self._elsewhere and _key(exposed) in self._elsewhere and self._fallback is not None:
            yield from self._fallback.stream(exposed, call)
            return
        waiter = Waiter(call.context.id)
        self._wait_for(waiter, call, call.caller.watch)
        run = InterpreterRun(self.name, exposed, call, self._around)
        began = self._begin(run)
        try:
            worker = self._pool.take(_key(exposed))
            if worker is None:
                raise not_started(Outcome.CLOSED, call, 0.0)
            try:
                yield from interpreter_stream(run, worker, _key(exposed), self._around.invoker, self._around.ladder)
            finally:
                self._pool.give_back(worker)
        finally:
            self._end(run, waiter, began)

    def _before_waiting(self, call: Call) -> None:
        chain = call.context.chain
        if not chain:
            return
        with self._lock:
            holders = [run.call.context.id for run in self._runs if run.call.context.id in chain]
        if len(holders) >= self._turn.places:
            raise gate_failure(
                "WOULD_DEADLOCK",
                f"the calls that this one was made from hold all {self._turn.places} interpreters of the executor "
                f"{self.name!r}, and it would wait for them; put the inner function on another executor, or call it "
                "directly",
                {"holder": holders[0]},
            )

    def _call_inside(self, exposed: Exposed, call: Call, waiter: Waiter) -> bytes:
        """Run a call that has its turn."""
        invoker, key = self._around.invoker, _key(exposed)
        run = InterpreterRun(self.name, exposed, call, self._around)
        began = self._begin(run)
        try:
            worker = self._pool.take(key)
            if worker is not None:
                try:
                    number = worker.begin()
                    run.lent(worker, number)
                    climb = self._around.ladder.start(run.call, run)
                    try:
                        answer = worker.call(message_of(call, number, key, invoker))
                    finally:
                        climb.done()
                        worker.finish()
                finally:
                    # Before the turn is passed on: whoever has it finds an idle interpreter.
                    self._pool.give_back(worker)
        finally:
            self._end(run, waiter, began)
        if worker is not None:
            return answered(answer, run, invoker)
        if self._pool.closed or self._fallback is None:
            raise not_started(Outcome.CLOSED, call, 0.0)
        return self._fallback.call(exposed, call)  # a reload has moved it there just now

    def stats(self) -> ExecutorStats:
        """Counts and state, those of the functions that run elsewhere among them."""
        mine = super().stats()
        if self._fallback is None:
            return mine
        theirs = self._fallback.stats()
        return ExecutorStats(**{f.name: getattr(mine, f.name) + getattr(theirs, f.name) for f in fields(ExecutorStats)})

    def close(self, grace: float) -> None:
        """As every executor; then end the interpreters. One whose function cannot be stopped ends with it."""
        super().close(grace)
        self._pool.close()
        if self._fallback is not None:
            self._fallback.close(grace)


def _key(exposed: Exposed) -> tuple[str, str]:
    return exposed.module, exposed.name
