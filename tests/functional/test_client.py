"""The synchronous client over a real socket: connecting, closing, interrupting, threads, forks."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import served_functions

import callgate
from tests.contract.test_waiting import wait_until

M = "served_functions"


def outcome_of(call: Callable[[], object]) -> list[BaseException]:
    """A list that gets what the call raises, and the thread that makes it, started."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    served_functions.event("a thread was started").set()
    raised_by[id(raised)] = thread
    return raised


raised_by: dict[int, threading.Thread] = {}


def joined(raised: list[BaseException]) -> BaseException | None:
    """What a call on another thread raised, once it has ended."""
    raised_by.pop(id(raised)).join()
    return raised[0] if raised else None


# ---------------------------------------------------------------------- connecting


@pytest.mark.slow
def test_a_port_where_nothing_listens_is_told_with_what_to_do():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(callgate.Unavailable) as caught:
            callgate.connect(f"127.0.0.1:{port}", wait=2)  # time to be refused
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "callgate serve" in str(caught.value)
    assert isinstance(caught.value, ConnectionError)


def test_a_socket_path_where_nothing_listens_is_told(tmp_path):
    with (
        callgate.connect(f"unix:{tmp_path}/none.sock", wait=None) as gate,
        pytest.raises(callgate.Unavailable, match="nothing listens there"),
    ):
        gate.call(M, "add", 1)


def test_a_host_that_does_not_exist_is_told():
    with (
        callgate.connect("no-such-host.invalid:50051", wait=None) as gate,
        pytest.raises(callgate.Unavailable, match="no host of that name"),
    ):
        gate.call(M, "add", 1)  # without a deadline: whoever looks names up may take their time


def test_a_listener_that_never_answers_is_told():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(callgate.Unavailable, match="is it a Callgate server"):
            callgate.connect(f"127.0.0.1:{silent.getsockname()[1]}", wait=0.05)


@pytest.mark.slow
def test_a_server_that_starts_a_little_later_is_waited_for(serve, tmp_path):
    target = f"unix:{tmp_path}/late.sock"
    gates: list[callgate.Gate] = []
    connecting = outcome_of(lambda: gates.append(callgate.connect(target, wait=20)))
    with pytest.raises(callgate.Unavailable):  # nobody there yet
        callgate.connect(target, wait=0.05)
    serve(listen=target, shared=False)
    assert joined(connecting) is None
    with gates[0] as gate:
        assert gate.call(M, "add", 1) == 2


def test_a_unix_socket_serves_like_any_other(serve, tmp_path):
    server = serve(listen=f"unix:{tmp_path}/gate.sock", shared=False)
    with callgate.connect(server.address) as gate:
        assert gate.call(M, "add", 1) == 2


def test_the_target_comes_from_the_environment_unless_it_is_given(address, monkeypatch):
    monkeypatch.setenv("CALLGATE_SERVER", address)
    with callgate.connect() as gate:
        assert gate.call(M, "add", 1) == 2


def test_a_call_without_a_server_is_unavailable_and_never_started(serve):
    server = serve(shared=False)
    with callgate.connect(server.address) as gate:
        assert gate.call(M, "add", 1) == 2
        server.stop(0.0)
        with pytest.raises(callgate.Unavailable):
            gate.call(M, "leave_trace", "stopped")
    assert ("stopped", "ran") not in served_functions.TRACES


# ---------------------------------------------------------------------- closing


def test_a_closed_gate_says_so_whatever_is_asked_of_it(address):
    gate = callgate.connect(address)
    gate.close()
    gate.close()
    for ask in (lambda: gate.call(M, "add", 1), gate.functions, gate.health, lambda: gate.function(M, "add")):
        with pytest.raises(RuntimeError, match="this Gate is closed"):
            ask()
    with pytest.raises(RuntimeError, match="this Gate is closed"), gate:
        pass
    assert "closed" in repr(gate)


def test_closing_while_a_call_is_on_its_way_cancels_it_and_says_so(address):
    gate = callgate.connect(address)
    calling = outcome_of(lambda: gate.call(M, "wait_until_cancelled", "closing"))
    assert served_functions.event("closing started").wait(10)
    gate.close()
    error = joined(calling)
    assert isinstance(error, callgate.Cancelled)
    assert "closed while the call was on its way" in str(error)
    assert served_functions.event("closing cancelled").wait(10)


def test_closing_frees_the_calls_that_wait_for_a_place(address):
    gate = callgate.connect(address, in_flight=1)
    first = outcome_of(lambda: gate.call(M, "wait_until_cancelled", "closing places"))
    assert served_functions.event("closing places started").wait(10)
    rest = [outcome_of(lambda: gate.call(M, "add", 1)) for _ in range(3)]
    gate.close()
    assert isinstance(joined(first), callgate.Cancelled)
    for one in rest:
        assert isinstance(joined(one), RuntimeError | callgate.Cancelled)


def test_many_threads_may_close_a_gate_that_others_use(address):
    for _ in range(20):
        gate = callgate.connect(address)

        def use(gate: callgate.Gate = gate) -> None:
            while True:
                gate.call(M, "add", 1)

        users = [outcome_of(use) for _ in range(4)]
        closers = [outcome_of(gate.close) for _ in range(4)]
        assert [joined(closer) for closer in closers] == [None] * 4
        for user in users:
            error = joined(user)
            assert isinstance(error, callgate.Cancelled) or "closed" in str(error)


# ---------------------------------------------------------------------- interrupting


CALLER = """
import signal

# A shell that runs the tests in the background has SIGINT ignored, which children inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
import sys, callgate
gate = callgate.connect(sys.argv[1])
try:
    gate.call("served_functions", "wait_until_cancelled", "ctrl-c")
except KeyboardInterrupt as error:
    kept = error  # with its traceback, as the REPL keeps it
    print("interrupted", flush=True)
sys.stdin.read()  # the connection stays open
print(gate.call("served_functions", "add", 1))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="another process's state is read from /proc")
def test_ctrl_c_during_a_call_cancels_it(address):
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as caller:
        try:
            assert served_functions.event("ctrl-c started").wait(20)
            # Until it waits in gRPC. A signal between the sending and the waiting, a few instructions apart, ends the
            # call here and leaves it running there: gRPC has no handle on it yet. Asleep once may be a wait for the
            # GIL; asleep fifty times in a row is that wait.
            asleep = 0
            while asleep < 50:
                state = Path(f"/proc/{caller.pid}/stat").read_text().rpartition(")")[2].split()[0]
                asleep = asleep + 1 if state == "S" else 0
                time.sleep(0.001)  # the kernel notifies nobody of it
            caller.send_signal(signal.SIGINT)
            assert served_functions.event("ctrl-c cancelled").wait(20)
            said, _ = caller.communicate("")
        finally:
            caller.kill()
    assert said == "interrupted\n2\n"


# ---------------------------------------------------------------------- timeouts


def test_the_connections_timeout_holds_for_calls_that_name_none(address):
    with callgate.connect(address, timeout=0.05) as gate:
        with pytest.raises(callgate.DeadlineExceeded):
            gate.call(M, "wait_until_cancelled", "connection timeout")
        assert gate.call(M, "add", 1, timeout=30) == 2


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, 1e10, 10**12])
def test_a_timeout_beyond_a_lifetime_is_none(gate, timeout):
    assert gate.call(M, "add", 1, timeout=timeout) == 2


def test_no_time_at_all_is_a_deadline_that_has_passed(gate):
    for _ in range(50):  # gRPC would answer one way or the other, as it comes
        with pytest.raises(callgate.DeadlineExceeded):
            gate.call(M, "leave_trace", "no time", timeout=0)
    assert ("no time", "ran") not in served_functions.TRACES


# ---------------------------------------------------------------------- copies and forks


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_gate_is_not_copied(gate, take):
    with pytest.raises(TypeError, match="connect where it is needed"):
        take(gate)


FORKER = """
import os, sys, callgate
gate = callgate.connect(sys.argv[1])
child = os.fork()
if child == 0:
    for ask in (lambda: gate.call("served_functions", "add", 1), gate.functions, gate.health):
        try:
            ask()
        except RuntimeError as error:
            print(error, flush=True)
    gate.close()  # does nothing: the connection is the parent's
    os._exit(0)  # gRPC has nothing to clean up here
os.waitpid(child, 0)
print(gate.call("served_functions", "add", 1))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_gate_in_a_forked_child_says_so_and_does_not_hang(address):
    # In a process of its own: forking this one, with its servers, is the very thing that gRPC does not survive.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKER, address],
        stdout=subprocess.PIPE,
        text=True,
        timeout=50,
        check=True,
    )
    *child, parent = done.stdout.splitlines()
    assert [line.partition("gRPC does not survive a fork")[1] != "" for line in child] == [True] * 3
    assert parent == "2"


# ---------------------------------------------------------------------- answers that make no sense


def test_an_answer_that_is_none_is_the_servers_fault(address):
    from callgate._wire import response_of
    from callgate.v1 import function_service_pb2 as pb

    with pytest.raises(callgate.ServerFault, match="is it a Callgate server"):
        response_of(pb.CallFunctionResponse, b"\xff\xff")


def test_a_module_is_a_handle_and_nothing_more(gate):
    module = gate.module(M)
    assert module.add(1) == 2
    assert M in repr(module)
    for name in ("__len__", "__iter__", "__getstate__x__", "__wrapped__"):
        assert not hasattr(module, name)


def test_a_failure_does_not_keep_the_arguments_until_the_garbage_collector_comes(gate):
    class Mine(dict):  # of a plain type that can be referred to weakly
        pass

    def fails(make):
        mine = Mine(key=1)
        with pytest.raises(callgate.RemoteError):
            make(mine)
        return weakref.ref(mine)

    gc.disable()
    try:
        for make in (
            lambda mine: gate.call("served_functions", "join_untyped", mine, 1),
            lambda mine: list(gate.map("served_functions", "join_untyped", [(mine, 1)], unpack=True)),
            lambda mine: gate.submit("served_functions", "join_untyped", mine, 1).result(),
        ):
            gone = fails(make)
            wait_until(lambda gone=gone: gone() is None)
    finally:
        gc.enable()
