"""The steps that the client under test carries out, by its runner."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.conformance.cases import CaseError
from tests.conformance.expected import ended, failure_differences, named, reading, told
from tests.conformance.matching import Wire, differences, hex_of, shown, value_differences
from tests.conformance.random_values import damaged, random_values
from tests.conformance.runner import RunnerFault
from tests.conformance.scene import PATIENCE, Scene, Unsupported

__all__ = ["ClientSteps"]


class ClientSteps(Scene):
    """`do_VERB` takes what the verb is about and what is said beside it, and yields what was wrong."""

    def _ask(self, op: str, options: Mapping[str, Any], gate: str | None = None, **about: Any) -> dict[str, Any]:
        gate = gate or self.player.gate(self.target)
        began = time.monotonic()
        answer = self.player.runner.ask(op, limit=options.get("limit", 30.0), gate=gate, **about)
        took = time.monotonic() - began
        if "unsupported" in answer:
            raise Unsupported(answer["unsupported"])
        if took > options.get("within", 1e9):
            raise RunnerFault(f"{op} took {took:.1f} s, and {options['within']} s is the most")
        return answer

    def do_call(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        answer = self._ask("call", options, **self._asked(function, options))
        yield from ended(options, answer)

    def do_call_until(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        """A call that may fail with UNAVAILABLE for a while, as after a restart, and then goes well."""
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._ask("call", options, **self._asked(function, options))
            lost = answer.get("failure", {}).get("code") == "UNAVAILABLE"
            if not lost or time.monotonic() > end:
                yield from ended(options, answer)
                return
            time.sleep(0.05)  # a client may answer at once while it waits to reconnect

    def do_kill_during(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        """A call whose server is killed once the function has started."""
        yield from self._during(function, options, lambda: self.real.kill())

    def do_cut_during(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        """A call whose connection is cut once the function has started."""
        if self.proxy is None:
            raise CaseError("cut_during needs proxy: true")
        yield from self._during(function, options, self.proxy.cut)

    def _during(self, function: str, options: Mapping[str, Any], happens: Callable[[], None]) -> Iterator[str]:
        self.player.gate(self.target)  # connected on this thread
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self._ask, "call", options, **self._asked(function, options))
            yield from self.wait_for(options["started"])
            happens()
            yield from ended(options, asked.result())

    def _asked(self, function: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **named(function),
            **self.arguments(options),
            "timeout": options.get("timeout"),
            "cancel_after": options.get("cancel_after"),
        }

    def do_reach(self, function: str, options: Mapping[str, Any]) -> Iterator[str]:
        name = f"reach {self.run}"
        connection = self.player.servers.expand(options.get("connection", {}))
        answer = self.player.ask_to_connect(name, self.target, connection)
        if "failure" not in answer:
            try:
                answer = self._ask("call", options, name, **self._asked(function, options))
            finally:
                if self.player.runner.alive:
                    self.player.runner.ask("close", gate=name)
        yield from ended(options, answer)

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
                yield f"it failed: {told(failure)}"
        elif failure is None:
            yield f"expected the failure {options['failure']}, and there is none"
        else:
            yield from failure_differences(options["failure"], failure)

    def do_batch(self, calls: list[Mapping[str, Any]], options: Mapping[str, Any]) -> Iterator[str]:
        asked = [{**named(call["function"]), **self.arguments(call)} for call in calls]
        about = {"timeout": options.get("timeout"), "call_timeout": options.get("call_timeout")}
        answer = self._ask("batch", options, calls=asked, **about)
        if "ended" in options:
            # As a whole or call by call: what the client makes of a batch that was cut off is its own affair.
            for one in answer.get("results", [answer]):
                yield from ended({"failure": {"raised": False, **options["ended"]}}, one)
            return
        if "unanswered" in options:  # as a whole, or each but those that were
            for index, one in enumerate(answer.get("results", [answer])):
                expected = options["unanswered"].get(index)
                if "failure" not in one and (expected is None or list(ended({"value": expected}, one))):
                    yield f"results[{index}] was not answered, and is {one}"
            return
        if "failure" in options:
            yield from ended(options, answer)
            return
        if "results" not in answer:
            yield f"it failed as a whole: {told(answer.get('failure', answer))}"
            return
        expected, got = options["results"], answer["results"]
        if len(expected) != len(got):
            yield f"results: expected {len(expected)}, got {len(got)}"
        for index, (wanted, one) in enumerate(zip(expected, got, strict=False)):
            yield from (f"results[{index}]: {problem}" for problem in ended(wanted, one))

    def do_list(self, module: str | None, options: Mapping[str, Any]) -> Iterator[str]:
        answer = self._ask("list", options, module=module)
        if "failure" in options or "functions" not in answer:
            yield from ended(options, answer)
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
        answer = self._ask("describe", options, **named(function))
        if "failure" in options or "function" not in answer:
            yield from ended(options, answer)
        else:
            yield from differences(options["function"], answer["function"], "function")

    def do_decode(self, value: Wire, options: Mapping[str, Any]) -> Iterator[str]:
        answer = self.player.runner.ask("value", value=hex_of(value))
        if "refused" not in options:
            yield from ended(options, answer)
        elif "failure" not in answer:
            yield f"expected a refusal, got {shown(answer.get('value', ''))}"
        else:
            yield from differences(options["refused"] or {}, answer["failure"], "failure")

    def do_random_values(self, count: int, options: Mapping[str, Any]) -> Iterator[str]:
        """Values from a seed come back as they are."""

        def wrong(data: bytes, answer: Mapping[str, Any]) -> Iterator[str]:
            yield from ended({"value": Wire(data)}, answer)

        yield from self._values(random_values(options["seed"], count), wrong)

    def do_damaged_values(self, count: int, options: Mapping[str, Any]) -> Iterator[str]:
        """Damaged values are refused, or are other values: what Python reads too is the same to the client."""

        def wrong(data: bytes, answer: Mapping[str, Any]) -> Iterator[str]:
            mine = reading(data)
            if "value" in answer and mine is not None:
                yield from ended({"value": mine}, answer)
            elif "value" not in answer and "class" not in answer.get("failure", {}):
                yield f"neither a value nor a failure: {str(answer)[:300]}"

        yield from self._values(damaged(options["seed"], count), wrong)

    def _values(
        self, values: Iterable[bytes], wrong: Callable[[bytes, Mapping[str, Any]], Iterator[str]]
    ) -> Iterator[str]:
        """The shortest of the values that the client gets wrong: the longer ones are mostly so for the same reason."""
        found = [
            (data, problem)
            for data in values
            for problem in wrong(data, self.player.runner.ask("value", value=data.hex()))
        ]
        found.sort(key=lambda one: len(one[0]))
        for data, problem in found[:3]:
            yield f"{problem}; of !hex {data.hex()}"
        if len(found) > 3:
            yield f"and {len(found) - 3} longer ones"

    def do_concurrent(self, callers: int, options: Mapping[str, Any]) -> Iterator[str]:
        yield from self._many("concurrent", callers, options)

    def do_shared(self, callers: int, options: Mapping[str, Any]) -> Iterator[str]:
        yield from self._many("shared", callers, options)

    def _many(self, op: str, callers: int, options: Mapping[str, Any]) -> Iterator[str]:
        answer = self._ask(op, options, callers=callers, calls=options["calls"])
        yield from (f"wrong: {sentence}" for sentence in answer.get("wrong", ("the answer has no 'wrong'",)))
        if answer.get("made") != callers * options["calls"]:
            yield f"made: expected {callers * options['calls']} calls, got {answer.get('made')}"
