"""Handlers start with their message: calls whose message never comes take nothing from others, and end rightly."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc import _server

import callgate
from callgate_server.transports.message_first import message_first
from tests.functional.raw_http2 import begin_calls, status_of

M = "served_functions"
STREAM = "/callgate.v1.FunctionService/StreamFunction"

#: More than the server has threads for either kind.
MANY = 700


def test_calls_that_send_nothing_hold_no_thread(address, gate):
    with begin_calls(address, MANY):
        assert gate.call(M, "add", 1, 2, timeout=10) == 3
        with callgate.connect(address, timeout=10) as another:
            assert another.call(M, "add", 3, 4) == 7


def test_streams_that_send_nothing_hold_no_thread(address, gate):
    with begin_calls(address, MANY, STREAM):
        assert list(gate.stream(M, "count_down", 3, timeout=10)) == [3, 2, 1]


def test_a_call_that_ends_without_a_message_is_refused(address, gate):
    assert status_of(address, None, ()) == 12  # UNIMPLEMENTED, as grpcio itself answers it
    assert status_of(address, None, (), STREAM) == 12
    assert gate.call(M, "add", 1, 2) == 3


def test_calls_that_were_begun_and_left_do_not_keep_the_server_from_stopping(serve):
    server = serve(shared=False)
    begin_calls(server.address, MANY).close()
    with callgate.connect(server.address) as gate:
        assert gate.call(M, "add", 1, 2) == 3
    stopping = threading.Thread(target=server.stop, args=(60.0,), daemon=True)
    stopping.start()
    stopping.join(20)
    assert not stopping.is_alive()


def _echo_through(submit: Any) -> grpc.RpcError | bytes:
    """What a bare grpcio server answers to b"hello" whose pool takes tasks by `submit`."""

    class Pool:
        def __init__(self) -> None:
            self.submit = message_first(submit)

    pool: Any = Pool()
    server = grpc.server(pool)
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(lambda payload, context: payload)}
    server.add_registered_method_handlers("test.Service", handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            answer: bytes = channel.unary_unary("/test.Service/Echo")(b"hello", timeout=20)
            return answer
    except grpc.RpcError as error:
        return error
    finally:
        server.stop(None)


def test_a_pool_that_takes_no_more_tasks_is_told_as_unavailable():
    def refuse(*task: Any) -> None:
        raise RuntimeError("the pool is shut down")

    error = _echo_through(refuse)
    assert isinstance(error, grpc.RpcError)
    assert error.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("missing", ["_possibly_finish_call", "_unary_response_in_pool", "_RECEIVE_MESSAGE_TOKEN"])
def test_a_grpcio_with_other_internals_is_used_as_it_is(monkeypatch, missing):
    with ThreadPoolExecutor(1) as pool:
        with monkeypatch.context() as patched:
            patched.delattr(_server, missing)
            submit = message_first(pool.submit)
        assert submit == pool.submit
        assert _echo_through(pool.submit) == b"hello"
