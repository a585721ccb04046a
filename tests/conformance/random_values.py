"""Values and damaged values from a seed: what no golden case thought of. The same for every language and run."""

from __future__ import annotations

import random
import string
import struct
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from callgate.buffers import Tensor
from callgate.records import Record
from callgate.values import encode

__all__ = ["damaged", "random_values"]

_ZONES = (ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York"), ZoneInfo("UTC"), timezone(timedelta(0)))
_NEAR_EDGES = (0, 1, -1, 127, 128, 2**31 - 1, 2**31, -(2**31), 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63))


def random_values(seed: int, count: int) -> Iterator[bytes]:
    """Serialized Values, canonical: what Python's encoder writes."""
    source = random.Random(seed)
    for _ in range(count):
        yield encode(_value(source, source.randrange(6))).SerializeToString(deterministic=True)


def damaged(seed: int, count: int) -> Iterator[bytes]:
    """Serialized Values with a few bytes changed, cut out or put in: mostly no Values any more."""
    source = random.Random(seed)
    for data in random_values(seed, count):
        broken = bytearray(data)
        for _ in range(source.randrange(1, 4)):
            at = source.randrange(len(broken) + 1)
            match source.randrange(3):
                case 0 if at < len(broken):
                    broken[at] = source.randrange(256)
                case 1:
                    del broken[at : at + source.randrange(1, 4)]
                case _:
                    broken[at:at] = source.randbytes(source.randrange(1, 4))
        yield bytes(broken)


def _value(source: random.Random, depth: int) -> Any:
    if depth > 0:
        return source.choice(_CONTAINERS)(source, depth - 1)
    return source.choice(_SCALARS)(source)


def _int(source: random.Random) -> int:
    match source.randrange(4):
        case 0:
            return source.choice(_NEAR_EDGES)
        case 1:
            return source.randrange(-100, 100)
        case 2:
            return source.randrange(-(2**63), 2**63)
        case _:
            return source.choice((1, -1)) * source.getrandbits(source.randrange(64, 300))


def _float(source: random.Random) -> float:
    match source.randrange(4):
        case 0:
            return source.choice((0.0, -0.0, 1.0, float("inf"), float("-inf"), 5e-324, 2.0**53, 1e308))
        case 1:
            return float(source.randrange(-1000, 1000))
        case 2:
            return source.uniform(-1e6, 1e6)
        case _:  # any bits, but no NaN: a signalling one does not survive every processor's registers
            made = struct.unpack("<d", source.randbytes(8))[0]
            return made if made == made else 0.5


def _str(source: random.Random) -> str:
    match source.randrange(4):
        case 0:
            return ""
        case 1:
            return "".join(source.choices(string.printable, k=source.randrange(20)))
        case 2:
            return "".join(source.choices("äß€漢🐍\u200d\0\u0301\ufffd\ufeff\uffff\U0010ffff", k=source.randrange(8)))
        case _:
            return "".join(chr(source.randrange(0x20, 0xD800)) for _ in range(source.randrange(12)))


def _surrogates(source: random.Random) -> str:
    made = _str(source)
    at = source.randrange(len(made) + 1)
    return made[:at] + chr(source.randrange(0xD800, 0xE000)) + made[at:]


def _bytes(source: random.Random) -> bytes:
    return source.randbytes(source.randrange(20))


def _decimal(source: random.Random) -> Decimal:
    match source.randrange(3):
        case 0:
            return Decimal(
                source.choice(("NaN", "-NaN", "sNaN7", "Infinity", "-Infinity", "-0", "0.00", "1E+500", "-7E-90"))
            )
        case 1:
            return Decimal(source.randrange(-(10**20), 10**20)).scaleb(source.randrange(-30, 30))
        case _:
            digits = tuple(source.randrange(10) for _ in range(source.randrange(1, 40)))
            return Decimal((source.randrange(2), digits, source.randrange(-60, 60)))


def _date(source: random.Random) -> date:
    return date.fromordinal(source.randrange(1, date.max.toordinal() + 1))


def _time(source: random.Random) -> time:
    made = time(source.randrange(24), source.randrange(60), source.randrange(60), source.randrange(1_000_000))
    made = made.replace(fold=source.randrange(2))
    return made.replace(tzinfo=_zone(source)) if source.randrange(2) else made


def _zone(source: random.Random) -> Any:
    if source.randrange(3):
        return source.choice(_ZONES)
    offset = timedelta(seconds=source.randrange(-86399, 86400), microseconds=source.choice((0, 0, 1, 999_999)))
    offset = min(offset, timedelta(seconds=86399))
    return timezone(offset, source.choice(("EST", "näme"))) if source.randrange(2) else timezone(offset)


def _datetime(source: random.Random) -> datetime:
    # Away from the calendar's ends, where an offset leads out of it.
    day = date.fromordinal(source.randrange(400, date.max.toordinal() - 400))
    return datetime.combine(day, _time(source))


def _timedelta(source: random.Random) -> timedelta:
    days = source.choice((0, 1, -1, 999_999_999, -999_999_999, source.randrange(-10_000, 10_000)))
    return timedelta(days, source.randrange(86400), source.randrange(1_000_000))


def _tensor(source: random.Random) -> Tensor:
    dtype, size = source.choice(
        (("float64", 8), ("float32", 4), ("float16", 2), ("int64", 8), ("int8", 1), ("uint16", 2), ("uint64", 8),
         ("complex128", 16), ("datetime64[us]", 8), ("S3", 3), ("bfloat16", 2))
    )  # fmt: skip
    shape = tuple(source.randrange(4) for _ in range(source.randrange(4)))
    count = 1
    for n in shape:
        count *= n
    # Small positive patterns: no NaN, no text that numpy would strip, in any dtype.
    return Tensor(dtype, shape, bytes(source.randrange(1, 60) for _ in range(count * size)))


_SCALARS: tuple[Callable[[random.Random], Any], ...] = (
    lambda _: None,
    lambda source: bool(source.randrange(2)),
    _int,
    _float,
    _str,
    _surrogates,
    _bytes,
    _decimal,
    _date,
    _time,
    _datetime,
    _timedelta,
    _tensor,
    lambda source: UUID(bytes=source.randbytes(16)),
    lambda source: complex(_float(source), _float(source)),
)

#: Kinds whose equality is nobody's opinion: as keys and elements, an int beside a float or a bool would be two or one.
_KEYS: tuple[Callable[[random.Random], Any], ...] = (
    _int,
    _str,
    _bytes,
    _date,
    lambda source: (_int(source), _str(source)),
)


def _size(source: random.Random) -> int:
    return source.choice((0, 1, 2, 3, 5))


def _list(source: random.Random, depth: int) -> list[Any]:
    if source.randrange(3):
        return [_value(source, source.randrange(depth + 1)) for _ in range(_size(source))]
    one = source.choice(_SCALARS)  # of one kind, which may be packed
    return [one(source) for _ in range(_size(source))]


def _dict(source: random.Random, depth: int) -> dict[Any, Any]:
    key = source.choice((_str, _str, *_KEYS))
    return {key(source): _value(source, source.randrange(depth + 1)) for _ in range(_size(source))}


def _mixed_dict(source: random.Random, depth: int) -> dict[Any, Any]:
    return {source.choice(_KEYS)(source): _value(source, source.randrange(depth + 1)) for _ in range(_size(source))}


def _record(source: random.Random, depth: int) -> Record:
    fields = {f"field_{n}": _value(source, source.randrange(depth + 1)) for n in range(_size(source))}
    return Record(source.choice(("shop:Order", "a.b:Outer.Inner")), fields, source.choice(("dataclass", "namedtuple")))


def _nest(source: random.Random, depth: int) -> Any:
    made = _value(source, source.randrange(depth + 1))
    for _ in range(source.randrange(1, 30)):
        made = source.choice((lambda v: [v], lambda v: (v,), lambda v: {"k": v}, lambda v: {1: v}))(made)
    return made


_CONTAINERS: tuple[Callable[[random.Random, int], Any], ...] = (
    _list,
    _list,
    lambda source, depth: tuple(_list(source, depth)),
    lambda source, depth: {source.choice(_KEYS[:2])(source) for _ in range(source.randrange(2))},
    lambda source, depth: frozenset(_str(source) for _ in range(source.randrange(2))),
    _dict,
    _mixed_dict,
    _record,
    _nest,
)
