"""What several unit tests need."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

#: The modules that use the compiled one. By name: as attributes, the packages have the functions that are named alike.
USERS = ("callgate.values.encode", "callgate.values.decode", "callgate.values.requests")


@pytest.fixture(scope="module", params=["compiled", "python"])
def both_ways(request: pytest.FixtureRequest) -> Iterator[None]:
    """A module's tests run twice: with values/_compiled.c, and without it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in USERS:
            module = sys.modules[name]
            assert module._compiled is not None, "values/_compiled.c is not compiled: a C compiler, and make again"
            if request.param == "python":
                patch.setattr(module, "_compiled", None)
        yield
