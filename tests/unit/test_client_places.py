"""How many calls one Gate has on their way at once; and that grpcio's own way is taken where its insides are others."""

from __future__ import annotations

import threading

import pytest

from callgate._direct import direct
from callgate._places import Places


def test_there_are_never_more_than_so_many_and_nobody_is_left_behind():
    """Twelve threads at three places, two thousand times each: taken as `Gate.call_with` takes them."""
    places = Places(3)
    inside: list[None] = []
    seen: list[int] = []

    def caller() -> None:
        for _ in range(2000):
            try:
                places.free.pop()
            except IndexError:
                assert places.wait(None)
            inside.append(None)
            seen.append(len(inside))
            inside.pop()
            places.free.append(None)
            if places.waiting:
                places.wake()

    threads = [threading.Thread(target=caller, daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert len(seen) == 24_000
    assert max(seen) <= 3
    assert len(places.free) == 3
    assert places.waiting == 0


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_who_finds_none_in_time_takes_none(seconds):
    places = Places(1)
    places.free.pop()
    assert not places.wait(seconds)
    assert places.waiting == 0
    places.free.append(None)
    assert places.wait(seconds)
    assert not places.free


class Another:
    """A multi-callable of a grpcio that calls in another way."""

    def _blocking(self) -> None:
        self.future()  # type: ignore[attr-defined]  # no such thing

    def __call__(self, data: bytes, timeout: float | None = None, metadata: object = None) -> bytes:
        return data


def test_calls_are_left_to_a_grpcio_that_is_not_as_expected():
    rpc = Another()
    assert direct(rpc) is rpc


def test_calls_are_left_to_grpcio_where_somebody_measures_them(monkeypatch):
    import grpc
    from grpc import _observability

    with grpc.insecure_channel("127.0.0.1:1") as channel:
        rpc = channel.unary_unary("/x/Y")
        called = direct(rpc)
        assert called is not rpc
        asked = []
        monkeypatch.setattr(
            type(rpc), "__call__", lambda self, *args, **kwargs: asked.append((args, kwargs)) or b"ours"
        )
        monkeypatch.setattr(_observability, "_OBSERVABILITY_PLUGIN", object())
        assert called(b"data", timeout=2.0, metadata=None) == b"ours"
        assert asked == [((b"data",), {"timeout": 2.0, "metadata": None})]
