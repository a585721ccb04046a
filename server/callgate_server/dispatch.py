"""The only way to a function, whichever RPC asked: resolve, admit, run, account for it.

servicer ──▶ Dispatcher.call ──▶ registry.resolve ──▶ admission ──▶ executor.call ──▶ …
             knows the identity, the deadline, the id and the chain of the call
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping

import structlog
from google.rpc.status_pb2 import Status

from callgate.context import CallContext
from callgate.failures import CallFailed, gate_failure
from callgate.v1.function_service_pb2 import CallFunctionRequest
from callgate.values import Limits
from callgate.values.requests import as_message
from callgate_server.burst import Burst, BurstCall, Ends
from callgate_server.call import Call, Caller, NobodyWaits, new_call_id
from callgate_server.executors.base import Executor, Surroundings
from callgate_server.executors.in_process import InProcessExecutor
from callgate_server.executors.run import returned_late
from callgate_server.gather import Gatherer
from callgate_server.refusals import draining, internal_failure, overloaded, result_too_large
from callgate_server.registry import Exposed, Registry
from callgate_server.stretch import STRETCH_SECONDS, Mapped, Stretch

__all__ = ["Dispatcher", "call_to"]

log = structlog.get_logger("callgate.call")
audit = structlog.get_logger("callgate.audit")

#: Reasons that say something about who may call what: they go to the audit log.
_AUDITED = frozenset({"FUNCTION_NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED"})


#: Seconds within which a call is quick: not worth another thread's wake-up, which was measured at about a tenth of it.
#: Arbitrary within that.
_QUICK = 0.001


class Dispatcher:
    """Takes calls to their functions.

    Args:
        registry: what may be called.
        executors: by name.
        around: what the server lends them.
        admission: how many calls may be on their way at once, waiting or running; the next is shed.
        streams: how many streams may be open at once.
        max_response_bytes: results larger than this are refused before they are sent.
    """

    def __init__(
        self,
        registry: Registry,
        executors: Mapping[str, Executor],
        around: Surroundings,
        *,
        admission: int = 256,
        streams: int = 512,
        max_response_bytes: int = 64 << 20,
    ) -> None:
        self.registry = registry
        self.executors = executors
        self._admission = admission
        self._max_streams = streams
        self._around = around
        self._gatherers: dict[Exposed, Gatherer] = {}
        self._max_response_bytes = max_response_bytes
        self._succeeded = itertools.count()  # next() on it is atomic: no lock on a good call's way
        self._readings = 0  # of that count, each of which counts
        self._lock = threading.Lock()  # guards what follows
        self._failed: Counter[str] = Counter()  # and what ended while draining
        self._state = threading.Condition(self._lock)  # notified while draining
        self._permits = deque([None] * admission)
        self._streams = 0
        self._draining = False

    @property
    def value_limits(self) -> Limits:
        """The limits on one message's values."""
        return self._around.invoker.limits

    def call(
        self,
        request: CallFunctionRequest,
        payload: bytes,
        *,
        identity: str = "anonymous",
        deadline: float | None = None,
        chain: tuple[str, ...] = (),
        caller: Caller | None = None,
        call_id: str = "",
    ) -> bytes:
        """Make one call.

        Args:
            request: the call, parsed.
            payload: the request as it came.
            identity: who calls.
            deadline: when the caller stops waiting, `time.monotonic()` seconds; None if never.
            chain: ids of the calls that this one is made from.
            caller: who waits.
            call_id: its id; empty for a fresh one.

        Returns:
            A serialized CallFunctionResponse.

        Raises:
            CallFailed: however it failed; nothing else is raised.
        """
        call_id = call_id or new_call_id()
        outcome, admitted = "OK", False
        try:
            exposed = self.registry.resolve(request.module, request.function)
            if exposed.streams:
                raise gate_failure("WRONG_METHOD", f"{exposed.full_name} is a stream: call it with StreamFunction")
            if exposed.batching is not None:
                request = as_message(request)  # its argument is copied into another request
            call = call_to(exposed, request, payload, call_id, identity, deadline, chain, caller)
            # A permit is taken and given back without a lock: deque.pop and append are atomic. It is taken before the
            # flag is looked at, and `drain` raises the flag before it counts permits: one of the two sees the other.
            try:
                self._permits.pop()
            except IndexError:
                raise overloaded("calls", self._admission) from None
            admitted, began = True, time.monotonic()
            if self._draining:
                raise draining()
            executor = self.executors[exposed.executor]
            if exposed.pace.quick and executor.runs_at_once() and exposed.batching is None:
                call.caller.runs_here()
            else:
                call.caller.may_block()
            if exposed.batching is None:
                response = executor.call(exposed, call)
            else:
                response = self._gatherer(exposed, exposed.batching).call(executor, call)
            if _is_late(call):
                raise returned_late(call_id)
            if len(response) > self._max_response_bytes:
                raise result_too_large(exposed.full_name, len(response), self._max_response_bytes)
            return response
        except CallFailed as failure:
            outcome = failure.reason
            self._audit(failure, request, call_id, identity)
            raise
        except Exception as error:
            outcome = "INTERNAL"
            raise _internal(error, request, call_id) from error
        finally:
            if admitted:
                self._permits.append(None)
                exposed.pace.quick = time.monotonic() - began < _QUICK
            # The permit is back before the flag is looked at, and `drain` raises the flag before it counts permits.
            if outcome != "OK" or self._draining:
                self._account(outcome)
            else:
                next(self._succeeded)

    def takes_together(self, mapped: Mapped) -> bool:
        """Whether calls of a function can be made with `call_each`, as things stand."""
        exposed = self.registry.find(mapped.module, mapped.function)
        return exposed is not None and self._together(exposed) is not None

    def _together(self, exposed: Exposed) -> InProcessExecutor | None:
        """The executor that would make a function's calls together; None if that is not for it."""
        executor = self.executors[exposed.executor]
        if not isinstance(executor, InProcessExecutor) or not executor.stretches:
            return None
        # Quick: then others' calls do not wait long for the turn that these take together.
        alone = exposed.streams or exposed.batching is not None or not exposed.pace.quick
        return None if alone else executor

    def call_each(
        self, stretch: Stretch, *, identity: str = "anonymous", chain: tuple[str, ...] = (), caller: Caller
    ) -> bool:
        """Make calls together, as many as its time allows, where their function and executor are such that this is for.

        Args:
            stretch: the calls; how those ended that were made is in its `ends`.
            identity: who calls.
            chain: ids of the calls that these are made from.
            caller: who waits.

        Returns:
            Whether at least one was made; else the first is for `call`, which says what is wrong, if something is.
        """
        exposed = self.registry.find(stretch.mapped.module, stretch.mapped.function)
        executor = self._together(exposed) if exposed is not None else None
        if exposed is None or executor is None:
            return False
        began, deadline = time.monotonic(), stretch.deadline
        if exposed.timeout is not None:
            stretch.limit = exposed.timeout if stretch.limit is None else min(stretch.limit, exposed.timeout)
        if stretch.limit is not None:  # that of the last call, so that none is stopped early
            last = began + STRETCH_SECONDS + stretch.limit
            deadline = last if deadline is None else min(deadline, last)
        call = Call(CallFunctionRequest(), b"", CallContext(new_call_id(), identity, deadline, chain), caller)
        try:
            self._permits.pop()  # as in `call`
        except IndexError:
            return False
        try:
            if self._draining:
                return False
            executor.call_each(exposed, call, stretch)
        except CallFailed as failure:
            if stretch.begun:
                stretch.ends.append(failure.status)
        except Exception as error:
            request = CallFunctionRequest(module=exposed.module, function=exposed.name)
            if stretch.begun:
                stretch.ends.append(_internal(error, request, call.context.id).status)
        finally:
            self._permits.append(None)
            if stretch.ends:
                exposed.pace.quick = time.monotonic() - began < _QUICK * len(stretch.ends)
            self._account_each(exposed, stretch)
        return bool(stretch.ends)

    def takes_in_burst(self, module: str, function: str) -> tuple[Exposed, InProcessExecutor] | None:
        """A function whose next call may be one of a burst, and the executor that would run it; None if none may."""
        exposed = self.registry.find(module, function)
        executor = self._together(exposed) if exposed is not None else None
        return None if exposed is None or executor is None else (exposed, executor)

    def burst(self, first: BurstCall, following: Callable[[], BurstCall | None], ends: Ends) -> Burst:
        """A burst, for `call_burst`."""
        return Burst(first, following, ends, fault=_internal, max_response_bytes=self._max_response_bytes, quick=_QUICK)

    def call_burst(self, executor: InProcessExecutor, burst: Burst) -> bool:
        """Make calls that came together, as many as their time allows.

        Args:
            executor: what `takes_in_burst` gave for each of them.
            burst: the calls.

        Returns:
            Whether they were made; else the first is for `call`, which says what is wrong, if something is.
        """
        try:
            self._permits.pop()  # as in `call`
        except IndexError:
            return False
        try:
            return not self._draining and executor.call_burst(burst)
        finally:
            self._permits.append(None)
            if burst.outcomes.total() > burst.outcomes["OK"] or self._draining:
                with self._lock:
                    self._failed += burst.outcomes
                    if self._draining:
                        self._state.notify_all()
            else:
                for _ in range(burst.outcomes["OK"]):
                    next(self._succeeded)

    def _account_each(self, exposed: Exposed, stretch: Stretch) -> None:
        outcomes: Counter[str] = Counter()
        for index, end in enumerate(stretch.ends):
            if type(end) is bytes and len(end) > self._max_response_bytes:
                end = stretch.ends[index] = result_too_large(
                    exposed.full_name, len(end), self._max_response_bytes
                ).status
            if type(end) is Status:
                outcomes[CallFailed(end).reason] += 1
        outcomes["OK"] = len(stretch.ends) - outcomes.total()
        with self._lock:
            self._failed += outcomes
            if self._draining:
                self._state.notify_all()

    def _account(self, outcome: str) -> None:
        with self._lock:
            self._failed[outcome] += 1
            if self._draining:
                self._state.notify_all()

    @property
    def outcomes(self) -> Counter[str]:
        """How calls ended, so far: "OK" or the failure's reason."""
        with self._lock:
            succeeded = next(self._succeeded) - self._readings
            self._readings += 1
            return self._failed + Counter(OK=succeeded)

    def stream(
        self,
        request: CallFunctionRequest,
        payload: bytes,
        *,
        identity: str = "anonymous",
        deadline: float | None = None,
        chain: tuple[str, ...] = (),
        caller: Caller | None = None,
        call_id: str = "",
    ) -> Iterator[bytes]:
        """Make one call of a stream; the arguments are those of `call`. Closing the iterator closes the stream.

        Yields:
            Serialized StreamFunctionResponses.

        Raises:
            CallFailed: before, between or instead of items; nothing else is raised.
        """
        call_id = call_id or new_call_id()
        outcome, admitted = "OK", False
        try:
            exposed = self.registry.resolve(request.module, request.function)
            call = call_to(exposed, request, payload, call_id, identity, deadline, chain, caller)
            self._admit_stream()
            admitted = True
            for item in self.executors[exposed.executor].stream(exposed, call):
                if _is_late(call):  # perhaps made because its function saw so
                    break
                if len(item) > self._max_response_bytes:
                    raise result_too_large(exposed.full_name, len(item), self._max_response_bytes)
                yield item
            if _is_late(call):
                raise returned_late(call_id)
        except CallFailed as failure:
            outcome = failure.reason
            self._audit(failure, request, call_id, identity)
            raise
        except GeneratorExit:
            outcome = "CANCELLED"
            raise
        except Exception as error:
            outcome = "INTERNAL"
            raise _internal(error, request, call_id) from error
        finally:
            with self._lock:
                self._failed[outcome] += 1
                if admitted:
                    self._streams -= 1
                    if self._draining:
                        self._state.notify_all()

    def _gatherer(self, exposed: Exposed, batching: tuple[int, float]) -> Gatherer:
        gatherer = self._gatherers.get(exposed)
        if gatherer is None:
            with self._lock:  # one for a function, or members would be split between two
                gatherer = self._gatherers.setdefault(exposed, Gatherer(exposed, *batching, self._around))
        return gatherer

    def _audit(self, failure: CallFailed, request: CallFunctionRequest, call_id: str, identity: str) -> None:
        reason = failure.reason
        if reason in _AUDITED:
            audit.info(
                "refused",
                call_id=call_id,
                identity=identity,
                reason=reason,
                module=ascii(request.module[:80]),
                function=ascii(request.function[:80]),
            )

    def _admit_stream(self) -> None:
        with self._lock:
            if self._draining:
                raise draining()
            if self._streams >= self._max_streams:
                raise overloaded("streams", self._max_streams)
            self._streams += 1

    def replace(self, registry: Registry, executors: Mapping[str, Executor]) -> None:
        """Take calls from now on to these; executors that are no longer named are kept for calls on their way."""
        with self._lock:
            self.executors = {**self.executors, **executors}
            self.registry = registry
            self._gatherers = {}  # of the old functions: gatherings on their way hold theirs

    @property
    def admitted(self) -> int:
        """How many calls are on their way now."""
        return self._admission - len(self._permits)

    def refuse(self) -> None:
        """Refuse new calls from now on."""
        with self._lock:
            self._draining = True

    def drain(self, seconds: float) -> bool:
        """Refuse new calls from now on, and wait for those on their way.

        Args:
            seconds: how long to wait.

        Returns:
            Whether all have ended.
        """
        with self._state:
            self._draining = True
            return self._state.wait_for(lambda: self.admitted + self._streams == 0, timeout=seconds)

    def close(self, grace: float) -> None:
        """Close the executors, all at once: what still runs after `grace` seconds is interrupted."""
        closing = [
            threading.Thread(target=executor.close, args=(grace,), daemon=True) for executor in self.executors.values()
        ]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()


def _is_late(call: Call) -> bool:
    """Whether its deadline has passed."""
    return call.context.deadline is not None and time.monotonic() >= call.context.deadline


def call_to(
    exposed: Exposed,
    request: CallFunctionRequest,
    payload: bytes,
    call_id: str,
    identity: str,
    deadline: float | None,
    chain: tuple[str, ...],
    caller: Caller | None,
) -> Call:
    """The call, under the nearer of its caller's deadline and the function's own timeout."""
    if exposed.timeout is not None:
        limit = time.monotonic() + exposed.timeout
        deadline = limit if deadline is None else min(limit, deadline)
    return Call(request, payload, CallContext(call_id, identity, deadline, chain), caller or NobodyWaits())


def _internal(error: Exception, request: CallFunctionRequest, call_id: str) -> CallFailed:
    """A fault of ours: the caller gets a fixed text, the log gets the rest."""
    log.error(
        "internal error", call_id=call_id, module=request.module[:80], function=request.function[:80], exc_info=error
    )
    return internal_failure(call_id)
