"""Large results, sent through StreamFunction piece by piece instead of as one message.

bytes            slices of PIECE_BYTES
numpy.ndarray    slices along the first axis; join them with numpy.concatenate
pyarrow.Table    record batches; join them with pyarrow.Table.from_batches
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["PIECE_BYTES", "pieces_of"]

#: What one piece holds at most (an array's row or a batch's, if larger). Large beside a message's own cost, small
#: beside the message limit.
PIECE_BYTES = 1 << 20


def pieces_of(result: Any) -> Iterator[Any] | None:
    """A result in pieces; None if it is nothing that comes in pieces.

    Libraries are looked up, never imported: a result of theirs means that they are there. type() is asked, since
    isinstance() believes a `__class__` that lies.
    """
    if type(result) is bytes:
        return (result[at : at + PIECE_BYTES] for at in range(0, len(result), PIECE_BYTES))
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(type(result), numpy.ndarray) and result.ndim:
        rows = max(1, PIECE_BYTES * max(1, result.shape[0]) // max(1, result.nbytes))
        return (result[at : at + rows] for at in range(0, result.shape[0], rows))
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and issubclass(type(result), pyarrow.Table | pyarrow.RecordBatch):
        table = pyarrow.Table.from_batches([result]) if issubclass(type(result), pyarrow.RecordBatch) else result
        rows = max(1, PIECE_BYTES * max(1, table.num_rows) // max(1, table.nbytes))
        batches: list[Any] = table.to_batches(max_chunksize=rows)
        return iter(batches)
    return None
