"""Fuzzes the decoder under atheris: whatever the bytes, a value or a ValueDecodeError, soon and in bounded memory.

    python -m tests.fuzz.decode_value [SECONDS] [libFuzzer options]

Starts from the golden values, and stops with a non-zero exit and the offending input at an exception that is no
ValueDecodeError, at an input that takes more than 100 ms of this process's time (taken again first, in case the machine
was busy), at one that fails to encode again what it decoded, at numbers that cannot be shown or computed with, or
beyond 1 GiB of memory.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["callgate"]):
    from callgate.buffers import Tensor
    from callgate.errors import ValueDecodeError
    from callgate.v1 import function_service_pb2 as pb_call
    from callgate.v1 import value_pb2 as pb
    from callgate.values import _compiled, decode, decode_arguments, encode

import numpy  # loaded now: the first tensor must not pay for it
from google.protobuf.message import DecodeError

SECONDS = 60
#: Of CPU time, for one input of at most 64 KiB.
LIMIT = 0.1
_INPUT_BYTES = 64 << 10
_MEMORY_MB = 1024
#: Up to how many bytes of long doubles are read as Decimals, some of which take 2 ms; arbitrary.
_FEW_BYTES = 256


def check(data: bytes) -> None:
    """Decode one input.

    Raises:
        Exception: if the decoder does what it should not.
    """
    spent = _decode(data)
    if spent > LIMIT:
        spent = min(spent, _decode(data), _decode(data))
        if spent > LIMIT:
            raise RuntimeError(f"an input of {len(data)} bytes takes {spent * 1e3:.0f} ms")


def _decode(data: bytes) -> float:
    _decode_call(data)
    found = _compiled.decode(data, 0, 100, 10_000_000)  # also what protobuf's parser would refuse
    try:
        message = pb.Value.FromString(data)
    except DecodeError:
        if found is not None:
            raise RuntimeError("the compiled decoder takes what protobuf's parser refuses") from None
        return 0.0
    began = time.process_time()
    try:
        value = decode(message)
    except ValueDecodeError as error:
        str(error)
        return time.process_time() - began
    spent = time.process_time() - began
    if found is not None and repr(found[0]) != repr(value):
        raise RuntimeError(f"the compiled decoder reads {found[0]!r}, and not {value!r}")
    encode(value)  # what Python could hold can be sent back
    _use(value)
    return spent


def _decode_call(data: bytes) -> None:
    """The same bytes as a request: C takes less than protobuf's parser, and reads it alike."""
    found = _compiled.call(data, 100, 10_000_000)
    if found is None:
        return
    message = pb_call.CallFunctionRequest.FromString(data)
    args, kwargs = decode_arguments(message.args, message.kwargs)
    if repr((message.module, message.function, args)) != repr(found[:3]) or repr(kwargs) != repr(
        {name: found[3][name] for name in kwargs}
    ):
        raise RuntimeError(f"the compiled decoder reads {found!r}, and not {(args, kwargs)!r}")


def _use(value: Any) -> None:
    """Show numbers and compute with them: long doubles have bit patterns that libraries disagree about."""
    if isinstance(value, numpy.ndarray | numpy.generic) and value.dtype.kind in "fc":
        with numpy.errstate(all="ignore"):
            repr(value)
            repr(numpy.multiply(value, value))
    elif isinstance(value, Tensor) and value.dtype.startswith("longdouble[") and len(value.data) <= _FEW_BYTES:
        with contextlib.suppress(ValueError):  # empty, and too many lists
            value.tolist()  # of another machine's


def _own_long_doubles() -> list[object]:
    """This machine's, of which the golden values may have none."""
    third = numpy.longdouble(1) / 3
    return [numpy.full((2, 2), third), third, numpy.full(3, third - 2j), numpy.clongdouble(third)]


def _tables() -> list[object]:
    """Arrow's values, where pyarrow is: its own reader is native code, and trusted with nothing unchecked."""
    try:
        import pyarrow
    except ImportError:
        return []
    table = pyarrow.table({"n": [1, None], "s": ["a", "b"], "l": [[1], []]})
    return [table, table.to_batches()[0], pyarrow.array([1.5, None]), pyarrow.array(["x", "y"]).dictionary_encode()]


def main() -> None:
    """Run for the seconds that the first argument says."""
    arguments = sys.argv[1:]
    seconds = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else SECONDS
    with tempfile.TemporaryDirectory() as corpus:
        from tests.conformance.golden_values import CASES

        for index, value in enumerate([*(value for _, _, value in CASES), *_own_long_doubles(), *_tables()]):
            (Path(corpus) / str(index)).write_bytes(encode(value).SerializeToString())
            call = pb_call.CallFunctionRequest(module="m", function="f", args=[encode(value)])
            (Path(corpus) / f"{index}-call").write_bytes(call.SerializeToString())
        options = [
            f"-max_total_time={seconds}", f"-rss_limit_mb={_MEMORY_MB}", f"-max_len={_INPUT_BYTES}", "-timeout=10",
            "-print_final_stats=1", *arguments, corpus,
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *options], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
