"""One suite for every transport: `pytest --transport native` starts all servers with it."""

from __future__ import annotations

import pytest

from loadtest.server import ServerProcess

#: What carries RPCs in servers that say nothing else.
transport = "grpcio"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--transport", choices=["grpcio", "native"], default=transport, help="what servers serve over")


def pytest_configure(config: pytest.Config) -> None:
    global transport  # one for the whole run, as the option is
    transport = ServerProcess.transport = config.getoption("--transport")


def pytest_report_header() -> str:
    return f"servers serve over: {transport}"
