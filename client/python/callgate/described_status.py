"""Moved: `callgate.failures.described_status`."""

from callgate.failures import described_status

__all__ = ["described_status"]
