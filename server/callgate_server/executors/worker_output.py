"""What workers print, line by line into the log."""

from __future__ import annotations

import os
from typing import IO, Any

__all__ = ["MAX_LINE", "OutputLines"]

#: Bytes of a line; what is longer comes in pieces. Arbitrary: log collectors commonly cut at 16 KiB.
MAX_LINE = 8192


class OutputLines:
    """One pipe of one worker; used by the crew's thread.

    Args:
        pipe: stdout or stderr.
        log: a bound logger, which knows the worker.
        stream: "stdout" or "stderr".
    """

    def __init__(self, pipe: IO[bytes], log: Any, stream: str) -> None:
        self.pipe = pipe
        self._log = log
        self._stream = stream
        self._rest = b""
        os.set_blocking(pipe.fileno(), False)

    def read(self) -> bool:
        """Log what has come, a bounded piece of it: a worker that prints without end must not starve the others.

        Returns:
            False at the end of the pipe.
        """
        try:
            data = os.read(self.pipe.fileno(), MAX_LINE)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        self._log_lines(data)
        return bool(data)

    def drain(self) -> None:
        """Log what a dead worker left behind, at most what a pipe holds."""
        for _ in range(16):
            try:
                data = os.read(self.pipe.fileno(), MAX_LINE)
            except OSError:  # nothing left, but something that the worker started still holds the pipe
                data = b""
            self._log_lines(data)
            if not data:
                return

    def _log_lines(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) >= MAX_LINE or (not data and self._rest):
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._log.info("output", stream=self._stream, line=line.rstrip(b"\r").decode("utf-8", "backslashreplace"))
