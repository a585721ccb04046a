"""Callgate: call Python functions from a program in any language, over gRPC.

    import callgate

    with callgate.connect("localhost:50051") as gate:
        gate.call("math", "sqrt", 16.0)      # 4.0
        gate.module("math").sqrt(16.0)       # the same

Code that runs inside a served function needs only `current_call` and `StatusError`; importing this package loads
neither grpc nor protobuf until a client is asked for, so that functions can use it in workers and sub-interpreters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callgate._version import __version__
from callgate.batching import batched
from callgate.buffers import ArrowStream, Tensor
from callgate.context import CallContext, current_call
from callgate.errors import (
    CallgateError,
    Cancelled,
    DeadlineExceeded,
    Exhausted,
    FailedPrecondition,
    FunctionNotFound,
    GateError,
    InvalidCall,
    PermissionDenied,
    RemoteError,
    RemoteFrame,
    ServerFault,
    StatusError,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    ValueDecodeError,
    ValueFormError,
    ValueTooLarge,
)
from callgate.records import Record, register

if TYPE_CHECKING:
    from callgate import aio
    from callgate.client import FunctionInfo, Gate, connect
    from callgate.memory import keep_freed_memory

__all__ = [
    "ArrowStream",
    "CallContext",
    "CallgateError",
    "Cancelled",
    "DeadlineExceeded",
    "Exhausted",
    "FailedPrecondition",
    "FunctionInfo",
    "FunctionNotFound",
    "Gate",
    "GateError",
    "InvalidCall",
    "PermissionDenied",
    "Record",
    "RemoteError",
    "RemoteFrame",
    "ServerFault",
    "StatusError",
    "Tensor",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "ValueDecodeError",
    "ValueFormError",
    "ValueTooLarge",
    "__version__",
    "aio",
    "batched",
    "connect",
    "current_call",
    "keep_freed_memory",
    "register",
]

_LAZY = {
    "connect": "client",
    "Gate": "client",
    "FunctionInfo": "client",
    "aio": "aio",
    "keep_freed_memory": "memory",
}


def __getattr__(name: str) -> Any:
    """Load the client, and with it grpc, the first time it is asked for (PEP 562)."""
    home = _LAZY.get(name)
    if home is None:
        raise AttributeError(f"module 'callgate' has no attribute {name!r}")
    import importlib

    module = importlib.import_module(f"callgate.{home}")
    value = module if name == home else getattr(module, name)
    globals()[name] = value
    return value
