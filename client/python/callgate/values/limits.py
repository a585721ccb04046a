"""How deep values may nest and how many elements they may hold, and the count kept while one message is converted."""

from __future__ import annotations

from dataclasses import dataclass

from callgate.errors import ValueDecodeError, ValueFormError, ValueTooLarge

__all__ = ["DEFAULT_LIMITS", "NESTING_STRIDE", "Budget", "Limits"]

#: A container at a depth that is a multiple of this is serialized on its own (Value.nested_value). One level takes at
#: most three messages (Value, MapValue, MapEntry), and protobuf's parsers take 100 (upb, Java, C++, prost): 3 * 20
#: leaves room for the messages around it.
NESTING_STRIDE = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on one message's values.

    Attributes:
        depth: how deep containers may nest; 100 is what JSON parsers commonly take, and far below Python's own stack.
        elements: how many elements all containers of a message may have together; 10 million is arbitrary: about
            1 GB of Python objects at worst.
        bytes: how many bytes the strings, bytes and arrays of a message may have together. 2 GiB is what protobuf takes
            at most; a server sets the size of its largest message here, and so refuses before it converts.
    """

    depth: int = 100
    elements: int = 10_000_000
    bytes: int = (1 << 31) - 1


DEFAULT_LIMITS = Limits()


class Budget:
    """What is left of the limits while one message is converted; used by one thread, for one message.

    Args:
        limits: what to start from.
        error: what to raise when they are used up.
    """

    __slots__ = ("bytes", "depth", "elements", "error", "exhausted", "hole", "limits", "nested")

    def __init__(self, limits: Limits, error: type[ValueFormError] | type[ValueDecodeError]) -> None:
        self.limits = limits
        self.depth = limits.depth
        self.elements = limits.elements
        self.bytes = limits.bytes
        self.error = error
        #: Where the bytes of the value itself go, if they are large and to be left out of its message; see large.py.
        self.hole: list[memoryview] | None = None
        #: Whether something ran out.
        self.exhausted = False
        #: How many Values serialized on their own are being decoded, one inside the other.
        self.nested = 0

    def enter(self, depth: int, count: int) -> None:
        """Take a container of `count` elements at `depth` (1 is the outermost) off the budget.

        Raises:
            ValueFormError | ValueDecodeError: if that is more than is left.
        """
        self.elements -= count
        if depth > self.depth:
            self._refuse(f"nested more than {self.depth} levels deep", self.limits.depth)
        if self.elements < 0:
            self._refuse(f"more than {self.limits.elements} elements in all", self.limits.elements)

    def spend(self, count: int) -> None:
        """Take `count` bytes off the budget.

        Raises:
            ValueTooLarge | ValueDecodeError: if that is more than is left.
        """
        self.bytes -= count
        if self.bytes < 0:
            self.exhausted = True
            limit = self.limits.bytes
            problem = f"more than {limit} bytes in all"
            if self.error is ValueDecodeError:
                raise ValueDecodeError(problem, limit=limit)
            raise ValueTooLarge(problem, limit=limit, size=limit - self.bytes)

    def _refuse(self, problem: str, limit: int) -> None:
        self.exhausted = True
        if self.error is ValueDecodeError:
            raise ValueDecodeError(problem, limit=limit)
        raise self.error(problem)
