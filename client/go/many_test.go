package callgate_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	callgate "github.com/callgate/callgate/client/go"
)

func TestStreamsGiveItemsInOrder(t *testing.T) {
	var got []any
	for item, err := range dial(t).Stream(limited(t), "examples.countdown", "down", 3) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item)
	}
	if !reflect.DeepEqual(got, []any{int64(3), int64(2), int64(1)}) {
		t.Errorf("got %v", got)
	}
}

func TestAStreamsErrorComesAfterItsItems(t *testing.T) {
	var got []any
	var failed error
	for item, err := range dial(t).Stream(limited(t), "conformance_functions", "count_then_fail", 2) {
		if failed != nil {
			t.Fatal("something came after the error")
		}
		if failed = err; err == nil {
			got = append(got, item)
		}
	}
	if len(got) != 2 || !errors.Is(failed, callgate.Exception("LookupError")) {
		t.Errorf("got %v, %v", got, failed)
	}
}

func TestLeavingAStreamClosesTheGenerator(t *testing.T) {
	gate := dial(t)
	tell := tellVia(t, gate)
	stream := gate.Stream(limited(t), "conformance_functions", "endless", tell.event("it"))
	for item, err := range stream {
		if err != nil {
			t.Fatal(err)
		}
		if item == int64(3) {
			break
		}
	}
	tell.wait(tell.event("it") + " closed")
	for _, err := range stream {
		if err == nil || !strings.Contains(err.Error(), "used already") {
			t.Errorf("a second time: %v", err)
		}
	}
}

func TestCancellingAStreamEndsIt(t *testing.T) {
	gate := dial(t)
	tell := tellVia(t, gate)
	ctx, cancel := context.WithCancel(limited(t))
	defer cancel()
	var last error
	for item, err := range gate.Stream(ctx, "conformance_functions", "first_then_hold", tell.event("it")) {
		if last = err; item == "first" {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("got %v", last)
	}
	tell.wait(tell.event("it") + " closed")
}

func TestABatchGivesResultsByTheirPlace(t *testing.T) {
	results, err := dial(t).Batch(limited(t), []callgate.BatchCall{
		{"math", "sqrt", []any{4.0}},
		{"math", "sqrt", []any{-1.0}},
		{"no", "such", nil},
		{"conformance_functions", "add", []any{1, callgate.Kwargs{"right": 2}}},
	})
	if err != nil || len(results) != 4 || results[0].Value != 2.0 || results[3].Value != int64(3) {
		t.Fatalf("got %v, %v", results, err)
	}
	var failed *callgate.GateError
	if !errors.Is(results[1].Err, callgate.Exception("ValueError")) || !errors.As(results[2].Err, &failed) || failed.Code != codes.NotFound {
		t.Errorf("got %v", results)
	}
}

func TestABatchsCallsHaveALimitEach(t *testing.T) {
	gate := dial(t)
	tell := tellVia(t, gate)
	results, err := gate.Batch(limited(t), []callgate.BatchCall{
		{"conformance_functions", "until_cancelled", []any{tell.event("it")}},
		{"math", "sqrt", []any{4.0}},
	}, callgate.CallTimeout(2*time.Second))
	if err != nil || !errors.Is(results[0].Err, context.DeadlineExceeded) || results[1].Value != 2.0 {
		t.Errorf("got %v, %v", results, err)
	}
	ctx, cancel := context.WithTimeout(limited(t), 200*time.Millisecond)
	defer cancel()
	results, err = gate.Batch(ctx, []callgate.BatchCall{{"conformance_functions", "until_cancelled", []any{tell.event("it")}}})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(results[0].Err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v", results, err)
	}
}

func TestABadCallOfABatchIsNamedAndNothingIsSent(t *testing.T) {
	_, err := dial(t).Batch(limited(t), []callgate.BatchCall{{"math", "sqrt", []any{1.0}}, {"math", "sqrt", []any{func() {}}}})
	var bad *callgate.ValueFormError
	if !errors.As(err, &bad) || bad.Path != "calls[1].args[0]" {
		t.Errorf("got %v", err)
	}
	if results, err := dial(t).Batch(limited(t), nil); err != nil || len(results) != 0 {
		t.Errorf("an empty batch: %v, %v", results, err)
	}
}

func TestMapGivesResultsInOrder(t *testing.T) {
	gate := dial(t)
	numbers := make([]float64, 5000)
	for i := range numbers {
		numbers[i] = float64(i) * float64(i)
	}
	for _, options := range [][]callgate.BatchOption{nil, {callgate.Chunk(7)}, {callgate.Chunk(3000)}} {
		at := 0
		for root, err := range callgate.Map[float64](limited(t), gate, "math", "sqrt", slices.Values(numbers), options...) {
			if err != nil || root != float64(at) {
				t.Fatalf("%d: %v, %v", at, root, err)
			}
			at++
		}
		if at != len(numbers) {
			t.Errorf("%d results came", at)
		}
	}
}

func TestMapGivesErrorsInTheirPlace(t *testing.T) {
	items := []any{4.0, -1.0, func() {}, callgate.Args{9.0}, callgate.Args{}, 16.0}
	var got []string
	for root, err := range callgate.Map[any](limited(t), dial(t), "math", "sqrt", slices.Values(items)) {
		var bad *callgate.ValueFormError
		var failed *callgate.GateError
		switch {
		case errors.Is(err, callgate.Exception("ValueError")):
			got = append(got, "raised")
		case errors.As(err, &bad):
			got = append(got, bad.Path)
		case errors.As(err, &failed):
			got = append(got, failed.Reason)
		default:
			got = append(got, map[any]string{2.0: "2", 3.0: "3", 4.0: "4"}[root])
		}
	}
	if wanted := []string{"2", "raised", "args[0]", "3", "ARGUMENTS_MISMATCH", "4"}; !slices.Equal(got, wanted) {
		t.Errorf("got %q", got)
	}
}

// forever counts without end, and how far it was read.
func forever(read *int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; yield(*read); *read++ {
		}
	}
}

func TestMapReadsOnlyAFewBatchesAhead(t *testing.T) {
	read, at := 0, 0
	for value, err := range callgate.Map[int](limited(t), dial(t), "builtins", "abs", forever(&read), callgate.Chunk(10)) {
		if err != nil || value != at {
			t.Fatalf("%d: %v, %v", at, value, err)
		}
		if at++; at == 100 {
			break
		}
	}
	if read > 100+4*10 {
		t.Errorf("%d items were read for 100 results", read)
	}
}

func TestMapEndsWithItsContext(t *testing.T) {
	gate := dial(t)
	tell := tellVia(t, gate)
	ctx, cancel := context.WithTimeout(limited(t), 200*time.Millisecond)
	defer cancel()
	var got []error
	for _, err := range callgate.Map[any](ctx, gate, "conformance_functions", "until_cancelled", slices.Values([]string{tell.event("it"), tell.event("other")})) {
		got = append(got, err)
	}
	// The server, too, knows the deadline: its answer to the first item may come before this side has ended.
	if len(got) < 1 || len(got) > 2 || slices.ContainsFunc(got, func(err error) bool { return !errors.Is(err, context.DeadlineExceeded) }) {
		t.Errorf("got %v", got)
	}
}

func TestASharedCallThatIsSlowHoldsNobodyUp(t *testing.T) {
	gate := dial(t)
	tell := tellVia(t, gate)
	held := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := gate.CallShared(limited(t), "conformance_functions", "hold", tell.event("it"))
			held <- err
		}()
	}
	tell.wait(tell.event("it") + " started")
	for n := range 20 {
		if err := mixed(gate.CallShared, limited(t), n); err != nil {
			t.Fatal(err)
		}
	}
	tell.signal(tell.event("it"))
	for range 3 {
		if err := <-held; err != nil {
			t.Error(err)
		}
	}
}

func TestASharedCallThatIsCancelledEndsOnTheServer(t *testing.T) {
	gate := dial(t)
	tell := tellVia(t, gate)
	ctx, cancel := context.WithCancel(limited(t))
	failed := make(chan error, 1)
	go func() {
		_, err := gate.CallShared(ctx, "conformance_functions", "until_cancelled", tell.event("it"))
		failed <- err
	}()
	tell.wait(tell.event("it") + " started")
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	tell.wait(tell.event("it") + " cancelled")
}

func TestASharedCallThatIsLeftAloneInItsBatchEndsOnTheServer(t *testing.T) {
	gate := dial(t)
	tell := tellVia(t, gate)
	held := make(chan error, 2)
	for range 2 { // while two batches are on their way, what comes goes together
		go func() {
			_, err := gate.CallShared(limited(t), "conformance_functions", "hold", tell.event("it"))
			held <- err
		}()
	}
	tell.wait(tell.event("it") + " started")
	ctx, cancel := context.WithCancel(limited(t))
	failed := make(chan error, 1)
	go func() {
		_, err := gate.CallShared(ctx, "conformance_functions", "until_cancelled", tell.event("left"))
		failed <- err
	}()
	if err := mixed(gate.CallShared, limited(t), 3); err != nil {
		t.Error(err)
	}
	tell.wait(tell.event("left") + " started")
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	tell.wait(tell.event("left") + " cancelled")
	tell.signal(tell.event("it"))
	for range 2 {
		if err := <-held; err != nil {
			t.Error(err)
		}
	}
}

func TestASharedCallThatWaitsCanBeCancelledAndNeverStarts(t *testing.T) {
	other := dial(t)
	tell := tellVia(t, other)
	gate := dial(t)
	held := make(chan error, 4)
	for n := range 4 { // one at a time, so that each has a batch of its own
		name := tell.event(string(rune('a' + n)))
		go func() {
			_, err := gate.CallShared(limited(t), "conformance_functions", "hold", name)
			held <- err
		}()
		tell.wait(name + " started")
	}
	ctx, cancel := context.WithTimeout(limited(t), 50*time.Millisecond)
	defer cancel()
	_, err := gate.CallShared(ctx, "conformance_functions", "leave_trace", tell.event("trace"))
	var failed *callgate.GateError
	if !errors.As(err, &failed) || failed.Reason != "EXPIRED_IN_QUEUE" {
		t.Errorf("got %v", err)
	}
	for n := range 4 {
		tell.signal(tell.event(string(rune('a' + n))))
		if err := <-held; err != nil {
			t.Error(err)
		}
	}
	if came := must(t, other, "conformance_events", "wait", tell.event("trace")+" ran", 0.0); came != false {
		t.Error("it ran")
	}
}
