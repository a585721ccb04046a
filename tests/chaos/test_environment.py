"""Workers of another virtual environment, which has neither Callgate nor protobuf."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from callgate_server.settings import SettingsError

#: Interpreters that this machine may have besides the one that runs the tests.
CANDIDATES = {
    "same": sys.executable,
    **{f"3.{minor}": f"3.{minor}" for minor in (11, 12, 13, 14)},
}


def find(candidate: str) -> str | None:
    if "/" in candidate:
        return candidate
    if candidate == f"{sys.version_info.major}.{sys.version_info.minor}":
        return None
    found = [str(path) for path in Path.home().glob(f".pyenv/versions/{candidate}.*/bin/python")]
    return next(iter(sorted(found)), None) or shutil.which(f"python{candidate}")


def make_environment(candidate: str, folder: Path) -> Path:
    interpreter = find(candidate)
    if interpreter is None:
        pytest.skip(f"there is no other Python {candidate} on this machine")
    done = subprocess.run(
        [interpreter, "-m", "venv", "--without-pip", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"{interpreter} makes no virtual environments: {done.stderr[-200:]}")
    return folder / "bin" / "python"


def site_packages(python: Path) -> Path:
    return next((python.parent.parent / "lib").glob("python*/site-packages"))


@pytest.mark.slow
@pytest.mark.parametrize("candidate", CANDIDATES.values(), ids=CANDIDATES)
def test_functions_run_in_the_other_environment(make_front, tmp_path, candidate):
    python = make_environment(candidate, tmp_path / "venv")
    (site_packages(python) / "only_there.py").write_text("WHERE = 'there'\n")
    front = make_front("roaming", python=python)
    executable, prefix, path = front.call("paths")
    assert Path(executable) == python
    assert Path(prefix) == tmp_path / "venv"
    # Nothing of this environment's is importable there: not by path, and not by accident.
    assert not [entry for entry in path if "site-packages" in entry and not entry.startswith(str(tmp_path))]
    assert front.call("can_import", "only_there")
    assert not front.call("can_import", "pytest")
    assert not front.call("can_import", "grpc")
    assert front.call("add", 1, 2) == 3
    assert front.call("implementation") == "upb"
    assert "worker process" in front.executor.describe()
    assert str(python) in front.executor.describe()


@pytest.mark.slow
def test_callgate_comes_from_the_front_whatever_the_environment_has(make_front, tmp_path):
    python = make_environment(sys.executable, tmp_path / "venv")
    stale = site_packages(python) / "callgate_server"
    stale.mkdir()
    (stale / "__init__.py").write_text("raise RuntimeError('stale')\n")
    assert make_front("roaming", python=python).call("add", 1, 2) == 3


@pytest.mark.slow
def test_a_protobuf_there_that_is_too_old_is_an_error_that_says_what_to_install(make_front, tmp_path):
    python = make_environment(sys.executable, tmp_path / "venv")
    old = site_packages(python) / "google" / "protobuf"
    old.mkdir(parents=True)
    (old / "__init__.py").write_text("__version__ = '3.20.0'\n")
    with pytest.raises(SettingsError) as caught:
        make_front("roaming", python=python)
    assert f"{python} -m pip install 'protobuf>=" in str(caught.value)
