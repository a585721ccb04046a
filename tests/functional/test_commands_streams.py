"""`callgate call` of a stream and of a file of calls, from outside."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.functional.server_process import CALLGATE, ServerProcess, callgate_command

# Each starts processes, and an interpreter with grpc takes half a second to start.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def server():
    served = Path(__file__).parent / "served" / "batched_functions.py"
    with ServerProcess("math", str(served), "examples/", cwd=ROOT) as process:
        yield process


def command(server, *arguments, stdin=""):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CALLGATE_")}
    return subprocess.run(
        [CALLGATE, "call", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**environment, "CALLGATE_SERVER": server.address, "COLUMNS": "200", "NO_COLOR": "1"},
    )


def parsed(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_streams_items_come_each_on_a_line(server):
    done = callgate_command("call", "examples.countdown.down", "3", server=server)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n2\n1\n", "")
    assert callgate_command("call", "batched_functions.count", "2", "--json", server=server).stdout == "0\n1\n"


def test_a_stream_that_fails_prints_the_items_before_and_ends_with_the_exception(server):
    done = callgate_command("call", "batched_functions.count_then_fail", "2", server=server)
    assert (done.returncode, done.stdout) == (1, "0\n1\n")
    assert "LookupError: no more" in done.stderr


def test_a_stream_whose_reader_leaves_ends_quietly(server):
    environment = {**os.environ, "CALLGATE_SERVER": server.address}
    with subprocess.Popen(
        [CALLGATE, "call", "batched_functions.count_forever"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


def test_a_file_of_calls_is_answered_line_by_line_in_order(server, tmp_path):
    lines = [
        "[1, 2]",
        '{"args": [3], "kwargs": {"of": 4}}',
        '{"kwargs": {"a": null}}',
        '"text"',
        '{"other": 1}',
        "",
        "7",
    ]
    file = tmp_path / "calls.jsonl"
    file.write_text("\n".join(lines) + "\n")
    done = command(server, "batched_functions.many", "--map", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert parsed(done.stdout) == [
        {"index": 0, "result": [[1, 2], {}]},
        {"index": 1, "result": [[3], {"of": 4}]},
        {"index": 2, "result": [[], {"a": None}]},
        {"index": 3, "result": [["text"], {}]},
        {"index": 4, "result": [[{"other": 1}], {}]},
        {"index": 5, "result": [[7], {}]},
    ]


def test_calls_that_fail_are_told_in_place_and_exit_code_1(server):
    done = command(server, "math.sqrt", "--map", "-", stdin="4.0\n-1.0\nnonsense\n[1, 2]\n9.0\n")
    assert done.returncode == 1
    answers = parsed(done.stdout)
    assert [answer["index"] for answer in answers] == [0, 1, 2, 3, 4]
    assert (answers[0]["result"], answers[4]["result"]) == (2.0, 3.0)
    assert answers[1]["error"]["type"] == "ValueError"
    assert answers[2]["error"]["message"].startswith("line 3 is not JSON")
    assert answers[3]["error"]["code"] in ("INVALID_ARGUMENT", "UNKNOWN")
    assert "Traceback" not in done.stderr


def test_a_result_without_json_form_fails_alone(server):
    done = command(server, "batched_functions.complex_of", "--map", "-", stdin="[1, 2]\n[1, 0]\n")
    assert done.returncode == 1
    assert [sorted(answer) for answer in parsed(done.stdout)] == [["error", "index"], ["index", "result"]]


def test_thousands_of_lines_all_come_back(server):
    done = command(server, "math.sqrt", "--map", "-", stdin="".join(f"{n * n}\n" for n in range(20_000)))
    assert parsed(done.stdout) == [{"index": n, "result": float(n)} for n in range(20_000)]


def test_a_file_that_is_not_there_and_arguments_beside_it_are_usage_errors(server, tmp_path):
    done = command(server, "math.sqrt", "--map", str(tmp_path / "nowhere.jsonl"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere.jsonl" in done.stderr
    assert command(server, "math.sqrt", "1", "--map", "-").returncode == 2


def test_a_terminal_shows_progress_beside_the_answers(server, tmp_path):
    file = tmp_path / "calls.jsonl"
    file.write_text("".join(f"{n}\n" for n in range(2_000)))
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CI")}
    with subprocess.Popen(
        [CALLGATE, "call", "math.sqrt", "--map", str(file)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        env={**environment, "CALLGATE_SERVER": server.address, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(theirs)
        answers = process.stdout.read()
        assert process.wait(20) == 0
    drawn = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert len(answers.splitlines()) == 2_000
    assert "math.sqrt" in drawn
    assert "/2000" in drawn
