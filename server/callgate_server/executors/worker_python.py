"""Which interpreter runs workers, and what it needs from here."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import google.protobuf
import google.rpc.status_pb2

import callgate
from callgate_server import worker
from callgate_server.settings import SettingsError

__all__ = ["WorkerPython", "find_python"]

_OLDEST = (3, 11)
#: Seconds that an interpreter may take to say its version; arbitrary, for slow disks.
_PROBE_TIMEOUT = 30.0
#: Runs in any Python since 2.7.
_PROBE = "import sys, json; print(json.dumps(['callgate-probe', list(sys.version_info[:3]), sys.version]))"


@dataclass(frozen=True, slots=True)
class WorkerPython:
    """An interpreter for workers.

    Attributes:
        command: what starts a worker, without the descriptors of its sockets.
        sys_path: what its sys.path becomes; None to leave its own.
        other: whether it belongs to another environment.
        version: "3.13.0".
    """

    command: tuple[str, ...]
    sys_path: tuple[str, ...] | None
    other: bool
    version: str


def find_python(key: str, python: Path | None) -> WorkerPython:
    """Find out how to start workers.

    Args:
        key: the setting's name, for errors.
        python: the interpreter; None for the one that runs here.

    Returns:
        How.

    Raises:
        SettingsError: if it is no Python, or too old.
    """
    own = {"callgate": _folder(callgate.__file__, 2), "callgate_server": _folder(worker.__file__, 2)}
    borrowed: dict[str, str] = {}
    if python is None:
        executable, version = sys.executable, ".".join(map(str, sys.version_info[:3]))
    else:
        # Not resolved: a virtual environment is found by the link, not by what it points to.
        executable = str(python.expanduser().absolute())
        version = _probe(key, executable)
        protobuf, rpc = _folder(google.protobuf.__file__, 3), _folder(google.rpc.status_pb2.__file__, 3)
        borrowed = {"google": protobuf, "google.protobuf": protobuf, "google._upb": protobuf, "google.rpc": rpc}
    # -P: neither this file's folder nor the current one on sys.path. The path, not -m: it need not be installed there.
    command = (executable, "-P", worker.__file__, json.dumps({"own": own, "borrowed": borrowed}))
    path = None if python is not None else tuple(map(str, sys.path))
    return WorkerPython(command, path, python is not None, version)


def _folder(file: str, levels: int) -> str:
    return str(Path(file).absolute().parents[levels - 1])


def _probe(key: str, executable: str) -> str:
    right = 'name an interpreter like "/opt/venv/bin/python"'
    if not Path(executable).exists():
        raise SettingsError(f"{key} = {executable!r}: there is no such file; {right}")
    if Path(executable).is_dir():
        raise SettingsError(f"{key} = {executable!r} is a folder; {right}")
    try:
        done = subprocess.run(
            [executable, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_TIMEOUT,
            check=False,
        )
    except OSError as error:
        raise SettingsError(f"{key} = {executable!r} cannot be run: {error.strerror}; {right}") from None
    except subprocess.TimeoutExpired:
        raise SettingsError(f"{key} = {executable!r} said nothing for {_PROBE_TIMEOUT:g} s; {right}") from None
    try:
        word, version, text = json.loads(done.stdout.splitlines()[-1])
        if word != "callgate-probe":
            raise ValueError
    except (ValueError, IndexError, TypeError):
        raise SettingsError(f"{key} = {executable!r} is not a Python interpreter; {right}") from None
    if tuple(version) < _OLDEST:
        raise SettingsError(
            f"{key} = {executable!r} is Python {text.split()[0]}; workers need {'.'.join(map(str, _OLDEST))} or newer"
        )
    return ".".join(map(str, version))
