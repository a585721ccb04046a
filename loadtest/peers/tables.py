"""The results as Markdown: a small table for README, and all of it for docs/peers.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from loadtest.peers.comparison import Beside, beside, levels_of
from loadtest.peers.reasons import reason

__all__ = ["BEGIN", "END", "page", "put", "small_table"]

BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"


def put(path: Path, text: str, heading: str) -> None:
    """Put a text between a file's markers; at its end, under a heading, if it has none."""
    whole = path.read_text("utf-8") if path.exists() else ""
    if BEGIN not in whole:
        whole = f"{whole.rstrip()}\n\n{heading}\n\n{BEGIN}\n{END}\n".lstrip()
    before, rest = whole.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")


def small_table(results: dict[str, Any]) -> str:
    """A row a function, a column a number of callers: Callgate's throughput, by that of the best peer."""
    peers = results["peers"]
    compared = beside(peers)
    levels = sorted({one.callers for one in compared})
    lines = [
        "Calls a second through Callgate, by those of the fastest peer (named); above 1 Callgate is ahead.",
        "",
        f"| function | {' | '.join(f'{level} callers' if level > 1 else '1 caller' for level in levels)} |",
        f"| --- |{' --- |' * len(levels)}",
    ]
    for function, what in peers["functions"].items():
        cells = []
        for level in levels:
            one = next((one for one in compared if (one.function, one.callers) == (function, level)), None)
            cells.append(f"{one.ratio:.2f} {_title(peers, one.theirs)}" if one else "–")
        lines.append(f"| {what} | {' | '.join(cells)} |")
    busy = [one for one in compared if one.callers >= 8]
    ahead = sum(one.ratio >= 1 for one in busy)
    level = sum(one.ratio < 1 <= one.spread[1] for one in busy)
    names = ", ".join(target["title"] for target in peers["targets"].values() if target["group"] == "peer")
    lines += [
        "",
        f"With 8 callers and more: ahead in {ahead} of {len(busy)}, level in {level} (a peer's median is higher, but "
        f"not in every round), behind in {len(busy) - ahead - level}. A sleep and a burnt core take their time "
        f"whoever calls. Peers: {names}; each called by its own Python client, server and client on one core each. "
        "Everything, with the reasons where a peer is ahead: [docs/peers.md](docs/peers.md).",
        "",
        "![Throughput over callers](docs/peers/throughput.svg)",
    ]
    return "\n".join(lines)


def _title(peers: dict[str, Any], name: str) -> str:
    return str(peers["targets"][name]["title"])


def page(results: dict[str, Any]) -> str:
    """Everything, for docs/peers.md."""
    parts: list[str] = []
    if "peers" in results:
        peers = results["peers"]
        parts += [
            _circumstances(peers),
            "![Throughput over callers](peers/throughput.svg)",
            "![Latency of one caller](peers/latency.svg)",
            *_behind(peers),
            *(_of_function(peers, function) for function in peers["functions"]),
            _of_servers(peers),
            _of_h2load(peers),
            _settings(peers),
            _trouble(peers),
        ]
    if "scale" in results:
        parts.append(_scale(results["scale"]))
    if "growth" in results:
        parts.append(_growth(results["growth"]))
    return "\n\n".join(part for part in parts if part)


def _circumstances(part: dict[str, Any]) -> str:
    repeated = f", {part['rounds']} rounds of {part['window']:g} s windows" if "rounds" in part else ""
    return f"`{part['command']}` on {part['machine']}, {part['date'][:10]}, commit {part['commit']}{repeated}."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _behind(peers: dict[str, Any]) -> list[str]:
    behind = [one for one in beside(peers) if one.ratio < 1]
    if not behind:
        return ["## Where a peer is ahead", "Nowhere."]
    rows = [
        (
            peers["functions"][one.function], str(one.callers), _title(peers, one.theirs),
            f"{one.ratio:.2f} ({one.spread[0]:.2f} to {one.spread[1]:.2f})", _title(peers, one.ours), _why(one),
        )
        for one in behind
    ]  # fmt: skip
    head = ("function", "callers", "ahead", "Callgate's best / it", "which is", "why, as we read it")
    return ["## Where a peer is ahead", _table(head, rows)]


def _why(one: Beside) -> str:
    said = reason(one.theirs, one.function)
    return f"not in every round: the spread reaches {one.spread[1]:.2f}; {said}" if one.spread[1] >= 1 else said


def _of_function(peers: dict[str, Any], function: str) -> str:
    targets = peers["targets"]
    levels = levels_of(targets, function)
    rows = []
    for target in targets.values():
        cells = target["cells"].get(function)
        if not cells:
            why = target["leaves_out"].get(function)
            if why:
                rows.append((target["title"], f"not served: {why}", *[""] * (len(levels) + 2)))
            continue
        one, busy = cells.get("1", {}), cells.get("64") or cells[max(cells, key=int)]
        latencies = f"{_of(one.get('p50'), 1e3)} / {_of(one.get('p99'), 1e3)}"
        rates = [_rate(cells.get(level)) for level in levels]
        cpu = f"{_of(busy.get('server_cpu'))} / {_of(busy.get('client_cpu'))}"
        rows.append((target["title"], latencies, *rates, cpu))
    head = ("", "ms, 1 caller: p50 / p99", *(f"calls/s, {level}" for level in levels), "CPU s / 1,000: server / client")
    return f"## {peers['functions'][function]}\n\n{_table(head, rows)}"


def _of(values: Sequence[float | None] | None, factor: float = 1.0) -> str:
    known = [value for value in values or () if value is not None]
    return f"{statistics.median(known) * factor:.3g}" if known else "–"


def _rate(cell: dict[str, Any] | None) -> str:
    """The median, with the lowest and the highest."""
    if not cell or not cell.get("rate"):
        return "–"
    rates = cell["rate"]
    failed = sum(cell["failures"])
    shown = f"{_number(statistics.median(rates))} ({_number(min(rates))} to {_number(max(rates))})"
    return f"{shown}; {failed} calls failed" if failed else shown


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _of_servers(peers: dict[str, Any]) -> str:
    rows = [
        (target["title"], _spread(target["start_seconds"], "s"), _spread(target["peak_rss_mb"], "MB"))
        for target in peers["targets"].values()
        if target["start_seconds"]
    ]
    head = ("", "process start to first answer", "peak resident memory, all functions at all levels")
    return f"## Start and memory\n\n{_table(head, rows)}"


def _spread(values: Sequence[float], unit: str) -> str:
    if not values:
        return "–"
    return f"{statistics.median(values):.3g} {unit} ({min(values):.3g} to {max(values):.3g})"


def _of_h2load(peers: dict[str, Any]) -> str:
    loaded = [target for target in peers["targets"].values() if target["h2load"]]
    if not loaded:
        return ""
    levels = sorted({level for target in loaded for level in target["h2load"]}, key=int)
    rows = [
        (
            target["title"],
            *(_spread(target["h2load"].get(level, {}).get("rate", ()), "/s") for level in levels),
            _of(target["h2load"].get("64", {}).get("server_cpu")),
        )
        for target in loaded
    ]
    head = ("", *(f"{level} at once" for level in levels), "server's CPU s / 1,000, 64 at once")
    return (
        "## math.sqrt, loaded by h2load\n\nA client in C: what the server does, whoever calls. "
        f"Only those that speak gRPC.\n\n{_table(head, rows)}"
    )


def _settings(peers: dict[str, Any]) -> str:
    lines = ["## Settings and versions", ""]
    for system in peers["systems"].values():
        versions = ", ".join(f"{name} {version}" for name, version in system["versions"].items())
        alive = f" {system['alive']}." if system["alive"] else ""
        lines.append(f"- **{system['title']}** ({versions}): {system['settings']}{alive}")
    return "\n".join(lines)


def _trouble(peers: dict[str, Any]) -> str:
    lines = [f"- {title}: not installed here ({why})" for title, why in peers["not_here"].items()]
    for target in peers["targets"].values():
        lines += [f"- {target['title']}: {said}" for said in target["trouble"]]
        lines += [
            f"- {target['title']}, {function}, {level} callers: {cell['failure']}"
            for function, cells in target["cells"].items()
            for level, cell in cells.items()
            if cell.get("failure")
        ]
    return "\n".join(("## What did not work", "", *lines)) if lines else ""


def _scale(scale: dict[str, Any]) -> str:
    rows = [
        (
            name,
            _spread(rows["ratio"], ""), _of(rows["rate"]), _of(rows["ideal"]), _spread(rows["python_ratio"], ""),
            f"{100 * statistics.median(rows['idle_part']):.2f} %", f"{1e3 * max(rows['longest_idle']):.2f} ms",
            f"{100 * statistics.median(rows['busiest_part']):.1f} %",
        )
        for name, rows in scale["transports"].items()
    ]  # fmt: skip
    head = (
        "transport", "throughput / ideal", "calls/s", "ideal", "with a Python client",
        "workers' time idle while a call waits", "longest at a time", "calls on the busier worker",
    )  # fmt: skip
    return (
        "## Two workers, calls of 20 ms CPU\n\n"
        "`processes` with two workers, 8 callers, all of the machine's cores for everybody. The ideal is two "
        "processes that share the same number of calls with no server beside them, before and after each run, which "
        f"takes about a second ({len(next(iter(scale['transports'].values()))['ratio'])} of each). Load by h2load; a "
        "Python client takes a part of the two cores for itself. It tells the rest: idle is from the end of a worker's "
        "call to the beginning of its next one, while a call had been sent and not begun: the handover is in it, and "
        "the server's and the client's own work, which need one of the same two cores "
        "([ADR 21](adr/0021-hand-over.md)). No call waits for one worker while the other one is free.\n\n"
        f"{_table(head, rows)}\n\n{_circumstances(scale)}"
    )


def _growth_figure(figure: dict[str, float] | None) -> str:
    if figure is None:
        return ""
    if "from" not in figure or figure["from"] == figure["to"]:
        return f"{figure['value']:.2f}"
    return f"{figure['value']:.2f}  ({figure['from']:,} to {figure['to']:,})"


def _growth(growth: dict[str, Any]) -> str:
    transports = growth["transports"]
    names = list(next(iter(transports.values()))["figures"]) if transports else []
    rows = [(name, *(_growth_figure(grown["figures"].get(name)) for grown in transports.values())) for name in names]
    troubles = [
        f"- {transport}, {what} {step['size']:,}: {step['trouble']}"
        for transport, grown in transports.items()
        for what in ("callers", "functions", "payloads")
        for step in grown.get(what, ())
        if step.get("trouble")
    ]
    return "\n\n".join(
        part
        for part in (
            "## Growth",
            "Load by h2load; server on one core. The lowest rates want to be near 1 (no cliff), the growths at most 1 "
            "(nothing worse than linear). The steepest is the worst of all pairs of sizes, of medians, noise included; "
            "what is above 1 in every repetition is no noise. In brackets are the sizes that a figure lies between. "
            "The bare connection is a TCP echo with nothing above it: what grows there is the machine's own.",
            _table(("", *transports), rows),
            "![Callers](peers/growth-callers.svg)\n![Functions](peers/growth-functions.svg)\n"
            "![Payloads](peers/growth-payloads.svg)",
            "\n".join(troubles),
            _circumstances(growth),
        )
        if part
    )
