"""The project's own promises about itself: what is committed is what it is made from."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from callgate_server.settings import load_settings
from loadtest.bench.figure import Figure
from loadtest.bench.report import RESULTS, met, read, table, write_table

ROOT = Path(__file__).parent.parent.parent


def _tracked() -> list[Path]:
    """The files that git knows; in a tree without git (an unpacked source archive) there is nothing to check."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this is no git work tree")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_registry_is_named_anywhere() -> None:
    # Put together here, so that this file does not name them either.
    hosts = ["py" + "pi.", "python" + "hosted", "registry.npm" + "js", "proxy.go" + "lang", "index.crates" + ".io"]
    address = re.compile(rb"https?://[^\s\"']*(" + b"|".join(re.escape(host.encode()) for host in hosts) + rb")")
    options = re.compile(rb"^\s*--(extra-)?(index-url|find-links|trusted-host)\b", re.MULTILINE)
    offenders = []
    for path in _tracked():
        data = path.read_bytes()
        if address.search(data) or (path.suffix == ".txt" and options.search(data)):
            offenders.append(str(path.relative_to(ROOT)))
    assert offenders == []


@pytest.mark.parametrize("name", ["build", "server", "dev", "fuzz", "loadtest", "peers", "stubs", "lock"])
def test_every_locked_package_has_hashes(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text("utf-8").replace("\\\n", " ")
    packages = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert packages
    for line in packages:
        assert re.match(r"[a-z0-9.-]+==\S+.* --hash=sha256:[0-9a-f]{64}", line), line


def _pins(name: str) -> dict[str, set[str]]:
    """The pinned versions of a lock; more than one where they depend on the Python."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / f"requirements/{name}.txt").read_text(), re.M):
        found.setdefault(package, set()).add(version)
    return found


@pytest.mark.parametrize("name", ["dev", "fuzz", "loadtest"])
def test_the_locks_agree_on_what_the_server_runs_with(name: str) -> None:
    server, other = _pins("server"), _pins(name)
    shared = server.keys() & other.keys()
    assert {"grpcio", "protobuf"} <= shared
    assert {package: other[package] for package in shared} == {package: server[package] for package in shared}


def test_the_locks_satisfy_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = {
        "server": project["project"]["dependencies"] + project["project"]["optional-dependencies"]["server"],
        **project["dependency-groups"],
    }
    for name, wanted in groups.items():
        pins = _pins(name)
        for requirement in wanted:
            package = re.split(r"[^A-Za-z0-9-]", requirement)[0].lower()
            assert package in pins, f"{requirement} is not in requirements/{name}.txt: run make lock"


def test_the_stubs_were_generated_with_the_oldest_runtime_that_pyproject_allows() -> None:
    # Generated code refuses an older runtime than its generator's. That its content is up to date, `make lint` checks.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lowest = dict(re.match(r"([a-z-]+)>=([\d.]+)", text).groups() for text in project["project"]["dependencies"])  # type: ignore[union-attr, misc]  # each has a lower bound
    folder = ROOT / "client/python/callgate/v1"
    assert f"GRPC_GENERATED_VERSION = '{lowest['grpcio']}'" in (folder / "function_service_pb2_grpc.py").read_text(
        "utf-8"
    )
    for path in folder.glob("*_pb2.py"):
        assert f"# Protobuf Python Version: {lowest['protobuf']}" in path.read_text("utf-8"), path.name


def test_googles_protos_are_verbatim_those_of_the_installed_package() -> None:
    files = {str(file): file for file in importlib.metadata.files("googleapis-common-protos") or ()}
    ours = sorted((ROOT / "protos/google").rglob("*.proto"))
    assert ours
    for path in ours:
        name = str(path.relative_to(ROOT / "protos"))
        assert path.read_text("utf-8") == files[name].read_text("utf-8"), name


def test_readmes_figures_are_those_that_the_benchmark_wrote(tmp_path: Path) -> None:
    if not RESULTS.exists():
        pytest.skip("no figures have been measured yet: make bench")
    readme = (ROOT / "README.md").read_text("utf-8")
    again = tmp_path / "README.md"
    again.write_text(readme, "utf-8")
    write_table(read(), again)
    assert again.read_text("utf-8") == readme, "run python -m loadtest.bench --table"


def test_every_figure_in_the_results_says_how_it_came_about() -> None:
    for name, entry in read().items():
        for key in ("command", "commit", "date", "machine", "python", "versions", "figures"):
            assert entry[key], f"{name} has no {key}"
        for figure in entry["figures"]:
            low, high = figure["spread"]
            assert low <= figure["ratio"] <= high, figure


def test_a_table_replaces_what_is_between_the_markers_and_nothing_else(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n\n<!-- bench:begin -->\nold\n<!-- bench:end -->\n\nafter\n", "utf-8")
    figure = {"name": "speed", "ratio": 0.85, "target": 0.9, "at_most": False, "spread": [0.8, 0.9], "notes": "noted"}
    results = {"gate": {"machine": "m", "python": "3", "date": "2026-01-01T00:00:00", "figures": [figure]}}
    write_table(json.loads(json.dumps(results)), readme)
    text = readme.read_text("utf-8")
    assert text.startswith("before\n\n<!-- bench:begin -->\n| what |")
    assert text.endswith("<!-- bench:end -->\n\nafter\n")
    assert "| speed | 0.85 | ≥ 0.9 (missed) | 0.80 to 0.90 | noted |" in text
    assert "old" not in text
    assert table(results) in text


@pytest.mark.parametrize(
    ("ratio", "at_most", "good"), [(0.9, False, True), (0.89, False, False), (0.9, True, True), (0.91, True, False)]
)
def test_a_target_is_met_when_it_is_reached(ratio: float, at_most: bool, good: bool) -> None:
    assert met(Figure("x", ratio, 0.9, at_most, (ratio, ratio))) is good


def test_the_settings_in_deploy_are_valid_and_safe_to_listen_everywhere_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGATE_LISTEN", "0.0.0.0:50051")  # as the image does
    settings = load_settings(ROOT / "deploy/callgate.toml", {})
    assert settings.listen == "0.0.0.0:50051"
    assert not settings.insecure


def test_the_wheel_asks_for_no_newer_python_than_the_oldest_lock_is_made_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    oldest = project["project"]["requires-python"].removeprefix(">=")
    assert f"--python-version {oldest}" in (ROOT / "requirements/lock.sh").read_text("utf-8")
    assert f"oldest={oldest}" in (ROOT / "requirements/environment.sh").read_text("utf-8")
