"""The conformance runner of the Python client: JSON lines in, JSON lines out. README.md beside it has the protocol.

It uses what users use: `callgate.connect`, `callgate.aio` for what has to be cancelled, `callgate.values` for the hex.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

import grpc

import callgate
import callgate._connection
import callgate.aio
from callgate.v1 import function_service_pb2 as service_pb
from callgate.v1 import function_service_pb2_grpc as stubs
from callgate.v1 import value_pb2
from callgate.values import decode
from tests.conformance.runner_python_callers import measured, mixed
from tests.conformance.runner_python_failures import failure_of, from_hex, to_hex

Answer = dict[str, Any]
Request = Mapping[str, Any]


class Unsupported(Exception):
    """The client does not offer this."""


class Connected:
    """A gate, and beside it, once it is needed, one for asyncio: only tasks can be cancelled."""

    def __init__(self, target: str, options: dict[str, Any]) -> None:
        self.target = target
        self._options = options
        self.gate = callgate.connect(target, **options)

    def cancelled_after(self, request: Request) -> Any:
        """A call in a task that is cancelled after a while."""

        async def call() -> Any:
            async with callgate.aio.connect(self.target, **self._options) as gate:
                task = asyncio.create_task(gate.call_with(*_named(request), timeout=request["timeout"]))
                asyncio.get_running_loop().call_later(request["cancel_after"], task.cancel)
                return await task

        return asyncio.run(call())

    def stream_cancelled_after(self, request: Request, into: list[str]) -> None:
        """A stream whose reader is cancelled after a while."""

        async def read() -> None:
            async with callgate.aio.connect(self.target, **self._options) as gate:

                async def items() -> None:
                    async with gate.stream_with(*_named(request), timeout=request["timeout"]) as stream:
                        async for item in stream:
                            into.append(to_hex(item))

                task = asyncio.create_task(items())
                asyncio.get_running_loop().call_later(request["cancel_after"], task.cancel)
                await task

        asyncio.run(read())


class Runner:
    """The ops by name; each takes a request and returns what its answer has beside the id."""

    def __init__(self) -> None:
        self._gates: dict[str, Connected] = {}

    def handle(self, request: Request) -> Answer:
        """The answer to one request."""
        answer: Answer = {"id": request["id"]}
        op = getattr(self, f"op_{request['op']}", None)
        if op is None:
            return answer | {"fault": f"unknown op {request['op']!r}"}
        try:
            return {**answer, **op(request)}
        except Unsupported as why:
            return answer | {"unsupported": str(why)}
        except Exception as error:  # a bug here, and the driver is to see it
            return answer | {"fault": f"{type(error).__name__}: {error}"}

    def _gate(self, request: Request) -> callgate.Gate:
        return self._gates[request["gate"]].gate

    def op_hello(self, request: Request) -> Answer:
        """Who this is."""
        return {"language": "python", "version": platform.python_version(), "grpc": f"grpcio {grpc.__version__}"}

    def op_value(self, request: Request) -> Answer:
        """Decode and encode again."""
        try:
            message = value_pb2.Value.FromString(bytes.fromhex(request["value"]))
            value = decode(message)
        except Exception as error:  # protobuf's refusal is one, too
            return {"failure": failure_of(error)}
        return {"value": to_hex(value)}

    def op_connect(self, request: Request) -> Answer:
        """Make a gate."""
        names = {"ca": "tls_ca", "certificate": "tls_certificate", "key": "tls_key", "token": "token"}
        options = {ours: request[theirs] for ours, theirs in names.items() if request.get(theirs) is not None}
        try:
            self._gates[request["gate"]] = Connected(request["target"], options)
        except callgate.CallgateError as error:
            return {"failure": failure_of(error)}
        return {"connected": True}

    def op_close(self, request: Request) -> Answer:
        """Close a gate."""
        self._gates.pop(request["gate"]).gate.close()
        return {"closed": True}

    def op_call(self, request: Request) -> Answer:
        """One call."""
        connected = self._gates[request["gate"]]
        began = time.perf_counter()
        try:
            if request["cancel_after"] is not None:
                value = connected.cancelled_after(request)
            else:
                value = connected.gate.call_with(*_named(request), timeout=request["timeout"])
        except (callgate.CallgateError, asyncio.CancelledError) as error:
            return {"failure": failure_of(error), "seconds": time.perf_counter() - began}
        return {"value": to_hex(value), "seconds": time.perf_counter() - began}

    def op_stream(self, request: Request) -> Answer:
        """One stream."""
        connected = self._gates[request["gate"]]
        values: list[str] = []
        failure = None
        try:
            if request["cancel_after"] is not None:
                connected.stream_cancelled_after(request, values)
            else:
                with connected.gate.stream_with(*_named(request), timeout=request["timeout"]) as stream:
                    values += map(to_hex, itertools.islice(stream, request["take"]))
        except (callgate.CallgateError, asyncio.CancelledError) as error:
            failure = failure_of(error)
        return {"values": values, "failure": failure}

    def op_batch(self, request: Request) -> Answer:
        """Many calls in one message: `map` where all are of one function, else `submit`, which shares batches."""
        calls = request["calls"]
        names = {(call["module"], call["function"]) for call in calls}
        try:
            if len(names) == 1 and not any(call["kwargs"] for call in calls):
                results: Iterable[Any] = self._gate(request).map(
                    *names.pop(),
                    [[from_hex(argument) for argument in call["args"]] for call in calls],
                    unpack=True,
                    return_exceptions=True,
                    timeout=request["timeout"],
                    call_timeout=request["call_timeout"],
                )
                return {"results": [_result(result) for result in results]}
            if request["call_timeout"] is not None:
                raise Unsupported("call_timeout is map's, and map calls one function by position")
            gate = self._gate(request)
            futures = [gate.submit_with(*_named(call), timeout=request["timeout"]) for call in calls]
            return {"results": [_outcome(future) for future in futures]}
        except callgate.CallgateError as error:
            return {"failure": failure_of(error)}

    def op_list(self, request: Request) -> Answer:
        """What there is."""
        try:
            return {"functions": [_function(info) for info in self._gate(request).functions(request["module"] or "")]}
        except callgate.CallgateError as error:
            return {"failure": failure_of(error)}

    def op_describe(self, request: Request) -> Answer:
        """One function."""
        try:
            return {"function": _function(self._gate(request).function(request["module"], request["function"]))}
        except callgate.CallgateError as error:
            return {"failure": failure_of(error)}

    def op_concurrent(self, request: Request) -> Answer:
        """Many callers, each in a thread."""
        return mixed(request, self._gate(request).call)

    def op_shared(self, request: Request) -> Answer:
        """The same through `submit`."""
        submit = self._gate(request).submit
        return mixed(request, lambda *call: submit(*call).result())

    def op_bench(self, request: Request) -> Answer:
        """How fast calls are."""
        if request["what"] == "wrapper":
            gate = self._gate(request)
            return measured(lambda: gate.call("math", "sqrt", 16.0), request)
        message = service_pb.CallFunctionRequest(
            module="math", function="sqrt", args=[value_pb2.Value(double_value=16.0)]
        )
        with grpc.insecure_channel(self._gates[request["gate"]].target) as channel:
            method = stubs.FunctionServiceStub(channel).CallFunction  # type: ignore[no-untyped-call]  # generated
            return measured(lambda: method(message).value.double_value, request)


def _named(call: Request) -> tuple[str, str, list[Any], dict[str, Any]]:
    """Module, function, arguments, keyword arguments."""
    return (
        call["module"],
        call["function"],
        [from_hex(argument) for argument in call["args"]],
        {name: from_hex(argument) for name, argument in call["kwargs"].items()},
    )


def _result(result: Any) -> Answer:
    return {"failure": failure_of(result)} if isinstance(result, callgate.CallgateError) else {"value": to_hex(result)}


def _outcome(future: Future[Any]) -> Answer:
    try:
        return {"value": to_hex(future.result())}
    except callgate.CallgateError as error:
        return {"failure": failure_of(error)}


def _function(info: callgate.FunctionInfo) -> Answer:
    return {
        "module": info.module,
        "function": info.function,
        "signature": info.signature,
        "doc": info.doc,
        "executor": info.executor,
    }


def main() -> None:
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", choices=["grpcio", "native"], default="grpcio", help="the client's transport")
    callgate._connection.DEFAULT_TRANSPORT = parser.parse_args().transport
    runner = Runner()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(runner.handle(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
