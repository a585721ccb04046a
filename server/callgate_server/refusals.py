"""The failures of calls that are the dispatcher's own to tell: shed, draining, too large a result, a fault of ours."""

from __future__ import annotations

from callgate.failures import CallFailed, gate_failure

__all__ = ["draining", "internal_failure", "overloaded", "request_too_large", "result_too_large"]


def draining() -> CallFailed:
    """The failure of a call that came while the server shuts down."""
    return gate_failure("DRAINING", "the server is shutting down; the call never started")


def overloaded(what: str, limit: int) -> CallFailed:
    """The failure of a call or stream beyond the admission limit.

    Args:
        what: "calls" or "streams".
        limit: how many may be on their way.
    """
    # 0.1 s is arbitrary: time for a few calls to end.
    return gate_failure(
        "OVERLOADED", f"{limit} {what} are on their way already; this one never started", retry_after=0.1
    )


def request_too_large(size: str, limit: int) -> CallFailed:
    """The failure of an RPC whose request is larger than the server takes.

    Args:
        size: the request's size in bytes, as far as it is known.
        limit: the most that is taken, bytes.
    """
    return gate_failure(
        "REQUEST_TOO_LARGE",
        f"the request is {size} bytes; this server takes at most {limit}",
        {"size": size, "limit": str(limit), "unit": "bytes"},
    )


def result_too_large(function: str, size: int, limit: int) -> CallFailed:
    """The failure of a call whose result is larger than the server sends.

    Args:
        function: its full name.
        size: the result's size, bytes.
        limit: the most that is sent, bytes.
    """
    return gate_failure(
        "RESPONSE_TOO_LARGE",
        f"the result of {function} is {size} bytes; this server sends at most {limit}",
        {"size": str(size), "limit": str(limit)},
    )


def internal_failure(call_id: str) -> CallFailed:
    """The failure that a caller gets for a fault of ours: nothing about it but where to look."""
    return gate_failure(
        "INTERNAL", f"internal error; the server's log has the details under call {call_id}", {"call_id": call_id}
    )
