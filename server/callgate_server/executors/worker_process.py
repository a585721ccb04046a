"""One worker, seen from the front: its process, its two sockets, its output, and how it died.

    front                                          worker (callgate_server/worker.py)
    pool thread ── calls socket: CALL ───────────▶ main thread: decodes, runs, encodes
                ◀─ RESULT, STATUS, INTERRUPTED ──
    any thread ─── control socket ───────────────▶ its listening thread: raises the flag, signals the main thread
    crew's thread ◀ stdout, stderr ───────────────

A WorkerProcess is one generation: it is never used again for another process, so that whoever kills one late kills
nothing else.
"""

from __future__ import annotations

import contextlib
import enum
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from callgate_server.executors.frames import CONTROL, WORN, BadFrame, Control, Frame, Hangup, Kind, receive, send

__all__ = ["Death", "Doom", "WorkerLost", "WorkerProcess"]

#: Seconds that a process whose socket has closed may take to be gone: the kernel closes sockets near the end of an
#: exit. One that lives on has closed its socket itself.
_EXIT_TIME = 0.3


class Doom(enum.Enum):
    """Why the front ended a worker."""

    STOPPED = "stopped"  # the ladder: its call did not stop
    GARBAGE = "sent garbage"
    REPLACED = "replaced"  # recycled, reloaded, or the executor closes


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker ended.

    Attributes:
        how: for people: "killed by SIGSEGV".
        metadata: for programs: "signal" or "exit_code".
    """

    how: str
    metadata: dict[str, str]


class WorkerLost(Exception):
    """The worker died, or is as good as dead, before it answered.

    Attributes:
        started: whether the call may have started.
    """

    def __init__(self, *, started: bool) -> None:
        super().__init__("the worker is lost")
        self.started = started


class WorkerProcess:
    """Starts a worker.

    Args:
        name: its name in the log, "cpu/3".
        command: the interpreter and the options before the descriptors of the two sockets.
        generation: which code it loads; for the crew.

    Raises:
        OSError: if it cannot be started.
    """

    def __init__(self, name: str, command: Sequence[str], generation: int) -> None:
        self.name = name
        self.generation = generation
        #: What it runs, for the log: the function's name and the call's id.
        self.running: tuple[str, str] | None = None
        self.calls = 0
        #: It has grown beyond a limit: a replacement is started while it still serves.
        self.worn = False
        #: Its call was interrupted and goes on: it will be killed, most likely. For the crew.
        self.doubtful = False
        # Guards what follows. Invariant: `_process` is signalled only while it has not been reaped, and `control`
        # written only while it is open.
        self._lock = threading.Lock()
        self._doom: Doom | None = None
        self._death: Death | None = None
        self._closed = False
        self._socket, calls = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # A session of its own: a terminal's Ctrl-C is for the front, which lets calls end. And a process group of
            # its own: what the function starts ends with it.
            self._process = subprocess.Popen(
                [*command, str(calls.fileno()), str(control.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(calls.fileno(), control.fileno()),
                start_new_session=True,
                bufsize=0,
            )
        except BaseException:
            self._socket.close()
            self.control.close()
            raise
        finally:
            calls.close()
            control.close()
        self.pid = self._process.pid
        assert self._process.stdout is not None  # PIPE
        assert self._process.stderr is not None  # PIPE
        self.stdout, self.stderr = self._process.stdout, self._process.stderr
        self.pidfd = _pidfd(self.pid)

    @property
    def calls_fd(self) -> int:
        """The calls socket, for a selector that waits for READY."""
        return self._socket.fileno()

    def prepare(self, start: bytes) -> None:
        """Send START.

        Raises:
            Hangup: if it is dead already.
        """
        self._socket.settimeout(5)  # what a worker is not: too slow for one frame
        send(self._socket, Kind.START, head=start)

    def prepared(self) -> Frame:
        """Read READY or FAILED, once there is something to read.

        Raises:
            Hangup, BadFrame: if it is dead or broken.
        """
        frame = receive(self._socket)
        if frame.kind not in (Kind.READY, Kind.FAILED):
            raise BadFrame(f"a worker starts with READY or FAILED, not {frame.kind.name}")
        self._socket.settimeout(None)
        return frame

    def ask(self, kind: Kind, number: int, answers: Collection[Kind], head: bytes = b"", payload: bytes = b"") -> Frame:
        """Have it run a call or a step of a stream, and wait for the answer; by the one thread that borrowed it.

        Args:
            kind: CALL, NEXT or CLOSE.
            number: the call's number, for control messages.
            answers: kinds of frames that answer it.
            head: the call's context, JSON.
            payload: a serialized CallFunctionRequest.

        Returns:
            The answer.

        Raises:
            WorkerLost: if no answer came, or none that could be one.
        """
        self.post(kind, number, head, payload)
        return self.answer(kind, number, answers)

    def post(self, kind: Kind, number: int, head: bytes = b"", payload: bytes = b"") -> None:
        """The first half of `ask`; the second, `answer`, may be another thread's.

        Raises:
            WorkerLost: as `ask`.
        """
        if kind is Kind.CALL:
            self.calls += 1
        try:
            send(self._socket, kind, number=number, head=head, body=payload)
        except Hangup as hangup:
            raise WorkerLost(started=kind is not Kind.CALL) from hangup

    def answer(self, kind: Kind, number: int, answers: Collection[Kind]) -> Frame:
        """The second half of `ask`.

        Raises:
            WorkerLost: as `ask`.
        """
        try:
            frame = receive(self._socket)
        except Hangup as hangup:
            raise WorkerLost(started=not hangup.unread or kind is not Kind.CALL) from hangup
        except BadFrame as error:
            self.end(Doom.GARBAGE)
            raise WorkerLost(started=True) from error
        if frame.number != number or frame.kind not in answers:
            self.end(Doom.GARBAGE)
            raise WorkerLost(started=True)
        if frame.flags & WORN:
            self.worn = True
        return frame

    def tell(self, what: Control, number: int) -> bool:
        """Send a control message; from any thread, never waits.

        Returns:
            Whether it was sent.
        """
        with self._lock:
            if self._closed:
                return False
            try:
                return self.control.send(CONTROL.pack(what, number), socket.MSG_DONTWAIT) == CONTROL.size
            except OSError:
                return False  # it is dying, or has so many unread that one more says nothing new

    def babbles(self) -> bool:
        """Whether it wrote to the control socket, which no worker does."""
        try:
            return bool(self.control.recv(1, socket.MSG_DONTWAIT))
        except OSError:
            return False

    def leave(self) -> None:
        """Let it exit by itself, now that nobody will ask it anything."""
        with self._lock:
            if not self._closed:
                self._doom = self._doom or Doom.REPLACED
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_WR)

    def end(self, why: Doom) -> None:
        """Kill it and what it started; from any thread."""
        with self._lock:
            self._doom = self._doom or why
            self._kill()

    def _kill(self) -> None:
        if self._process.returncode is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError:  # macOS says so of a group of zombies
                self._process.kill()

    @property
    def doom(self) -> Doom | None:
        """Why the front ended it; None if it did not."""
        return self._doom

    def bury(self) -> Death:
        """Reap a worker that is dead or dying, and kill one that only closed its sockets; from any thread.

        Returns:
            How it ended, each time the same.
        """
        with self._lock:
            if self._death is None:
                code = self._reap()
                with contextlib.suppress(OSError):
                    # Whoever waits for its answer sees the end also where something that it forked holds the socket.
                    self._socket.shutdown(socket.SHUT_RDWR)
                self._death = self._explain(code)
            return self._death

    def _reap(self) -> int | None:
        """The exit status; None if it lived on without its sockets."""
        by_itself = self._doom is not None or self._has_exited()
        # The rest of its group with it: until it is reaped, its number names no other group.
        self._kill()
        code = self._process.wait()
        return code if by_itself else None

    def _has_exited(self) -> bool:
        if self.pidfd is not None:
            return bool(select.select([self.pidfd], [], [], _EXIT_TIME)[0])
        try:
            self._process.wait(_EXIT_TIME)  # polls, on systems without pidfd
            return True
        except subprocess.TimeoutExpired:
            return False

    def _explain(self, code: int | None) -> Death:
        if self._doom is Doom.GARBAGE:
            return Death("sent garbage instead of an answer, and was killed", {"garbage": "true"})
        if code is None:
            return Death("closed its socket, and was killed", {"closed_socket": "true"})
        if code < 0:
            name = _signal_name(-code)
            return Death(f"was killed by {name}", {"signal": name})
        return Death(f"exited with code {code}", {"exit_code": str(code)})

    def close(self) -> None:
        """Close the descriptors of a buried worker, when no thread uses them any more. Idempotent."""
        with self._lock:
            self._closed = True
            self._socket.close()
            self.control.close()
            self.stdout.close()
            self.stderr.close()
            if self.pidfd is not None:
                os.close(self.pidfd)
                self.pidfd = None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _pidfd(pid: int) -> int | None:
    """A descriptor that turns readable when the process ends; None where there is no such thing (not Linux)."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # a kernel before 5.3, or a sandbox that forbids it
        return None
