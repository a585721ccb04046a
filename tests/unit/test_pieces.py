"""Large results come in pieces that make them whole again."""

from __future__ import annotations

import pytest

from callgate_server.pieces import PIECE_BYTES, pieces_of


def test_bytes_come_in_slices():
    whole = bytes(range(256)) * 10_000
    pieces = list(pieces_of(whole))
    assert b"".join(pieces) == whole
    assert max(map(len, pieces)) == PIECE_BYTES
    assert list(pieces_of(b"")) == []


@pytest.mark.parametrize("shape", [(3_000_000,), (7, 100_000), (1, 5_000_000), (0, 4)])
def test_an_array_comes_in_slices_of_its_first_axis(shape):
    numpy = pytest.importorskip("numpy", reason="arrays want numpy")
    whole = numpy.arange(numpy.prod(shape), dtype="int32").reshape(shape)
    pieces = list(pieces_of(whole))
    if shape[0]:
        assert (numpy.concatenate(pieces) == whole).all()
        assert all(piece.nbytes <= PIECE_BYTES or len(piece) == 1 for piece in pieces)


def test_a_table_comes_in_record_batches():
    pyarrow = pytest.importorskip("pyarrow", reason="tables want pyarrow")
    whole = pyarrow.table({"a": list(range(400_000)), "b": [str(n) for n in range(400_000)]})
    pieces = list(pieces_of(whole))
    assert len(pieces) > 1
    assert pyarrow.Table.from_batches(pieces) == whole


class Liar:
    """Says that it is an array."""

    @property
    def __class__(self):
        numpy = pytest.importorskip("numpy", reason="arrays want numpy")
        return numpy.ndarray


@pytest.mark.parametrize("result", [[1, 2], "text", None, 3, Liar()], ids=["list", "str", "None", "int", "liar"])
def test_other_results_do_not(result):
    assert pieces_of(result) is None


def test_a_number_of_numpys_is_no_array():
    numpy = pytest.importorskip("numpy", reason="arrays want numpy")
    assert pieces_of(numpy.array(3)) is None
    assert pieces_of(numpy.float32(3)) is None
