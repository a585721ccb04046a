"""Batches before they are sent and after they are answered: bytes, sizes, order, deadlines. No server."""

from __future__ import annotations

from collections import deque
from enum import IntEnum

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import callgate
from callgate._batches import (
    UNANSWERED,
    BatchSize,
    Failed,
    PlainCall,
    batch_request,
    fail_unanswered,
    framed,
    mixed_request,
    read_answers,
    weight_of,
    written,
)
from callgate._chunks import Arguments, Chunk, Chunks, MapOptions
from callgate._submitting import SAME_DEADLINE, CallMaker, Submitted, take_batch
from callgate.v1 import function_service_pb2 as pb
from callgate.values import decode, encode


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


def run(first, value):
    message = pb.BatchCallFunctionsResponse()
    encode(value, message.runs.add(first=first).values)
    return message.SerializeToString()


@pytest.mark.parametrize("values", [[1.0, 2.0], [1, 2], [True, False], ["a", ""], [None, 2**70]], ids=repr)
def test_runs_of_results_go_to_their_places_beside_single_ones(values):
    slots = [UNANSWERED] * 4
    assert read_answers(run(1, values) + answer((3, "last"), (0, "first")), slots) == [1, 2, 3, 0]
    assert repr(slots) == repr(["first", *values, "last"])  # repr: True is not 1


def test_runs_that_were_not_asked_for_are_refused():
    slots = [UNANSWERED] * 3
    read_answers(run(1, [1.0]), slots)
    for first, values in [(1, [2.0]), (0, [1.0, 2.0]), (2, [1.0, 2.0]), (3, [1.0]), (-1, [1.0]), (4, []), (-1, [])]:
        with pytest.raises(callgate.ServerFault, match=f"call {first} of a batch of 3"):
            read_answers(run(first, values), slots)
    with pytest.raises(callgate.ServerFault, match="call 1 of a batch of 3"):
        read_answers(answer((1, "again")), slots)
    assert [slots[0], slots[2]] == [UNANSWERED, UNANSWERED]
    assert slots[1] == 1.0
    for no_list in ("text", 3, None, (1.0,), {"a": 1}):
        with pytest.raises(callgate.ServerFault, match="are no list"):
            read_answers(run(0, no_list), slots)
    nothing = pb.BatchCallFunctionsResponse()
    nothing.runs.add(first=0)
    with pytest.raises(callgate.ServerFault, match="results from call 0 on"):
        read_answers(nothing.SerializeToString(), slots)


# calls that are not written out

#: Arguments that a plain call may have, the smallest and the largest of each kind among them.
PLAIN = st.one_of(
    st.floats(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([-(2**63), 2**63 - 1]),
    st.booleans(),
    st.text(max_size=300),
    st.sampled_from(["", "x" * 16_383, "\U0001f600" * 16_383, "\ud800" * 200, "ü" * 127]),
)


def names_of(module, function="f"):
    return pb.CallFunctionRequest(module=module, function=function).SerializeToString()


NAMES = [names_of("a"), names_of("b"), names_of("m" * 200, "long")]


@given(PLAIN, st.sampled_from(NAMES))
def test_a_plain_calls_length_is_no_less_than_what_it_takes_written_out_or_among_others(item, names):
    weight = weight_of(item)
    call = PlainCall(names, item, weight)
    assert len(call) >= len(written(names, item))
    for count in (1, 2, 40):
        assert count * len(call) >= len(mixed_request([call] * count)[0])


@pytest.mark.parametrize(
    "item",
    [2**63, -(2**63) - 1, "x" * 16_384, None, b"", [], (1,), {}, 1j, IntEnum("Of", ["ITS_OWN"])(1)],
    ids=lambda item: repr(item)[:30],
)
def test_what_is_large_or_could_change_or_is_of_a_class_of_its_own_is_written_out_at_once(item):
    assert weight_of(item) == 0
    assert type(CallMaker(1 << 20).make("math", "sqrt", (item,), None)) is bytes
    chunks = Chunks(options())
    chunks.add(item)
    assert type(chunks.take().calls) is list


CALLS = st.lists(
    st.one_of(
        st.builds(lambda names, item: PlainCall(names, item, weight_of(item)), st.sampled_from(NAMES), PLAIN),
        st.builds(lambda number: framed(pb.CallFunctionRequest(module=f"framed {number}").SerializeToString()),
                  st.integers(0, 9)),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


def told(call):
    """What a call says: names and arguments."""
    return call.module, call.function, [repr(decode(arg)) for arg in call.args]


@given(CALLS)
def test_each_call_of_a_mixed_batch_is_sent_once_and_its_place_is_known(calls):
    data, order = mixed_request(calls)
    sent = pb.BatchCallFunctionsRequest.FromString(data)
    arrived = [told(call) for call in sent.calls]
    for mapped in sent.mapped:
        assert len({type(item) for item in decode(mapped.items)}) == 1  # so that they travel packed
        arrived += [(mapped.module, mapped.function, [repr(item)]) for item in decode(mapped.items)]
    places = [*range(len(calls))] if order is None else order
    assert sorted(places) == [*range(len(calls))]
    assert len(arrived) == len(calls)
    for place, here in zip(places, arrived, strict=True):
        call = calls[place]
        if type(call) is PlainCall:
            names = pb.CallFunctionRequest.FromString(call.names)
            assert here == (names.module, names.function, [repr(call.item)])
        else:
            (alone,) = pb.BatchCallFunctionsRequest.FromString(call).calls
            assert here == told(alone)
    assert len(data) <= sum(map(len, calls))
    again, _ = mixed_request([calls[place] for place in places])
    assert len(again) == len(data)  # a refusal is recognised by its size


MIXED = st.one_of(PLAIN, st.none(), st.binary(max_size=400), st.builds(object), st.just("y" * 5000))


@given(
    st.lists(st.tuples(MIXED, st.integers(1, 60)), max_size=12),
    st.sampled_from([300, 1000, 5000, 1 << 20]),
    st.sampled_from([None, 1, 7, 100_000]),
    st.booleans(),
)
@example([(-(2**63), 60)], 300, 100_000, True)
@example([("\U0001f600" * 10, 60)], 300, 100_000, True)
@example([(1.0, 100), ("", 1), (True, 1)], 1000, 100_000, True)
@example([(1.0, 100), (object(), 1), (2.0, 100)], 1000, 100_000, True)
def test_chunks_keep_every_item_in_order_and_each_message_within_the_limit(groups, most, chunk, return_exceptions):
    """Whatever follows what: mapped ones that would be too large written out, items too large by themselves."""
    items = [item for item, count in groups for _ in range(count)]
    chunks = Chunks(options(max_message=most, chunk=chunk, return_exceptions=return_exceptions, call_timeout=1.5))
    taken, source = [], iter(items)
    while True:
        for item in source:
            if chunks.add(item):
                break
        if chunks.broken:
            source = iter(())  # as `map` does: nothing more is read
        piece = chunks.take()
        if piece is None:
            break
        taken.append(piece)
    shown = []
    for piece in taken:
        data = chunks.request(piece)
        assert len(data) <= most
        sent = pb.BatchCallFunctionsRequest.FromString(data)
        assert piece.count == len(sent.calls) + sum(len(decode(mapped.items)) for mapped in sent.mapped)
        assert chunk is None or piece.count <= chunk
        values = [decode(call.args[0]) for call in sent.calls]
        for mapped in sent.mapped:
            assert len({type(item) for item in decode(mapped.items)}) == 1
            values += decode(mapped.items)
        if values:
            shown += piece.arrived(answer(*enumerate(values)))
        shown += piece.ended()
    expected = []
    for item in items:
        fits = type(item) is not object and len(written(names_of("math", "sqrt"), item)) <= most - 64
        expected.append(repr(item) if fits else "failed")
        if not fits and not return_exceptions:
            break
    assert ["failed" if type(one) is Failed else repr(one) for one in shown] == expected


def test_a_mapped_chunk_that_the_server_wants_smaller_is_the_same_calls():
    chunks = Chunks(options(chunk=100))
    for number in range(99):
        chunks.add(float(number))
    assert chunks.add(99.0)
    chunks.size.calls = 30
    pieces = chunks.take().split(chunks.size)
    assert [piece.count for piece in pieces] == [30, 30, 30, 10]
    sent = [pb.BatchCallFunctionsRequest.FromString(chunks.request(piece)) for piece in pieces]
    assert [decode(call.args[0]) for batch in sent for call in batch.calls] == [float(n) for n in range(100)]


def test_a_submitted_call_too_large_for_a_message_says_so_at_once_also_when_its_function_is_known():
    maker = CallMaker(1000)
    assert type(maker.make("math", "sqrt", ("x",), None)) is PlainCall
    for known in (maker, CallMaker(1000)):
        with pytest.raises(callgate.Exhausted, match="max_message"):
            known.make("math", "sqrt", ("x" * 2000,), None)
        with pytest.raises(callgate.Exhausted, match="max_message"):
            known.make("math", "sqrt", ("ü" * 700,), {})
    fits = maker.make("math", "sqrt", ("ü" * 400,), None)  # at most 1,600 bytes, and in fact 800
    assert len(fits) <= 1000


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
