"""Sub-interpreters with a GIL of their own, by whatever means this Python has: all that differs between versions.

* 3.13: the private module `_interpreters`, as `test.support.interpreters` and `concurrent.futures` use it.
* 3.14 and later: the public `concurrent.interpreters` (PEP 734).
* before: none. The C API of 3.12 has them, Python does not.

Four things are needed: make one, put shareable values (bytes, memoryviews, int) into its `__main__`, run a line of code
there on the calling thread, end it. No queues, and no `call`, which 3.13 has only without arguments and results.
"""

from __future__ import annotations

import sys
import threading
from types import CodeType
from typing import Any

from callgate_server.settings import SettingsError

__all__ = ["InterpreterFailed", "SubInterpreter", "require_interpreters"]


class InterpreterFailed(Exception):
    """Code of ours failed in a sub-interpreter; the message is its traceback."""


#: Creation crashed when concurrent on 3.12 (pybind11#5779): one at a time.
_one_at_a_time = threading.Lock()


def require_interpreters(executor: str) -> None:
    """Check that this Python has what `SubInterpreter` needs.

    Args:
        executor: the executor's name, for the error.

    Raises:
        SettingsError: if it does not.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    advice = 'run the server with CPython 3.13 or later, or use kind = "processes"'
    if sys.implementation.name != "cpython" or sys.version_info < (3, 13):
        name = "CPython" if sys.implementation.name == "cpython" else sys.implementation.name
        raise SettingsError(
            f'executors.{executor}.kind = "interpreters": {name} {version} has no sub-interpreters with a GIL of their '
            f"own; {advice}"
        )
    try:
        _import()
    except ImportError as error:
        raise SettingsError(
            f'executors.{executor}.kind = "interpreters": this build of Python {version} lacks them ({error}); {advice}'
        ) from None


def _import() -> Any:
    if sys.version_info >= (3, 14):
        from concurrent import interpreters

        return interpreters
    import _interpreters

    return _interpreters


class _Private:
    """3.13. `restrict=True` lets only interpreters be touched that this module made."""

    def __init__(self) -> None:
        self._module = _import()
        self._id = self._module.create("isolated", reqrefs=False)

    def put(self, values: dict[str, Any]) -> None:
        self._module.set___main___attrs(self._id, values, restrict=True)

    def run(self, code: CodeType | str) -> str:
        failure = self._module.exec(self._id, code, restrict=True)
        return "" if failure is None else str(failure.errdisplay or failure.formatted)

    def end(self) -> None:
        self._module.destroy(self._id, restrict=True)


class _Public:
    """3.14, from its documentation; not yet run there."""

    def __init__(self) -> None:
        self._module = _import()
        self._interpreter = self._module.create()

    def put(self, values: dict[str, Any]) -> None:
        self._interpreter.prepare_main(values)

    def run(self, code: CodeType | str) -> str:
        try:
            self._interpreter.exec(code)
        except self._module.ExecutionFailed as failure:
            return str(failure)
        return ""

    def end(self) -> None:
        self._interpreter.close()


class SubInterpreter:
    """One sub-interpreter, isolated: with its own GIL, modules and `sys`.

    A thread that runs code in it leaves the main interpreter's GIL meanwhile. Only one at a time may.
    """

    def __init__(self) -> None:
        with _one_at_a_time:
            self._one = _Public() if sys.version_info >= (3, 14) else _Private()

    def put(self, **values: Any) -> None:
        """Set names in its `__main__`.

        Args:
            values: bytes, str, int, None, or memoryviews, which share their memory.
        """
        self._one.put(values)

    def run(self, code: CodeType | str) -> None:
        """Run code in its `__main__`, on this thread.

        Args:
            code: source, or a code object without arguments and free variables: half the cost.

        Raises:
            InterpreterFailed: if the code raised.
        """
        failure = self._one.run(code)
        if failure:
            raise InterpreterFailed(failure)

    def end(self) -> None:
        """Destroy it. It must not run, and have no threads left: Python aborts the process otherwise."""
        with _one_at_a_time:
            self._one.end()
