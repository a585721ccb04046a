"""A Callgate server with settings of its own, for the measurements that have no peer: growth and scale."""

from __future__ import annotations

from pathlib import Path

from callgate._wire import call_request
from callgate.v1 import function_service_pb2 as pb
from callgate.values import encode
from loadtest.peers.flood import Message
from loadtest.server import CALLGATE, ROOT, ServerProcess

__all__ = ["message", "serve", "transports_here"]


def serve(settings: str, folder: Path, name: str, cores: set[int] | None) -> ServerProcess:
    """Start a server; its settings, a TOML text, are written into a folder."""
    file = folder / f"{name}.toml"
    file.write_text(settings, "utf-8")
    return ServerProcess(command=(CALLGATE, "serve", "--config", str(file)), cwd=ROOT, cores=cores)


def message(module: str, function: str, argument: object, answer: object) -> Message:
    """A call as h2load sends it.

    Args:
        module: the function's module.
        function: its name.
        argument: its one argument.
        answer: what it returns, for the length of the response.
    """
    response = pb.CallFunctionResponse()
    encode(answer, response.value)
    request = call_request(module, function, [argument], {}, 1 << 30)
    return Message("callgate.v1.FunctionService/CallFunction", request, response.ByteSize())


def transports_here(wanted: tuple[str, ...]) -> dict[str, str]:
    """Those of the transports that cannot be served here, with the reason."""
    missing = {}
    for transport in wanted:
        # A start that is refused says so at once; one that is not is ended here.
        server = ServerProcess("math.sqrt", "--transport", transport)
        try:
            assert server.address
        except RuntimeError as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            missing[transport] = lines[-1].strip()[:200]
        finally:
            server.stop()
    return missing
