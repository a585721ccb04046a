"""The plots, as SVG. Runs in .venv-peers, which has matplotlib:

python -m loadtest.peers.plots loadtest/peers/results.json docs/peers
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["main"]

#: Colours that stay apart for the colour-blind (Okabe and Ito's), Callgate's first; peers come after in this order.
_COLOURS = (
    "#0072B2",
    "#56B4E9",
    "#000000",
    "#999999",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#F0E442",
    "#8B4513",
)


def main() -> None:
    """Draw what there are results for."""
    results, folder = json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2])
    import matplotlib

    matplotlib.use("svg")
    # The same results give the same file: no random ids, no date. Text stays text, which is a fifth of the size.
    matplotlib.rcParams.update({"svg.hashsalt": "peers", "svg.fonttype": "none"})
    matplotlib.rcParams.update({"font.size": 9, "axes.spines.top": False})
    matplotlib.rcParams.update({"axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3})
    folder.mkdir(parents=True, exist_ok=True)
    if "peers" in results:
        _throughput(results["peers"], folder / "throughput.svg")
        _latency(results["peers"], folder / "latency.svg")
    if "growth" in results:
        transports = results["growth"]["transports"]
        for what, label in (("callers", "callers"), ("functions", "exposed functions"), ("payloads", "bytes")):
            _growth(transports, what, label, folder / f"growth-{what}.svg")


def _compared(peers: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in peers["targets"].items() if one["group"] != "executor" and one["cells"]}


def _throughput(peers: dict[str, Any], path: Path) -> None:
    """A panel a function: calls a second over callers."""
    import matplotlib.pyplot as plt

    functions = list(peers["functions"])
    figure, axes = plt.subplots(2, 3, figsize=(11, 6.4), layout="constrained")
    panels = list(axes.flat)
    for panel, function in zip(panels, functions, strict=False):
        for colour, one in zip(_COLOURS * 2, _compared(peers).values(), strict=False):
            points = sorted(
                (int(level), statistics.median(cell["rate"]))
                for level, cell in one["cells"].get(function, {}).items()
                if cell["rate"] and not any(cell["failures"]) and statistics.median(cell["rate"])
            )
            ours = one["group"] == "callgate"
            panel.plot(
                [x for x, _ in points], [y for _, y in points], color=colour, label=one["title"],
                marker="o", markersize=3, linewidth=2.2 if ours else 1.1, zorder=3 if ours else 2,
            )  # fmt: skip
        panel.set(title=peers["functions"][function], xscale="log", xlabel="callers", ylabel="calls a second")
        levels = sorted({int(level) for one in _compared(peers).values() for level in one["cells"].get(function, {})})
        panel.set_xticks(levels, [str(level) for level in levels], minor=False)
        panel.set_xticks([], minor=True)
        heights = [y for line in panel.get_lines() for y in line.get_ydata()] or [1.0]
        low, high = min(heights), max(heights)
        # Where all are much the same, a logarithm would make a mountain of every percent.
        panel.set(yscale="log") if high > 4 * low else panel.set(ylim=(0, 1.1 * high))
    handles, labels = panels[0].get_legend_handles_labels()
    for panel in panels[len(functions) :]:
        panel.axis("off")
    panels[-1].legend(handles, labels, loc="center", frameon=False)
    _save(figure, path)


def _latency(peers: dict[str, Any], path: Path) -> None:
    """A panel a function: p50 and p99 of one caller."""
    import matplotlib.pyplot as plt

    functions, compared = list(peers["functions"]), _compared(peers)
    figure, axes = plt.subplots(
        1, len(functions), figsize=(13, 0.32 * len(compared) + 1.2), sharey=True, layout="constrained", squeeze=False
    )
    titles = [one["title"] for one in compared.values()]
    for panel, function in zip(axes.flat, functions, strict=True):
        for key, colour, offset in (("p50", "#0072B2", -0.2), ("p99", "#E69F00", 0.2)):
            values = [
                1e3 * (_median(one["cells"].get(function, {}).get("1", {}).get(key)) or 0) for one in compared.values()
            ]
            panel.barh([index + offset for index in range(len(titles))], values, 0.38, color=colour, label=key)
        panel.set(title=peers["functions"][function], yticks=range(len(titles)), yticklabels=titles, xlabel="ms")
        panel.title.set_fontsize(8)
    axes.flat[0].invert_yaxis()
    axes.flat[-1].legend(frameon=False)
    _save(figure, path)


def _growth(transports: dict[str, Any], what: str, label: str, path: Path) -> None:
    """Throughput and p99 over what grows."""
    import matplotlib.pyplot as plt

    figure, (rate, latency) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for colour, (transport, grown) in zip(_COLOURS, transports.items(), strict=False):
        steps = [step for step in grown.get(what, ()) if step.get("rate")]
        if not steps:
            continue
        sizes = [step["size"] for step in steps]
        rate.plot(sizes, [_median(step["rate"]) for step in steps], marker="o", color=colour, label=transport)
        for key, style in (("p50", ":"), ("p99", "-")):
            medians = [1e3 * (_median(step[key]) or 0) for step in steps]
            latency.plot(sizes, medians, style, marker="o", color=colour, label=f"{transport}, {key}")
    rate.set(xscale="log", yscale="log", xlabel=label, ylabel="calls a second")
    latency.set(xscale="log", yscale="log", xlabel=label, ylabel="ms")
    rate.legend(frameon=False)
    latency.legend(frameon=False)
    _save(figure, path)


def _median(values: Sequence[float | None] | None) -> float | None:
    known = [value for value in values or () if value is not None]
    return statistics.median(known) if known else None


def _save(figure: Any, path: Path) -> None:
    import matplotlib.pyplot as plt

    figure.savefig(path, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    plt.close(figure)


if __name__ == "__main__":
    main()
