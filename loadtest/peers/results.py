"""The results' file: what was measured, and all that a reader must know of how."""

from __future__ import annotations

import datetime
import json
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loadtest.bench.report import _commit, _machine
from loadtest.peers.cases import BURN_ROUNDS, CASES
from loadtest.peers.plan import Target
from loadtest.peers.system import System
from loadtest.server import ROOT

__all__ = ["RESULTS", "circumstances", "environment_of", "read", "record", "systems_of"]

RESULTS = ROOT / "loadtest/peers/results.json"

_VERSIONS = """
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def read(path: Path = RESULTS) -> dict[str, Any]:
    """The results by part ("peers", "growth", "scale"); empty if there are none yet."""
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def record(part: str, results: dict[str, Any], path: Path = RESULTS) -> None:
    """Put a part's results in place of its former ones.

    Written beside the file first, so that an interrupted run leaves the former whole.
    """
    whole = {**read(path), part: _rounded(results)}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".partial")
    aside.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")
    aside.replace(path)


def _rounded(value: Any) -> Any:
    """Six significant digits: more are noise, and make every diff unreadable."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def circumstances(command: str) -> dict[str, Any]:
    """Where and when."""
    return {
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": _machine(),
        "python": platform.python_version(),
        "functions": {name: case.what for name, case in CASES.items()},
        "burn_rounds": BURN_ROUNDS,
    }


def environment_of(system: System) -> dict[str, str]:
    """The versions of a system's Python and packages; empty if its environment is not there."""
    python = ROOT / system.environment / "bin/python"
    if not python.exists():
        return {}
    done = subprocess.run(
        [str(python), "-c", _VERSIONS, *system.packages], capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def systems_of(targets: Iterable[Target]) -> dict[str, dict[str, Any]]:
    """What is known of each system that is compared: versions, settings, whether it is alive."""
    systems = {target.module: target.system for target in targets}
    return {
        name: {
            "title": system.title,
            "environment": system.environment,
            "versions": environment_of(system),
            "settings": system.settings,
            "alive": system.alive,
        }
        for name, system in systems.items()
    }
