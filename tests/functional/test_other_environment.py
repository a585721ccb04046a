"""Functions of another environment, which the server itself cannot import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import callgate
from callgate_server.registry import ModuleFailed
from callgate_server.server import Server
from callgate_server.settings import Settings


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A bare virtual environment with one package that is nowhere else."""
    folder = tmp_path_factory.mktemp("other")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    package = folder / "lib" / version / "site-packages" / "only_there"
    package.mkdir()
    (package / "__init__.py").write_text("SECRET = 42\n")
    functions = folder / "functions"
    functions.mkdir()
    (functions / "foreign_functions.py").write_text(
        '''import sys
import only_there


def secret(plus: int = 0) -> int:
    """What only that environment knows."""
    return only_there.SECRET + plus


def executable():
    return sys.executable
'''
    )
    (functions / "foreign_broken.py").write_text("import nowhere_at_all\n")
    return folder


def settings(environment, pattern="foreign_functions.*"):
    return {
        "expose": [{"functions": (pattern,), "executor": "other"}],
        "executors": {"other": {"kind": "processes", "workers": 1, "python": environment / "bin" / "python"}},
        "path": (environment / "functions",),
    }


@pytest.mark.slow
def test_they_are_found_described_and_called_where_they_live(serve, environment):
    server = serve(shared=False, **settings(environment))
    assert "only_there" not in sys.modules
    with callgate.connect(server.address) as gate:
        assert gate.call("foreign_functions", "secret", plus=1) == 43
        assert gate.call("foreign_functions", "executable") == str(environment / "bin" / "python")
        info = gate.function("foreign_functions", "secret")
        assert info.signature == "(plus: int = 0) -> int"
        assert info.doc == "What only that environment knows."
        assert [function.function for function in gate.functions()] == ["executable", "secret"]


@pytest.mark.slow
def test_a_module_that_fails_there_says_so_at_the_start(environment):
    with pytest.raises(ModuleFailed) as caught:
        Server(Settings(listen="127.0.0.1:0", **settings(environment, "foreign_broken.*")))
    assert "nowhere_at_all" in caught.value.trace
    assert "foreign_broken.py" in caught.value.trace
