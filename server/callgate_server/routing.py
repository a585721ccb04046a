"""Which executor runs which function, by the settings and the function's kind."""

from __future__ import annotations

from callgate_server.inspection import FunctionFacts
from callgate_server.registry import Elsewhere
from callgate_server.settings import KINDS, ExecutorSettings, Settings

__all__ = ["SettingsRouter", "executor_settings"]


def executor_settings(name: str, settings: Settings) -> ExecutorSettings:
    """An executor's settings: its own table, or the defaults of the kind that it is named after, or of `serial`."""
    if name in settings.executors:
        return settings.executors[name]
    return ExecutorSettings.model_validate({"kind": name}) if name in KINDS else ExecutorSettings()


class SettingsRouter:
    """Routes by the rules' and the settings' choice of executor, as far as the function's kind allows it.

    An async function needs a loop, and a plain one would block it: each goes where it can run, and a note says so if
    that is not where its rule says.

    Args:
        settings: the settings.
        elsewhere: finds functions that only another environment can import, by the executor's name.
    """

    def __init__(self, settings: Settings, elsewhere: dict[str, Elsewhere] | None = None) -> None:
        self._settings = settings
        self._elsewhere = elsewhere or {}
        loops = [name for name, table in settings.executors.items() if table.kind == "coroutines"]
        self._loop = loops[0] if loops else "coroutines"
        self._plain = "serial" if executor_settings("default", settings).kind == "coroutines" else "default"

    def route(self, executor: str | None, facts: FunctionFacts) -> tuple[str, str]:
        """An executor's name, and a note if it is not the one that was chosen."""
        name = executor or self._settings.executor
        kind = executor_settings(name, self._settings).kind
        if facts.is_async and kind != "coroutines":
            note = f"an async function: runs on {self._loop!r}, not on {name!r}" if executor is not None else ""
            return self._loop, note
        if not facts.is_async and kind == "coroutines":
            return (
                self._plain,
                f"not an async function: runs on {self._plain!r}, as it would block the loop of {name!r}",
            )
        return name, ""

    def elsewhere(self, executor: str | None) -> Elsewhere | None:
        """How to find an executor's functions in its own environment; None if they are imported here."""
        return self._elsewhere.get(executor or self._settings.executor)
