"""One sub-interpreter with its mailbox: what the pool lends to one call after the other.

Its life: made and loaded by the pool, lent to one call at a time, told to `end` when its code is replaced or the
executor closes. The other half, which runs in it, is callgate_server/inside.py.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from callgate_server.crossing import pack, pack_atoms, unpack_here
from callgate_server.executors.interpreter_adapter import SubInterpreter
from callgate_server.mailbox import Mailbox

__all__ = ["InterpreterWorker", "LoadProblem"]

#: module, name, problem in one phrase, traceback
LoadProblem = tuple[str, str, str, str]

#: `site` has run in a new interpreter, but sys.path is what the main one has made of it since.
_SETUP = """
import site, sys
_paths, _sites = eval(_setup)
for _folder in _sites:
    site.addsitedir(_folder)  # for the import hooks of editable installs
sys.path[:] = _paths
from callgate_server.inside import Inside
_callgate = Inside(_memory, _orders)
"""
_LOAD = compile("_callgate.load()", "<callgate>", "exec")
_CALL = compile("_callgate.call()", "<callgate>", "exec")
_OPEN = compile("_callgate.open()", "<callgate>", "exec")
_STEP = compile("_callgate.step()", "<callgate>", "exec")
_CLOSE = compile("_callgate.close()", "<callgate>", "exec")
_HAND_OVER = compile("_callgate.hand_over()", "<callgate>", "exec")
_STOP = compile("_callgate.stop()", "<callgate>", "exec")


class InterpreterWorker:
    """A sub-interpreter, set up.

    Args:
        import_path: folders whose site packages are set up as in the main interpreter.

    Raises:
        InterpreterFailed: if it cannot be set up; it is ended again.
    """

    def __init__(self, import_path: Sequence[str] = ()) -> None:
        #: What it has loaded.
        self.functions: frozenset[tuple[str, str]] = frozenset()
        self._memory = memoryview(bytearray(Mailbox.SIZE))
        self._mailbox = Mailbox(self._memory)
        # Guards what follows. Invariant: a call is interrupted and cancelled under its own number and only while it
        # runs, so that neither can reach the next call.
        self._lock = threading.Lock()
        self._number = 0
        self._running = False
        orders, self._orders = os.pipe()
        os.set_blocking(self._orders, False)
        self._interpreter = SubInterpreter()
        try:
            self._interpreter.run("import _interpreters")  # 3.13 cannot share a memoryview with one that has not
            sites = [folder for folder in import_path if Path(folder).name == "site-packages"]
            self._interpreter.put(_memory=self._memory, _orders=orders, _setup=repr((sys.path, sites)))
            self._interpreter.run(_SETUP)
        except BaseException:
            os.close(self._orders)
            os.close(orders)
            self._interpreter.end()
            raise

    def load(self, functions: Sequence[tuple[str, str]]) -> list[LoadProblem]:
        """Import functions.

        Args:
            functions: (module, name) of each.

        Returns:
            What could not be imported.
        """
        problems: list[LoadProblem] = self._exchange(_LOAD, pack(list(functions)))
        self.functions = frozenset(functions) - {(module, name) for module, name, _, _ in problems}
        return problems

    def begin(self, *, cancelled: bool = False) -> int:
        """Begin a call, or a stream's step.

        Args:
            cancelled: whether nobody waits for it already.

        Returns:
            Its number, for `interrupt` and `cancel`.
        """
        with self._lock:
            self._number += 1
            self._running = True
            self._mailbox.cancelled = cancelled
            return self._number

    def call(self, message: bytes) -> Any:
        """Run a call that has begun, on this thread.

        Args:
            message: the packed call.

        Returns:
            The answer, unpacked: see callgate_server.inside.
        """
        return self._exchange(_CALL, message)

    def open(self, message: bytes) -> Any:
        """As `call`, for a stream: it has this worker to itself until `close`, and begins each step anew."""
        return self._exchange(_OPEN, message)

    def step(self, number: int) -> Any:
        """The next item of the stream: a step that has begun under this number."""
        return self._exchange(_STEP, pack_atoms((number,)))

    def close(self, number: int) -> Any:
        """Close the stream's generator, in a step that has begun under this number."""
        return self._exchange(_CLOSE, pack_atoms((number,)))

    def runs(self, number: int) -> bool:
        """Whether it runs the call, or step, of this number."""
        with self._lock:
            return self._running and number == self._number

    def finish(self) -> None:
        """The call has ended: from now on it can be neither interrupted nor cancelled."""
        with self._lock:
            self._running = False

    def cancel(self, number: int) -> None:
        """Let a call see that nobody waits for it, if it still runs."""
        with self._lock:
            if self._running and number == self._number:
                self._mailbox.cancelled = True

    def interrupt(self, number: int) -> bool:
        """Raise CallInterrupted in a call.

        Returns:
            False if it has ended.
        """
        with self._lock:
            if not self._running or number != self._number or self._orders < 0:
                return False
            try:
                os.write(self._orders, number.to_bytes(8, "little"))
            except BlockingIOError:
                return False  # a pipe full of interruptions: nothing has been read since long
            return True

    def _exchange(self, code: Any, message: bytes) -> Any:
        mailbox = self._mailbox
        if not mailbox.write(message):
            self._interpreter.put(_letter=message)
        self._interpreter.run(code)
        if mailbox.length <= mailbox.room:
            return unpack_here(mailbox.read())
        with memoryview(bytearray(mailbox.length)) as tray:
            self._interpreter.put(_tray=tray)
            self._interpreter.run(_HAND_OVER)
            return unpack_here(tray)

    def release_listener(self) -> None:
        """Let its waiting thread end. Python does not exit cleanly around a sub-interpreter that still has one."""
        with self._lock:
            orders, self._orders = self._orders, -1
        if orders >= 0:
            os.close(orders)

    def end(self) -> int:
        """End it; it must not run a call.

        Returns:
            How many threads the functions have left behind. If there are any, the interpreter is left alone with them:
            ending it would wait for them, or abort the process.
        """
        self.release_listener()
        threads: int = self._exchange(_STOP, b"")
        if not threads:
            self._interpreter.end()
        return threads
