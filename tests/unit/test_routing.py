"""Which executor runs a function, by the settings and the function's kind."""

from __future__ import annotations

import pytest

from callgate_server.inspection import FunctionFacts
from callgate_server.routing import SettingsRouter
from callgate_server.settings import Settings

PLAIN, ASYNC = FunctionFacts(), FunctionFacts(kind="coroutine")


def route(executors, executor, facts):
    return SettingsRouter(Settings(executors=executors)).route(executor, facts)


def test_a_function_runs_where_its_rule_says_or_on_the_default():
    assert route({}, None, PLAIN) == ("default", "")
    assert route({}, "threads", PLAIN) == ("threads", "")


def test_an_async_function_runs_on_a_loop():
    assert route({}, None, ASYNC) == ("coroutines", "")
    name, note = route({"mine": {"kind": "coroutines"}}, "threads", ASYNC)
    assert name == "mine"
    assert "not on 'threads'" in note


@pytest.mark.parametrize(("executors", "elsewhere"), [({}, "default"), ({"default": {"kind": "coroutines"}}, "serial")])
def test_a_plain_function_never_runs_on_a_loop(executors, elsewhere):
    name, note = route(executors, "coroutines", PLAIN)
    assert name == elsewhere
    assert f"runs on {elsewhere!r}" in note
    assert route(executors, None, PLAIN)[0] == elsewhere


def test_a_table_with_a_kinds_name_is_of_that_kind():
    assert Settings(executors={"threads": {"max_workers": 3}}).executors["threads"].kind == "threads"
