"""Gathering single calls of a `@callgate.batched` function into one.

    caller 1, the leader ── waits max_delay ──▶ executor.call: one call whose argument is the list of all members'
    caller 2 ── joins ──┐                        (the list is closed when the executor begins to run it)
    caller 3 ── joins ──┴── wait ◀── each its own result, or error

The leader's thread runs the call; nobody else's does anything but wait. A gathering stays open while its call waits for
its turn, so that calls which come while an earlier batch runs go together without a delay.

Invariant, under `_lock`: members join only while the gathering is open, and it is closed exactly once, before its
request is built. So every member is in exactly one request, at the place where its answer will be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from google.rpc.status_pb2 import Status

from callgate.context import CallContext
from callgate.failures import CallFailed, described_status, gate_failure
from callgate.v1 import value_pb2
from callgate.v1.function_service_pb2 import CallFunctionRequest, CallFunctionResponse
from callgate.values import decode
from callgate_server.call import Call, new_call_id
from callgate_server.executors.base import Executor, Surroundings
from callgate_server.executors.run import stopped
from callgate_server.ladder import Climb
from callgate_server.registry import Exposed

__all__ = ["Gatherer"]

#: Failures of a batch that come from one member's argument: each member is then called alone, which is safe, since the
#: function did not start.
_ONE_MEMBERS_FAULT = frozenset({"ARGUMENTS_MISMATCH", "UNDECODABLE_VALUE", "LIMIT_EXCEEDED"})


class _Member:
    """One gathered call, its answer, and what the ladder does when its caller leaves: the rest runs on."""

    __slots__ = ("_gathering", "answered", "call", "climb", "left", "outcome")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.outcome: bytes | CallFailed | None = None
        self.answered = threading.Event()
        self.left = False
        self.climb: Climb | None = None
        self._gathering: _Gathering | None = None

    @property
    def gone(self) -> bool:
        """Whether nobody waits for it: it must not start, and takes no place."""
        return self.left or self.call.context.cancelled

    def join(self, gathering: _Gathering) -> None:
        self._gathering = gathering
        gathering.members.append(self)

    def answer(self, outcome: bytes | CallFailed) -> None:
        if not self.answered.is_set():
            self.outcome = outcome
            self.answered.set()

    def interrupt(self) -> bool:
        """Let it go; when all members have left, nobody waits for the batch."""
        self.left = True
        self.answer(stopped(self.call))
        if self.climb is not None:
            self.climb.done()  # the rungs beyond are the gathering's own
        gathering = self._gathering
        if gathering is not None and all(member.gone for member in gathering.members):
            gathering.leave()
        return False

    def kill(self) -> bool:
        """Never reached."""
        return False

    def wedged(self, seconds: float) -> None:
        """Never reached."""


class _Everybody:
    """The caller of a gathering: leaves when all of its members have."""

    def __init__(self) -> None:
        self._gone: list[Callable[[], None]] = []
        self._left = False

    def watch(self, gone: Callable[[], None]) -> bool:
        """As `Caller.watch`."""
        self._gone.append(gone)
        return not self._left

    def may_block(self) -> None:
        """Its members' callers were told."""

    def runs_here(self) -> None:
        """Its members' callers were told that it may block."""

    def answer(self, status: Status) -> bool:
        """Its members are answered one by one."""
        return False

    def leave(self) -> None:
        """Everybody has left."""
        self._left = True
        for gone in tuple(self._gone):
            gone()


class _Gathering(Call):
    """The one call that runs for all members. Reading its request closes it: that is when it begins to run."""

    __slots__ = ("_everybody", "_gatherer", "full", "members", "open")

    def __init__(self, gatherer: Gatherer) -> None:
        self._everybody = _Everybody()
        self._gatherer = gatherer
        self.members: list[_Member] = []
        self.open = True
        self.full = threading.Event()
        super().__init__(CallFunctionRequest(), b"", CallContext(new_call_id(), "batch"), self._everybody)
        del self.request  # made by __getattr__, when it is first read

    def __getattr__(self, name: str) -> CallFunctionRequest:
        if name != "request":
            raise AttributeError(name)
        self._gatherer.close(self)
        # Who has left by now never starts (all have: only if the last left in this very moment).
        staying = [member for member in self.members if not member.gone] or self.members
        for member in self.members:
            if member not in staying:
                member.answer(stopped(member.call))
        self.members = staying
        first = staying[0].call.request
        made = self.request = CallFunctionRequest(module=first.module, function=first.function)
        values = made.args.add().list_value
        values.SetInParent()
        for member in staying:
            values.values.add().CopyFrom(member.call.request.args[0])
        return made

    @property
    def size(self) -> None:
        """Others may still join."""

    def leave(self) -> None:
        """Nobody waits for it any more."""
        self._gatherer.close(self)
        self._everybody.leave()


class Gatherer:
    """Gathers the calls of one function.

    Args:
        exposed: the function.
        max_size: how many to gather at most.
        max_delay: how long a leader waits for others, seconds.
        around: what the server lends.
    """

    def __init__(self, exposed: Exposed, max_size: int, max_delay: float, around: Surroundings) -> None:
        self._exposed = exposed
        self._max_size = max_size
        self._max_delay = max_delay
        self._around = around
        self._lock = threading.Lock()
        self._open: _Gathering | None = None

    def call(self, executor: Executor, call: Call) -> bytes:
        """Make a single call, together with others.

        Returns:
            A serialized CallFunctionResponse.

        Raises:
            CallFailed: as the executor's, or with the error that is this caller's own.
        """
        request = call.request
        if len(request.args) != 1 or request.kwargs:
            given = len(request.args) + len(request.kwargs)
            raise gate_failure(
                "ARGUMENTS_MISMATCH",
                f"{self._exposed.full_name} is batched and takes one positional argument; {given} were given",
                {"signature": self._exposed.facts.signature},
            )
        member = _Member(call)
        gathering, leads = self._join(member)
        climb = member.climb = self._around.ladder.start(call, member)
        try:
            if leads:
                if self._max_size > 1:
                    gathering.full.wait(self._max_delay)
                self._run(executor, gathering)
            else:
                self._await(member)
        finally:
            climb.done()
        outcome, member.outcome = member.outcome, None
        if isinstance(outcome, bytes):
            return outcome
        assert outcome is not None  # every member of a gathering that ran is answered
        try:
            raise outcome
        finally:
            del outcome  # its traceback has this frame

    def _join(self, member: _Member) -> tuple[_Gathering, bool]:
        with self._lock:
            gathering = self._open
            if gathering is not None and all(member.gone for member in gathering.members):
                self._close(gathering)  # nobody is left to lead it
                gathering = None
            leads = gathering is None
            if gathering is None:
                gathering = self._open = _Gathering(self)
            member.join(gathering)
            if sum(not one.gone for one in gathering.members) >= self._max_size:
                self._close(gathering)
            return gathering, leads

    def close(self, gathering: _Gathering) -> None:
        """Let no more members join."""
        with self._lock:
            self._close(gathering)

    def _close(self, gathering: _Gathering) -> None:
        if gathering.open:
            gathering.open = False
            if self._open is gathering:
                self._open = None
            gathering.full.set()

    def _await(self, member: _Member) -> None:
        remaining = member.call.context.remaining
        timeout = None if remaining is None else min(remaining, threading.TIMEOUT_MAX)
        if not member.answered.wait(timeout):
            member.left = True  # the batch runs on for the others; this caller's share of it is dropped
            member.answer(stopped(member.call))

    def _run(self, executor: Executor, gathering: _Gathering) -> None:
        """Run a gathering on this, its leader's thread, and answer every member."""
        if self._deserted(gathering):
            return
        failure: CallFailed | None = None
        try:
            response = executor.call(self._exposed, gathering)
            self._hand_out(gathering.members, response)  # those that were in it when it began
        except CallFailed as failed:
            failure = failed
        except Exception:
            failure = gate_failure("INTERNAL", "internal error while a batch ran")
            self._answer_all(gathering, failure)
            raise
        finally:
            self.close(gathering)  # it may have failed before it was read
        if failure is None:
            return
        try:
            if failure.reason in _ONE_MEMBERS_FAULT and len(gathering.members) > 1:
                for member in gathering.members:
                    self._run_alone(executor, member)
            else:
                self._answer_all(gathering, failure)
        finally:
            del failure  # its traceback has this frame

    def _run_alone(self, executor: Executor, member: _Member) -> None:
        alone = _Gathering(self)
        member.join(alone)
        alone.open = False
        try:
            self._hand_out([member], executor.call(self._exposed, alone))
        except CallFailed as failed:
            member.answer(failed)

    def _deserted(self, gathering: _Gathering) -> bool:
        """Whether nobody waits for it; then it is closed, and does not run."""
        with self._lock:
            if not all(member.gone for member in gathering.members):
                return False
            self._close(gathering)
        for member in gathering.members:
            member.answer(stopped(member.call))
        return True

    def _answer_all(self, gathering: _Gathering, failure: CallFailed) -> None:
        for member in gathering.members:
            member.answer(failure)

    def _hand_out(self, members: list[_Member], response: bytes) -> None:
        pairs = CallFunctionResponse.FromString(response).value.list_value.values
        for member, pair in zip(members, pairs, strict=True):
            good, value = _pair(pair)
            if good:
                member.answer(CallFunctionResponse(value=value).SerializeToString())
            else:
                member.answer(CallFailed(self._status_of(value, member)))

    def _status_of(self, value: value_pb2.Value, member: _Member) -> Status:
        return described_status(decode(value), traceback=self._around.invoker.traceback, call_id=member.call.context.id)


def _pair(pair: value_pb2.Value) -> tuple[bool, value_pb2.Value]:
    """One (good, value) of what `callgate.batching.Many` returned."""
    good, value = pair.tuple_value.values
    return good.bool_value, value
