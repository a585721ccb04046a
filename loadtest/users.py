"""Locust users: plain, failing, slow and mixed traffic, each user over a channel of its own.

`python -m loadtest` starts a server and runs all of them; against a server of your own:

    .venv-loadtest/bin/locust -f loadtest/users.py --host 127.0.0.1:50051 [MixedUser ...]

They speak by the generated stubs, as a client in any language does, and check every answer: a wrong value, or a failure
that was not expected, is a failure of the load test.
"""

# ruff: noqa: E402, I001 -- gevent comes first: grpc must yield to it before a channel is made, or one call blocks all users
import grpc.experimental.gevent

grpc.experimental.gevent.init_gevent()

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from locust import User, between, task
from locust.env import Environment

from callgate.v1 import function_service_pb2 as pb
from callgate.v1 import function_service_pb2_grpc
from callgate.values import decode, encode

__all__ = ["FailingUser", "MixedUser", "PlainUser", "SlowUser"]

#: Seconds that a call may take; far beyond what any should, so that a lost call ends the test as a failure, not a hang.
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Value:
    """The call returns a value equal to this."""

    value: Any

    def problem(self, call: Any) -> Exception | None:
        """What is wrong with how a call ended; None if nothing is."""
        error: Exception | None = call.exception()
        if error is None:
            value = decode(call.result().value)
            if value != self.value:
                error = AssertionError(f"{self.value!r} was expected, not {value!r}")
        return error


@dataclass(frozen=True, slots=True)
class Failure:
    """The call fails with this code and, where the server is who answers, for one of these reasons."""

    code: grpc.StatusCode
    reasons: tuple[str, ...]

    def problem(self, call: Any) -> Exception | None:
        """What is wrong with how a call ended; None if nothing is."""
        error: Exception | None = call.exception()
        if error is None:
            return AssertionError(f"{self.code.name} was expected, and the call succeeded")
        # At a deadline the client may be first: it then ends the call itself, without details.
        if call.code() is not self.code or _reason(call) not in (*self.reasons, ""):
            return error
        return None


def _reason(call: Any) -> str:
    """The reason in a failure's ErrorInfo; empty if it has none."""
    for key, value in call.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info = error_details_pb2.ErrorInfo()
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    return str(info.reason)
    return ""


class Timing(grpc.UnaryUnaryClientInterceptor):
    """Tells locust how each call went: its time, its size, its error. The one place that does."""

    def __init__(self, environment: Environment, kind: str) -> None:
        self._environment = environment
        self._kind = kind
        #: How the next call is to end; a user makes one at a time.
        self.expected: Value | Failure = Value(None)

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """Make the call and wait for its end: only then is its time known."""
        began = time.perf_counter()
        call = continuation(details, request)
        problem = self.expected.problem(call)
        self._environment.events.request.fire(
            request_type=self._kind,
            name=f"{request.module}.{request.function}",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=call.result().ByteSize() if call.exception() is None else 0,
            context={},
            exception=problem,
        )
        return call


class GateUser(User):  # type: ignore[misc]  # locust's decorators leave it untyped
    """A client with a channel of its own."""

    abstract = True
    wait_time = between(0, 0.01)  # arbitrary: busy, with gaps in which another user's call comes first

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._timing = Timing(environment, type(self).__name__)
        # Users in one process would share a connection otherwise.
        self._channel = grpc.insecure_channel(self.host, options=[("grpc.use_local_subchannel_pool", 1)])
        self._stub = function_service_pb2_grpc.FunctionServiceStub(grpc.intercept_channel(self._channel, self._timing))

    def on_stop(self) -> None:
        """Leave no connection behind."""
        self._channel.close()

    def call(
        self,
        module: str,
        function: str,
        *args: Any,
        expected: Value | Failure,
        timeout: float = _PATIENCE,
        **kwargs: Any,
    ) -> None:
        """Make a call, and have locust told whether it ended as expected."""
        request = pb.CallFunctionRequest(module=module, function=function)
        for value in args:
            encode(value, request.args.add())
        for name, value in kwargs.items():
            encode(value, request.kwargs[name])
        self._timing.expected = expected
        try:
            self._stub.CallFunction(request, timeout=timeout)
        except grpc.RpcError:
            pass  # locust knows already, from the interceptor, whether this was expected


class PlainUser(GateUser):
    """Calls that return at once."""

    @task(5)
    def sqrt(self) -> None:
        self.call("math", "sqrt", 16.0, expected=Value(4.0))

    @task(3)
    def mean(self) -> None:
        self.call("statistics", "mean", list(range(101)), expected=Value(50))

    @task(2)
    def length(self) -> None:
        self.call("builtins", "len", "x" * 10_000, expected=Value(10_000))

    @task(2)
    def quote(self) -> None:
        lines = [{"name": "bread", "total": 5.0}]
        self.call(
            "examples.pricing", "quote", [{"name": "bread", "quantity": 2}], customer="Ada",
            expected=Value({"customer": "Ada", "lines": lines, "total": 5.0}),
        )  # fmt: skip


class FailingUser(GateUser):
    """Calls that end in an error, of every kind that a client can cause; the absence of one is a failure."""

    @task
    def raises(self) -> None:
        failure = Failure(grpc.StatusCode.UNKNOWN, ("FUNCTION_RAISED",))
        self.call("examples.shapes", "area", -1.0, expected=failure)

    @task
    def chooses_its_code(self) -> None:
        failure = Failure(grpc.StatusCode.NOT_FOUND, ("FUNCTION_RAISED",))
        self.call("examples.pricing", "quote", [{"name": "gold"}], expected=failure)

    @task
    def not_exposed(self) -> None:
        failure = Failure(grpc.StatusCode.NOT_FOUND, ("FUNCTION_NOT_FOUND",))
        self.call("os", "system", "true", expected=failure)

    @task
    def wrong_arguments(self) -> None:
        failure = Failure(grpc.StatusCode.INVALID_ARGUMENT, ("ARGUMENTS_MISMATCH",))
        self.call("examples.shapes", "circle", expected=failure)


class SlowUser(GateUser):
    """Calls that take 10 ms, or longer than their deadline. Pauses: under `serial` each keeps everyone waiting."""

    wait_time = between(0.1, 0.5)

    @task(4)
    def in_time(self) -> None:
        self.call("examples.countdown", "slowly", 2, 0.005, expected=Value(0))

    @task
    def too_late(self) -> None:
        # Under `serial` it may have waited all the time for its turn.
        failure = Failure(grpc.StatusCode.DEADLINE_EXCEEDED, ("RAN_TOO_LONG", "EXPIRED_IN_QUEUE"))
        self.call("examples.countdown", "slowly", 1000, 0.005, timeout=0.05, expected=failure)


class MixedUser(PlainUser, FailingUser, SlowUser):
    """All of them."""

    wait_time = between(0, 0.1)
