"""Python values to `callgate.v1.Value` and back: the only place where either is made from the other.

    encode.py   Python → Value; one function a type, found by exact type in one table
    decode.py   Value → Python; one function a kind, found by name in one table
    limits.py   how deep and how many
    _compiled.c both ways for plain values, in C
    requests.py a request from its bytes, by whichever of these is for it
    large.py    large arrays and bytes, past protobuf
    framing.py  messages from fields that are serialized already

Needs protobuf and no grpc. Both directions are exact: what comes back equals what went in and has its type, with one
stated exception: an instance of a *subclass* of a plain builtin (defaultdict, IntEnum aside) travels as the builtin.
"""

from callgate.values.decode import decode, decode_arguments, decode_plain
from callgate.values.encode import encode, plain_answer, plain_bytes
from callgate.values.limits import DEFAULT_LIMITS, Limits

__all__ = [
    "DEFAULT_LIMITS",
    "Limits",
    "decode",
    "decode_arguments",
    "decode_plain",
    "encode",
    "plain_answer",
    "plain_bytes",
]
