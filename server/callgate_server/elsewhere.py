"""Finding functions that only another environment's Python can import: it is asked to, in a process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from callgate_server.executors.worker_python import find_python
from callgate_server.inspection import FunctionFacts
from callgate_server.loading import ModuleFailed
from callgate_server.policy import Pattern, PolicyError
from callgate_server.registry import Elsewhere
from callgate_server.settings import ExecutorSettings, SettingsError

__all__ = ["functions_elsewhere"]


def functions_elsewhere(
    name: str, settings: ExecutorSettings, import_path: Sequence[str], *, allow_unsafe: bool
) -> Elsewhere:
    """How to find the functions of an executor with a `python` of its own.

    Args:
        name: the executor's name, for errors.
        settings: its settings; `python` is set.
        import_path: folders that it imports from, too.
        allow_unsafe: whether functions that can run code may be named.

    Returns:
        What finds a pattern's functions there.
    """

    def find(pattern: Pattern) -> dict[str, FunctionFacts]:
        python = find_python(f"executors.{name}.python", settings.python)
        question = {
            "path": list(import_path),
            "patterns": [[pattern.module, pattern.function]],
            "allow_unsafe": allow_unsafe,
        }
        try:
            done = subprocess.run(
                python.command,
                input=json.dumps(question).encode(),
                capture_output=True,
                timeout=settings.start_timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ModuleFailed(
                pattern.module, f"{settings.python} took more than {settings.start_timeout:g} s to import it\n"
            ) from None
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            said = done.stderr.decode("utf-8", "replace")[-4000:]
            raise SettingsError(
                f"executors.{name}.python: {settings.python} did not describe {pattern.module}; it said:\n{said}"
            ) from None
        if "policy" in answer:
            raise PolicyError(answer["policy"])
        if "trace" in answer:
            raise ModuleFailed(answer["module"], answer["trace"])
        return {key: FunctionFacts.from_json(facts) for key, facts in answer["functions"][pattern.module].items()}

    return find
