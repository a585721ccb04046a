"""One suite for every transport: `pytest --transport native` starts all servers with it."""

from __future__ import annotations

import pytest

import callgate._connection
from loadtest.server import ServerProcess

#: What carries RPCs in servers that say nothing else.
transport = "grpcio"


def pytest_addoption(parser: pytest.Parser) -> None:
    choices = ["grpcio", "native"]
    parser.addoption("--transport", choices=choices, default=transport, help="what servers serve over")
    parser.addoption("--client", choices=choices, default="grpcio", help="what the Python client calls over")


def pytest_configure(config: pytest.Config) -> None:
    global transport  # one for the whole run, as the option is
    transport = ServerProcess.transport = config.getoption("--transport")
    callgate._connection.DEFAULT_TRANSPORT = config.getoption("--client")


def pytest_report_header() -> str:
    return f"servers serve over: {transport}; the Python client calls over: {callgate._connection.DEFAULT_TRANSPORT}"
