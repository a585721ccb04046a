"""A call into a sub-interpreter and its answer: requests to messages, answers to responses and failures.

All protobuf of the executor `interpreters` is here, in the main interpreter.
"""

from __future__ import annotations

from typing import Any

from callgate.buffers import ARROW_FORMS, ArrowStream, Tensor
from callgate.context import CallContext, CancelFlag
from callgate.errors import ValueDecodeError, ValueFormError
from callgate.failures import CallFailed, described_status, gate_failure
from callgate.values import encode
from callgate.values.requests import decoded_arguments
from callgate_server.call import Call
from callgate_server.conversion import ArgumentMismatch
from callgate_server.crossing import ATOMS, pack, pack_atoms
from callgate_server.executors.interpreter_worker import InterpreterWorker
from callgate_server.executors.run import Run, stopped
from callgate_server.inside import FORMLESS, INTERRUPTED, MISFIT, RAISED, RETURNED, UNREADABLE
from callgate_server.invocation import Invoker, misfit_failure, mismatch_failure, undecodable_failure

__all__ = ["InterpreterRun", "answered", "message_of"]


class InterpreterRun(Run):
    """One call that has its turn and an interpreter, and what the ladder may do to it."""

    __slots__ = ("_flag", "_number", "_worker")

    def lent(self, worker: InterpreterWorker, number: int) -> None:
        """It runs in this worker under this number: before the ladder knows of it.

        Its call becomes one whose flag, raised here, is seen inside.
        """
        self._worker = worker
        self._number = number
        call = self.call
        context = call.context
        self._flag = flag = _Mirror(context.flag, worker, number)
        self.call = Call(
            call.request,
            call.payload,
            CallContext(context.id, context.identity, context.deadline, context.chain, flag),
            call.caller,
        )

    def stepping(self) -> int:
        """Begin a stream's next step.

        Returns:
            Its number.
        """
        self._number = self._flag.number = self._worker.begin(cancelled=self._flag.raised)
        return self._number

    def wedged(self, seconds: float) -> None:
        """It is stuck, unless it is a stream between two steps: then its reader is slow."""
        if self._worker.runs(self._number):
            super().wedged(seconds)

    def interrupt(self) -> bool:
        """Raise CallInterrupted inside it."""
        return self._worker.interrupt(self._number)


class _Mirror(CancelFlag):
    """A call's flag that, when it is raised here, is raised inside the sub-interpreter too."""

    __slots__ = ("_original", "_worker", "number")

    def __init__(self, original: CancelFlag, worker: InterpreterWorker, number: int) -> None:
        self._original = original
        self._worker = worker
        self.number = number
        if original.raised:
            worker.cancel(number)

    @property
    def raised(self) -> bool:
        return self._original.raised

    @raised.setter
    def raised(self, value: bool) -> None:
        self._original.raised = value
        if value:
            self._worker.cancel(self.number)


def message_of(call: Call, number: int, key: tuple[str, str], invoker: Invoker) -> bytes:
    """Pack a call for the sub-interpreter.

    Args:
        call: the call.
        number: its number there.
        key: module and name of its function.
        invoker: for its limits.

    Returns:
        The message.

    Raises:
        CallFailed: if its arguments do not decode.
    """
    try:
        args, kwargs = decoded_arguments(call.request, invoker.limits)
    except ValueDecodeError as error:
        raise undecodable_failure(error) from None
    context = call.context
    message = (number, key, args, kwargs, context.id, context.identity, context.deadline, context.chain)
    if ATOMS.issuperset(map(type, args)) and ATOMS.issuperset(map(type, kwargs.values())):
        return pack_atoms(message)
    return pack(message, replace=_as_buffer)


def _as_buffer(value: Any) -> Any:
    """An array or table as what it arrives as where numpy and pyarrow are not: they cannot be loaded inside."""
    try:
        made = encode(value)
    except ValueFormError as error:  # a type that conversion made here, none that a Value decodes to
        raise gate_failure("UNDECODABLE_VALUE", f"an argument cannot go into a sub-interpreter: {error}") from None
    if made.WhichOneof("kind") == "arrow_value":
        return ArrowStream(made.arrow_value.ipc_stream, ARROW_FORMS[made.arrow_value.form])
    tensor = made.tensor_value
    return Tensor(tensor.dtype, tuple(tensor.shape), tensor.data, tensor.scalar)


def answered(answer: tuple[Any, ...], run: Run, invoker: Invoker) -> bytes:
    """What a call's answer is to its caller.

    Args:
        answer: what the sub-interpreter answered, unpacked.
        run: the call.
        invoker: encodes results.

    Returns:
        A serialized CallFunctionResponse.

    Raises:
        CallFailed: if it is a failure.
    """
    kind, *rest = answer
    call = run.call
    if kind == RETURNED:
        return invoker.encode_result(rest[0], call.context)
    if kind == INTERRUPTED:
        raise stopped(call)
    if kind == MISFIT:
        raise misfit_failure(ArgumentMismatch(*rest), run.exposed.function)
    if kind == UNREADABLE:
        raise gate_failure("UNDECODABLE_VALUE", f"the arguments cannot go into a sub-interpreter: {rest[0]}")
    assert kind in (RAISED, FORMLESS)
    described, at_call = rest
    if at_call:
        args, kwargs = decoded_arguments(call.request, invoker.limits)
        problem = mismatch_failure(run.exposed.function, args, kwargs)
        if problem is not None:
            try:
                raise problem
            finally:
                del problem  # its traceback has this frame
    raise CallFailed(
        described_status(
            described,
            traceback=invoker.traceback,
            call_id=call.context.id,
            reason="NO_VALUE_FORM" if kind == FORMLESS else "FUNCTION_RAISED",
        )
    )
