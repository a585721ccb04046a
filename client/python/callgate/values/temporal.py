"""Dates, times and spans of time.

Naive and aware are different things, `fold` is kept, and a zone keeps what it is: a fixed offset with its name, or a
key of the IANA database. Other tzinfo classes have no Value form: an offset alone would lose their rules.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from callgate.errors import ValueDecodeError, ValueFormError
from callgate.v1 import value_pb2 as pb
from callgate.values.limits import Budget

__all__ = ["DECODERS", "ENCODERS"]

#: A key of the IANA database: what a file below a zoneinfo directory may be called, and nothing that leaves it.
_ZONE_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,3}", re.ASCII)
_ZONE_KEY_CHARS = 64  # the longest in use has 32


def _fill_timedelta(value: timedelta, into: pb.TimeDelta) -> None:
    into.SetInParent()
    into.days = value.days
    into.seconds = value.seconds
    into.microseconds = value.microseconds


def _fill_date(value: date, into: pb.Date) -> None:
    into.year = value.year
    into.month = value.month
    into.day = value.day


def _fill_time(value: time | datetime, into: pb.TimeOfDay) -> None:
    into.SetInParent()  # midnight is a value, too
    into.hour = value.hour
    into.minute = value.minute
    into.second = value.second
    into.microsecond = value.microsecond
    if value.fold:
        into.fold = True
    zone = value.tzinfo
    if zone is not None:
        _fill_zone(zone, value, into.time_zone)


def _fill_zone(zone: tzinfo, value: time | datetime, into: pb.TimeZone) -> None:
    into.SetInParent()
    if type(zone) is timezone:
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]  # typeshed leaves it out
        _fill_timedelta(offset, into.utc_offset)
        if name:
            into.name = name[0]
    elif type(zone) is ZoneInfo and zone.key:
        into.key = zone.key
        at = value.utcoffset()
        if at is not None:  # a time of day alone has no offset in a zone with daylight saving time
            _fill_timedelta(at, into.utc_offset)
    else:
        kind = f"{type(zone).__module__}.{type(zone).__qualname__}"
        raise ValueFormError(
            f"a {type(value).__name__} in a {kind} has no Value form (use zoneinfo.ZoneInfo(key) or datetime.timezone)"
        )


def _encode_date(value: date, target: pb.Value, budget: Budget, depth: int) -> None:
    _fill_date(value, target.date_value)


def _encode_time(value: time, target: pb.Value, budget: Budget, depth: int) -> None:
    _fill_time(value, target.time_value)


def _encode_datetime(value: datetime, target: pb.Value, budget: Budget, depth: int) -> None:
    made = target.datetime_value
    _fill_date(value, made.date)
    _fill_time(value, made.time)


def _encode_timedelta(value: timedelta, target: pb.Value, budget: Budget, depth: int) -> None:
    _fill_timedelta(value, target.timedelta_value)


def _read_timedelta(message: pb.TimeDelta) -> timedelta:
    try:
        return timedelta(message.days, message.seconds, message.microseconds)
    except OverflowError:
        raise ValueDecodeError("a timedelta is beyond 999,999,999 days") from None


def _read_zone(message: pb.TimeZone) -> tzinfo:
    key = message.key
    if key:
        if len(key) > _ZONE_KEY_CHARS or not _ZONE_KEY.fullmatch(key):
            raise ValueDecodeError(f"{key[:80]!r} is no key of the IANA time zone database")
        try:
            return ZoneInfo(key)
        except (ValueError, OSError, LookupError):  # not in the database here
            if not message.HasField("utc_offset"):
                raise ValueDecodeError(f"no time zone {key!r} here, and no UTC offset to use instead") from None
    name = message.name or key
    try:
        offset = _read_timedelta(message.utc_offset)
        return timezone(offset, name) if name else timezone(offset)
    except ValueError as error:
        raise ValueDecodeError(f"a time zone's offset: {error}") from None


def _time_fields(message: pb.TimeOfDay) -> tuple[int, int, int, int, tzinfo | None]:
    zone = _read_zone(message.time_zone) if message.HasField("time_zone") else None
    return message.hour, message.minute, message.second, message.microsecond, zone


def _decode_date(value: pb.Value, budget: Budget, depth: int) -> date:
    message = value.date_value
    try:
        return date(message.year, message.month, message.day)
    except ValueError as error:
        raise ValueDecodeError(f"no such date: {error}") from None


def _decode_time(value: pb.Value, budget: Budget, depth: int) -> time:
    fields = _time_fields(value.time_value)
    try:
        return time(*fields, fold=value.time_value.fold)
    except ValueError as error:
        raise ValueDecodeError(f"no such time: {error}") from None


def _decode_datetime(value: pb.Value, budget: Budget, depth: int) -> datetime:
    day, at = value.datetime_value.date, value.datetime_value.time
    fields = _time_fields(at)
    try:
        return datetime(day.year, day.month, day.day, *fields, fold=at.fold)
    except ValueError as error:
        raise ValueDecodeError(f"no such datetime: {error}") from None


def _decode_timedelta(value: pb.Value, budget: Budget, depth: int) -> timedelta:
    return _read_timedelta(value.timedelta_value)


ENCODERS: dict[type, Any] = {
    date: _encode_date,
    time: _encode_time,
    datetime: _encode_datetime,
    timedelta: _encode_timedelta,
}

DECODERS: dict[str, Any] = {
    "date_value": _decode_date,
    "time_value": _decode_time,
    "datetime_value": _decode_datetime,
    "timedelta_value": _decode_timedelta,
}
