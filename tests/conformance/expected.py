"""How what a client gave differs from what a step expects: values, failures, ends of one kind or the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from callgate.errors import CallgateError
from callgate.v1 import value_pb2
from callgate.values import decode
from tests.conformance.matching import Wire, differences, hex_of, shown, value_differences

__all__ = ["ended", "failure_differences", "named", "reading", "told"]

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


def reading(data: bytes) -> Wire | None:
    """What Python makes of bytes, encoded again; None if it refuses them."""
    try:
        return Wire(bytes.fromhex(hex_of(decode(value_pb2.Value.FromString(data)))))
    except (DecodeError, CallgateError):
        return None


def named(function: str) -> dict[str, str]:
    """Module and name of a function that a case calls; conformance_functions' by its name alone."""
    module, _, name = function.rpartition(".")
    return {"module": module or "conformance_functions", "function": name}


def ended(options: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[str]:
    """Whether something ended as expected: with `value` (None unless said), or with `failure`."""
    if "failure" in options:
        if "failure" not in answer:
            got = shown(answer["value"]) if "value" in answer else str(answer)[:300]
            yield f"expected the failure {options['failure']}, got {got}"
        else:
            yield from failure_differences(options["failure"], answer["failure"])
    elif "value" not in answer:
        yield f"it failed: {told(answer.get('failure', answer))}"
    else:
        yield from value_differences(options.get("value"), answer["value"], "value")


def failure_differences(expected: Mapping[str, Any], got: Any) -> Iterator[str]:
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


def told(failure: Any) -> str:
    """A failure in one line, for a reader."""
    if not isinstance(failure, dict) or "class" not in failure:
        return str(failure)[:500]
    about = " ".join(str(failure.get(key) or "-") for key in ("class", "code", "reason"))
    return f"{about}: {str(failure.get('message'))[:400]}"
