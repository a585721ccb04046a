"""Settings: where they come from, and that whatever is wrong is told by its key, its value, and what would be right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from callgate_server.settings import Settings, SettingsError, is_loopback, load_settings


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch, tmp_path):
    """No callgate.toml and no CALLGATE_… variables but a test's own."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("CALLGATE_"):
            monkeypatch.delenv(name)


def load(text: str, flags: dict | None = None) -> Settings:
    file = Path("given.toml")
    file.write_text(text)
    return load_settings(file, flags or {})


def complaint(text: str, flags: dict | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(text, flags)
    return str(caught.value)


WRONG = [
    # the settings, the key as the error names it, the value, a piece of what would be right
    ('listen = "localhost"', "listen", "'localhost'", "HOST:PORT"),
    ('listen = "localhost:http"', "listen", "'localhost:http'", "HOST:PORT"),
    ('listen = "localhost:70000"', "listen", "'localhost:70000'", "HOST:PORT"),
    ('listen = ":50051"', "listen", "':50051'", "HOST:PORT"),
    ("listen = 50051", "listen", "50051", "string"),
    ('transport = "http"', "transport", "'http'", "'grpcio'"),
    ('executor = "nothing"', "executor", "'nothing'", "serial"),
    ("drain = 0", "drain", "0", "greater than 0"),
    ("drain = -1", "drain", "-1", "greater than 0"),
    ('drain = "soon"', "drain", "'soon'", "'5s'"),
    ('drain = "1e9s"', "drain", "'1e9s'", "'5s'"),
    ("drain = nan", "drain", "nan", "greater than 0"),
    ("drain = inf", "drain", "inf", "less than or equal"),
    ("[limits]\ncalls = 0", "limits.calls", "0", "greater than or equal to 1"),
    ('[limits]\ncalls = "many"', "limits.calls", "'many'", "integer"),
    ("[limits]\ncalls = 2.5", "limits.calls", "2.5", "integer"),
    ('[limits]\nmessage = "64 megabytes"', "limits.message", "'64 megabytes'", "'64MiB'"),
    ("[limits]\nmessage = 10", "limits.message", "10", "1024"),
    ('[limits]\nmessage = "4GiB"', "limits.message", "'4GiB'", "1073741824"),
    ("[limits]\ndepth = 0", "limits.depth", "0", "greater than or equal to 1"),
    ("[limits]\ndepth = 5000", "limits.depth", "5000", "500"),
    ("[limits]\ncall = 1", "limits.call", "", "did you mean 'calls'"),
    ('listne = "127.0.0.1:1"', "listne", "", "did you mean 'listen'"),
    ("surprise = 1", "surprise", "", "there is"),
    ('[tls]\ncertificate = "a.pem"', "tls.key", "", "required"),
    ('[tls]\ncertificate = "a"\nkey = "b"\nca = "c"', "tls.ca", "", "client_ca"),
    ('[errors]\ntraceback = "sometimes"', "errors.traceback", "'sometimes'", "'auto'"),
    ('[log]\nlevel = "loud"', "log.level", "'loud'", "'debug'"),
    ("[[expose]]\nfunctions = []", "expose.0.functions", "[]", "at least 1"),
    ('[[expose]]\nfunctions = "math.*"', "expose.0.functions", "'math.*'", "tuple"),
    ('[[expose]]\nfunctions = ["math"]', "expose.0.functions", "'math'", "module.*"),
    ('[[expose]]\nfunctions = ["math.*", "a b.c"]', "expose.0.functions", "'a b.c'", "module.function"),
    ('[[expose]]\nfunctions = ["*"]', "expose.0.functions", "'*'", "module.*"),
    ('[[expose]]\nfunctions = ["math.*"]\nexecutor = "gpu"', "expose.executor", "'gpu'", "there is"),
    ('[[expose]]\nfunctions = ["math.*"]\ntimeout = "0s"', "expose.0.timeout", "'0s'", "greater than 0"),
    ('[[expose]]\nfunctions = ["math.*"]\ntimeuot = 1', "expose.0.timeuot", "", "timeout"),
    ('[executors.cpu]\nkind = "fast"', "executors.cpu.kind", "'fast'", "'serial'"),
    ("[executors.cpu]\nqueue = -1", "executors.cpu.queue", "-1", "greater than or equal to 0"),
    ('[executors.cpu]\nthread = "any"', "executors.cpu.thread", "'any'", "'dedicated'"),
    ('[executors.cpu]\nkind = "serial"\nworkers = 2', "executors.cpu", "", "workers is for kind"),
    ('[executors.threads]\nkind = "serial"', "executors", "'threads'", "name it otherwise"),
    ("[executors.threads]\nworkers = 2", "executors.threads", "", "this is 'threads'"),
    ("[executors.CPU]\nqueue = 1", "executors", "'CPU'", "lower-case"),
    ('[auth]\ntoken = "x"', "auth.token", "", "did you mean 'tokens'"),
    ('listen = "0.0.0.0:50051"', "listen", "0.0.0.0:50051", "--insecure"),
]


@pytest.mark.parametrize(("text", "key", "value", "right"), WRONG, ids=[text for text, *_ in WRONG])
def test_a_wrong_setting_is_told_by_its_key_its_value_and_what_would_be_right(text, key, value, right):
    said = complaint(text)
    assert said.startswith(f"given.toml: {key}")
    assert value in said
    assert right in said
    assert "pydantic" not in said
    assert "Value error" not in said


def test_all_that_is_wrong_is_told_at_once():
    said = complaint('listen = "x"\ndrain = 0\n[limits]\ncalls = 0')
    assert len(said.splitlines()) == 3


def test_a_very_long_value_is_cut():
    assert len(complaint(f'listen = "{"x" * 10_000}"')) < 500


def test_a_file_that_is_no_toml_is_told_with_the_place():
    said = complaint("listen = \n")
    assert said.startswith("given.toml is not TOML")
    assert "line 1" in said


def test_a_file_that_is_no_text_is_told(tmp_path):
    file = tmp_path / "binary.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings(file, {})


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(SettingsError, match=r"missing\.toml cannot be read: No such file"):
        load_settings(Path("missing.toml"), {})


def test_a_folder_is_no_settings_file(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path, {})


def test_without_any_settings_the_server_listens_on_loopback_and_exposes_nothing():
    settings = load_settings(None, {})
    assert is_loopback(settings.listen)
    assert settings.expose == ()
    assert not settings.insecure
    assert not settings.allow_unsafe


def test_the_file_in_the_working_folder_is_read():
    Path("callgate.toml").write_text('listen = "127.0.0.1:7"')
    assert load_settings(None, {}).listen == "127.0.0.1:7"


def test_a_flag_goes_before_the_environment_and_that_before_the_file(monkeypatch):
    text = 'listen = "127.0.0.1:1"\ndrain = 1\n[limits]\ncalls = 1\ndepth = 1'
    monkeypatch.setenv("CALLGATE_LISTEN", "127.0.0.1:2")
    monkeypatch.setenv("CALLGATE_LIMITS__CALLS", "2")
    settings = load(text, {"listen": "127.0.0.1:3"})
    assert (settings.listen, settings.limits.calls, settings.limits.depth, settings.drain) == ("127.0.0.1:3", 2, 1, 1.0)


def test_a_wrong_variable_is_told_by_its_key(monkeypatch):
    monkeypatch.setenv("CALLGATE_LIMITS__CALLS", "lots")
    with pytest.raises(SettingsError, match=r"limits\.calls = 'lots'"):
        load_settings(None, {})
    monkeypatch.setenv("CALLGATE_LIMITS", "{")
    with pytest.raises(SettingsError, match="JSON"):
        load_settings(None, {})


def test_the_clients_variables_are_not_the_servers(monkeypatch):
    monkeypatch.setenv("CALLGATE_SERVER", "localhost:1")
    monkeypatch.setenv("CALLGATE_TOKEN", "secret")
    assert load_settings(None, {}).listen == "127.0.0.1:50051"


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5.0), ("250ms", 0.25), ("2m", 120.0), ("1h", 3600.0), ("1.5s", 1.5), (" 3s ", 3.0)]
)
def test_durations_are_written_as_people_write_them(text, seconds):
    assert load(f'drain = "{text}"').drain == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("64MiB", 64 << 20), ("1GiB", 1 << 30), ("512KB", 512 << 10), ("4096", 4096), ("1.5M", 3 << 19), ("2048B", 2048)],
)
def test_sizes_are_written_as_people_write_them(text, size):
    assert load(f'[limits]\nmessage = "{text}"').limits.message == size


def test_settings_do_not_change():
    settings = load_settings(None, {})
    with pytest.raises(ValidationError):
        settings.insecure = True
    with pytest.raises(ValidationError):
        settings.limits.calls = 1


@pytest.mark.parametrize(
    ("listen", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/tmp/x", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("localhost.example.org:1", False),
        ("127.0.0.1.example.org:1", False),
        ("2130706433:1", False),
        ("[::ffff:10.0.0.1]:1", False),
    ],
)
def test_what_other_machines_can_reach_is_not_taken_for_loopback(listen, loopback):
    assert is_loopback(listen) is loopback
