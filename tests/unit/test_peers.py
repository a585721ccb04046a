"""The arithmetic behind the peers' tables: who is ahead, what grows too fast, what idled while something waited."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from loadtest.peers import driving
from loadtest.peers.comparison import beside
from loadtest.peers.driving import Order
from loadtest.peers.growth import always, steepest, worst_drop
from loadtest.peers.plan import select, targets
from loadtest.peers.reasons import reason
from loadtest.peers.results import read, record
from loadtest.peers.rounds import Extent
from loadtest.peers.scale import idle_while_waiting
from loadtest.peers.tables import page, put, small_table
from loadtest.peers.usage import cpu_seconds, tree


def _target(group: str, rates: list[float], failures: int = 0) -> dict[str, Any]:
    cell = {
        "rate": rates,
        "p50": [0.001],
        "p99": [None],
        "server_cpu": [0.5],
        "client_cpu": [0.5],
        "failures": [failures],
    }
    return {
        "title": group.title(), "group": group, "cells": {"sqrt": {"8": cell}}, "leaves_out": {}, "h2load": {},
        "start_seconds": [0.5], "peak_rss_mb": [40.0], "trouble": [],
    }  # fmt: skip


def _peers(**targets: dict[str, Any]) -> dict[str, Any]:
    return {
        "functions": {"sqrt": "math.sqrt"}, "targets": targets, "systems": {}, "not_here": {}, "command": "make peers",
        "machine": "a machine", "date": "2026-11-23T00:00:00", "commit": "abc", "rounds": 3, "window": 0.2,
    }  # fmt: skip


def test_the_best_way_of_ours_is_put_beside_the_best_peer() -> None:
    peers = _peers(
        a=_target("callgate", [100.0, 300.0, 200.0]),
        b=_target("callgate", [10.0, 10.0, 10.0]),
        c=_target("peer", [100.0, 100.0, 400.0]),
        d=_target("peer", [50.0, 50.0, 50.0]),
    )
    (one,) = beside(peers)
    assert (one.ours, one.theirs, one.callers) == ("a", "c", 8)
    assert (one.ratio, one.spread) == (1.0, (0.5, 3.0))


def test_a_peer_whose_calls_failed_is_no_yardstick() -> None:
    peers = _peers(a=_target("callgate", [100.0]), c=_target("peer", [900.0], failures=3), d=_target("peer", [50.0]))
    assert [one.theirs for one in beside(peers)] == ["d"]
    assert "3 calls failed" in page({"peers": peers})


def test_where_a_peer_is_ahead_the_page_says_why_and_the_small_table_counts_it() -> None:
    peers = _peers(callgate=_target("callgate", [50.0]), pyro5=_target("peer", [100.0]))
    assert f"| Peer | 0.50 (0.50 to 0.50) | Callgate | {reason('pyro5', 'sqrt')} |" in page({"peers": peers})
    assert "ahead in 0 of 1, level in 0 (" in small_table({"peers": peers})
    peers = _peers(callgate=_target("callgate", [50.0, 50.0, 120.0]), pyro5=_target("peer", [100.0] * 3))
    assert "ahead in 0 of 1, level in 1 (" in small_table({"peers": peers})


def test_what_falls_after_its_peak_is_a_drop_and_what_only_rises_is_none() -> None:
    assert worst_drop([(1, 10.0), (2, 40.0), (4, 20.0), (8, 30.0)]) == {"value": 0.5, "from": 2, "to": 4}
    assert worst_drop([(1, 10.0), (2, 20.0)])["value"] == 1.0


def test_growth_in_step_with_size_is_one_and_a_cliff_is_more() -> None:
    assert steepest([(1, 1.0), (10, 10.0), (100, 100.0)])["value"] == pytest.approx(1.0)
    assert steepest([(1, 1.0), (10, 2.0), (20, 40.0)]) == pytest.approx({"value": 10.0, "from": 10, "to": 20})


def test_growth_in_every_repetition_leaves_out_what_one_repetition_did_not_have() -> None:
    noisy = [{"size": 1, "p99": [1.0, 2.0]}, {"size": 10, "p99": [20.0, 10.0]}]
    assert always(noisy, "p99")["value"] == pytest.approx(0.5)
    steep = [{"size": 1, "p99": [1.0, 2.0]}, {"size": 10, "p99": [20.0, 30.0]}, {"size": 20, "p99": [20.0, 30.0]}]
    assert always(steep, "p99") == pytest.approx({"value": 1.5, "from": 1, "to": 10})


def test_a_worker_idles_only_while_a_call_has_been_sent_and_not_begun() -> None:
    # One worker: busy 0 to 1, then nothing to do until 2, when a call is sent that begins at 2.5.
    stamps = [(0.0, 1, 0.0, 1.0, 1.0), (2.0, 1, 2.5, 3.0, 3.0)]
    assert idle_while_waiting(stamps) == (0.5, 0.5)
    # Two calls that wait through the same gap do not count twice.
    stamps = [(0.0, 1, 0.0, 1.0, 1.0), (0.5, 1, 1.5, 2.0, 2.0), (0.5, 1, 2.0, 3.0, 3.0)]
    assert idle_while_waiting(stamps) == (0.5, 0.5)


def test_a_name_selects_a_target_a_system_or_all() -> None:
    assert [target.name for target in select(["rpyc"])] == ["rpyc"]
    assert {target.module for target in select(["callgate"])} == {"callgate"}
    assert select([]) == targets()
    with pytest.raises(ValueError, match="no target 'corba'"):
        select(["corba"])


def test_every_target_has_settings_and_every_peer_a_reason() -> None:
    for target in targets():
        assert target.system.settings
        if target.group == "peer" and target.name != "ray_serve":  # never ahead of anything yet
            assert reason(target.name, "sqrt")


def test_every_cell_is_measured_once_and_long_calls_by_waves() -> None:
    extent = Extent()
    cells = list(extent.cells(select(["rpyc"])[0]))
    assert len(cells) == len(set(cells)) == 20
    assert extent.order("burn", 512)["wave"]
    assert not extent.order("sqrt", 512)["wave"]


def test_results_keep_the_other_parts_and_six_digits(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    record("scale", {"rate": 1.23456789}, path)
    record("growth", {"rates": [1.0]}, path)
    assert read(path) == {"scale": {"rate": 1.23457}, "growth": {"rates": [1.0]}}


def test_a_table_replaces_what_is_between_the_markers_only(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    put(path, "first", "# Peers")
    path.write_text(f"{path.read_text()}after\n")
    put(path, "second", "# Peers")
    assert path.read_text() == "# Peers\n\n<!-- peers:begin -->\nsecond\n<!-- peers:end -->\nafter\n"


def test_a_window_counts_calls_failures_and_cpu() -> None:
    def fail() -> None:
        raise RuntimeError("as asked")

    outcome = driving.threads([lambda: time.sleep(0.001), fail], Order(2, 0.1, os.getpid()))
    assert outcome.calls > 0
    assert outcome.rate <= 1020  # each takes a millisecond at least; the first may have begun before the window
    assert (outcome.failures, outcome.failure, outcome.drained) == (3, "RuntimeError: as asked", True)
    assert outcome.p50 is None  # the second caller had no answer
    assert outcome.server_cpu


def test_a_wave_is_one_call_a_caller_and_ends_with_the_last() -> None:
    calls: list[int] = []

    async def call() -> None:
        await asyncio.sleep(0.01)
        calls.append(1)

    async def wave() -> driving.Outcome:
        return await driving.tasks([call] * 20, Order(20, 5.0, os.getpid(), wave=True))

    outcome = asyncio.run(wave())
    assert len(calls) == outcome.calls == 20
    assert outcome.drained
    assert outcome.rate > 20 / 5.0  # not by the window of five seconds


def test_cpu_time_of_this_process_grows_with_work() -> None:
    own = tree(os.getpid())
    assert own[0] == os.getpid()
    before = cpu_seconds([os.getpid()])
    sum(range(200_000))
    assert cpu_seconds([os.getpid()]) > before
