"""What an event of a Session is, the first element of its tuple (`_session.c` has the same numbers), and error codes.

Apart from the compiled module, so that code can name them that runs where that is not there.
"""

from __future__ import annotations

from typing import Any, TypeAlias

#: A tuple: its kind, its stream, and what `_session.pyi` says of each kind.
Event: TypeAlias = "tuple[Any, ...]"

#: Metadata as the wire has them.
Pairs: TypeAlias = "tuple[tuple[str, str | bytes], ...]"

CALL, MESSAGE, END, GONE, TOO_LARGE, STATUS, ANSWER, GOAWAY = range(8)

#: A client's own: (LOCAL, failure), for an RPC that it ended itself. No Session makes it.
LOCAL = -1

#: HTTP/2 error codes that gRPC gives a meaning (RFC 9113, section 7).
NO_ERROR, REFUSED_STREAM, CANCEL = 0, 7, 8
