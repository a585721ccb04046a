"""Batches before they are sent and after they are answered: bytes, sizes, order, deadlines. No server."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

import callgate
from callgate._batches import UNANSWERED, BatchSize, Failed, batch_request, fail_unanswered, framed, read_answers
from callgate._chunks import Arguments, Chunk, Chunks, MapOptions
from callgate._submitting import SAME_DEADLINE, Submitted, take_batch
from callgate.v1 import function_service_pb2 as pb
from callgate.values import encode


def options(**given_):
    defaults = {
        "chunk": None, "ordered": True, "return_exceptions": True, "timeout": None, "call_timeout": None,
        "default_call_timeout": None, "unpack": False, "max_message": 1 << 20,
    }  # fmt: skip
    return MapOptions("math", "sqrt", **(defaults | given_))


def answer(*results):
    message = pb.BatchCallFunctionsResponse()
    for index, value in results:
        result = message.results.add(index=index)
        encode(value, result.response.value)
    return message.SerializeToString()


@pytest.mark.parametrize("length", [0, 1, 60, 110, 127, 128, 129, 16_200, 16_383, 16_384, 3_000_000])
def test_framed_calls_are_what_protobuf_would_send(length):
    calls = [pb.CallFunctionRequest(module="m" * length), pb.CallFunctionRequest(module="math", function="sqrt")]
    theirs = pb.BatchCallFunctionsRequest(calls=calls)
    theirs.call_timeout.FromMilliseconds(1500)
    ours = batch_request([framed(call.SerializeToString()) for call in calls], 1.5)
    assert ours == theirs.SerializeToString()


def test_a_call_timeout_too_short_for_a_nanosecond_is_still_one():
    assert pb.BatchCallFunctionsRequest.FromString(batch_request([], 1e-12)).call_timeout.ToNanoseconds() == 1


def test_answers_go_to_their_places_and_what_was_not_asked_is_refused():
    slots = [UNANSWERED] * 3
    assert read_answers(answer((2, "c"), (0, "a")), slots) == [2, 0]
    assert (slots[0], slots[2]) == ("a", "c")
    for unasked in (2, 3, -1):
        with pytest.raises(callgate.ServerFault, match=f"call {unasked} of a batch of 3"):
            read_answers(answer((unasked, 1)), slots)
    with pytest.raises(callgate.ServerFault, match="is it a Callgate server"):
        read_answers(b"\xff", slots)
    assert fail_unanswered(slots, lambda: ValueError("lost")) == [1]
    assert isinstance(slots[1].error, ValueError)


def test_an_outcome_that_is_none_fails_that_call_alone():
    slots = [UNANSWERED] * 2
    message = pb.BatchCallFunctionsResponse()
    message.results.add(index=0)
    message.results.add(index=1).response.SetInParent()
    assert read_answers(message.SerializeToString(), slots) == [0, 1]
    assert isinstance(slots[0].error, callgate.ServerFault)
    assert isinstance(slots[1].error, callgate.ValueDecodeError)


# what the server takes


def refusal(reason, metadata=None):
    return callgate.Exhausted("", code="RESOURCE_EXHAUSTED", reason=reason, metadata=metadata)


def test_a_refusal_is_learnt_from_only_where_no_call_started():
    size = BatchSize(1000, 1 << 20)
    too_many = refusal(reason="REQUEST_TOO_LARGE", metadata={"size": "50", "limit": "10", "unit": "calls"})
    assert size.learn(too_many, 50, 5000)
    assert size.calls == 10
    too_large = refusal(reason="REQUEST_TOO_LARGE", metadata={"size": "5000", "limit": "4000"})
    assert size.learn(too_large, 50, 5000)
    assert (size.limit, size.enough) == (4000, 4000)
    # Other numbers than those of what was sent; an answer that is too large: calls ran.
    assert not size.learn(refusal(reason="REQUEST_TOO_LARGE", metadata={"size": "9000", "limit": "4000"}), 50, 5000)
    assert not size.learn(refusal(reason="RESPONSE_TOO_LARGE", metadata={"size": "5000", "limit": "4000"}), 50, 5000)
    assert not size.learn(too_large, 1, 5000)
    assert not size.learn(refusal("OVERLOADED"), 50, 5000)
    assert not size.learn(callgate.Unavailable("gone", code="UNAVAILABLE"), 50, 5000)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=50), st.integers(1, 10))
def test_pieces_keep_every_call_in_order_and_within_the_limits(lengths, calls):
    size = BatchSize(calls, 60)
    given_ = [bytes([number % 256]) * length for number, length in enumerate(lengths)]
    pieces = size.pieces(given_)
    assert [call for piece in pieces for call in piece] == given_
    assert all(len(piece) <= calls and sum(map(len, piece)) <= 60 for piece in pieces)


# chunks


@given(
    st.lists(st.booleans(), max_size=40),
    st.lists(st.integers(0, 39), unique=True, max_size=40),
    st.integers(1, 10),
    st.booleans(),
    st.booleans(),
)
def test_a_chunk_hands_out_each_result_once_and_in_order_if_asked(sent, answered, step, ordered, split):
    """Whatever could not be sent, in whatever order answers come, and if the server wanted the chunk in pieces."""
    items = [framed(b"%d" % n) if good else Failed(LookupError(n)) for n, good in enumerate(sent)]
    whole = Chunk(items, ordered)
    chunks = whole.split(BatchSize(step, 1 << 20)) if split and whole.calls else [whole]
    names = [[int(call[2:]) for call in chunk.calls] for chunk in chunks]
    out = []
    for chunk, mine in zip(chunks, names, strict=True):
        order = [n for n in answered if n < len(mine)]
        for start in range(0, len(order), step):
            out += chunk.arrived(answer(*((index, mine[index]) for index in order[start : start + step])))
        out += chunk.ended(lambda: OSError("lost"))
    assert len(out) == len(sent)
    shown = [one.error.args[0] if type(one) is Failed else one for one in out]
    known = [one for one in shown if one != "lost"]
    assert len(set(known)) == len(known)
    if ordered:
        for place, one in enumerate(shown):
            assert one in (place, "lost")


def test_what_is_small_goes_in_growing_batches_and_what_is_large_by_bytes():
    chunks = Chunks(options())
    sizes = []
    while len(sizes) < 5:
        while not chunks.add(2.0):
            pass
        sizes.append(chunks.take().count)
    assert sizes[0] < sizes[1]
    assert max(sizes) <= 1024
    many = Chunks(options(chunk=1000, max_message=10_000))
    count = 1
    while not many.add("x" * 3000):
        count += 1
    assert many.take().count == 3
    assert count == 4
    assert many.take().count == 1  # the one that did not fit any more
    assert many.take() is None


def test_an_item_can_have_keyword_arguments():
    chunks = Chunks(options(unpack=True))
    chunks.add(Arguments([1], {"b": 2}))
    (call,) = pb.BatchCallFunctionsRequest.FromString(chunks.request(chunks.take())).calls
    assert (call.module, call.function) == ("math", "sqrt")
    assert call.args[0].int_value == 1
    assert call.kwargs["b"].int_value == 2


# submitted calls


def waiting(*deadlines):
    return deque(Submitted(b"call", deadline, number) for number, deadline in enumerate(deadlines))


def test_calls_with_like_deadlines_go_together_and_the_others_keep_their_order():
    queue = waiting(110.0, None, 110.1, 200.0, 109.9, None)
    assert [one.future for one in take_batch(queue, BatchSize(10, 1000), 100.0)] == [0, 2, 4]
    assert [one.future for one in queue] == [1, 3, 5]
    assert [one.future for one in take_batch(queue, BatchSize(10, 1000), 100.0)] == [1, 5]
    assert [one.future for one in take_batch(queue, BatchSize(10, 1000), 100.0)] == [3]


@given(st.lists(st.one_of(st.none(), st.floats(90, 300)), min_size=1, max_size=60), st.integers(1, 8))
def test_every_call_is_taken_once_and_none_is_cut_off_much_too_early(deadlines, most):
    queue, taken = waiting(*deadlines), []
    while queue:
        batch = take_batch(queue, BatchSize(most, 30), 100.0)
        assert 1 <= len(batch) <= most
        times = [one.deadline for one in batch]
        if None in times:
            assert set(times) == {None}
        else:
            assert max(times) - min(times) <= 2 * SAME_DEADLINE * max(0.0, times[0] - 100.0)
        taken += [one.future for one in batch]
    assert sorted(taken) == list(range(len(deadlines)))
