"""Carrying out a case: its steps, one after the other, on a runner and on the driver's own connection."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

import callgate
from callgate.v1 import value_pb2
from callgate.values import decode
from tests.conformance.cases import Address, Case, CaseError, Event, Step
from tests.conformance.fake_server import FakeServer
from tests.conformance.matching import Wire, differences, hex_of, shown, value_differences
from tests.conformance.proxy import Proxy
from tests.conformance.random_values import damaged, random_values
from tests.conformance.runner import Runner, RunnerFault
from tests.conformance.servers import RunningServer, Servers

__all__ = ["Outcome", "Player"]

#: How long the driver waits for an event that must come, seconds.
_PATIENCE = 20.0

_FAILURE_KEYS: Mapping[str, tuple[type, ...]] = {
    "class": (str,),
    "raised": (bool,),
    "code": (str,),
    "reason": (str,),
    "message": (str,),
    "metadata": (dict,),
    "retry_after": (int, float, type(None)),
    "call_id": (str,),
    "exception": (dict, type(None)),
}

_runs = itertools.count(1)


@dataclass
class Outcome:
    """How a case went.

    Attributes:
        case: the case.
        problems: what was wrong, in sentences; none if it passed.
        unsupported: why the language does not offer what the case needs; "" if it does.
        broke: whether the runner died of it, or gave no answer.
        seconds: how long it took.
    """

    case: Case
    problems: list[str] = field(default_factory=list)
    unsupported: str = ""
    broke: bool = False
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether it did."""
        return not self.problems and not self.unsupported


class _Unsupported(Exception):
    """The client does not offer this."""


class Player:
    """Plays cases with one language's runner, which is started again where a case broke it.

    Args:
        servers: the servers.
        start: starts a runner.
    """

    def __init__(self, servers: Servers, start: Any) -> None:
        self.servers = servers
        self._start = start
        self._runner: Runner | None = None
        self._connected: dict[str, str] = {}

    @property
    def runner(self) -> Runner:
        """The runner; started if there is none, or none any more."""
        if self._runner is not None and not self._runner.alive:
            self._runner.close()  # its case has told how it ended
            self._runner = None
        if self._runner is None:
            self._runner = self._start()
            self._connected = {}
        return self._runner

    def gate(self, target: str) -> str:
        """The runner's gate to a plain server there."""
        runner = self.runner
        if target not in self._connected:
            name = f"gate {len(self._connected)}"
            self.ask_to_connect(name, target, {})
            self._connected[target] = name
        assert runner is self.runner
        return self._connected[target]

    def ask_to_connect(self, name: str, target: str, connection: Mapping[str, Any]) -> dict[str, Any]:
        """Have the runner connect."""
        about = dict.fromkeys(("tls_ca", "tls_certificate", "tls_key", "token"))
        unknown = connection.keys() - about.keys()
        if unknown:
            raise CaseError(f"connection: {sorted(unknown)} is not among {sorted(about)}")
        return self.runner.ask("connect", gate=name, target=target, **{**about, **connection})

    def forget(self, target: str) -> None:
        """Have the runner close its gate to a server that is gone."""
        name = self._connected.pop(target, None)
        if name is not None and self._runner is not None and self._runner.alive:
            self._runner.ask("close", gate=name)

    def play(self, case: Case) -> Outcome:
        """Carry out a case."""
        outcome = Outcome(case)
        began = time.monotonic()
        try:
            with ExitStack() as stack:
                server: RunningServer | FakeServer
                if case.fake is not None:
                    server = stack.enter_context(FakeServer(case.fake))
                    stack.callback(self.forget, server.address)
                elif case.alone:
                    server = self.servers.make(case.server)
                    stack.callback(server.stop)
                    stack.callback(self.forget, server.address)
                else:
                    server = self.servers.get(case.server)
                proxy = None
                if case.proxy:
                    proxy = stack.enter_context(Proxy(server.address))
                    stack.callback(self.forget, proxy.address)
                play = _Play(self, server, proxy, stack)
                for number, step in enumerate(case.steps, 1):
                    at = f"step {number} ({step}): " if len(case.steps) > 1 else f"{step}: "
                    problems = list(play.step(step))
                    outcome.problems += [at + problem for problem in problems]
                    if problems:
                        break
        except RunnerFault as fault:
            outcome.problems.append(str(fault))
            outcome.broke = self._runner is None or not self._runner.alive
        except _Unsupported as why:
            outcome.unsupported = str(why)
        except (callgate.CallgateError, RuntimeError, TimeoutError) as error:  # of the driver's own connection
            outcome.problems.append(f"the driver itself met {type(error).__name__}: {error}")
        outcome.seconds = time.monotonic() - began
        return outcome

    def close(self) -> str:
        """End the runner.

        Returns:
            What was wrong with how it ended; "" if nothing was.
        """
        return self._runner.close() if self._runner is not None else ""


class _Play:
    """One case on its way."""

    def __init__(
        self, player: Player, server: RunningServer | FakeServer, proxy: Proxy | None, stack: ExitStack
    ) -> None:
        self._player = player
        self._server = server
        self._proxy = proxy
        #: Where the client under test connects.
        self._target = proxy.address if proxy is not None else server.address
        self._run = next(_runs)
        self._stack = stack
        self._background: dict[str, tuple[callgate.Gate, Future[Any]]] = {}

    def step(self, step: Step) -> Iterator[str]:
        """Carry out a step; what was wrong."""
        yield from getattr(self, f"do_{step.verb}")(step.subject, step.options)

    # ------------------------------------------------------------------------------------------ what the runner does

    def _ask(self, op: str, options: Mapping[str, Any], gate: str | None = None, **about: Any) -> dict[str, Any]:
        gate = gate or self._player.gate(self._target)
        began = time.monotonic()
        answer = self._player.runner.ask(op, limit=options.get("limit", 30.0), gate=gate, **about)
        took = time.monotonic() - began
        if "unsupported" in answer:
            raise _Unsupported(answer["unsupported"])
        if took > options.get("within", 1e9):
            raise RunnerFault(f"{op} took {took:.1f} s, and {options['within']} s is the most")
        return answer

    def _arguments(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "args": [hex_of(self._expand(value)) for value in options.get("args", ())],
            "kwargs": {name: hex_of(self._expand(value)) for name, value in options.get("kwargs", {}).items()},
        }

    def _expand(self, value: Any) -> Any:
        """A value with its events' and the server's names in place."""
        if isinstance(value, Event):
            return self._event(value.name)
        if isinstance(value, Address):
            return self._server.address
        if isinstance(value, dict):
            return {key: self._expand(one) for key, one in value.items()}
        return [self._expand(one) for one in value] if isinstance(value, list) else value

    def _event(self, name: str) -> str:
        return f"{self._run}: {name}"

    def do_call(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        answer = self._ask("call", options, **self._asked(function, options))
        if "one_of" in options:
            found = [list(_ended(one, answer)) for one in options["one_of"]]
            if all(found):
                yield from (f"not {number}: {problem}" for number, (problem, *_) in enumerate(found, 1))
        else:
            yield from _ended(options, answer)

    def do_call_until(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        """A call that may fail with UNAVAILABLE for a while, as after a restart, and then goes well."""
        end = time.monotonic() + _PATIENCE
        while True:
            answer = self._ask("call", options, **self._asked(function, options))
            lost = answer.get("failure", {}).get("code") == "UNAVAILABLE"
            if not lost or time.monotonic() > end:
                yield from _ended(options, answer)
                return
            time.sleep(0.05)  # a client may answer at once while it waits to reconnect

    def do_kill_during(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        """A call whose server is killed once the function has started."""
        yield from self._during(function, options, lambda: self._real.kill())

    def do_cut_during(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        """A call whose connection is cut once the function has started."""
        if self._proxy is None:
            raise CaseError("cut_during needs proxy: true")
        yield from self._during(function, options, self._proxy.cut)

    def _during(self, function: str, options: Mapping[str, Any], happens: Callable[[], None]) -> Iterator[str]:
        self._player.gate(self._target)  # connected on this thread
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self._ask, "call", options, **self._asked(function, options))
            yield from self.do_wait(options["started"], {})
            happens()
            yield from _ended(options, asked.result())

    def _asked(self, function: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **_named(function),
            **self._arguments(options),
            "timeout": options.get("timeout"),
            "cancel_after": options.get("cancel_after"),
        }

    def do_reach(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        name = f"reach {self._run}"
        connection = self._player.servers.expand(options.get("connection", {}))
        answer = self._player.ask_to_connect(name, self._target, connection)
        if "failure" not in answer:
            try:
                answer = self._ask("call", options, name, **self._asked(function, options))
            finally:
                if self._player.runner.alive:
                    self._player.runner.ask("close", gate=name)
        yield from _ended(options, answer)

    def do_stream(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        answer = self._ask("stream", options, **self._asked(function, options), take=options.get("take"))
        if "values" not in answer:
            yield f"the answer has no values: {str(answer)[:300]}"
            return
        expected, got = options.get("values", []), answer["values"]
        if len(expected) != len(got):
            yield f"values: expected {len(expected)} items, got {len(got)}: {[shown(one) for one in got[:10]]}"
        for index, (value, one) in enumerate(zip(expected, got, strict=False)):
            yield from value_differences(value, one, f"values[{index}]")
        failure = answer.get("failure")
        if options.get("failure") is None:
            if failure is not None:
                yield f"it failed: {_told(failure)}"
        elif failure is None:
            yield f"expected the failure {options['failure']}, and there is none"
        else:
            yield from _failure(options["failure"], failure)

    def do_batch(self, calls: list[Mapping[str, Any]], options: Mapping[str, Any]) -> Iterator[str]:
        asked = [{**_named(call["function"]), **self._arguments(call)} for call in calls]
        about = {"timeout": options.get("timeout"), "call_timeout": options.get("call_timeout")}
        answer = self._ask("batch", options, calls=asked, **about)
        if "ended" in options:
            # As a whole or call by call: what the client makes of a batch that was cut off is its own affair.
            for one in answer.get("results", [answer]):
                yield from _ended({"failure": {"raised": False, "code": options["ended"]}}, one)
            return
        if "failure" in options:
            yield from _ended(options, answer)
            return
        if "results" not in answer:
            yield f"it failed as a whole: {_told(answer.get('failure', answer))}"
            return
        expected, got = options["results"], answer["results"]
        if len(expected) != len(got):
            yield f"results: expected {len(expected)}, got {len(got)}"
        for index, (wanted, one) in enumerate(zip(expected, got, strict=False)):
            yield from (f"results[{index}]: {problem}" for problem in _ended(wanted, one))

    def do_list(self, module: str | None, options: Mapping[str, Any]) -> Iterator[str]:
        answer = self._ask("list", options, module=module)
        if "failure" in options or "functions" not in answer:
            yield from _ended(options, answer)
            return
        found = {f"{one['module']}.{one['function']}": one for one in answer["functions"]}
        if len(found) != len(answer["functions"]):
            yield "a function is listed twice"
        for name, about in options["functions"].items():
            if name not in found:
                yield f"{name} is not listed; there is {sorted(found)[:40]}"
            else:
                yield from differences(about or {}, found[name], name)
        if options.get("exactly") and found.keys() - options["functions"].keys():
            yield f"{sorted(found.keys() - options['functions'].keys())[:10]} should not be listed"

    def do_describe(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        answer = self._ask("describe", options, **_named(function))
        if "failure" in options or "function" not in answer:
            yield from _ended(options, answer)
        else:
            yield from differences(options["function"], answer["function"], "function")

    def do_decode(self, value: Wire, options: Mapping[str, Any]) -> Iterator[str]:
        answer = self._player.runner.ask("value", value=hex_of(value))
        if "refused" not in options:
            yield from _ended(options, answer)
        elif "failure" not in answer:
            yield f"expected a refusal, got {shown(answer.get('value', ''))}"
        else:
            yield from differences(options["refused"] or {}, answer["failure"], "failure")

    def do_random_values(self, count: int, options: Mapping[str, Any]) -> Iterator[str]:
        """Values from a seed come back as they are."""
        for data in random_values(options["seed"], count):
            answer = self._player.runner.ask("value", value=data.hex())
            yield from (f"{problem}; of {data.hex()}" for problem in _ended({"value": Wire(data)}, answer))

    def do_damaged_values(self, count: int, options: Mapping[str, Any]) -> Iterator[str]:
        """Damaged values are refused, or are other values: what Python reads too is the same to the client."""
        for data in damaged(options["seed"], count):
            answer = self._player.runner.ask("value", value=data.hex())
            mine = _reading(data)
            if "value" in answer and mine is not None:
                yield from (f"{problem}; of {data.hex()}" for problem in _ended({"value": mine}, answer))
            elif "value" not in answer and "class" not in answer.get("failure", {}):
                yield f"neither a value nor a failure for {data.hex()}: {str(answer)[:300]}"

    def do_concurrent(self, callers: int, options: Mapping[str, Any]) -> Iterator[str]:
        yield from self._many("concurrent", callers, options)

    def do_shared(self, callers: int, options: Mapping[str, Any]) -> Iterator[str]:
        yield from self._many("shared", callers, options)

    def _many(self, op: str, callers: int, options: Mapping[str, Any]) -> Iterator[str]:
        answer = self._ask(op, options, callers=callers, calls=options["calls"])
        yield from (f"wrong: {sentence}" for sentence in answer.get("wrong", ("the answer has no 'wrong'",)))
        if answer.get("made") != callers * options["calls"]:
            yield f"made: expected {callers * options['calls']} calls, got {answer.get('made')}"

    # ------------------------------------------------------------------------------------------ what the driver does

    @property
    def _real(self) -> RunningServer:
        if not isinstance(self._server, RunningServer):
            raise CaseError("a fake server has no functions to observe")
        return self._server

    def do_background(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        gate = self._real.connect()
        self._stack.callback(gate.close)
        named = _named(function)
        args = [self._expand(value) for value in options.get("args", ())]
        pool = self._stack.enter_context(ThreadPoolExecutor(1))
        # The pool waits for its call: the gate is to be closed before that.
        self._stack.callback(gate.close)
        future = pool.submit(gate.call_with, named["module"], named["function"], args, options.get("kwargs"))
        self._background[options["name"]] = gate, future
        yield from ()

    def do_finish(self, name: str, options: Mapping[str, Any]) -> Iterator[str]:
        _, future = self._background[name]
        yield from value_differences(self._expand(options.get("value")), hex_of(future.result(_PATIENCE)), name)

    def do_cancel(self, name: str, options: Mapping[str, Any]) -> Iterator[str]:
        self._background[name][0].close()
        yield from ()

    def do_wait(self, event: str, options: Mapping[str, Any]) -> Iterator[str]:
        seconds = options.get("seconds", _PATIENCE)
        if not self._real.gate.call("conformance_events", "wait", self._event(event), seconds):
            yield f"the server's side never signalled {event!r} within {seconds:g} s"

    def do_absent(self, event: str, options: Mapping[str, Any]) -> Iterator[str]:
        if self._real.gate.call("conformance_events", "wait", self._event(event), 0.0):
            yield f"{event!r} was signalled on the server's side, and must not be"

    def do_times(self, event: str, options: Mapping[str, Any]) -> Iterator[str]:
        got = self._real.gate.call("conformance_events", "times", self._event(event))
        yield from differences(options["count"], got, f"how often {event!r} was signalled")

    def do_signal(self, event: str, options: Mapping[str, Any]) -> Iterator[str]:
        self._real.gate.call("conformance_events", "signal", self._event(event))
        yield from ()

    def do_observe(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        named = _named(function)
        args = [self._expand(value) for value in options.get("args", ())]
        got = self._real.gate.call(named["module"], named["function"], *args)
        yield from value_differences(options.get("value"), hex_of(got), f"{function} on the server")

    def do_cut(self, _: Any, options: Mapping[str, Any]) -> Iterator[str]:
        if self._proxy is None:
            raise CaseError("cut needs proxy: true")
        self._proxy.cut()
        yield from ()

    def do_terminate(self, _: Any, options: Mapping[str, Any]) -> Iterator[str]:
        self._real.terminate()
        yield from ()

    def do_gone(self, _: Any, options: Mapping[str, Any]) -> Iterator[str]:
        self._real.stop()
        yield from ()

    def do_restart(self, _: Any, options: Mapping[str, Any]) -> Iterator[str]:
        self._real.restart()
        yield from ()

    def do_attempts(self, expected: Mapping[str, int], options: Mapping[str, Any]) -> Iterator[str]:
        assert isinstance(self._server, FakeServer)
        for method, count in expected.items():
            yield from differences(count, self._server.attempts[method], f"requests of {method}")


def _reading(data: bytes) -> Wire | None:
    """What Python makes of bytes, encoded again; None if it refuses them."""
    try:
        return Wire(bytes.fromhex(hex_of(decode(value_pb2.Value.FromString(data)))))
    except (DecodeError, callgate.CallgateError):
        return None


def _named(function: str) -> dict[str, str]:
    """Module and name of a function that a case calls; conformance_functions' by its name alone."""
    module, _, name = function.rpartition(".")
    return {"module": module or "conformance_functions", "function": name}


def _ended(options: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[str]:
    """Whether something ended as expected: with `value` (None unless said), or with `failure`."""
    if "failure" in options:
        if "failure" not in answer:
            got = shown(answer["value"]) if "value" in answer else str(answer)[:300]
            yield f"expected the failure {options['failure']}, got {got}"
        else:
            yield from _failure(options["failure"], answer["failure"])
    elif "value" not in answer:
        yield f"it failed: {_told(answer.get('failure', answer))}"
    else:
        yield from value_differences(options.get("value"), answer["value"], "value")


def _failure(expected: Mapping[str, Any], got: Any) -> Iterator[str]:
    """Whether a failure is whole, of one kind only, and what was expected."""
    if not isinstance(got, dict):
        yield f"failure: {got!r} is no object"
        return
    for key, kinds in _FAILURE_KEYS.items():
        if key not in got or not isinstance(got[key], kinds) or (kinds == (int, float) and got[key] is True):
            yield f"failure.{key}: expected {' or '.join(kind.__name__ for kind in kinds)}, got {got.get(key)!r}"
    if (got.get("exception") is not None) is not (got.get("raised") is True):
        yield f"failure: raised is {got.get('raised')!r}, and exception is {str(got.get('exception'))[:200]}"
    yield from differences(_plain_names(expected), _plain_names(got), "failure")


def _plain_names(failure: Any) -> Any:
    """A failure whose exceptions have a qualname only where it is another than the type, as on the wire."""
    if isinstance(failure, list):
        return [_plain_names(one) for one in failure]
    if not isinstance(failure, dict):
        return failure
    made = {key: _plain_names(one) for key, one in failure.items()}
    if "qualname" in made and made["qualname"] == made.get("type"):
        made["qualname"] = ""
    return made


def _told(failure: Any) -> str:
    """A failure in one line, for a reader."""
    if not isinstance(failure, dict) or "class" not in failure:
        return str(failure)[:500]
    about = " ".join(str(failure.get(key) or "-") for key in ("class", "code", "reason"))
    return f"{about}: {str(failure.get('message'))[:400]}"
