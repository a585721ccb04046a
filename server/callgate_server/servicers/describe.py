"""What callers can learn about a function, as `callgate.v1.Function`."""

from __future__ import annotations

import inspect

from callgate.v1 import function_pb2 as pb
from callgate_server.executors.base import Executor
from callgate_server.registry import Exposed

__all__ = ["describe"]

_KINDS = {
    "plain": pb.FUNCTION_KIND_PLAIN,
    "generator": pb.FUNCTION_KIND_GENERATOR,
    "coroutine": pb.FUNCTION_KIND_COROUTINE,
    "async generator": pb.FUNCTION_KIND_ASYNC_GENERATOR,
}
_PARAMETER_KINDS = {
    int(inspect.Parameter.POSITIONAL_ONLY): pb.PARAMETER_KIND_POSITIONAL_ONLY,
    int(inspect.Parameter.POSITIONAL_OR_KEYWORD): pb.PARAMETER_KIND_POSITIONAL_OR_KEYWORD,
    int(inspect.Parameter.VAR_POSITIONAL): pb.PARAMETER_KIND_VAR_POSITIONAL,
    int(inspect.Parameter.KEYWORD_ONLY): pb.PARAMETER_KIND_KEYWORD_ONLY,
    int(inspect.Parameter.VAR_KEYWORD): pb.PARAMETER_KIND_VAR_KEYWORD,
}


def describe(exposed: Exposed, executor: Executor) -> pb.Function:
    """Describe an exposed function.

    Args:
        exposed: the function.
        executor: what runs it.

    Returns:
        Its description.
    """
    facts = exposed.facts
    made = pb.Function(
        module=exposed.module,
        function=exposed.name,
        kind=_KINDS[facts.kind],
        signature=facts.signature,
        return_type=facts.return_type,
        doc=facts.doc,
        executor=executor.name,
        executor_kind=executor.kind,
        executor_note="; ".join(exposed.notes),
    )
    if exposed.timeout is not None:
        made.timeout.FromNanoseconds(round(exposed.timeout * 1e9))
    for parameter in facts.parameters:
        made.parameters.add(
            name=parameter.name,
            kind=_PARAMETER_KINDS[parameter.kind],
            type=parameter.type,
            default_repr=parameter.default,
            required=parameter.required,
        )
    return made
