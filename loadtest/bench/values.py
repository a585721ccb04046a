"""What values cost on their way: beside the plainest loop over protobuf that a user would write by hand."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from callgate.context import CallContext
from callgate.v1 import value_pb2 as pb
from callgate.v1.function_service_pb2 import CallFunctionRequest, CallFunctionResponse
from callgate.values import decode, encode
from callgate_server.invocation import Invoker
from callgate_server.registry import ExposureRule, Registry
from loadtest.bench.figure import Figure

__all__ = ["run"]

#: Pairs of runs; each ratio is of two runs beside each other.
PAIRS = 11
ELEMENTS = 10_000
SMALL_CALLS = 3_000
ARRAY_BYTES = 32 << 20


def run() -> list[Figure]:
    """All figures of values."""
    return [floats(), mixed(), small_call(), array()]


def floats() -> Figure:
    """A list of floats, both ways."""
    values = [index * 1.1 for index in range(ELEMENTS)]
    return _figure(
        f"encode and decode of {ELEMENTS:,} floats, beside the best loop over repeated Value",
        0.25,
        lambda: _by_hand(values, _write_floats, _read_floats),
        lambda: _ours(values),
    )


def mixed() -> Figure:
    """A list of several types, both ways."""
    values = [(index, index * 1.1, str(index), index % 2 == 0, None)[index % 5] for index in range(ELEMENTS)]
    return _figure(
        f"encode and decode of {ELEMENTS:,} mixed plain values, beside the best loop over repeated Value",
        1.5,
        lambda: _by_hand(values, _write_mixed, _read_mixed),
        lambda: _ours(values),
    )


def small_call() -> Figure:
    """math.sqrt: parse, resolve, bind, run, encode; beside a parse, a response made around a double, a serialize."""
    request = CallFunctionRequest(module="math", function="sqrt")
    encode(16.0, request.args.add())
    payload = request.SerializeToString()
    registry = Registry([ExposureRule(("math.*",))])
    invoker = Invoker()
    context = CallContext("0" * 16)

    def bare() -> None:
        for _ in range(SMALL_CALLS):
            CallFunctionRequest.FromString(payload)
            response = CallFunctionResponse()
            response.value.double_value = 4.0
            response.SerializeToString()

    def call() -> None:
        for _ in range(SMALL_CALLS):
            parsed = CallFunctionRequest.FromString(payload)
            exposed = registry.resolve(parsed.module, parsed.function)
            invoker.invoke(exposed.function, parsed, context)

    if CallFunctionResponse.FromString(
        invoker.invoke(math.sqrt, CallFunctionRequest.FromString(payload), context)
    ) != CallFunctionResponse(value=pb.Value(double_value=4.0)):
        raise RuntimeError("the call does not answer 4.0")
    return _figure(
        "a small call (parse, resolve, bind, run math.sqrt, encode), beside a bare parse and serialize",
        3.0,
        bare,
        call,
        per=SMALL_CALLS,
    )


def array() -> Figure:
    """An array of floats, both ways, beside the same bytes as `bytes`."""
    import numpy

    values = numpy.random.default_rng(0).random(ARRAY_BYTES // 8)
    plain = values.tobytes()
    return _figure(
        f"an ndarray of {ARRAY_BYTES >> 20} MiB, both ways, beside the same bytes as `bytes`",
        1.3,
        lambda: _ours(plain),
        lambda: _ours(values),
    )


def _ours(value: Any) -> Any:
    return decode(pb.Value.FromString(encode(value).SerializeToString()))


def _by_hand(
    values: list[Any], write: Callable[[list[Any], Any], None], read: Callable[[Sequence[Any]], list[Any]]
) -> list[Any]:
    message = pb.ListValue()
    write(values, message.values.add)
    return read(pb.ListValue.FromString(message.SerializeToString()).values)


def _write_floats(values: list[float], add: Callable[[], Any]) -> None:
    for value in values:
        add().double_value = value


def _read_floats(values: Sequence[Any]) -> list[float]:
    return [value.double_value for value in values]


def _write_mixed(values: list[Any], add: Callable[[], Any]) -> None:
    for value in values:
        kind = type(value)
        made = add()
        if kind is float:
            made.double_value = value
        elif kind is int:
            made.int_value = value
        elif kind is str:
            made.string_value = value
        elif kind is bool:
            made.bool_value = value
        else:
            made.null_value = 0


def _read_mixed(values: Sequence[Any]) -> list[Any]:
    made: list[Any] = []
    append = made.append
    for value in values:
        kind = value.WhichOneof("kind")
        if kind == "double_value":
            append(value.double_value)
        elif kind == "int_value":
            append(value.int_value)
        elif kind == "string_value":
            append(value.string_value)
        elif kind == "bool_value":
            append(value.bool_value)
        else:
            append(None)
    return made


def _figure(
    name: str, target: float, base: Callable[[], Any], ours: Callable[[], Any], *, per: int | None = None
) -> Figure:
    base(), ours()  # warm
    pairs = []
    for number in range(PAIRS):
        # Who goes first alternates, in case the machine slows down or speeds up meanwhile.
        first, second = (base, ours) if number % 2 else (ours, base)
        spent = _seconds(first), _seconds(second)
        pairs.append(spent if first is base else spent[::-1])
    ratios = [one / other for other, one in pairs]
    scale, unit = (1e6 / per, "µs") if per else (1e3, "ms")
    notes = " against ".join(
        f"{statistics.median(column) * scale:.2f} {unit}" for column in reversed(list(zip(*pairs, strict=True)))
    )
    return Figure(name, statistics.median(ratios), target, True, (min(ratios), max(ratios)), notes)


def _seconds(work: Callable[[], Any]) -> float:
    # Of this process: nothing here waits, and what else runs on the machine is no cost of a value.
    began = time.process_time()
    work()
    return time.process_time() - began
