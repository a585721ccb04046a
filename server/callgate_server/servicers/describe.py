"""What callers can learn about a function, as `callgate.v1.Function`."""

from __future__ import annotations

import inspect
from typing import Any

from callgate.v1 import function_pb2 as pb
from callgate_server.executors.base import Executor
from callgate_server.registry import Exposed

__all__ = ["describe"]

_PARAMETER_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: pb.PARAMETER_KIND_POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: pb.PARAMETER_KIND_POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL: pb.PARAMETER_KIND_VAR_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY: pb.PARAMETER_KIND_KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD: pb.PARAMETER_KIND_VAR_KEYWORD,
}
_NO_VALUE = inspect.Parameter.empty


def describe(exposed: Exposed, executor: Executor) -> pb.Function:
    """Describe an exposed function.

    Args:
        exposed: the function.
        executor: what runs it.

    Returns:
        Its description. Docstrings are cut at 20,000 characters and reprs at 200: a listing is no download.
    """
    made = pb.Function(
        module=exposed.module,
        function=exposed.name,
        kind=exposed.kind,
        executor=executor.name,
        executor_kind=executor.kind,
        executor_note="; ".join(exposed.notes),
        doc=_clean((inspect.getdoc(exposed.function) or "")[:20_000]),
    )
    if exposed.timeout is not None:
        made.timeout.FromNanoseconds(round(exposed.timeout * 1e9))
    signature = exposed.signature
    if signature is not None:
        made.signature = _clean(_guarded_str(signature))
        made.return_type = _annotation(signature.return_annotation)
        for parameter in signature.parameters.values():
            variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            made.parameters.add(
                name=parameter.name,
                kind=_PARAMETER_KINDS[parameter.kind],
                type=_annotation(parameter.annotation),
                default_repr="" if parameter.default is _NO_VALUE else _clean(_guarded_repr(parameter.default)),
                required=parameter.default is _NO_VALUE and not variable,
            )
    return made


def _annotation(annotation: Any) -> str:
    if annotation is _NO_VALUE:
        return ""
    try:
        return _clean(inspect.formatannotation(annotation)[:500])
    except Exception:  # an annotation's own repr
        return "?"


def _guarded_str(signature: inspect.Signature) -> str:
    try:
        return str(signature)[:2000]
    except Exception:  # a default's own repr
        return "(…)"


def _guarded_repr(value: object) -> str:
    try:
        return repr(value)[:200]
    except Exception:  # its own repr
        return f"<{type(value).__name__}>"


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
