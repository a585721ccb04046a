"""The compiled Session, or what to do about its absence."""

from __future__ import annotations

try:
    from callgate.http2._session import ProtocolError, Session, wait
except ImportError as error:
    raise ImportError(
        f"the native transport is not in this installation ({error}): it is compiled where there are a C compiler and "
        "nghttp2's headers (on Debian: apt-get install gcc libnghttp2-dev, then install callgate again)"
    ) from None

__all__ = ["ProtocolError", "Session", "wait"]
