"""Values, conversion and failures together, as the last step of every call sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from callgate import Record, RemoteError, ValueFormError
from callgate.context import CallContext
from callgate.failures import CallFailed, error_from_status
from callgate.v1 import failure_pb2 as pb
from callgate.v1.function_service_pb2 import CallFunctionRequest, CallFunctionResponse
from callgate.values import Limits, decode, encode
from callgate_server.invocation import Invoker


@dataclass
class Order:
    id: UUID
    price: float


def total(orders: list[Order], rate: float = 1.0) -> float:
    return sum(order.price for order in orders) * rate


def call(function: Callable[..., Any], *args: Any, limits: Limits | None = None, **kwargs: Any) -> Any:
    request = CallFunctionRequest(module="m", function="f")
    for arg in args:
        encode(arg, request.args.add())
    for name, value in kwargs.items():
        encode(value, request.kwargs[name])
    invoker = Invoker(limits=limits or Limits())
    response = CallFunctionResponse.FromString(invoker.invoke(function, request, CallContext("id")))
    return decode(response.value)


def failure(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, CallFailed]:
    with pytest.raises(CallFailed) as caught:
        call(function, *args, **kwargs)
    return error_from_status(caught.value.status), caught.value


ID = "12345678-1234-5678-1234-567812345678"


def test_records_of_any_name_arrive_as_what_the_function_expects() -> None:
    orders = [Record("go:Order", {"id": ID, "price": 2.0}), {"id": ID, "price": 1}]
    assert call(total, orders, rate=2) == 6.0


def test_a_mismatch_is_invalid_argument_and_names_the_parameter_and_the_place() -> None:
    error, failed = failure(total, [{"id": ID, "price": 1.0}, {"id": ID, "price": "1"}])
    assert (error.code, failed.reason) == ("INVALID_ARGUMENT", "ARGUMENTS_MISMATCH")
    assert isinstance(error, TypeError)
    assert error.message == "argument orders[1].price: '1' is a str, and a float is wanted"
    assert error.metadata["parameter"] == "orders"
    assert error.metadata["path"] == "orders[1].price"
    assert error.metadata["signature"].startswith("(orders: 'list[Order]'")


def test_a_result_without_a_form_shows_no_frame_of_ours() -> None:
    error, failed = failure(lambda: [1, {"model": object()}])
    assert failed.reason == "NO_VALUE_FORM"
    assert isinstance(error, ValueFormError)
    assert isinstance(error, RemoteError)
    assert (error.path, error.message) == ("result[1]['model']", "result[1]['model']: object has no Value form")
    assert error.frames == ()


def test_a_result_beyond_the_limit_of_bytes_is_too_large_and_not_the_functions_fault() -> None:
    error, failed = failure(lambda: ["x" * 600] * 2, limits=Limits(bytes=1000))
    assert failed.reason == "RESPONSE_TOO_LARGE"
    assert error.metadata == {"size": "1200", "limit": "1000"}


def test_a_field_that_raises_while_it_is_read_is_the_functions_exception() -> None:
    @dataclass
    class Broken:
        x: int

        def __getattribute__(self, name: str) -> Any:
            raise ZeroDivisionError("in a field")

    error, failed = failure(lambda: Broken(1))
    assert failed.reason == "FUNCTION_RAISED"
    assert isinstance(error, ZeroDivisionError)
    assert [frame.function.rpartition(".")[2] for frame in error.frames] == ["__getattribute__"]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, StopIteration])
def test_what_would_end_a_process_ends_only_its_call(kind: type[BaseException]) -> None:
    def function() -> None:
        raise kind("leaving")

    error, failed = failure(function)
    assert failed.reason == "FUNCTION_RAISED"
    assert error.remote_type.rpartition(".")[2] == kind.__name__
    assert error.frames[-1].source == 'raise kind("leaving")'
    assert len(error.frames) == 1


def test_the_limits_of_arguments_name_the_argument() -> None:
    error, failed = failure(total, [1.0], [[1.0] * 20], limits=Limits(elements=10))
    assert (failed.reason, error.metadata["path"], error.metadata["limit"]) == ("LIMIT_EXCEEDED", "args[1][0]", "10")


def test_the_contracts_enum_has_no_reason_that_failures_lack() -> None:
    from callgate.failures import REASON_CODES

    names = {name.removeprefix("ERROR_REASON_") for name in pb.ErrorReason.keys()}  # noqa: SIM118  # an enum, no dict
    assert names - {"UNSPECIFIED"} == set(REASON_CODES)
