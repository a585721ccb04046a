"""Reading cases/*.yaml: what a case is, and the few words of its language. README.md teaches it to those who write one.

Cases are checked when they are read: an unknown word names its file and case.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conformance.matching import AnyOf, AtLeast, Matches, Present, Wire

__all__ = ["CASES", "Address", "Case", "CaseError", "Credential", "Event", "Step", "load_all", "load_file", "read_yaml"]

CASES = Path(__file__).parent / "cases"


class CaseError(Exception):
    """A case that is written wrongly; the message says which and how."""


@dataclass(frozen=True)
class Event:
    """An event's name, made the case's own run's: no two runs meet."""

    name: str


@dataclass(frozen=True)
class Address:
    """The address of the case's server."""


@dataclass(frozen=True)
class Credential:
    """A file or token by name; see credentials.py."""

    name: str


_CALL = {"args", "kwargs", "timeout", "limit"}
_ENDS = {"value", "failure"}

#: The verbs, and what may be said beside each. Above: what the runner does; below: what the driver does itself.
_VERBS: Mapping[str, set[str]] = {
    "call": _CALL | _ENDS | {"cancel_after", "within"},
    "stream": _CALL | {"take", "cancel_after", "values", "failure", "within"},
    "batch": {"timeout", "call_timeout", "results", "failure", "within", "ended", "unanswered"},
    "list": {"functions", "exactly", "failure"},
    "describe": {"function", "failure"},
    "decode": {"value", "refused"},
    "random_values": {"seed"},
    "damaged_values": {"seed"},
    "reach": _CALL | _ENDS | {"connection"},
    "call_until": _CALL | {"value"},
    "kill_during": _CALL | {"started", "failure"},
    "cut_during": _CALL | {"started", "failure"},
    "concurrent": {"calls", "limit"},
    "shared": {"calls", "limit"},
    "background": _CALL | {"name"},
    "finish": {"value"},
    "cancel": set(),
    "wait": {"seconds"},
    "absent": set(),
    "times": {"count"},
    "signal": set(),
    "observe": _CALL | {"value"},
    "cut": set(),
    "terminate": set(),
    "gone": set(),
    "restart": set(),
    "attempts": set(),
}

_ABOUT_CASE = {"name", "why", "server", "alone", "slow", "steps", "fake", "proxy", "gaps"}


@dataclass(frozen=True)
class Step:
    """One step: its verb, what the verb is about, and what is said beside."""

    verb: str
    subject: Any
    options: Mapping[str, Any]

    def __str__(self) -> str:
        beside = ", ".join(
            f"{key}={self.options[key]!r}" for key in ("args", "kwargs", "timeout", "take") if key in self.options
        )
        subject = f"of {len(self.subject)}" if isinstance(self.subject, list) else repr(self.subject)
        text = f"{self.verb} {subject} {beside}".rstrip()
        return text if len(text) <= 200 else text[:200] + "…"


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        group: the file's name without .yaml.
        name: its name, of its own within all files.
        why: what would be broken, or surprising, without it.
        steps: what is done, in order.
        server: which of servers.yaml it runs against.
        alone: whether it needs a server to itself, because it stops it or leaves it changed.
        slow: whether it takes long; the ordinary tests mark it so.
        fake: what a fake server answers, by method; the case then runs against that.
        proxy: whether the client reaches the server through a proxy that can cut its connection.
        gaps: languages that are known not to pass it, and why.
    """

    group: str
    name: str
    why: str
    steps: tuple[Step, ...]
    server: str = "plain"
    alone: bool = False
    slow: bool = False
    fake: Mapping[str, Any] | None = None
    proxy: bool = False
    gaps: Mapping[str, str] = field(default_factory=dict)


# ---------------------------------------------------------------------------------------------------------------- tags


class _Loader(yaml.SafeLoader):
    """YAML with the tags below."""


_SIZE = re.compile(r"(\d+) *(B|KiB|MiB)")


def _bytes(text: str) -> bytes:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise CaseError(f"!bytes {text!r}: write a size like 40MiB")
    return b"x" * (int(match[1]) << {"B": 0, "KiB": 10, "MiB": 20}[match[2]])


def _repeated(text: str) -> str:
    count, _, char = text.partition(" ")
    return char * int(count)


def _nested(text: str) -> object:
    made: object = "bottom"
    for _ in range(int(text)):
        made = [made]
    return made


_SCALAR_TAGS = {
    "!py": ast.literal_eval,
    "!hex": lambda text: Wire(bytes.fromhex(text)),
    "!bytes": _bytes,
    "!repeat": _repeated,
    "!nested": _nested,
    "!range": lambda text: list(range(int(text))),
    "!event": Event,
    "!address": lambda _: Address(),
    "!file": Credential,
    "!token": Credential,
    "!re": Matches,
    "!at_least": lambda text: AtLeast(float(text)),
    "!present": lambda _: Present(),
}

for _tag, _make in _SCALAR_TAGS.items():
    _Loader.add_constructor(
        _tag,
        lambda loader, node, make=_make: make(loader.construct_scalar(node)),  # type: ignore[misc]  # bound now
    )


def _any_of(loader: _Loader, node: yaml.SequenceNode) -> AnyOf:
    return AnyOf(tuple(loader.construct_sequence(node, deep=True)))


_Loader.add_constructor("!any_of", _any_of)


def read_yaml(path: Path) -> Any:
    """A file's content, with the tags."""
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506  # a subclass of the SafeLoader
    except (yaml.YAMLError, ValueError, SyntaxError) as error:
        raise CaseError(f"{path.name}: {error}") from None


# --------------------------------------------------------------------------------------------------------------- cases


def load_all(folder: Path = CASES) -> list[Case]:
    """All cases, by file and in the file's order.

    Raises:
        CaseError: if one is wrong, or a name comes twice.
    """
    cases = [case for path in sorted(folder.glob("*.yaml")) for case in load_file(path)]
    seen: set[str] = set()
    for case in cases:
        if case.name in seen:
            raise CaseError(f"{case.group}: there are two cases named {case.name!r}")
        seen.add(case.name)
    return cases


def load_file(path: Path) -> list[Case]:
    """One file's cases."""
    content = read_yaml(path)
    if content.get("message") == "callgate.v1.Value":
        return list(_golden(path.stem, content["cases"]))
    return [_case(path.stem, content, said) for said in content["cases"]]


def _case(group: str, content: Mapping[str, Any], said: Mapping[str, Any]) -> Case:
    where = f"{group}: case {said.get('name')!r}"
    if not said.get("name") or not said.get("why"):
        raise CaseError(f"{where}: a case has a name and its why")
    verbs = _VERBS.keys() & said.keys()
    if "steps" in said:
        steps = tuple(_step(where, step) for step in said["steps"])
        rest = said.keys() - _ABOUT_CASE
        if rest:
            raise CaseError(f"{where}: {sorted(rest)} beside steps; a case with steps has only {sorted(_ABOUT_CASE)}")
    elif len(verbs) == 1:
        steps = (_step(where, {key: value for key, value in said.items() if key not in _ABOUT_CASE}),)
    else:
        raise CaseError(f"{where}: it has no steps, and not exactly one of {', '.join(_VERBS)}")
    about = {key: said[key] for key in ("alone", "slow", "fake", "proxy", "gaps") if key in said}
    server = said.get("server", content.get("server", "plain"))
    return Case(group, said["name"], said["why"], steps, server=server, **about)


def _step(where: str, said: Mapping[str, Any]) -> Step:
    verbs = [key for key in said if key in _VERBS]
    # `list` and `value` are words of other steps, too: the verb comes first.
    if not verbs or next(iter(said)) not in _VERBS:
        raise CaseError(f"{where}: a step begins with one of {', '.join(_VERBS)}; this one with {next(iter(said))!r}")
    verb = next(iter(said))
    rest = said.keys() - {verb} - _VERBS[verb]
    if rest:
        raise CaseError(f"{where}: {sorted(rest)} beside {verb!r}, which knows {sorted(_VERBS[verb])}")
    return Step(verb, said[verb], {key: value for key, value in said.items() if key != verb})


def _golden(group: str, cases: list[Mapping[str, Any]]) -> Iterator[Case]:
    """values.yaml: every golden value is decoded and encoded, from each of its forms, and sent to echo and back."""
    for said in cases:
        value = Wire(bytes.fromhex(said["value"]))
        forms = [value, *(Wire(bytes.fromhex(form)) for form in said.get("also", ()))]
        steps = [Step("decode", form, {"value": value}) for form in forms]
        steps.append(Step("call", "echo", {"args": [value], "value": value}))
        why = said.get("why") or f"{said['python']} goes both ways"
        yield Case(group, said["name"], why, tuple(steps))
