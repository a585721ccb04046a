"""The commands from outside: what they print, where, and how they exit."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import callgate
import tests.conftest
from tests.functional.certificates import Authority
from tests.functional.server_process import ServerProcess, callgate_command

# Each starts processes, and an interpreter with grpc takes half a second to start.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """What `make run` serves."""
    with ServerProcess("math", "statistics", "json.dumps", "builtins.len", "examples/", cwd=ROOT) as process:
        yield process


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module of the user's own."""
    path = tmp_path / "mymodule.py"
    path.write_text(
        '''
import json as _json
from json import dumps          # imported, not defined here: must not be exposed
import threading, time

def greet(name: str = "world", *, loud: bool = False) -> str:
    """Greet someone."""
    return f"hello {name}" + "!" * loud

def _private():
    return 1

def wait(seconds: float) -> str:
    time.sleep(seconds)
    return "waited"

def where() -> str:
    return __file__
''',
        "utf-8",
    )
    return path


# serve: what it prints


def test_serve_prints_address_what_it_exposes_with_which_executor_and_a_line_that_works(server: ServerProcess) -> None:
    match = server.stdout.wait_for(re.compile(r"^try:.*$", re.MULTILINE), 10)
    assert match is not None
    banner, address = server.stdout.text(), server.address
    assert f"serves on {address} ({tests.conftest.transport}, plain text)" in banner
    assert "examples.shapes" in banner
    assert "[default]" in banner
    assert "executor default: serial, one call at a time" in banner
    line = match[0]
    assert line == f"try:  callgate call math.sqrt 16.0 --server {address}"
    done = callgate_command(*line.split()[2:])
    assert (done.returncode, done.stdout, done.stderr) == (0, "4.0\n", "")


def test_a_unix_socket_serves_and_is_called(tmp_path: Path) -> None:
    with ServerProcess("math", "--listen", f"unix:{tmp_path}/gate.sock") as server:
        assert server.address == f"unix:{tmp_path}/gate.sock"
        assert callgate_command("call", "math.sqrt", "9", server=server).stdout == "3.0\n"


def test_a_port_in_use_is_exit_code_12_and_says_what_to_do(server: ServerProcess) -> None:
    done = callgate_command("serve", "math", "--listen", server.address)
    assert done.returncode == 12
    assert server.address in done.stderr
    assert "--listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_beyond_loopback_without_tls_and_authentication_it_refuses_to_start() -> None:
    done = callgate_command("serve", "math", "--listen", "0.0.0.0:0")
    assert done.returncode == 10
    assert "0.0.0.0:0" in done.stderr
    assert "--insecure" in done.stderr
    assert "--tls-cert" in done.stderr


def test_serving_nothing_is_refused() -> None:
    done = callgate_command("serve", "--listen", "127.0.0.1:0")
    assert done.returncode == 10
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("target", ["os", "subprocess.run", "builtins.eval", "builtins.*", "importlib.*"])
def test_a_shell_in_disguise_is_refused(target: str) -> None:
    done = callgate_command("serve", target, "--listen", "127.0.0.1:0")
    assert done.returncode == 10
    assert target.partition(".")[0] in done.stderr
    assert "Traceback" not in done.stderr


# serve: functions of the user's own


def test_a_file_is_served_with_what_it_defines_and_nothing_it_imports(module: Path) -> None:
    with ServerProcess("mymodule.py", cwd=module.parent) as server:
        assert callgate_command("call", "mymodule.greet", "'Ada'", "--kw", "loud=true", server=server).stdout == (
            "'hello Ada!'\n"
        )
        listed = callgate_command("list", server=server).stdout
        assert "mymodule.greet" in listed
        assert "_private" not in listed
        assert "dumps" not in listed
        assert callgate_command("call", "mymodule.dumps", "1", server=server).returncode == 3


def test_a_package_folder_is_served_module_by_module(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("", "utf-8")
    (package / "prices.py").write_text("def vat(net: float) -> float:\n    return net * 1.2\n", "utf-8")
    (package / "_hidden.py").write_text("def no():\n    return 1\n", "utf-8")
    with ServerProcess("shop/", cwd=tmp_path) as server:
        assert callgate_command("call", "shop.prices.vat", "10.0", server=server).stdout == "12.0\n"
        assert "_hidden" not in callgate_command("list", server=server).stdout


def test_path_adds_a_folder_to_import_from(module: Path) -> None:
    with ServerProcess("mymodule", "--path", str(module.parent)) as server:
        assert callgate_command("call", "mymodule.where", server=server).stdout == f"{str(module)!r}\n"


def test_venv_adds_an_environments_packages(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=60)
    packages = next(venv.glob("lib/python*/site-packages"))
    (packages / "installed_there.py").write_text("def here():\n    return 'in the venv'\n", "utf-8")
    with ServerProcess("installed_there", "--venv", str(venv)) as server:
        assert callgate_command("call", "installed_there.here", server=server).stdout == "'in the venv'\n"


@pytest.mark.parametrize("option", ["--path", "--venv"])
def test_a_folder_that_is_not_there_is_exit_code_10_and_named(option: str, tmp_path: Path) -> None:
    done = callgate_command("serve", "math", option, str(tmp_path / "nowhere"), "--listen", "127.0.0.1:0")
    assert done.returncode == 10
    assert f"{tmp_path}/nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    serve = ("serve", "math", "--listen", "127.0.0.1:0")
    under = _without_the_right_to_read_everything()
    by_flag = callgate_command(*serve, "--path", str(closed), under=under)
    by_setting = callgate_command(*serve, env={"CALLGATE_PATH": json.dumps([str(closed)])}, under=under)
    assert (by_flag.returncode, by_setting.returncode) == (2, 10)
    for done in (by_flag, by_setting):
        assert str(closed) in done.stderr
        assert "Traceback" not in done.stderr


def _without_the_right_to_read_everything() -> tuple[str, ...]:
    """What to run a command under so that file modes hold for it: only root needs anything."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    assert setpriv, "as root this test needs setpriv (util-linux)"
    return setpriv, "--bounding-set=-dac_override,-dac_read_search"


def test_a_path_that_is_a_file_is_exit_code_10_and_named(module: Path) -> None:
    done = callgate_command("serve", "math", "--path", str(module), "--listen", "127.0.0.1:0")
    assert done.returncode == 10
    assert str(module) in done.stderr


def test_a_file_that_is_not_there_is_exit_code_11_and_named(tmp_path: Path) -> None:
    done = callgate_command("serve", "missing.py", "--listen", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 11
    assert "missing.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = callgate_command("serve", "no_such_module", "--listen", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 10
    assert "no_such_module" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import json\n\nundefined_name\n", "NameError: name 'undefined_name' is not defined"),
        ("import not_installed_here\n", "ModuleNotFoundError: No module named 'not_installed_here'"),
        ("def broken(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
    ids=["name", "import", "syntax", "exit"],
)
def test_a_module_that_fails_to_import_is_exit_code_11_with_its_traceback(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(text, "utf-8")
    done = callgate_command("serve", "broken.py", "--listen", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 11
    assert said in done.stderr
    assert str(tmp_path / "broken.py") in done.stderr  # the traceback leads to the user's line
    assert "callgate_server" not in done.stderr  # and not through ours
    assert "importlib" not in done.stderr


# serve: settings


def test_a_settings_file_says_it_all(module: Path) -> None:
    (module.parent / "callgate.toml").write_text(
        'listen = "127.0.0.1:0"\npath = ["."]\n[[expose]]\nfunctions = ["mymodule.greet"]\n', "utf-8"
    )
    with ServerProcess(cwd=module.parent, env={"CALLGATE_LISTEN": "127.0.0.1:0"}) as server:
        assert callgate_command("call", "mymodule.greet", server=server).stdout == "'hello world'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listne = 'x'\n", ["listne", "did you mean 'listen'"]),
        ("listen = 'nowhere'\n", ["listen", "'nowhere'", "HOST:PORT"]),
        ("[limits]\ncalls = 0\n", ["limits.calls", "0", "greater than or equal to 1"]),
        ("[limits]\nmessage = '64 furlongs'\n", ["limits.message", "'64 furlongs'", "64MiB"]),
        ("[[expose]]\nfunctions = ['math.*']\ntimeout = 'soon'\n", ["timeout", "'soon'", "5s"]),
        ("[[expose]]\nfunctions = ['math.*']\nexecutor = 'cpu'\n", ["executor", "'cpu'", "serial"]),
        ("listen = \n", ["not TOML", "line 1"]),
    ],
    ids=["key", "address", "number", "size", "duration", "executor", "toml"],
)
def test_a_wrong_settings_file_is_exit_code_10_naming_key_value_and_what_is_right(
    text: str, said: list[str], tmp_path: Path
) -> None:
    (tmp_path / "wrong.toml").write_text(text, "utf-8")
    done = callgate_command("serve", "math", "--config", "wrong.toml", cwd=tmp_path)
    assert done.returncode == 10
    for words in ["wrong.toml", *said]:
        assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_settings_file_that_is_not_there_is_exit_code_10(tmp_path: Path) -> None:
    done = callgate_command("serve", "math", "--config", "missing.toml", cwd=tmp_path)
    assert done.returncode == 10
    assert "missing.toml" in done.stderr


def test_flags_win_over_variables_and_variables_over_the_file(module: Path) -> None:
    (module.parent / "callgate.toml").write_text('listen = "127.0.0.1:1"\n[limits]\ncalls = 0\n', "utf-8")
    # The port from the flag; the limit, which is wrong in the file, from the variable.
    env = {"CALLGATE_LISTEN": "127.0.0.1:2", "CALLGATE_LIMITS__CALLS": "7"}
    with ServerProcess("mymodule.py", "--listen", "127.0.0.1:0", cwd=module.parent, env=env) as server:
        assert server.address not in ("127.0.0.1:1", "127.0.0.1:2")


# call, list, describe, health


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["math.sqrt", "16.0"], "4.0"),
        (["statistics.mean", "[1,2,3,4]"], "2.5"),
        (["math.fabs", "-2"], "2.0"),
        (["builtins.len", '"text"'], "4"),
        (["json.dumps", '{"a": [1, null, true]}', "--kw", "indent=None"], "'{\"a\": [1, null, true]}'"),
        (["examples.shapes.area", "2", "3", "--json"], "6"),
        (["examples.shapes.circle", "1", "--kw", "digits=1", "--json"], '{"area": 3.1, "circumference": 6.3}'),
    ],
)
def test_call_prints_what_the_function_returns(server: ServerProcess, arguments: list[str], printed: str) -> None:
    done = callgate_command("call", *arguments, server=server)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{printed}\n", "")


def test_every_way_to_fail_has_its_exit_code_and_says_why_on_standard_error(server: ServerProcess) -> None:
    expected = {
        ("math.sqrt", "-1.0"): (1, "ValueError"),
        ("sqrt", "16.0"): (2, "MODULE.FUNCTION"),
        ("math.sqrt", "sixteen"): (2, "neither a Python literal nor JSON"),
        ("math.sqrt", "16.0", "--kw", "x"): (2, "NAME=VALUE"),
        ("math.sqrtt", "16.0"): (3, "math.sqrt"),  # what it may have meant
        ("os.system", "'true'"): (3, "os.system"),
        ("examples.countdown.slowly", "1000", "--timeout", "0.2"): (5, "deadline"),
        ("examples.shapes.circle",): (6, "radius"),
    }
    for arguments, (code, said) in expected.items():
        done = callgate_command("call", *arguments, server=server)
        assert (done.returncode, done.stdout) == (code, ""), (arguments, done)
        assert said in done.stderr, (arguments, done)
        assert 'File "' not in done.stderr, (arguments, done)


def test_without_a_server_it_is_exit_code_4_and_says_where_it_looked() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there, and nobody else can
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = callgate_command("health", "--server", address, "--timeout", "0.5")
    assert done.returncode == 4
    assert address in done.stderr
    assert "Traceback" not in done.stderr


def test_list_shows_functions_with_their_signatures(server: ServerProcess) -> None:
    done = callgate_command("list", server=server)
    assert done.returncode == 0
    assert "math.sqrt(x, /)" in done.stdout
    assert "examples.shapes.area(width: float, height: float | None = None) -> float" in done.stdout
    assert "down" in done.stdout
    only = callgate_command("list", "json", server=server)
    assert [line.split("(")[0] for line in only.stdout.splitlines()] == ["json.dumps"]


def test_list_as_json_is_for_machines(server: ServerProcess) -> None:
    functions = json.loads(callgate_command("list", "examples.shapes", "--json", server=server).stdout)
    area = next(function for function in functions if function["function"] == "area")
    assert area["module"] == "examples.shapes"
    assert [parameter["name"] for parameter in area["parameters"]] == ["width", "height"]
    assert [parameter["required"] for parameter in area["parameters"]] == [True, False]


def test_describe_shows_signature_documentation_and_executor(server: ServerProcess) -> None:
    done = callgate_command("describe", "math.sqrt", server=server)
    assert done.returncode == 0
    assert done.stdout.startswith("math.sqrt(x, /)\n")
    assert "square root" in done.stdout
    assert "serial" in done.stdout
    missing = callgate_command("describe", "math.nothing", server=server)
    assert (missing.returncode, missing.stdout) == (3, "")


def test_health_says_serving_for_the_server_and_its_service(server: ServerProcess) -> None:
    for arguments in ((), ("callgate.v1.FunctionService",)):
        done = callgate_command("health", *arguments, server=server)
        assert (done.returncode, done.stdout) == (0, "SERVING\n")


def test_health_of_a_service_that_is_not_there_fails(server: ServerProcess) -> None:
    done = callgate_command("health", "no.such.Service", server=server)
    assert done.returncode != 0


def test_version_and_help_name_the_exit_codes() -> None:
    assert callgate_command("--version").stdout == f"callgate {callgate.__version__}\n"
    help_text = callgate_command("--help").stdout
    for command in ("serve", "call", "list", "describe", "health", "token"):
        assert command in help_text
    assert "12 cannot listen" in " ".join(help_text.split())


# token


def test_token_prints_once_stores_a_hash_and_opens_the_server(tmp_path: Path) -> None:
    made = callgate_command("token", "ada", "--file", "tokens.txt", cwd=tmp_path)
    assert made.returncode == 0
    token = made.stdout.strip()
    stored = tmp_path / "tokens.txt"
    assert token not in stored.read_text("utf-8")
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    again = callgate_command("token", "ada", "--file", "tokens.txt", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    (tmp_path / "ada.token").write_text(f"{token}\n", "utf-8")

    with ServerProcess("math", "--tokens", "tokens.txt", cwd=tmp_path) as server:
        call = ("call", "math.sqrt", "16.0")
        assert callgate_command(*call, server=server).returncode == 7
        assert callgate_command(*call, server=server, env={"CALLGATE_TOKEN": "wrong"}).returncode == 7
        assert callgate_command(*call, server=server, env={"CALLGATE_TOKEN": token}).stdout == "4.0\n"
        done = callgate_command(*call, "--token-file", "ada.token", server=server, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "4.0\n")
        assert callgate_command("health", server=server).returncode == 7
        assert callgate_command("list", server=server).returncode == 7
        assert token not in server.stderr.text()


def test_tls_and_tokens_together_are_enough_to_listen_everywhere(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.server()
    made = callgate_command("token", "ada", "--file", "tokens.txt", cwd=tmp_path)
    # "localhost" is loopback, and what the certificate names; that 0.0.0.0 passes the same gate is the settings' test.
    arguments = ("--listen", "localhost:0", "--tls-cert", str(pair.certificate), "--tls-key", str(pair.key))
    with ServerProcess("math", *arguments, "--tokens", str(tmp_path / "tokens.txt")) as server:
        assert f"({tests.conftest.transport}, TLS, tokens)" in server.stdout.text()
        env = {"CALLGATE_TOKEN": made.stdout.strip()}
        trusting = ("--tls-ca", str(authority.certificate))
        done = callgate_command("call", "math.sqrt", "16.0", *trusting, server=server, env=env)
        assert (done.returncode, done.stdout) == (0, "4.0\n")
        assert callgate_command("health", *trusting, "--timeout", "10", server=server, env=env).stdout == "SERVING\n"
        plain = callgate_command("health", "--timeout", "1", server=server, env=env)
        assert plain.returncode == 4


@pytest.mark.parametrize(
    ("command", "default"), [("serve", "(default: 127.0.0.1:50051)"), ("call", "$CALLGATE_SERVER")]
)
def test_help_tells_the_defaults(command: str, default: str) -> None:
    assert default in callgate_command(command, "--help").stdout
