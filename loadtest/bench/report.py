"""Where figures go: results.json, which says how each came about, and the table in README that is made from it."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtest.bench.figure import Figure
from loadtest.server import ROOT

__all__ = ["RESULTS", "met", "read", "record", "table", "write_table"]

RESULTS = ROOT / "loadtest/bench/results.json"
README = ROOT / "README.md"

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

#: Packages whose versions may move a figure.
_PACKAGES = ("grpcio", "protobuf", "numpy", "pyarrow")


def met(figure: Figure) -> bool:
    """Whether a figure is what it is held to."""
    return figure.ratio <= figure.target if figure.at_most else figure.ratio >= figure.target


def read(path: Path = RESULTS) -> dict[str, Any]:
    """The results by module; empty if there are none yet."""
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def record(module: str, figures: Sequence[Figure], command: str, path: Path = RESULTS) -> None:
    """Put a module's figures into the results, in place of its former ones.

    Args:
        module: its name; "clients:go" for a part of it, whose figures go in place of those of the same names.
        figures: what it measured.
        command: what was run.
        path: the results' file.
    """
    results = read(path)
    whole, _, part = module.partition(":")
    if part and whole in results:
        again = {figure.name for figure in figures}
        results[whole]["figures"] = [one for one in results[whole]["figures"] if one["name"] not in again]
    elif not part:
        results = {name: entry for name, entry in results.items() if not name.startswith(f"{whole}:")}
    results[module] = {
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": _machine(),
        "python": platform.python_version(),
        "versions": {name: version for name in _PACKAGES if (version := _version(name))},
        "figures": [_rounded(figure) for figure in figures],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


def table(results: dict[str, Any]) -> str:
    """The results as a table in Markdown, with where they come from below it."""
    lines = ["| what | ratio | held to | lowest to highest | |", "| --- | --- | --- | --- | --- |"]
    for name in sorted(results):
        for entry in results[name]["figures"]:
            figure = Figure(**{**entry, "spread": tuple(entry["spread"])})
            bound = f"{'≤' if figure.at_most else '≥'} {figure.target:g}"
            bound += "" if met(figure) else " (missed)"
            low, high = figure.spread
            lines.append(f"| {figure.name} | {figure.ratio:.2f} | {bound} | {low:.2f} to {high:.2f} | {figure.notes} |")
    lines.append("")
    # One line for each set of circumstances, mostly one for all.
    circumstances: dict[str, list[str]] = {}
    for name in sorted(results):
        entry = results[name]
        circumstances.setdefault(f"{entry['machine']}, Python {entry['python']}, {entry['date'][:10]}", []).append(name)
    for where, names in circumstances.items():
        lines.append(f"`make bench ARGS='{' '.join(names)}'` on {where}.")
    return "\n".join(lines)


def write_table(results: dict[str, Any], readme: Path = README) -> None:
    """Put the table between README's markers; after its end if it has none."""
    text = readme.read_text("utf-8")
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n## Figures\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    readme.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}", "utf-8")


def _rounded(figure: Figure) -> dict[str, Any]:
    low, high = figure.spread
    return {**asdict(figure), "ratio": round(figure.ratio, 4), "spread": [round(low, 4), round(high, 4)]}


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    # Only what is measured: docs and tests may differ.
    changed = git("status", "--porcelain", "--", "server", "client/python", "loadtest/bench/*.py")
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + ("+changes" if changed else "")


def _machine() -> str:
    cpu = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    return f"{os.cpu_count()} cores of {cpu}, {platform.system()} {platform.release()}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
