"""Functions that do to their worker what real ones do, by accident or not. Standard library only."""

import ctypes
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time

import callgate


def tell(path, text="x"):
    """Write to a FIFO that a test reads."""
    with open(path, "w") as file:
        file.write(text)


def wait(path):
    """Take one byte off a FIFO: not more, others wait for theirs."""
    fd = os.open(path, os.O_RDONLY)
    os.read(fd, 1)
    os.close(fd)


# ------------------------------------------------------------------------------------------------------------- crashes


def segfault():
    ctypes.string_at(0)


def exit_with(code):
    os._exit(code)


def abort():
    os.abort()


def kill_self():
    os.kill(os.getpid(), signal.SIGKILL)


def own_sockets():
    """The descriptors of this process's sockets: how a stray `os.closerange` or a wild write hits them."""
    return [int(fd) for fd in os.listdir("/proc/self/fd") if is_socket(int(fd))]


def is_socket(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError:
        return False


def close_sockets_and_stay():
    for fd in own_sockets():
        os.close(fd)
    while True:
        signal.pause()


def write_to_sockets(data):
    for fd in own_sockets():
        os.write(fd, data)
    while True:
        signal.pause()


def announce_two_exabytes():
    write_to_sockets(struct.pack("!2sBBIQQ", b"cg", 5, 0, 0, 1 << 61, 1))


def answer_another_call():
    write_to_sockets(struct.pack("!2sBBIQQ", b"cg", 5, 0, 0, 0, 1 << 60))


def answer_with_a_broken_status(number):
    write_to_sockets(struct.pack("!2sBBIQQ", b"cg", 6, 0, 0, 3, number) + b"\xff\xff\xff")


def fork_and_segfault(told):
    """What multiprocessing's fork leaves behind: a child that has the worker's descriptors."""
    child = os.fork()
    if child == 0:
        signal.pause()
    tell(told, str(child))
    segfault()


def start_child_and_spin(told):
    child = subprocess.Popen(["sleep", "1000"])
    tell(told, str(child.pid))
    while True:
        pass


def crash_if(path):
    if os.path.exists(path):
        os._exit(3)
    return "survived"


def exit_unless(good):
    if not good:
        os._exit(3)


def say_and_abort(text):
    sys.stderr.write(text)  # no newline, no flush
    sys.stderr.flush()
    os.abort()


# ---------------------------------------------------------------------------------------------------------------- hangs


def spin(told=None):
    if told:
        tell(told)
    while True:
        pass


def use_cpu(seconds):
    """Compute until this process has had so many seconds of a CPU in all."""
    while time.process_time() < seconds:
        pass


def spin_and_swallow(told):
    tell(told)
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def sleep(told, seconds):
    tell(told)
    time.sleep(seconds)


def stuck_in_c(told, holding_the_gil=False):
    """Code that no Python exception reaches."""
    tell(told)
    if holding_the_gil:
        ctypes.PyDLL(None).pause()
    hashlib.pbkdf2_hmac("sha256", b"x", b"x", 2_000_000_000)


def ignore_signals_and_hang(told):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    tell(told)
    while True:
        time.sleep(1000)


def hold(told, release):
    tell(told)
    wait(release)
    return os.getpid()


def until_cancelled(told, saw):
    tell(told)
    while not callgate.current_call().cancelled:
        time.sleep(0)
    tell(saw)


# ---------------------------------------------------------------------------------------------------------------- plain


def pid():
    return os.getpid()


def add(a, b):
    return a + b


def same(value):
    return value


def size(value):
    return len(value)


def modules():
    return sorted(sys.modules)


def paths():
    return [sys.executable, sys.prefix, list(sys.path)]


def version():
    return list(sys.version_info[:2])


def limits():
    import resource

    kinds = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE)
    return [resource.getrlimit(kind)[0] for kind in kinds]


def allocate(count):
    return len(bytearray(count))


def open_files(count):
    files = [open(os.devnull) for _ in range(count)]  # noqa: SIM115 -- held open on purpose
    for file in files:
        file.close()
    return len(files)


_kept = []


def keep(count):
    _kept.append(bytearray(os.urandom(1024)) * (count // 1024))
    return os.getpid()


def say(text, error=False):
    print(text, file=sys.stderr if error else sys.stdout)
    return os.getpid()


def print_without_end(told):
    tell(told)
    while True:
        print("x" * 1000)


def signals_survived():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)
    return True


def make_connection():
    """A socket of the function's own, to see that it is not mistaken for one of the worker's."""
    one, other = socket.socketpair()
    one.send(b"x")
    return other.recv(1)


def session():
    return [os.getpid(), os.getsid(0)]


def fork_and_terminate():
    import multiprocessing
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this process has a second thread, and the child does next to nothing
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,))
        child.start()
    child.terminate()
    child.join()
    return child.exitcode


# -------------------------------------------------------------------------------------------------------------- streams


def count(stop):
    yield from range(stop)


def count_and_crash(after):
    yield from range(after)
    os._exit(3)


def pids():
    while True:
        yield os.getpid()


def crash_when_closed():
    try:
        yield 1
        yield 2
    finally:
        os._exit(4)


def hang_when_closed():
    try:
        yield 1
        yield 2
    finally:
        while True:
            try:
                time.sleep(1000)
            except BaseException:
                pass


def hang_up(after):
    """Answer, and take no further request: what is sent from now on fails before anybody could read it."""
    socket.socket(fileno=os.dup(int(sys.argv[-2]))).shutdown(socket.SHUT_RD)
    return after
