"""Carrying out a case: its steps, one after the other, on a runner and on the driver's own connection."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import callgate
from tests.conformance.cases import Case, CaseError, Step
from tests.conformance.client_steps import ClientSteps
from tests.conformance.driver_steps import DriverSteps
from tests.conformance.fake_server import FakeServer
from tests.conformance.proxy import Proxy
from tests.conformance.runner import Runner, RunnerFault
from tests.conformance.scene import Unsupported
from tests.conformance.servers import RunningServer, Servers

__all__ = ["Outcome", "Player"]


@dataclass
class Outcome:
    """How a case went.

    Attributes:
        case: the case.
        problems: what was wrong, in sentences; none if it passed.
        unsupported: why the language does not offer what the case needs; "" if it does.
        broke: whether the runner died of it, or gave no answer.
        seconds: how long it took.
    """

    case: Case
    problems: list[str] = field(default_factory=list)
    unsupported: str = ""
    broke: bool = False
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether it did."""
        return not self.problems and not self.unsupported


class Player:
    """Plays cases with one language's runner, which is started again where a case broke it.

    Args:
        servers: the servers.
        start: starts a runner.
    """

    def __init__(self, servers: Servers, start: Any) -> None:
        self.servers = servers
        self._start = start
        self._runner: Runner | None = None
        self._connected: dict[str, str] = {}

    @property
    def runner(self) -> Runner:
        """The runner; started if there is none, or none any more."""
        if self._runner is not None and not self._runner.alive:
            self._runner.close()  # its case has told how it ended
            self._runner = None
        if self._runner is None:
            self._runner = self._start()
            self._connected = {}
        return self._runner

    def gate(self, target: str) -> str:
        """The runner's gate to a plain server there."""
        runner = self.runner
        if target not in self._connected:
            name = f"gate {len(self._connected)}"
            self.ask_to_connect(name, target, {})
            self._connected[target] = name
        assert runner is self.runner
        return self._connected[target]

    def ask_to_connect(self, name: str, target: str, connection: Mapping[str, Any]) -> dict[str, Any]:
        """Have the runner connect."""
        about = dict.fromkeys(("tls_ca", "tls_certificate", "tls_key", "token"))
        unknown = connection.keys() - about.keys()
        if unknown:
            raise CaseError(f"connection: {sorted(unknown)} is not among {sorted(about)}")
        return self.runner.ask("connect", gate=name, target=target, **{**about, **connection})

    def forget(self, target: str) -> None:
        """Have the runner close its gate to a server that is gone."""
        name = self._connected.pop(target, None)
        if name is not None and self._runner is not None and self._runner.alive:
            self._runner.ask("close", gate=name)

    def play(self, case: Case) -> Outcome:
        """Carry out a case."""
        outcome = Outcome(case)
        began = time.monotonic()
        try:
            with ExitStack() as stack:
                server: RunningServer | FakeServer
                if case.fake is not None:
                    server = stack.enter_context(FakeServer(case.fake))
                    stack.callback(self.forget, server.address)
                elif case.alone:
                    server = self.servers.make(case.server)
                    stack.callback(server.stop)
                    stack.callback(self.forget, server.address)
                else:
                    server = self.servers.get(case.server)
                proxy = None
                if case.proxy:
                    proxy = stack.enter_context(Proxy(server.address))
                    stack.callback(self.forget, proxy.address)
                play = _Play(self, server, proxy, stack)
                for number, step in enumerate(case.steps, 1):
                    at = f"step {number} ({step}): " if len(case.steps) > 1 else f"{step}: "
                    problems = list(play.step(step))
                    outcome.problems += [at + problem for problem in problems]
                    if problems:
                        break
        except RunnerFault as fault:
            outcome.problems.append(str(fault))
            outcome.broke = self._runner is None or not self._runner.alive
        except Unsupported as why:
            outcome.unsupported = str(why)
        except (callgate.CallgateError, RuntimeError, TimeoutError) as error:  # of the driver's own connection
            outcome.problems.append(f"the driver itself met {type(error).__name__}: {error}")
        outcome.seconds = time.monotonic() - began
        return outcome

    def close(self) -> str:
        """End the runner.

        Returns:
            What was wrong with how it ended; "" if nothing was.
        """
        return self._runner.close() if self._runner is not None else ""


class _Play(ClientSteps, DriverSteps):
    """All steps."""

    def step(self, step: Step) -> Iterator[str]:
        """Carry out a step; what was wrong."""
        yield from getattr(self, f"do_{step.verb}")(step.subject, step.options)
