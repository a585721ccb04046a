"""What runs inside a sub-interpreter: it loads the functions once, then runs one call each time a thread enters.

    main interpreter, pool thread                     sub-interpreter, the same thread
    Mailbox.write(call) ── exec "_callgate.call()" ─▶ unpack ─▶ Scope ─▶ the function ─▶ pack
    Mailbox.read()      ◀──────────── returns ──────  Mailbox.write(answer)

    ladder's thread ── 8 bytes into a pipe ─────────▶ a thread that waits in read(): Scope.interrupt

`PyThreadState_SetAsyncExc` reaches only the threads of the interpreter that calls it: hence that one waiting thread. It
blocks in the kernel, polls nothing, and has no part in a call that is not interrupted.

Invariant of interruption: an interruption names its call by number. The thread writes `_wanted` and then reads
`_running`; a starting call writes `_running` and then reads `_wanted`; so whichever comes second sees the other, and a
call that has ended is never `_running`. All else is `Scope`'s invariant.

No protobuf and no grpc may be imported here, nor anything that does (see callgate_server.crossing).
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
import traceback
from _thread import _count  # threading does not know threads that were started without it
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from callgate.batching import runnable
from callgate.context import CallContext, CancelFlag, entered
from callgate.described import describe, without_values
from callgate.errors import ValueFormError
from callgate_server.conversion import ArgumentMismatch, Arguments, converter_for
from callgate_server.crossing import ATOMS, pack, pack_atoms, unpack_inside
from callgate_server.interrupt import CallInterrupted, Scope
from callgate_server.mailbox import Mailbox

__all__ = ["ENDED", "FORMLESS", "INTERRUPTED", "MISFIT", "RAISED", "RETURNED", "STREAMING", "UNREADABLE", "Inside"]

#: What an answer begins with, and what follows: the result; a description and whether it came from the call itself; a
#: description; a parameter, problem and path; nothing; a sentence; nothing; nothing.
RETURNED, RAISED, FORMLESS, MISFIT, INTERRUPTED, UNREADABLE, STREAMING, ENDED = range(8)

#: Frames of these files are ours, not the function's.
_OWN_FILES = str(Path(__file__).parent) + os.sep


#: Seconds that threads which functions have left behind may take to end when their interpreter does; arbitrary.
_LEFT_BEHIND = 1.0


class _Flag(CancelFlag):
    """The call's flag, which the main interpreter raises; keeps its last state when the call has ended."""

    __slots__ = ("_last", "_mailbox")

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox: Mailbox | None = mailbox
        self._last = False

    @property
    def raised(self) -> bool:
        mailbox = self._mailbox
        return self._last if mailbox is None else mailbox.cancelled

    @raised.setter
    def raised(self, value: bool) -> None:
        raise AttributeError("a call's flag is raised by the server")

    def end(self) -> None:
        mailbox = self._mailbox
        if mailbox is not None:
            self._last = mailbox.cancelled
            self._mailbox = None


class Inside:
    """A sub-interpreter's own half.

    Args:
        memory: the mailbox's memory.
        orders: the pipe's end from which interruptions are read.
    """

    def __init__(self, memory: memoryview, orders: int) -> None:
        self._mailbox = Mailbox(memory)
        self._orders = orders
        self._functions: dict[tuple[str, str], tuple[Callable[..., Any], Arguments | None]] = {}
        self._left_over = b""
        self._running: tuple[int, Scope] | None = None
        self._wanted = 0
        # The stream that is open, if one is: it has the interpreter to itself.
        self._items: Iterator[Any] | None = None
        self._flag = _Flag(self._mailbox)
        self._context = CallContext("")
        # Not a daemon: sub-interpreters allow none. It ends when the pipe's other end is closed.
        self._listener = threading.Thread(target=self._listen, name="callgate-interrupts")
        self._listener.start()

    def load(self) -> None:
        """Import the functions that the message names.

        Answers with a list of (module, name, problem, traceback) of those that cannot be had here.
        """
        failed = []
        for module, name in self._message():
            try:
                function = runnable(vars(importlib.import_module(module))[name])
                self._functions[module, name] = (function, converter_for(function))
            except KeyError:
                failed.append((module, name, f"{module} has no {name} there", ""))
            except BaseException as error:  # SystemExit, too: a script without a main guard
                failed.append((module, name, _problem(error), "".join(traceback.format_exception(error))))
        self._answer(pack(failed))

    def call(self) -> None:
        """Run the call that the message is."""
        message = self._call_message()
        if message is not None:
            number, key, args, kwargs, call_id, identity, deadline, chain = message
            flag = _Flag(self._mailbox)
            context = CallContext(call_id, identity, deadline, chain, flag)
            self._run(number, context, lambda: _run(*self._functions[key], args, kwargs))
            flag.end()

    def open(self) -> None:
        """Begin the stream that the message is; answer with STREAMING, or as `call` if the function is no stream."""
        message = self._call_message()
        if message is None:
            return
        number, key, args, kwargs, call_id, identity, deadline, chain = message
        self._flag = _Flag(self._mailbox)
        self._context = CallContext(call_id, identity, deadline, chain, self._flag)
        self._items = None

        def keep(result: Any) -> bool:
            if hasattr(type(result), "__next__"):
                self._items = result
            return self._items is not None

        self._run(number, self._context, lambda: _run(*self._functions[key], args, kwargs, keep))

    def step(self) -> None:
        """Make the stream's next item: answer with it, or with ENDED."""
        (number,) = self._message()
        self._run(number, self._context, lambda: _step(self._items))

    def close(self) -> None:
        """Close the stream's generator; answer with ENDED, or with what its `finally` raised."""
        (number,) = self._message()
        items, self._items = self._items, None
        self._run(number, self._context, lambda: _close(items))
        self._flag.end()

    def _call_message(self) -> Any:
        try:
            return self._message()
        except BaseException as error:
            self._answer(pack((UNREADABLE, f"{type(error).__name__}: {error}")))
            return None

    def _run(self, number: int, context: CallContext, work: Callable[[], bytes]) -> None:
        """Run work that makes an answer, open to interruption under this number."""
        scope = Scope()
        self._running = (number, scope)
        if self._wanted == number:
            scope.wanted = True
        try:
            with entered(context):
                answer = scope.run(work)
        except CallInterrupted:
            answer = pack((INTERRUPTED,))
        finally:
            self._running = None
        self._answer(answer)

    def hand_over(self) -> None:
        """Copy an answer that was too large for the mailbox to where the main interpreter wants it."""
        tray = globals_of_main().pop("_tray")
        tray[:] = self._left_over
        tray.release()
        self._left_over = b""

    def stop(self) -> None:
        """End the listener, whose pipe has been closed, and the threads that functions have left behind, if they will.

        Answers with how many of those are left.
        """
        self._listener.join()
        os.close(self._orders)
        if _count():
            _wind_down(time.monotonic() + _LEFT_BEHIND)
        left = _count()
        if left:
            # At its exit Python calls this for each interpreter that is left, and would wait for ever: by then no
            # thread runs any more. (With one left it then exits as it should; with more it aborts.)
            threading._shutdown = lambda: None  # type: ignore[attr-defined]  # a private name
        self._answer(pack(left))

    def _message(self) -> Any:
        if self._mailbox.length > self._mailbox.room:
            return unpack_inside(globals_of_main().pop("_letter"))
        return unpack_inside(self._mailbox.read())

    def _answer(self, answer: bytes) -> None:
        if not self._mailbox.write(answer):
            self._left_over = answer

    def _listen(self) -> None:
        while order := os.read(self._orders, 8):
            number = int.from_bytes(order, "little")
            self._wanted = number
            running = self._running
            if running is not None and running[0] == number:
                running[1].interrupt()


def _problem(error: BaseException) -> str:
    """Why an import failed, on one line: what it failed on in the end. numpy's own error says it on its thirtieth."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]  # as the condition says
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1]}"[:300] if lines else type(error).__name__


def _wind_down(deadline: float) -> None:
    """As Python does at its exit, but not for ever: concurrent.futures ends its threads, the others are waited for."""
    callbacks = list(reversed(threading._threading_atexits))  # type: ignore[attr-defined]  # a private name
    if callbacks:
        ending = threading.Thread(target=lambda: [callback() for callback in callbacks], name="callgate-end")
        ending.start()
        ending.join(max(0.0, deadline - time.monotonic()))
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread is not threading.main_thread():
            thread.join(max(0.0, deadline - time.monotonic()))


def globals_of_main() -> dict[str, Any]:
    """Where the main interpreter puts what does not fit into the mailbox."""
    return vars(sys.modules["__main__"])


def _run(
    function: Callable[..., Any],
    convert: Arguments | None,
    args: list[Any],
    kwargs: dict[str, Any],
    keep: Callable[[Any], bool] | None = None,
) -> bytes:
    """Run a function and pack its answer: reading what it returned, or raised, runs its author's code, too.

    Args:
        function: what to run.
        convert: converts its arguments.
        args: the positional ones.
        kwargs: the keyword ones.
        keep: told of the result; if it keeps it, the answer is that it did.
    """
    if convert is not None:
        try:
            args, kwargs = convert(args, kwargs)
        except ArgumentMismatch as mismatch:
            return pack((MISFIT, mismatch.parameter, mismatch.problem, mismatch.path))
    try:
        result = function(*args, **kwargs)
    except CallInterrupted:
        raise
    except BaseException as error:
        # Whether the arguments may not fit: only the main interpreter, which has the signature at hand, can tell.
        at_call = type(error) is TypeError and error.__traceback__ is not None and error.__traceback__.tb_next is None
        return _pack_error(RAISED, error, at_call)
    return pack_atoms((STREAMING,)) if keep is not None and keep(result) else _pack_result(result)


def _step(items: Any) -> bytes:
    try:
        item = next(items, _END)
    except CallInterrupted:
        raise
    except BaseException as error:
        return _pack_error(RAISED, error, False)
    return pack_atoms((ENDED,)) if item is _END else _pack_result(item)


def _close(items: Any) -> bytes:
    try:
        close = getattr(items, "close", None)
        if close is not None:
            close()
    except CallInterrupted:
        raise
    except BaseException as error:
        return _pack_error(RAISED, error, False)
    return pack_atoms((ENDED,))


_END = object()


def _pack_result(result: Any) -> bytes:
    if type(result) in ATOMS:
        return pack_atoms((RETURNED, result))
    try:
        return pack((RETURNED, result))
    except CallInterrupted:
        raise
    except RecursionError:
        return _pack_error(FORMLESS, ValueFormError("nested too deeply", "result"), False)
    except BaseException as error:
        return _pack_error(FORMLESS if isinstance(error, ValueFormError) else RAISED, error, False)


def _pack_error(kind: int, error: BaseException, at_call: bool) -> bytes:
    described = describe(error, hide=_OWN_FILES)
    try:
        return pack((kind, described, at_call))
    except CallInterrupted:
        raise
    except BaseException:  # an argument whose fields raise when they are read
        return pack((kind, without_values(described), at_call))
