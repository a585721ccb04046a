"""The steps that the driver itself carries out: calls of its own, events, and what happens to servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.conformance.cases import CaseError
from tests.conformance.expected import named
from tests.conformance.fake_server import FakeServer
from tests.conformance.matching import differences, hex_of, value_differences
from tests.conformance.scene import PATIENCE, Scene

__all__ = ["DriverSteps"]


class DriverSteps(Scene):
    """As ClientSteps."""

    def do_background(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        gate = self.real.connect()
        self.stack.callback(gate.close)
        about = named(function)
        args = [self.expand(value) for value in options.get("args", ())]
        pool = self.stack.enter_context(ThreadPoolExecutor(1))
        # The pool waits for its call: the gate is to be closed before that.
        self.stack.callback(gate.close)
        future = pool.submit(gate.call_with, about["module"], about["function"], args, options.get("kwargs"))
        self.background[options["name"]] = gate, future
        yield from ()

    def do_finish(self, name: str, options: Mapping[str, Any]) -> Iterator[str]:
        _, future = self.background[name]
        yield from value_differences(self.expand(options.get("value")), hex_of(future.result(PATIENCE)), name)

    def do_cancel(self, name: str, options: Mapping[str, Any]) -> Iterator[str]:
        self.background[name][0].close()
        yield from ()

    def do_wait(self, event: str, options: Mapping[str, Any]) -> Iterator[str]:
        yield from self.wait_for(event, options.get("seconds", PATIENCE))

    def do_absent(self, event: str, options: Mapping[str, Any]) -> Iterator[str]:
        if self.real.gate.call("conformance_events", "wait", self.event(event), 0.0):
            yield f"{event!r} was signalled on the server's side, and must not be"

    def do_times(self, event: str, options: Mapping[str, Any]) -> Iterator[str]:
        got = self.real.gate.call("conformance_events", "times", self.event(event))
        yield from differences(options["count"], got, f"how often {event!r} was signalled")

    def do_signal(self, event: str, options: Mapping[str, Any]) -> Iterator[str]:
        self.real.gate.call("conformance_events", "signal", self.event(event))
        yield from ()

    def do_observe(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        about = named(function)
        args = [self.expand(value) for value in options.get("args", ())]
        got = self.real.gate.call(about["module"], about["function"], *args)
        yield from value_differences(options.get("value"), hex_of(got), f"{function} on the server")

    def do_cut(self, _: Any, options: Mapping[str, Any]) -> Iterator[str]:
        if self.proxy is None:
            raise CaseError("cut needs proxy: true")
        self.proxy.cut()
        yield from ()

    def do_terminate(self, _: Any, options: Mapping[str, Any]) -> Iterator[str]:
        self.real.terminate()
        yield from ()

    def do_gone(self, _: Any, options: Mapping[str, Any]) -> Iterator[str]:
        self.real.stop()
        yield from ()

    def do_restart(self, _: Any, options: Mapping[str, Any]) -> Iterator[str]:
        self.real.restart()
        yield from ()

    def do_attempts(self, expected: Mapping[str, int], options: Mapping[str, Any]) -> Iterator[str]:
        assert isinstance(self.server, FakeServer)
        for method, count in expected.items():
            yield from differences(count, self.server.attempts[method], f"requests of {method}")
