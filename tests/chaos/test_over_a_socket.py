"""Chaos as clients see it: a whole server over a real socket, on the transport that `pytest --transport` says.

The other files of this folder do their worst to the executor itself, without a transport; here it is what lies between
that is tried: failures that must reach the right call of a connection, callers and connections that vanish.
"""

from __future__ import annotations

import math
import os
import random
import signal as signals
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest

import callgate
import tests.conftest
from callgate.failures import error_from_status
from callgate.v1 import function_service_pb2 as pb
from callgate.v1.function_service_pb2_grpc import FunctionServiceStub
from callgate.values import decode, encode
from callgate_server.server import Server
from callgate_server.settings import Settings
from loadtest.server import ServerProcess
from tests.chaos.conftest import FUNCTIONS, GRACES, SOON, children, lives
from tests.conformance.proxy import Proxy
from tests.contract.conftest import Background
from tests.contract.test_waiting import wait_until

M = "chaos_functions"


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers whose functions run in two workers: `serve(workers=1)`. They must leave no process behind."""
    made: list[Server] = []

    def start(**executor: Any) -> Server:
        settings = Settings(
            listen="127.0.0.1:0",
            transport=tests.conftest.transport,
            path=(FUNCTIONS,),
            expose=[{"functions": (f"{M}.*",), "executor": "cpu"}],
            executors={"cpu": {"kind": "processes", "workers": 2, **executor}},
            grace={"interrupt": GRACES.interrupt, "kill": GRACES.kill},
        )
        made.append(Server(settings))
        made[-1].start()
        return made[-1]

    yield start
    for server in made:
        server.stop(0.0)
    assert not children(), "a worker or its zombie is left"


@pytest.fixture
def server(serve) -> Server:
    made: Server = serve()
    return made


@pytest.fixture
def gate(server) -> Iterator[callgate.Gate]:
    with callgate.connect(server.address) as connected:
        yield connected


def request(function: str, *args: object) -> pb.CallFunctionRequest:
    made = pb.CallFunctionRequest(module=M, function=function)
    for arg in args:
        encode(arg, made.args.add())
    return made


def in_background(gate: callgate.Gate, *call: Any, **kwargs: Any) -> Background:
    return Background(lambda: gate.call(M, *call, **kwargs))


def idle(server: Server) -> bool:
    """Whether nothing of any call is left."""
    stats = server.dispatcher.executors["cpu"].stats()
    return server.dispatcher.admitted == stats.running == stats.waiting == 0


def test_no_call_waits_behind_a_busy_worker_while_another_one_is_free(server, gate, signal):
    told, release = signal("told"), signal("release")
    busy = in_background(gate, "hold", told.path, release.path)
    told.wait()
    calls = [in_background(gate, "pid") for _ in range(8)]
    pids = {call.result() for call in calls} | {gate.call(M, "pid") for _ in range(8)}
    release.set()
    assert len(pids | {busy.result()}) == 2


@pytest.mark.slow
def test_a_crash_reaches_its_own_call_and_no_other_of_the_connection(server, gate, signal):
    told, release = signal("told"), signal("release")
    bystander = in_background(gate, "hold", told.path, release.path)
    told.wait()
    for function, how in (("segfault", ("signal", "SIGSEGV")), ("exit_with", ("exit_code", "7"))):
        with pytest.raises(callgate.GateError) as caught:
            gate.call(M, function, *((7,) if function == "exit_with" else ()))
        assert (caught.value.code, caught.value.reason) == ("INTERNAL", "WORKER_CRASHED")
        assert how in caught.value.metadata.items()
        assert caught.value.call_id == caught.value.metadata["call_id"]
    assert gate.call(M, "add", 1, 2) == 3
    release.set()
    assert lives(bystander.result())
    assert gate.health() == "SERVING"


def test_a_crash_midway_comes_after_the_items_before_it(gate):
    items = gate.stream(M, "count_and_crash", 3)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(callgate.GateError) as caught:
        next(items)
    assert caught.value.reason == "WORKER_CRASHED"
    assert gate.call(M, "add", 1, 2) == 3


def test_a_crash_in_a_batch_is_one_result_of_it(server):
    calls = [request("exit_unless", number != 5) for number in range(20)]
    with grpc.insecure_channel(server.address) as channel:
        answers = FunctionServiceStub(channel).BatchCallFunctions(pb.BatchCallFunctionsRequest(calls=calls), timeout=30)
        results = {result.index: result for answer in answers for result in answer.results}
    assert sorted(results) == list(range(20))
    failed = {index: error_from_status(result.error) for index, result in results.items() if result.HasField("error")}
    assert {index: error.reason for index, error in failed.items()} == {5: "WORKER_CRASHED"}


@pytest.mark.slow
def test_a_call_that_hangs_is_answered_at_its_deadline_and_its_worker_is_killed(server, gate, signal):
    server.ladder.graces = SOON
    told = signal("told")
    began = time.monotonic()
    hung = [in_background(gate, "stuck_in_c", told.path, timeout=3) for _ in range(2)]
    for _ in hung:
        told.wait()
    for call in hung:
        with pytest.raises(callgate.DeadlineExceeded):
            call.result()
    assert time.monotonic() - began < 15
    assert gate.call(M, "add", 1, 2) == 3
    wait_until(lambda: server.ladder.taken["kill"] == 2 and idle(server))


@pytest.mark.slow
def test_when_a_connection_breaks_its_calls_are_stopped_and_those_in_the_queue_never_start(
    server, gate, signal, tmp_path
):
    server.ladder.graces = SOON
    told, touched = signal("told"), tmp_path / "touched"
    with Proxy(server.address) as proxy, grpc.insecure_channel(proxy.address) as channel:
        stub = FunctionServiceStub(channel)
        calls = [stub.CallFunction.future(request("stuck_in_c", told.path)) for _ in range(2)]
        for _ in calls:
            told.wait()
        calls += [stub.CallFunction.future(request("tell", str(touched))) for _ in range(5)]
        items = stub.StreamFunction(request("pids"))
        many = stub.BatchCallFunctions(pb.BatchCallFunctionsRequest(calls=[request("tell", str(touched))] * 5))
        wait_until(lambda: server.dispatcher.executors["cpu"].stats().waiting >= 7)
        proxy.cut()
        for call in [*calls, items, many]:
            assert call.code() is grpc.StatusCode.UNAVAILABLE
    assert gate.call(M, "add", 1, 2) == 3
    wait_until(lambda: server.ladder.taken["kill"] == 2 and idle(server))
    assert not touched.exists()


@pytest.mark.slow
def test_a_stream_whose_reader_vanishes_gives_its_worker_back(serve):
    server = serve(workers=1)
    with callgate.connect(server.address) as gate:
        for _ in range(5):
            with Proxy(server.address) as proxy, callgate.connect(proxy.address) as reader:
                pid = next(reader.stream(M, "pids"))
                proxy.cut()
                assert gate.call(M, "pid", timeout=20) == pid


@pytest.mark.slow
def test_a_server_that_gives_up_says_so_to_health_and_refuses_calls(serve):
    server = serve(max_crashes=3)
    with callgate.connect(server.address) as gate:
        for function in ("abort", "kill_self", "segfault"):
            with pytest.raises(callgate.GateError):
                gate.call(M, function)
        server.run()  # returns because it gave up
        assert "3 workers crashed" in server.gave_up
        assert gate.health() == "NOT_SERVING"
        with pytest.raises(callgate.Unavailable) as caught:
            gate.call(M, "add", 1, 2)
        assert caught.value.reason == "DRAINING"


@pytest.mark.slow
def test_a_server_that_is_killed_fails_its_calls_at_once_and_leaves_no_worker(signal, tmp_path):
    settings = tmp_path / "callgate.toml"
    settings.write_text(
        f"path = ['{FUNCTIONS}']\n[[expose]]\nfunctions = ['{M}.*']\nexecutor = 'cpu'\n"
        "[executors.cpu]\nkind = 'processes'\nworkers = 2\n"
    )
    told, never = signal("told"), signal("never")
    with ServerProcess("--config", str(settings)) as process, callgate.connect(process.address) as gate:
        workers = {gate.call(M, "pid") for _ in range(20)}
        held = [in_background(gate, "hold", told.path, never.path) for _ in range(2)]
        for _ in held:
            told.wait()
        process.stop(signals.SIGKILL)
        for call in held:
            with pytest.raises(callgate.Unavailable):
                call.result()
    wait_until(lambda: not any(lives(pid) for pid in workers))


SECONDS = 3.0

#: What a caller may be told beside its answer, by what it does and whether its connection is cut now and then.
FITTING = {"leaves": {"CANCELLED"}, "expires": {"DEADLINE_EXCEEDED"}}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_every_call_gets_its_own_answer_and_nothing_is_left_of_any(serve, seed):
    """Calls, streams, batches, crashes, shots, callers that leave, deadlines, connections that are cut."""
    server = serve(max_crashes=100_000, queue=1000)
    server.ladder.graces = SOON
    executor = server.dispatcher.executors["cpu"]
    executor._calls._quarantine._crashes = 10**9  # here, crashing is everybody's habit
    end = time.monotonic() + SECONDS
    outcomes: list[str] = []
    unfit: list[str] = []

    def going() -> bool:
        """Whether there is time, or there should have been more of it: a busy machine gets little done."""
        now = time.monotonic()
        return now < end or (now < end + 30 and outcomes.count("OK") <= 50)

    def once(stub: Any, kind: str, token: str, source: random.Random) -> None:
        if kind == "leaves":
            call = stub.CallFunction.future(request("same", token), timeout=30)
            timer = threading.Timer(source.uniform(0, 0.003), call.cancel)
            timer.start()
            try:
                assert decode(call.result().value) == token
            except grpc.FutureCancelledError:
                outcomes.append("CANCELLED")
            finally:
                timer.join()
        elif kind == "expires":
            answer = stub.CallFunction(request("same", token), timeout=source.uniform(0.001, 0.01))
            assert decode(answer.value) == token
        elif kind == "crashes":
            stub.CallFunction(request("exit_unless", False), timeout=30)
        elif kind == "streams":
            items = stub.StreamFunction(request("count", 20), timeout=30)
            for expected, item in enumerate(items):
                assert decode(item.value) == expected
                if source.random() < 0.05:
                    items.cancel()
                    return
        elif kind == "batches":
            calls = [request("same", f"{token}/{number}") for number in range(10)]
            seen = set()
            for answer in stub.BatchCallFunctions(pb.BatchCallFunctionsRequest(calls=calls), timeout=30):
                for result in answer.results:
                    assert result.index not in seen
                    seen.add(result.index)
                    if not result.HasField("error"):
                        assert decode(result.response.value) == f"{token}/{result.index}"
            assert len(seen) == 10
        else:
            assert decode(stub.CallFunction(request("same", token), timeout=30).value) == token

    def client(number: int, address: str, fitting: set[str]) -> None:
        source = random.Random(seed * 100 + number)
        kinds = ["plain", "leaves", "expires", "crashes", "streams", "batches"]
        with grpc.insecure_channel(address, [("grpc.initial_reconnect_backoff_ms", 10)]) as channel:
            stub = FunctionServiceStub(channel)
            turn = 0
            while going():
                turn += 1
                kind = source.choices(kinds, weights=[600, 100, 100, 5, 100, 50])[0]
                try:
                    once(stub, kind, f"{number}/{turn}", source)
                    outcomes.append("OK")
                except grpc.RpcError as error:
                    code = error.code().name
                    outcomes.append(code)
                    crashed = code == "INTERNAL" and "worker" in (error.details() or "")
                    if not crashed and code not in fitting | FITTING.get(kind, set()):
                        unfit.append(f"{kind}: {code} {error.details()}")

    def disturb(pauses: tuple[float, float], deed: Callable[[random.Random], None]) -> None:
        source = random.Random(seed)
        pause = threading.Event()
        while going():
            pause.wait(source.uniform(*pauses))
            deed(source)

    def shoot(source: random.Random) -> None:
        victims = children()
        if victims:
            with suppress(ProcessLookupError):  # it may have died by itself meanwhile
                os.kill(source.choice(victims), signals.SIGKILL)

    with Proxy(server.address) as proxy:
        work = [Background(lambda number=number: client(number, server.address, set())) for number in range(3)]
        for number in (3, 4):
            work.append(Background(lambda number=number: client(number, proxy.address, {"UNAVAILABLE"})))
        work.append(Background(lambda: disturb((0.2, 0.8), shoot)))
        work.append(Background(lambda: disturb((0.1, 0.4), lambda _: proxy.cut())))
        try:
            for one in work:
                one.result(SECONDS + 40)
        finally:
            end = -math.inf  # for all of them
            for one in work:
                with suppress(Exception):  # the first that failed is told
                    one.result()

    assert not unfit, Counter(outcomes)
    assert outcomes.count("OK") > 50, Counter(outcomes)
    assert not server.gave_up
    wait_until(lambda: idle(server))
    with callgate.connect(server.address) as gate:
        assert gate.health() == "SERVING"
        assert gate.call(M, "add", 1, 2) == 3
