"""Why a peer is ahead where it is: what the table says beside the figure.

Reasons are of the kind of work, so that they are still true when figures change a little; a peer that is ahead without
an entry here shows an empty cell, which asks for one.
"""

from __future__ import annotations

__all__ = ["reason"]

#: By peer and function; "*" is any other function.
_REASONS: dict[str, dict[str, str]] = {
    "pyro5": {
        "sqrt": "a plain socket a thread, a short header and msgpack in C: what a single caller waits for is system "
        "calls and little else. Callgate has HTTP/2, a deadline, an identity, a policy and a guard for each call "
        "besides; with several callers requests and answers share system calls and turns, and it is ahead",
        "record": "a plain socket a thread and msgpack in C, and the whole message is made and read in one step; as "
        "for math.sqrt",
        "scaled": "no HTTP/2 frames and flow control around large bodies",
        "nap": "a call is a plain socket's message, so 512 are quickly sent; 512 threads wait on the server",
        "burn": "the function is all the work: what differs is below a percent",
    },
    "rpyc": {
        "sqrt": "a plain socket a thread, no HTTP/2",
        "record": "the record travels as one text that json's C code makes and reads, on a plain socket a thread",
        "*": "a plain socket a thread, no HTTP/2",
    },
    "zerorpc": {
        "scaled": "ZeroMQ moves large bodies in C threads of its own, without HTTP/2's flow control",
        "record": "msgpack encodes and decodes a dict in C",
        "*": "ZeroMQ sends and receives in a C thread of its own",
    },
    "bare_grpcio": {
        "record": "JSON, made and read in C; nothing generic, and what JSON loses is lost",
        "scaled": "the array's bytes as they are: type and shape are agreed beforehand, so there is nothing to copy",
        "*": "one message of a fixed type each way: no names, no look-up, no generic values",
    },
    "grpc_aio": {
        "record": "JSON, made and read in C; nothing generic, and what JSON loses is lost",
        "scaled": "the array's bytes as they are: type and shape are agreed beforehand, so there is nothing to copy",
        "*": "one message of a fixed type each way, all on one event loop: no names, no look-up, no threads",
    },
    "ray_actors": {
        "scaled": "on one node a large array goes through shared memory, and is not copied to be read",
        "*": "the client takes part in the cluster: requests go to the actor's process directly",
    },
}


def reason(peer: str, function: str) -> str:
    """Why a peer is ahead on a function; empty where nobody has said."""
    of_peer = _REASONS.get(peer, {})
    return of_peer.get(function) or of_peer.get("*", "")
