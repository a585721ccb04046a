"""What each language's client costs beside its own bare stub: the same request, the same server, the same process.

The runners of tests/conformance make the calls (`bench` in its README): math.sqrt(16.0) from one caller, whose latency
counts, and from 64, whose throughput does. The server has one core, the runner the other.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from callgate_server.settings import Settings
from loadtest.bench.figure import Figure
from loadtest.server import ServerProcess
from tests.conformance.runner import LANGUAGES, Language, Runner, RunnerFault

__all__ = ["measure", "run", "transports"]

#: Rounds of wrapper and stub, one after the other; who goes first alternates. Many and short: on a shared machine one
#: pair of C++'s differs by 15 % from the next whether it takes 0.25 s or 0.7 s (measured), so only their number helps.
ROUNDS = 61

#: Seconds of each measurement: hundreds of calls and more.
SECONDS = 0.25

#: Seconds before it, of each: connections are made, threads started, and compilers compile while they run.
WARM = 1.5

#: How often ROUNDS there may be. A figure goes on while it is nearer to its target, above or below, than chance would
#: bring it one time in ten: by less than 1.28 standard errors of a median, each 1.25 of a mean's.
MOST_TIMES = 4
_NEAR = 1.28 * 1.25

CALLERS = 64

#: What a client's own layer may cost: a twentieth.
TARGET = 0.95


def run(language: str = "") -> list[Figure]:
    """All figures of the clients that are built, or of one language's, against each transport that there is."""
    languages = [LANGUAGES[language]] if language else list(LANGUAGES.values())
    return [figure for transport in transports() for figure in measure(languages, transport)]


def transports() -> tuple[str, ...]:
    """The transports that a server can be started with."""
    return get_args(Settings.model_fields["transport"].annotation)


def measure(
    languages: Sequence[Language], transport: str = "grpcio", seconds: float = SECONDS, rounds: int = ROUNDS
) -> list[Figure]:
    """Measure clients; those that are not built are skipped, by name, on standard error.

    Args:
        languages: whose clients.
        transport: the server's transport.
        seconds: how long each of the measurements takes.
        rounds: how many pairs of them.

    Returns:
        Two figures a language: latency and throughput, each as a ratio where 1 is the bare stub's.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("the server and the client need a core each; this machine gives one")
    figures: list[Figure] = []
    with ServerProcess("math", env={"CALLGATE_TRANSPORT": transport}, cores={cores[0]}) as server:
        for language in languages:
            missing = language.missing()
            if not missing:
                try:
                    with Runner(language, cores={cores[-1]}) as runner:
                        figures += _of_language(runner, server.address, transport, seconds, rounds)
                    continue
                except RunnerFault as fault:
                    missing = str(fault)
            print(f"clients: skipped {language.name}: {missing}", file=sys.stderr)
    return figures


def _of_language(runner: Runner, target: str, transport: str, seconds: float, rounds: int) -> Iterator[Figure]:
    none: dict[str, Any] = dict.fromkeys(("tls_ca", "tls_certificate", "tls_key", "token"))
    runner.ask("connect", gate="bench", target=target, **none)
    for callers in (1, CALLERS):
        pairs: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for _ in range(MOST_TIMES):
            pairs += _pairs(runner, callers, seconds, rounds)
            if callers == 1:  # a ratio of latencies, the other way up, so that more is better here, too
                of_round, unit, scale = [(stub["p50"], ours["p50"]) for ours, stub in pairs], "µs", 1e6
                absolute = [(ours["p50"], stub["p50"]) for ours, stub in pairs]
            else:
                of_round, unit, scale = [(_rate(ours), _rate(stub)) for ours, stub in pairs], "calls/s", 1.0
                absolute = of_round
            ratios = [over / under for over, under in of_round]
            if not _undecided(ratios):
                break
        ours, stub = (statistics.median(column) * scale for column in zip(*absolute, strict=True))
        p99, stub_p99 = (statistics.median(one["p99"] for one in column) * 1e3 for column in zip(*pairs, strict=True))
        what = "latency of one caller, its bare stub's /" if callers == 1 else f"{callers} callers' throughput /"
        yield Figure(
            name=f"{runner.language.name} client on {transport}: {what} {'its own' if callers == 1 else 'bare stub'}",
            ratio=statistics.median(ratios),
            target=TARGET,
            at_most=False,
            spread=(min(ratios), max(ratios)),
            notes=f"{ours:,.0f} beside {stub:,.0f} {unit}, p99 {p99:.2f} beside {stub_p99:.2f} ms, "
            f"{len(ratios)} rounds",
        )


def _undecided(ratios: Sequence[float]) -> bool:
    """Whether more rounds are needed to tell on which side of the target they are."""
    if len(ratios) < 2:
        return False
    error = _NEAR * statistics.stdev(ratios) / math.sqrt(len(ratios))
    return abs(statistics.median(ratios) - TARGET) < error


def _pairs(
    runner: Runner, callers: int, seconds: float, rounds: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What `bench` answers for the wrapper and for the stub, round by round."""
    order = ["stub", "wrapper"]
    for what in order:
        _ask(runner, what, callers, WARM)
    for _ in range(rounds):
        found = {what: _ask(runner, what, callers, seconds) for what in order}
        yield found["wrapper"], found["stub"]
        order.reverse()


def _ask(runner: Runner, what: str, callers: int, seconds: float) -> dict[str, Any]:
    answer = runner.ask("bench", limit=seconds + 60, gate="bench", what=what, callers=callers, seconds=seconds)
    if "unsupported" in answer:
        raise RunnerFault(f"no bench: {answer['unsupported']}")
    return answer


def _rate(answer: dict[str, Any]) -> float:
    return float(answer["calls"]) / float(answer["seconds"])
