"""A process that has used sub-interpreters ends as any other: at once, with its own exit code."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 13), reason="sub-interpreters need CPython 3.13"),
    pytest.mark.slow,
]

MODULE = """
import threading, time, _thread
from concurrent.futures import ThreadPoolExecutor

def nothing(): pass
def spin(path):
    open(path, "w").close()
    while True: pass
def sleep(path):
    open(path, "w").close()
    time.sleep(60)
pool = ThreadPoolExecutor(2)
def use_pool(): pool.submit(int).result()
def leave_thread(): threading.Thread(target=time.sleep, args=(60,)).start()
def leave_raw_thread(): _thread.start_new_thread(time.sleep, (60,))
"""

PROGRAM = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from callgate_server.crossing import pack
from callgate_server.executors.interpreter_pool import InterpreterPool
name, how, fifo = sys.argv[2:]
pool = InterpreterPool(2, ())
workers, problems = pool.make([("leaver", name)])
assert not problems, problems
pool.replace(workers)
def call(*args):
    worker = pool.take(("leaver", name))
    number = worker.begin()
    try:
        worker.call(pack((number, ("leaver", name), list(args), {}, "id", "me", None, ())))
    finally:
        worker.finish()
        pool.give_back(worker)
if name in ("spin", "sleep"):
    threading.Thread(target=call, args=(fifo,), daemon=True).start()
    open(fifo).close()
else:
    call()
if how == "closed":
    pool.close()
sys.exit(7)
"""


@pytest.mark.parametrize("how", ["closed", "left open"])
@pytest.mark.parametrize("name", ["nothing", "spin", "sleep", "use_pool", "leave_thread", "leave_raw_thread"])
def test_the_process_exits_with_its_own_code(tmp_path, name, how):
    import os

    (tmp_path / "leaver.py").write_text(MODULE)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), name, how, str(fifo)], capture_output=True, timeout=30, text=True
    )
    assert ended.returncode == 7, ended.stderr
    assert "Fatal" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ("threads behind" in ended.stdout + ended.stderr) == name.startswith("leave_")
