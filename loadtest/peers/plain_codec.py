"""How the five functions travel where gRPC's user brings a schema: each has messages of its own, nothing is generic.

The cheapest that a user could write by hand, which favours the peers: a well-known wrapper for a number, JSON for a
record, raw bytes for an array whose type and shape both sides know.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["SERVICE", "decoders", "encoders"]

SERVICE = "peers.Functions"

_Encode = Callable[[Any], bytes]
_Decode = Callable[[bytes], Any]


def encoders() -> dict[str, _Encode]:
    """A value of each function as bytes."""
    from google.protobuf.wrappers_pb2 import DoubleValue, Int64Value

    return {
        "sqrt": lambda value: DoubleValue(value=value).SerializeToString(),
        "record": lambda value: json.dumps(value).encode(),
        "scaled": lambda value: value.tobytes(),
        "burn": lambda value: Int64Value(value=value).SerializeToString(),
        "nap": lambda value: DoubleValue(value=value).SerializeToString(),
    }


def decoders() -> dict[str, _Decode]:
    """Each function's value back from bytes."""
    import numpy
    from google.protobuf.wrappers_pb2 import DoubleValue, Int64Value

    return {
        "sqrt": lambda data: DoubleValue.FromString(data).value,
        "record": json.loads,
        "scaled": lambda data: numpy.frombuffer(data, "float64"),
        "burn": lambda data: Int64Value.FromString(data).value,
        "nap": lambda data: DoubleValue.FromString(data).value,
    }
