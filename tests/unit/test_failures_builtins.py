"""Every builtin exception, and a class derived from it, arrives as what it is."""

from __future__ import annotations

import builtins

import pytest

import callgate
from callgate.failures import error_from_status, exception_status

KINDS = [
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type) and issubclass(kind, BaseException) and kind.__module__ == "builtins"
]

#: Arguments of those that want more than a text.
ARGUMENTS = {
    UnicodeDecodeError: ("utf-8", b"x", 0, 1, "reason"),
    UnicodeEncodeError: ("utf-8", "x", 0, 1, "reason"),
    UnicodeTranslateError: ("x", 0, 1, "reason"),
    BaseExceptionGroup: ("group", [ValueError("member")]),
    ExceptionGroup: ("group", [ValueError("member")]),
}


@pytest.mark.parametrize("derived", [False, True], ids=["itself", "derived"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_builtin_exception_arrives_as_what_it_is(kind, derived):
    # A remote MemoryError once could not be made: its __new__ refuses a class whose layout comes from another base.
    raised = type("Derived", (kind,), {}) if derived else kind
    error = error_from_status(exception_status(raised(*ARGUMENTS.get(kind, ("text",))), traceback=True))
    assert isinstance(error, callgate.RemoteError)
    assert isinstance(error, Exception)
    if issubclass(kind, Exception):
        assert isinstance(error, kind)
