"""What a client learns about a function before calling it."""

from __future__ import annotations

from dataclasses import dataclass

from callgate.v1 import function_pb2 as pb

__all__ = ["FunctionInfo", "ParameterInfo", "function_info"]

_KINDS = {
    pb.FUNCTION_KIND_PLAIN: "function",
    pb.FUNCTION_KIND_GENERATOR: "generator",
    pb.FUNCTION_KIND_COROUTINE: "coroutine",
    pb.FUNCTION_KIND_ASYNC_GENERATOR: "async generator",
}
_PARAMETER_KINDS = {
    pb.PARAMETER_KIND_POSITIONAL_ONLY: "positional-only",
    pb.PARAMETER_KIND_POSITIONAL_OR_KEYWORD: "positional or keyword",
    pb.PARAMETER_KIND_VAR_POSITIONAL: "variadic positional",
    pb.PARAMETER_KIND_KEYWORD_ONLY: "keyword-only",
    pb.PARAMETER_KIND_VAR_KEYWORD: "variadic keyword",
}


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """One parameter.

    Attributes:
        name: its name.
        kind: how arguments bind to it, in inspect's words: "positional-only", "positional or keyword",
            "variadic positional", "keyword-only", "variadic keyword".
        type: its annotation as written, "" if it has none.
        default: repr() of its default, None if it has none.
        required: whether a call must give it.
    """

    name: str
    kind: str
    type: str
    default: str | None
    required: bool


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """One function that this client may call.

    Attributes:
        module: its module.
        function: its name.
        signature: its signature, "" if Python cannot tell.
        parameters: its parameters, empty if Python cannot tell.
        return_type: its return annotation, "" if it has none.
        doc: its docstring.
        kind: "function", "generator", "coroutine" or "async generator".
        executor: the name of the executor that runs it.
        executor_kind: that executor's kind.
        note: why it runs elsewhere than its settings say, "" if it does not.
        timeout: the server's own limit on a call's time, seconds; None if there is none.
    """

    module: str
    function: str
    signature: str
    parameters: tuple[ParameterInfo, ...]
    return_type: str
    doc: str
    kind: str
    executor: str
    executor_kind: str
    note: str
    timeout: float | None

    @property
    def name(self) -> str:
        """`module.function`."""
        return f"{self.module}.{self.function}"

    def __str__(self) -> str:
        return f"{self.name}{self.signature or '(...)'}"


def function_info(message: pb.Function) -> FunctionInfo:
    """A FunctionInfo from its message."""
    return FunctionInfo(
        module=message.module,
        function=message.function,
        signature=message.signature,
        parameters=tuple(
            ParameterInfo(
                parameter.name,
                _PARAMETER_KINDS.get(parameter.kind, "unknown"),
                parameter.type,
                None if parameter.required or not parameter.default_repr else parameter.default_repr,
                parameter.required,
            )
            for parameter in message.parameters
        ),
        return_type=message.return_type,
        doc=message.doc,
        kind=_KINDS.get(message.kind, "unknown"),
        executor=message.executor,
        executor_kind=message.executor_kind,
        note=message.executor_note,
        timeout=message.timeout.ToNanoseconds() / 1e9 if message.HasField("timeout") else None,
    )
