"""The last step, the same in every executor and worker: decode the arguments, bind, run, encode the result.

Everything here runs on the thread (and in the process) that runs the function, inside its guard: decoding and encoding
read live objects. Imports protobuf, never grpc, so that workers can use it.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CoroutineType, GeneratorType
from typing import Any

import callgate.records
import callgate.values
from callgate.context import CallContext
from callgate.errors import ValueDecodeError, ValueFormError, ValueTooLarge
from callgate.failures import CallFailed, exception_status, gate_failure
from callgate.v1.function_service_pb2 import CallFunctionRequest, CallFunctionResponse
from callgate.v1.value_pb2 import Value
from callgate.values import DEFAULT_LIMITS, Limits, decode_arguments, encode, plain_answer
from callgate.values.large import written
from callgate.values.requests import decoded_arguments
from callgate_server.conversion import ArgumentMismatch, Arguments, converter_for
from callgate_server.interrupt import CallInterrupted

__all__ = ["Invoker", "misfit_failure", "mismatch_failure", "undecodable_failure"]

#: Frames of these files are ours, not the function's, and are left out of tracebacks.
_OWN_FILES = (
    *(str(Path(file).parent) + os.sep for file in (__file__, callgate.values.__file__)),
    str(callgate.records.__file__),
)


@dataclass(frozen=True, slots=True)
class Invoker:
    """How functions are invoked; one for a server or worker.

    Attributes:
        limits: depth and element limits on arguments and results.
        traceback: whether tracebacks may leave the server.
    """

    limits: Limits = DEFAULT_LIMITS
    traceback: bool = True
    #: By id, with the function itself, so that the id stays its own; None for functions with nothing to convert.
    _converters: dict[int, tuple[Callable[..., Any], Arguments | None]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def invoke(self, function: Callable[..., Any], request: CallFunctionRequest, context: CallContext) -> bytes:
        """Run a function on a request's arguments.

        Args:
            function: what to run.
            request: the request, parsed.
            context: the call, for ids in failures.

        Returns:
            A serialized CallFunctionResponse.

        Raises:
            CallFailed: with INVALID_ARGUMENT if the arguments don't decode or bind (the function did not start), or
                with the function's exception.
            CallInterrupted: if the call was interrupted.
        """
        return self.encode_result(self.run(function, request, context), context)

    def run(self, function: Callable[..., Any], request: CallFunctionRequest, context: CallContext) -> Any:
        """As `invoke`, without encoding what the function returns.

        Returns:
            What it returns.

        Raises:
            CallFailed, CallInterrupted: as `invoke`.
        """
        args, kwargs = self.arguments(function, request)
        return self.apply(function, args, kwargs, context)

    def apply(self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], context: CallContext) -> Any:
        """Call a function.

        Returns:
            What it returns.

        Raises:
            CallFailed, CallInterrupted: as `invoke`.
        """
        try:
            return function(*args, **kwargs)
        except CallInterrupted:
            raise
        except BaseException as error:
            raise self._misfit_or_raised(error, function, args, kwargs, context) from None

    async def invoke_async(
        self,
        function: Callable[..., Any],
        request: CallFunctionRequest,
        context: CallContext,
        interrupted: Callable[[], bool],
    ) -> bytes:
        """As `invoke`, for an async function.

        Args:
            function: what to run.
            request: the request, parsed.
            context: the call, for ids in failures.
            interrupted: whether a CancelledError is our doing; a function may raise one of its own.

        Returns:
            A serialized CallFunctionResponse.

        Raises:
            CallFailed: as `invoke`.
            CallInterrupted: if the call was interrupted.
        """
        args, kwargs = self.arguments(function, request)
        try:
            result = await function(*args, **kwargs)
        except CallInterrupted:
            raise
        except BaseException as error:
            if issubclass(type(error), asyncio.CancelledError) and interrupted():
                raise CallInterrupted from None
            raise self._misfit_or_raised(error, function, args, kwargs, context) from None
        return self.encode_result(result, context)

    def arguments(self, function: Callable[..., Any], request: CallFunctionRequest) -> tuple[list[Any], dict[str, Any]]:
        """A request's arguments, decoded, if they are not, and converted.

        Raises:
            CallFailed: with INVALID_ARGUMENT, if one does not decode, or fit its parameter's type hint.
        """
        try:
            positional, named = decoded_arguments(request, self.limits)
        except ValueDecodeError as error:
            raise undecodable_failure(error) from None
        return self.converted(function, positional, named)

    def decoded(
        self, function: Callable[..., Any], args: Sequence[Value], kwargs: Mapping[str, Value]
    ) -> tuple[list[Any], dict[str, Any]]:
        """A call's arguments, decoded and converted.

        Raises:
            CallFailed: with INVALID_ARGUMENT, if one does not decode, or fit its parameter's type hint.
        """
        try:
            # By position, here and for encode(): a call by keyword is 2 % of a small call dearer on CPython 3.13.
            positional, named = decode_arguments(args, kwargs, self.limits)
        except ValueDecodeError as error:
            raise undecodable_failure(error) from None
        return self.converted(function, positional, named)

    def converted(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """A call's arguments, converted towards its function's type hints.

        Raises:
            CallFailed: with INVALID_ARGUMENT, if one does not fit.
        """
        known = self._converters.get(id(function))
        if known is None:
            known = self._converters[id(function)] = (function, converter_for(function))
        convert = known[1]
        if convert is None:
            return args, kwargs
        try:
            return convert(args, kwargs)
        except ArgumentMismatch as mismatch:
            raise misfit_failure(mismatch, function) from None

    def encode_result(self, result: Any, context: CallContext) -> bytes:
        """Encode what a function returned.

        Returns:
            A serialized CallFunctionResponse.

        Raises:
            CallFailed: if it has no Value form.
            CallInterrupted: if the call was interrupted.
        """
        try:
            data = plain_answer(result, self.limits)
            if data is not None:
                return data
            response = CallFunctionResponse()
            hole: list[memoryview] = []
            encode(result, response.value, "result", self.limits, hole)
            if hole:
                return written(b"", CallFunctionResponse.VALUE_FIELD_NUMBER, [(response.value, hole.pop())])
            return response.SerializeToString()
        except CallInterrupted:
            raise
        except BaseException as error:
            # ValueFormError mostly; anything else comes from a value's own code, run by reading it.
            _discard(result)
            # By type(): isinstance() asks a hostile __class__.
            if type(error) is ValueTooLarge:
                metadata = {"size": str(error.size), "limit": str(error.limit)}
                raise gate_failure("RESPONSE_TOO_LARGE", str(error), metadata) from None
            reason = "NO_VALUE_FORM" if issubclass(type(error), ValueFormError) else "FUNCTION_RAISED"
            status = exception_status(
                error, traceback=self.traceback, call_id=context.id, reason=reason, hide=_OWN_FILES
            )
            raise CallFailed(status) from None

    def _misfit_or_raised(
        self,
        error: BaseException,
        function: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        context: CallContext,
    ) -> CallFailed:
        # A TypeError from no deeper than the call itself: the arguments may not fit. Only then is a signature bound,
        # which costs more than most calls.
        if type(error) is TypeError and error.__traceback__ is not None and error.__traceback__.tb_next is None:
            problem = mismatch_failure(function, args, kwargs)
            if problem:
                return problem
        return self.raised(error, context)

    def raised(self, error: BaseException, context: CallContext) -> CallFailed:
        """The failure of a call whose function raised."""
        return CallFailed(exception_status(error, traceback=self.traceback, call_id=context.id, hide=_OWN_FILES))

    @contextmanager
    def raising(self, context: CallContext, interrupted: Callable[[], bool]) -> Iterator[None]:
        """Within this context, an async function's code runs: what it raises becomes the call's failure.

        Args:
            context: the call.
            interrupted: whether a CancelledError is our doing.
        """
        try:
            yield
        except CallInterrupted:
            raise
        except BaseException as error:
            if issubclass(type(error), asyncio.CancelledError) and interrupted():
                raise CallInterrupted from None
            raise self.raised(error, context) from None


def _discard(result: Any) -> None:
    """Close what would otherwise warn or linger when dropped: a generator or a coroutine that nobody will run."""
    if type(result) in (GeneratorType, CoroutineType):
        try:
            result.close()
        except BaseException:
            pass  # its finally blocks are its own affair; the call has failed already


def mismatch_failure(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> CallFailed | None:
    """The failure of a call whose arguments do not bind; None if they do, or if nobody can tell."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return None  # a builtin without one: then its TypeError speaks for itself
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        name = getattr(function, "__name__", "the function")
        return gate_failure(
            "ARGUMENTS_MISMATCH", f"{error}; the signature is {name}{signature}", {"signature": str(signature)}
        )
    return None


def misfit_failure(mismatch: ArgumentMismatch, function: Callable[..., Any]) -> CallFailed:
    """The failure of a call with an argument that does not fit its parameter's type hint."""
    metadata = {"parameter": mismatch.parameter, "path": mismatch.parameter + mismatch.path}
    try:
        metadata["signature"] = str(inspect.signature(function))
    except Exception:
        pass  # a default's own repr
    return gate_failure("ARGUMENTS_MISMATCH", f"argument {mismatch}", metadata)


def undecodable_failure(error: ValueDecodeError) -> CallFailed:
    """The failure of a call with an argument that is no value of Python, or beyond a limit."""
    reason = "UNDECODABLE_VALUE" if error.limit is None else "LIMIT_EXCEEDED"
    metadata = {"path": error.path}
    if error.limit is not None:
        metadata["limit"] = str(error.limit)
    return gate_failure(reason, str(error), metadata)
