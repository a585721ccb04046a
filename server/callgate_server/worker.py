"""A worker process of the `processes` executor: run by its path, `python -P …/worker.py FOLDERS CALLS CONTROL`.

    main thread        START ▶ limits, import path, modules ▶ READY;  CALL ▶ decode, run, encode ▶ RESULT | STATUS | …
    listening thread   control messages; the end of the front is the end of this process

Functions run on the main thread, for three reasons: no handover to another thread on the way of a call; what some
libraries ask for; and that there alone a signal's handler can raise out of a call that blocks (sleep, recv, acquire),
which an async exception cannot.

It may run in another virtual environment, which has neither Callgate nor protobuf. Hence two finders: Callgate's own
packages come from the front's folders whatever is installed here, so that both ends speak the same frames; protobuf
comes from the front's environment only where this one has none. Never imports grpc, pydantic or structlog.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callgate_server.executors.worker_calls import WorkerCalls

__all__ = ["CannotStart", "PackagesFrom", "Worker", "main"]


class PackagesFrom:
    """A finder (importlib.abc.MetaPathFinder) of some packages, in given folders and nowhere else.

    Args:
        folders: by package, dotted; parents first are not needed.
    """

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._folders = folders

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The package's spec, or None if it is none of these."""
        folder = self._folders.get(name)
        if folder is None:
            return None
        parts = name.split(".")[:-1]
        return PathFinder.find_spec(name, [os.path.join(folder, *parts)], target)


class CannotStart(Exception):
    """What keeps this worker from getting ready.

    Args:
        problem: "module", "environment", "limits" or "died".
        about: more, by name.
    """

    def __init__(self, problem: str, **about: str) -> None:
        super().__init__(problem)
        self.head = json.dumps({"problem": problem, **about}).encode()


class Worker:
    """One worker's life.

    Args:
        calls: the socket that calls come on.
        control: the socket that control messages come on.
    """

    def __init__(self, calls: socket.socket, control: socket.socket) -> None:
        self._calls = calls
        self._control = control
        self._ready: WorkerCalls | None = None

    def run(self) -> int:
        """Get ready, then serve calls until the front closes the socket.

        Returns:
            The exit code.
        """
        from callgate_server.executors.frames import WORN, FrameTooLarge, Hangup, Kind, receive, send

        # A bounded stack: address space may be limited.
        threading.stack_size(256 << 10)
        threading.Thread(target=self._listen, name="callgate-control", daemon=True).start()
        threading.stack_size(0)
        try:
            start = receive(self._calls)
            try:
                calls = self._ready = _prepare(json.loads(start.head))
            except CannotStart as problem:
                send(self._calls, Kind.FAILED, head=problem.head)
                return 1
            send(self._calls, Kind.READY)
            while True:
                try:
                    frame = receive(self._calls)
                    number = frame.number
                    kind, body = calls.answer(frame)
                    del frame  # the request's bytes, while the next one is waited for
                except FrameTooLarge as error:
                    number = error.number
                    kind, body = calls.answer_too_large(error)
                flags = WORN if calls.worn else 0
                send(self._calls, kind, number=number, body=body, flags=flags)
                del body
        except Hangup:
            return 0

    def _listen(self) -> None:
        """On the listening thread: pass on control messages; end this process when the front has gone."""
        from callgate_server.executors.frames import CONTROL, Control

        while True:
            try:
                message = self._control.recv(CONTROL.size, socket.MSG_WAITALL)
            except OSError:
                message = b""
            if len(message) < CONTROL.size:
                # Nobody waits for what runs, and nobody would end it.
                os._exit(1)
            what, number = CONTROL.unpack(message)
            if self._ready is not None:
                self._ready.obey(Control(what), number)


def _prepare(start: Mapping[str, Any]) -> WorkerCalls:
    """Limits first, then the import path, then what may fail: our own imports and the functions' modules.

    Raises:
        CannotStart: saying what is wrong.
    """
    limits = start["limits"]
    _set_limits(limits)
    sys.path[:] = start["sys_path"] or sys.path
    sys.path[:0] = [folder for folder in start["import_path"] if folder not in sys.path]
    try:
        try:
            from google.protobuf.internal import api_implementation

            from callgate.memory import keep_freed_memory
            from callgate.values import Limits
            from callgate_server.executors.worker_calls import WorkerCalls
            from callgate_server.invocation import Invoker
        except Exception as error:  # protobuf's VersionError is no ImportError
            if isinstance(error, MemoryError):
                raise
            if limits["memory"] is not None and "failed to map" in str(error):  # the loader's words for ENOMEM
                raise MemoryError from None
            if not start["other"]:
                how = f"cannot import Callgate's own modules ({type(error).__name__}: {error})"
                raise CannotStart("died", how=how) from None
            raise CannotStart("environment", how=f"{type(error).__name__}: {error}") from None
        if limits["memory"] is None and limits["max_rss"] is None:  # else what is kept would count
            keep_freed_memory()
        wanted = os.environ.get("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION")
        if start["other"] and api_implementation.Type() != "upb" and not wanted:
            # It would work, twenty times slower, and nobody would know why.
            raise CannotStart("environment", how="protobuf's compiled part (upb) does not load there")
        functions = {(module, name): _resolve(module, name) for module, name in start["functions"]}
    except MemoryError:
        how = f"ran out of its memory limit ({limits['memory']} bytes) while it imported its modules"
        raise CannotStart("limits", how=how) from None
    return WorkerCalls(
        functions,
        Invoker(limits=Limits(*start["value_limits"]), traceback=start["traceback"]),
        max_rss=limits["max_rss"],
        # Its whole life's seconds: it leaves between calls, while there are enough left for one more.
        max_cpu=limits["cpu"] / 2 if limits["cpu"] is not None else None,
    )


def _set_limits(limits: Mapping[str, int | None]) -> None:
    import resource

    kinds = {"memory": resource.RLIMIT_AS, "cpu": resource.RLIMIT_CPU, "open_files": resource.RLIMIT_NOFILE}
    for name, kind in kinds.items():
        wanted = limits[name]
        if wanted is None:
            continue
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY and wanted > hard:
            raise CannotStart(
                "limits", how=f"cannot have {name} = {wanted}: that is above the hard limit that it inherits, {hard}"
            )
        try:
            resource.setrlimit(kind, (wanted, hard))
        except (OSError, ValueError) as error:
            raise CannotStart("limits", how=f"cannot have {name} = {wanted} here: {error}") from None


def _resolve(module: str, name: str) -> Callable[..., Any]:
    """The function of this name, as the front's registry found it: in the module's own dict, no attribute traversal."""
    from callgate.batching import runnable

    try:
        found = vars(importlib.import_module(module)).get(name)
    except MemoryError:
        raise
    except BaseException as error:
        frames = error.__traceback__
        own = (__file__, importlib.__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
        while frames is not None and frames.tb_frame.f_code.co_filename in own:
            frames = frames.tb_next
        trace = "".join(traceback.format_exception(type(error), error, frames))
        raise CannotStart("module", module=module, trace=trace[-64_000:]) from None
    if not callable(found):
        where = getattr(sys.modules[module], "__file__", None)
        trace = f"{module} has no function {name} in a worker; it is loaded from {where or 'the interpreter'}\n"
        raise CannotStart("module", module=module, trace=trace)
    return runnable(found)


def _die_with_parent() -> None:
    """Linux: be killed when the front dies, also while code holds the GIL in C and no thread here can notice."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1  # linux/prctl.h
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


def _ignore_signals_to_the_group() -> None:
    """The front decides when a worker goes.

    A supervisor that signals the whole group (systemd, a terminal) must not end calls that the front lets finish.
    Handlers, not SIG_IGN: what functions start would inherit that. What they fork must be as any process, since
    multiprocessing ends its children by SIGTERM; the signals are blocked around a fork, so that one that comes before
    the child has its own handlers waits for them.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    mask = threading.local()

    def block() -> None:
        mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask.before)

    def restore() -> None:
        for number, action in before.items():
            signal.signal(number, action)
        unblock()

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=restore)


def main(arguments: Sequence[str]) -> int:
    """Run a worker.

    Args:
        arguments: JSON of the folders of packages ("own" and "borrowed"), and the descriptors of the two sockets;
            without these, it describes modules (see inspection.py) instead.

    Returns:
        The exit code.
    """
    folders = json.loads(arguments[0])
    sys.meta_path.insert(0, PackagesFrom(folders["own"]))
    sys.meta_path.append(PackagesFrom(folders["borrowed"]))
    if len(arguments) == 1:  # no sockets: asked what functions there are, not to run them
        from callgate_server.inspection import main as inspect_modules

        inspect_modules()
        return 0
    _die_with_parent()
    _ignore_signals_to_the_group()
    sockets = [socket.socket(fileno=int(fd)) for fd in arguments[1:3]]
    for one in sockets:
        one.set_inheritable(False)
        os.register_at_fork(after_in_child=one.close)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr] # TextIOWrapper
    return Worker(*sockets).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
