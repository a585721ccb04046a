"""One connection of gRPC over HTTP/2, without I/O. See _session.c.

A stream is known by its number. Events are tuples whose first element is their kind:

    (CALL, stream, path, timeout, metadata, message)    a server's; timeout in seconds or None, message None without one
    (MESSAGE, stream, message)                          a client's further message, or one of a stream's
    (END, stream)                                       a server's: its client sends nothing more; see `converse`
    (GONE, stream, code)                                it ended before its time, by an HTTP/2 error code
    (TOO_LARGE, stream, path, timeout, metadata, size)  a server's; a client's is (TOO_LARGE, stream, size)
    (STATUS, stream, http_status, grpc_status, text, metadata, content_type)
                                                        a client's: the RPC has ended
    (ANSWER, stream, message)                           a client's: a unary RPC has ended well, with no more to tell
    (GOAWAY, last_stream, code)                         a client's: the server takes no new streams here

A message that came compressed is a pair of its encoding and its bytes. Metadata are pairs of strings as the wire has
them (-bin values in base64), without what gRPC itself uses.
"""

from callgate.http2.kinds import Event, Pairs

def wait(fd: int, other: int, write: bool, seconds: float | None, /) -> bool:
    """Wait until a socket has something to read, or has ended; with `write`, or takes more.

    Args:
        fd: the socket.
        other: a descriptor that ends the wait when there is something to read.
        write: whether to wait for that, too.
        seconds: how long; None for as long as it takes.

    Returns:
        Whether there is; also False when a signal came, whose handler did not raise.

    Raises:
        BaseException: what a signal's handler raised meanwhile.
    """

class ProtocolError(Exception):
    """The peer broke HTTP/2's rules, or a limit; `output` may still have a GOAWAY for it."""

class Session:
    """A connection's state. Not safe for several threads at once: who has several holds a lock around each call.

    Args:
        server: which side this is.
        max_message: bytes of the largest message that is taken.
        crowd: bytes that a stream may have queued before its sender is to wait.
        window: bytes that a peer may send on a stream before it is read.
        streams: how many streams a server's client may have open.
        authority: a client's, as bytes; a server has none, nor the next two.
        scheme: b"http" or b"https".
        agent: the client's name.
    """

    def __init__(
        self,
        *,
        server: bool,
        max_message: int,
        crowd: int,
        window: int,
        streams: int,
        authority: bytes = ...,
        scheme: bytes = ...,
        agent: bytes = ...,
    ) -> None: ...
    @property
    def alive(self) -> bool:
        """Whether the connection is to go on."""
    @property
    def greeted(self) -> bool:
        """Whether the peer has said that it speaks HTTP/2: its settings came."""
    @property
    def pending(self) -> bool:
        """Whether writing brought events (a call that waited may not be sent any more); `receive(b"")` has them."""
    @property
    def wants_output(self) -> bool:
        """Whether there may be bytes to send."""
    @property
    def queued(self) -> int:
        """How many bytes of messages are to be sent."""
    @property
    def open(self) -> int:
        """How many streams are open."""
    def receive(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take bytes that came.

        Raises:
            ProtocolError: if they are not HTTP/2, or beyond its limits: the connection is to be closed.
        """
    def read(self, fd: int) -> list[Event] | None:
        """As `receive`, of what a socket has, without waiting; None at its end.

        Raises:
            OSError: as recv().
            ProtocolError: as `receive`.
        """
    def output(self, limit: int) -> bytes:
        """About so many bytes to send; b"" if there are none for now."""
    def write(self, fd: int) -> bool:
        """Write what there is to a socket, without waiting.

        Returns:
            Whether all was written; else it is to be called again when the socket takes more.

        Raises:
            OSError: as send().
        """
    def respond(self, stream: int, message: bytes) -> bool:
        """End a server's stream well, with one message. False if it has ended, or is gone."""
    def send(self, stream: int, message: bytes) -> int:
        """Queue a message.

        Returns:
            How many bytes are queued: above `crowd` the sender waits until `take_drained` has the stream. -1 if the
            stream has ended, or is gone.
        """
    def finish(self, stream: int, code: int, text: bytes, metadata: Pairs) -> bool:
        """End a server's stream with a status, after what is queued; without a message before, by trailers alone.

        Args:
            stream: which.
            code: gRPC's.
            text: the message, percent-encoded.
            metadata: the trailing metadata, as the wire has them.

        Returns:
            False if it has ended, or is gone.
        """
    def converse(self, stream: int) -> bool:
        """Have a server told when a stream's client sends nothing more: mostly nobody asks.

        Returns:
            Whether that is so already.
        """
    def request(self, path: bytes, timeout: bytes | None, metadata: Pairs, message: bytes, streaming: bool) -> int:
        """Begin a client's call.

        Args:
            path: "/SERVICE/METHOD".
            timeout: as the wire has it.
            metadata: the request's, as the wire has them.
            message: the request; nothing follows it.
            streaming: whether messages are to be events as they come, at the pace that `consume` sets.

        Returns:
            The stream.
        """
    def reset(self, stream: int, code: int) -> None:
        """End a stream at once; there are no more events of it."""
    def consume(self, stream: int, size: int) -> None:
        """Let the peer send so many bytes more on a stream that is `streaming`."""
    def go_away(self, last: bool) -> None:
        """Announce that there will be no new streams; at last, which was the last that was taken."""
    def ping(self) -> None:
        """Send a PING."""
    def take_drained(self) -> tuple[int, ...]:
        """The streams whose senders may go on."""
