"""A server that answers what a case says, and counts: for what a real one hardly does, or must not.

fake:
  CallFunction:                      # one answer a request; the last for all further ones
  - {code: UNAVAILABLE}              # no details: as gRPC itself or a proxy fails
  - {code: UNAVAILABLE, reason: DRAINING, message: ..., metadata: {...}, retry_after: 1.5}
  - {value: 4.0}                     # what a call returns
  - {raised: {type: ..., module: ...}}   # a PythonException, as in protobuf's JSON; `values` are given as !hex
  StreamFunction:
  - {values: [1, 2], code: ...}      # items, and then how it ends
  ListFunctions:
  - {functions: [a.b, a.c], next_page_token: more}
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import ParseDict
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from callgate.errors import STATUS_CODES
from callgate.failures import REASON_CODES
from callgate.v1 import failure_pb2, value_pb2
from callgate.v1 import function_service_pb2 as pb
from tests.conformance.cases import CaseError
from tests.conformance.matching import Wire, hex_of

__all__ = ["FakeServer"]

_SERVICE = "callgate.v1.FunctionService"
_CODES = {code.name: code for code in grpc.StatusCode}
_UNARY = ("CallFunction", "ListFunctions", "GetFunction")
_STREAMS = ("StreamFunction", "BatchCallFunctions")


class _Ended(grpc.Status):
    """What `abort_with_status` takes."""

    def __init__(self, code: str, message: str, trailing: list[tuple[str, str | bytes]]) -> None:
        self.code = _CODES[code]
        self.details = message
        self.trailing_metadata = tuple(trailing)


class FakeServer:
    """The server; use it in a `with` statement.

    Args:
        answers: what to answer, by method.

    Attributes:
        address: where it listens.
        attempts: how many requests came, by method.
    """

    def __init__(self, answers: Mapping[str, list[Mapping[str, Any]]]) -> None:
        unknown = answers.keys() - {*_UNARY, *_STREAMS}
        if unknown:
            raise CaseError(f"fake: there is no method {', '.join(unknown)}")
        self._answers = answers
        self._lock = threading.Lock()
        self.attempts: Counter[str] = Counter()
        self._server = grpc.server(
            ThreadPoolExecutor(8),
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", 1 << 20),
            ],
        )
        handlers: dict[str, Any] = {
            name: grpc.unary_stream_rpc_method_handler(lambda data, context, name=name: self._answer(name, context))
            for name in answers
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _answer(self, method: str, context: grpc.ServicerContext) -> Iterator[bytes]:
        with self._lock:
            number = self.attempts[method]
            self.attempts[method] += 1
        answers = self._answers[method]
        answer = answers[min(number, len(answers) - 1)]
        yield from _messages(method, answer)
        if answer.keys() & {"code", "reason", "raised"}:
            context.abort_with_status(_ended(answer))

    def stop(self) -> None:
        """Stop it."""
        self._server.stop(0).wait()

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _messages(method: str, answer: Mapping[str, Any]) -> Iterator[bytes]:
    if "response" in answer:
        yield answer["response"].data
    elif "value" in answer:
        yield _with_value(answer["value"])
    elif "functions" in answer:
        page = pb.ListFunctionsResponse(next_page_token=answer.get("next_page_token", ""))
        for name in answer["functions"]:
            module, _, function = name.rpartition(".")
            page.functions.add(module=module, function=function, signature="()", doc="A fake.", executor="fake")
        yield page.SerializeToString()
    elif "function" in answer:
        module, _, function = answer["function"].rpartition(".")
        described = pb.GetFunctionResponse()
        described.function.module, described.function.function = module, function
        yield described.SerializeToString()
    elif "results" in answer:  # of a batch: [index, value] each, in the order in which they "finished"
        batch = pb.BatchCallFunctionsResponse()
        for index, value in answer["results"]:
            batch.results.add(index=index).response.ParseFromString(_with_value(value))
        yield batch.SerializeToString()
    for item in answer.get("values", ()):
        yield _with_value(item)


def _with_value(value: Any) -> bytes:
    message = value_pb2.Value.FromString(bytes.fromhex(hex_of(value)))
    return pb.CallFunctionResponse(value=message).SerializeToString()


def _ended(answer: Mapping[str, Any]) -> _Ended:
    reason = answer.get("reason", "FUNCTION_RAISED" if "raised" in answer else "")
    code = answer.get("code") or REASON_CODES[reason]
    message = answer.get("message", "")
    trailing: list[tuple[str, str | bytes]] = []
    if "details_bin" in answer:
        trailing.append(("grpc-status-details-bin", answer["details_bin"].data))
    elif reason or "raised" in answer or "retry_after" in answer:
        trailing.append(("grpc-status-details-bin", _status(answer, code, reason, message).SerializeToString()))
    if "call_id" in answer:
        trailing.append(("callgate-call-id", answer["call_id"]))
    return _Ended(code, message, trailing)


def _status(answer: Mapping[str, Any], code: str, reason: str, message: str) -> Status:
    status = Status(code=STATUS_CODES[code], message=message)
    if answer.get("unknown_detail"):  # a detail that no client knows, before those that it does
        status.details.append(AnyMessage(type_url="type.googleapis.com/nobody.knows.This", value=b"\x0a\x01x"))
    if reason:
        info = ErrorInfo(reason=reason, domain=answer.get("domain", "callgate"), metadata=answer.get("metadata"))
        status.details.add().Pack(info)
    if "retry_after" in answer:
        retry = RetryInfo()
        retry.retry_delay.FromNanoseconds(round(answer["retry_after"] * 1e9))
        status.details.add().Pack(retry)
    if "raised" in answer:
        said = dict(answer["raised"])
        values = {key: said.pop(key) for key in ("args", "attributes") if key in said}
        exception = ParseDict(said, failure_pb2.PythonException())
        for value in values.get("args", ()):
            exception.args.add().ParseFromString(bytes.fromhex(hex_of(value)))
        for name, value in values.get("attributes", {}).items():
            exception.attributes[name].ParseFromString(
                value.data if isinstance(value, Wire) else bytes.fromhex(hex_of(value))
            )
        status.details.add().Pack(exception)
    return status
