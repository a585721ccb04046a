"""The functions that callers may reach: default deny, made once at start, looked up by one dict access.

A client's text is only ever a key. Nothing is resolved from it: no getattr, no import, no dots.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Protocol

from callgate.batching import Batched, runnable
from callgate.failures import CallFailed, gate_failure
from callgate_server.inspection import FunctionFacts, inspect_function, kind_of
from callgate_server.loading import ModuleFailed
from callgate_server.policy import Pattern, PolicyError, functions_of, parse_pattern

__all__ = ["Elsewhere", "Exposed", "ExposureRule", "ModuleFailed", "OneExecutor", "Registry", "Router"]

#: Names longer than this are refused before anything is done with them; longer than any in use.
MAX_NAME = 512


@dataclass(frozen=True, slots=True)
class ExposureRule:
    """One `[[expose]]` table.

    Attributes:
        functions: patterns.
        executor: the executor's name; None for the default.
        timeout: the server's own limit on a call's time, seconds; None for none.
    """

    functions: tuple[str, ...]
    executor: str | None = None
    timeout: float | None = None


def _elsewhere(*args: Any, **kwargs: Any) -> NoReturn:
    raise RuntimeError("this function can be run only by the workers of its own environment")


@dataclass(slots=True)
class Pace:
    """How a function's calls went of late; written by whoever ran one, without a lock: the last one counts.

    Attributes:
        quick: whether the last one ended within a millisecond: then the next is expected to.
    """

    quick: bool = False


@dataclass(frozen=True, eq=False)
class Exposed:
    """One exposed function.

    Attributes:
        module: the module as callers name it.
        name: the function as callers name it.
        executor: the name of the executor that runs it.
        timeout: the server's own limit on a call's time, seconds; None for none.
        function: the function; absent only where another environment's workers run it.
        streams: whether it is known to be a stream, which CallFunction refuses.
        batching: how many calls to gather at most, and for how long; None where calls are not gathered.
        notes: why it runs elsewhere than its rule says, if it does; may grow while executors start.
        pace: how its calls went of late.
    """

    module: str
    name: str
    executor: str = "default"
    timeout: float | None = None
    function: Callable[..., Any] = field(default=_elsewhere, repr=False)
    streams: bool = False
    batching: tuple[int, float] | None = None
    notes: list[str] = field(default_factory=list, repr=False)
    known: FunctionFacts | None = field(default=None, repr=False)
    pace: Pace = field(default_factory=Pace, repr=False)

    @property
    def full_name(self) -> str:
        """`module.name`."""
        return f"{self.module}.{self.name}"

    @functools.cached_property
    def facts(self) -> FunctionFacts:
        """Its signature, parameters, documentation and kind."""
        return self.known if self.known is not None else inspect_function(self.function)


class Router(Protocol):
    """Decides which executor runs a function: the server's settings do."""

    def route(self, executor: str | None, facts: FunctionFacts) -> tuple[str, str]:
        """An executor's name for a function whose rule names `executor` (None: none), and a note if it is another."""
        ...

    def elsewhere(self, executor: str | None) -> Elsewhere | None:
        """How to find the functions of a rule whose executor runs them in another environment; None if it does not."""
        ...


#: Finds a pattern's functions where they can be imported: facts by name.
Elsewhere = Callable[[Pattern], dict[str, FunctionFacts]]


class OneExecutor:
    """A router that sends everything where its rule says, or to one executor: for tests and small programs."""

    def __init__(self, name: str = "default") -> None:
        self._name = name

    def route(self, executor: str | None, facts: FunctionFacts) -> tuple[str, str]:
        """The rule's choice, or the one."""
        return executor or self._name, ""

    def elsewhere(self, executor: str | None) -> Elsewhere | None:
        """Everything is here."""
        return None


class Registry:
    """Exposed functions by (module, name).

    Args:
        rules: what to expose; the first rule that names a function decides about it.
        router: decides which executor runs each.
        allow_unsafe: whether functions that can run code may be named.

    Raises:
        PolicyError: if a rule is wrong or nothing is exposed.
        ModuleFailed: if a module cannot be imported.
    """

    def __init__(
        self, rules: Iterable[ExposureRule], router: Router | None = None, *, allow_unsafe: bool = False
    ) -> None:
        self._functions: dict[tuple[str, str], Exposed] = {}
        self._names: dict[str, list[str]] = {}
        self._router = router or OneExecutor()
        for rule in rules:
            for text in rule.functions:
                self._expose(parse_pattern(text), rule, allow_unsafe)
        if not self._functions:
            raise PolicyError(
                "nothing is exposed, so nobody could call anything: name a module, a function or a file, e.g. "
                "'callgate serve math mymodule.py', or an [[expose]] table in callgate.toml"
            )
        self._ordered = [self._functions[key] for key in sorted(self._functions)]
        for module, name in sorted(self._functions):
            self._names.setdefault(module, []).append(name)

    def _expose(self, pattern: Pattern, rule: ExposureRule, allow_unsafe: bool) -> None:
        elsewhere = self._router.elsewhere(rule.executor)
        if elsewhere is not None:
            for name, facts in elsewhere(pattern).items():
                self._add(Exposed(pattern.module, name, timeout=rule.timeout, known=facts), rule, facts)
            return
        for name, function in functions_of(pattern, allow_unsafe=allow_unsafe).items():
            # The kind is needed now; the rest is inspected when somebody asks.
            facts = FunctionFacts(kind=kind_of(function))
            exposed = Exposed(pattern.module, name, timeout=rule.timeout, function=function)
            if type(function) is Batched:
                batching = (function.max_size, function.max_delay)
                exposed = replace(
                    exposed, function=runnable(function), known=inspect_function(function), batching=batching
                )
            self._add(exposed, rule, facts)

    def _add(self, exposed: Exposed, rule: ExposureRule, facts: FunctionFacts) -> None:
        key = (exposed.module, exposed.name)
        if key in self._functions:
            return
        executor, note = self._router.route(rule.executor, facts)
        self._functions[key] = replace(
            exposed,
            executor=executor,
            streams=facts.kind in ("generator", "async generator"),
            notes=[note] if note else [],
        )

    def find(self, module: str, function: str) -> Exposed | None:
        """As `resolve`, with None for what is not there."""
        return self._functions.get((module, function))

    def resolve(self, module: str, function: str) -> Exposed:
        """Find what a caller named.

        Args:
            module: the module, as the caller wrote it.
            function: the function, as the caller wrote it.

        Returns:
            The exposed function.

        Raises:
            CallFailed: NOT_FOUND, or INVALID_ARGUMENT for an empty or absurdly long name.
        """
        exposed = self._functions.get((module, function))
        if exposed is None:
            raise self._not_found(module, function)
        return exposed

    def _not_found(self, module: str, function: str) -> CallFailed:
        for what, name in (("module", module), ("function", function)):
            if not name:
                return gate_failure("MALFORMED_REQUEST", f"the request names no {what}; both names are needed")
            if len(name) > MAX_NAME:
                return gate_failure(
                    "MALFORMED_REQUEST",
                    f"the {what}'s name is {len(name)} characters long; {MAX_NAME} is the most",
                )
        metadata = {"module": ascii(module)[1:-1], "function": ascii(function)[1:-1]}
        close = self._suggest(module, function)
        hint = f"; did you mean {' or '.join(close)}?" if close else "; `callgate list` shows what there is"
        if close:
            metadata["suggestions"] = ",".join(close)
        # ascii(): a look-alike from another script shows as what it is.
        name = ascii(f"{module[:80]}.{function[:80]}")[1:-1]
        name = name if len(name) <= 200 else f"{name[:200]}..."
        return gate_failure("FUNCTION_NOT_FOUND", f"no function {name} for you here{hint}", metadata)

    def _suggest(self, module: str, function: str) -> list[str]:
        """At most three names near a wrong one, at bounded cost: difflib is quadratic in what it is given."""
        if len(module) > 64 or len(function) > 64:
            return []
        modules = (
            [module]
            if module in self._names
            else difflib.get_close_matches(module, list(self._names)[:500], n=2, cutoff=0.7)
        )
        # A dotted name split at the wrong place is the commonest slip: ("os", "path.join").
        found: list[str] = []
        for near in modules:
            names = self._names[near][:500]
            if near != module and function in names:
                found.append(f"{near}.{function}")
            else:
                found += [f"{near}.{name}" for name in difflib.get_close_matches(function, names, n=3, cutoff=0.6)]
        return found[:3]

    def __iter__(self) -> Iterator[Exposed]:
        return iter(self._ordered)

    def of_executor(self, name: str) -> list[Exposed]:
        """The functions that an executor runs, by module and name."""
        return [exposed for exposed in self if exposed.executor == name]

    def __len__(self) -> int:
        return len(self._functions)
