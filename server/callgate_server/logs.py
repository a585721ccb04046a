"""The log: structured events on standard error, as text for people or JSON lines for machines."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog
import structlog.tracebacks

__all__ = ["configure_logs"]


def configure_logs(level: str, format: Literal["auto", "text", "json"]) -> None:
    """Set up structlog and the standard library's logging, once, at start.

    Args:
        level: the lowest level to log: "debug", "info", "warning" or "error".
        format: "auto" is text on a terminal and JSON elsewhere.
    """
    number = getattr(logging, level.upper())
    text = format == "text" or (format == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if text
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not text:
        # Without locals: they are callers' arguments, which the log is no place for.
        transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        processors.append(structlog.processors.ExceptionRenderer(transformer))
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries' own loggers (grpc's among them).
    logging.basicConfig(
        level=max(number, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
