"""What README shows, works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import callgate
from callgate_server.settings import load_settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def block(language: str, containing: str) -> str:
    """README's one code block of a language that has these words."""
    found = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in text]
    assert len(found) == 1, f"README has {len(found)} {language} blocks with {containing!r}"
    return found[0]


def test_the_python_snippet_runs_and_says_what_its_comments_say(serve, capsys):
    code = block("python", "callgate.connect")
    server = serve(
        expose=[{"functions": ("math.*", "json.dumps", "examples.countdown.*")}],
        path=(ROOT,),
    )
    exec(compile(code.replace("localhost:50051", server.address), "README.md", "exec"), {})
    assert capsys.readouterr().out == "math domain error\n"
    with callgate.connect(server.address) as gate:
        shown = re.findall(r"^    ((?:list\()?gate\.\S.*\)) +# ([\d.]+|\[[\d, ]+\])", code, re.MULTILINE)
        assert len(shown) >= 2
        for expression, value in shown:
            assert eval(expression, {"gate": gate}) == eval(value), expression


def test_the_function_of_the_users_own_can_be_served_and_called(serve, tmp_path):
    (tmp_path / "readme_pricing.py").write_text(block("python", "def quote"))
    server = serve(shared=False, expose=[{"functions": ("readme_pricing.*",)}], path=(tmp_path,))
    with callgate.connect(server.address) as gate:
        items = [{"price": 2.5, "quantity": 2}, {"price": 1.0}]
        assert gate.call("readme_pricing", "quote", items, discount=0.5) == {"total": 3.0}


def test_the_settings_file_is_one(tmp_path):
    path = tmp_path / "callgate.toml"
    path.write_text(block("toml", "[[expose]]"))
    settings = load_settings(path, {})
    assert settings.expose[1].timeout == 5.0
    assert settings.executors["cpu"].kind == "processes"


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^\$ make (\w+)|`make (\w+)`", README, re.MULTILINE))))
def test_every_make_target_that_it_names_is_there(command):
    name = command[0] or command[1]
    assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
