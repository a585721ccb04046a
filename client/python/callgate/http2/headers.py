"""gRPC's headers as the wire has them: metadata, status messages, timeouts.

The source is https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_to_bytes

__all__ = ["Metadata", "on_the_wire", "percent_decoded", "percent_encoded", "received", "timeout_on_the_wire"]

#: Pairs of a key and its value, which is bytes for -bin keys.
Metadata = Sequence[tuple[str, str | bytes]]

_ENCODED = re.compile(rb"[^\x20-\x24\x26-\x7e]")

#: The most digits that a timeout has.
_DIGITS = 99_999_999

_UNITS = (("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("S", 1.0), ("M", 60.0), ("H", 3600.0))


def on_the_wire(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[tuple[str, str | bytes], ...]:
    """Metadata with the values of -bin keys in base64, without padding as gRPC writes it."""
    return tuple(
        (key, base64.b64encode(value).rstrip(b"=") if isinstance(value, bytes) else value) for key, value in metadata
    )


def received(metadata: Sequence[tuple[str, str | bytes]]) -> Metadata:
    """Metadata with the values of -bin keys as bytes; one that is no base64 is left out."""
    if not metadata or not any(key.endswith("-bin") for key, _ in metadata):
        return metadata
    found: list[tuple[str, str | bytes]] = []
    for key, value in metadata:
        if not key.endswith("-bin") or isinstance(value, bytes):
            found.append((key, value))
            continue
        for part in value.split(","):  # several values of one key may have been joined on the way
            try:
                found.append((key, base64.b64decode(part.strip() + "=" * (-len(part.strip()) % 4), validate=True)))
            except ValueError:
                continue
    return found


def percent_encoded(text: str) -> bytes:
    """A status message: UTF-8, with all but printable ASCII, and the percent sign, encoded."""
    return _ENCODED.sub(lambda match: b"%%%02X" % match[0][0], text.encode("utf-8", "backslashreplace"))


def percent_decoded(text: str) -> str:
    """A status message, decoded; what is wrong in it is shown as it is."""
    return unquote_to_bytes(text.encode("latin-1", "replace")).decode("utf-8", "replace") if "%" in text else text


def timeout_on_the_wire(seconds: float) -> bytes:
    """A timeout: up to eight digits and a unit, the finest that it fits in; never longer than it is."""
    for unit, size in _UNITS:
        number = int(seconds / size)
        if number <= _DIGITS:
            return b"%d%b" % (number, unit.encode())
    return b"%dH" % _DIGITS
