package callgate_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	callgate "github.com/callgate/callgate/client/go"
	"github.com/callgate/callgate/client/go/internal/servertest"
)

func TestCallsGiveWhatPythonReturns(t *testing.T) {
	gate := dial(t)
	for _, one := range []struct {
		module, function string
		args             []any
		wanted           any
	}{
		{"math", "sqrt", []any{16.0}, 4.0},
		{"math", "factorial", []any{5}, int64(120)},
		{"json", "dumps", []any{map[string]any{"a": []any{1, nil, true}}}, `{"a": [1, null, true]}`},
		{"json", "loads", []any{`{"b": 1, "a": [1.5, "x"]}`}, callgate.Dict{{Key: "b", Value: int64(1)}, {Key: "a", Value: []any{1.5, "x"}}}},
		{"conformance_functions", "nothing", nil, nil},
		{"conformance_functions", "größe", []any{callgate.Kwargs{"länge": 1.5}}, 3.0},
		{"conformance_functions", "shape", []any{1, 2, 3, callgate.Kwargs{"c": 4}, callgate.Kwargs{"e": 5}},
			[]any{int64(1), int64(2), []int64{3}, int64(4), int64(4), callgate.Dict{{Key: "e", Value: int64(5)}}}},
	} {
		if got := must(t, gate, one.module, one.function, one.args...); !reflect.DeepEqual(got, one.wanted) {
			t.Errorf("%s.%s: %#v, wanted %#v", one.module, one.function, got, one.wanted)
		}
	}
}

func TestTypedCallsConvert(t *testing.T) {
	gate, ctx := dial(t), limited(t)
	area, err := callgate.Call[float64](ctx, gate, "examples.shapes", "area", 2)
	if err != nil || area != 4 {
		t.Errorf("got %v, %v", area, err)
	}
	circle, err := callgate.Call[struct{ Area, Circumference float64 }](ctx, gate, "examples.shapes", "circle", 1.0, callgate.Kwargs{"digits": 2})
	if err != nil || circle.Area != 3.14 || circle.Circumference != 6.28 {
		t.Errorf("got %+v, %v", circle, err)
	}
	_, err = callgate.Call[int](ctx, gate, "math", "sqrt", 16.0)
	var misfit *callgate.ConversionError
	if !errors.As(err, &misfit) {
		t.Errorf("4.0 became an int: %v", err)
	}
}

func TestABadArgumentIsNotSent(t *testing.T) {
	gate, err := callgate.Dial("127.0.0.1:1") // where nobody listens
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gate.Close() }()
	_, err = gate.CallFunction(limited(t), "math", "sqrt", []any{func() {}})
	var bad *callgate.ValueFormError
	if !errors.As(err, &bad) || bad.Path != "args[0][0]" {
		t.Errorf("got %v", err)
	}
}

func TestWhatPythonRaisesIsAPythonError(t *testing.T) {
	_, err := dial(t).CallFunction(limited(t), "conformance_functions", "refuse_order", 17)
	var raised *callgate.PythonError
	if !errors.As(err, &raised) || raised.Type != "OrderRefused" || raised.Cause == nil || raised.Cause.Type != "KeyError" ||
		!raised.IsA("LookupError") || len(raised.Frames) == 0 || raised.CallID == "" {
		t.Fatalf("got %+v", err)
	}
	if !strings.Contains(fmt.Sprintf("%+v", err), "in refuse_order") {
		t.Errorf("got %+v", err)
	}
}

func TestWhatCannotBeReachedIsAGateError(t *testing.T) {
	gate := dial(t)
	for function, wanted := range map[string]struct {
		code   codes.Code
		reason string
	}{
		"no_such_function": {codes.NotFound, "FUNCTION_NOT_FOUND"},
		"add":              {codes.InvalidArgument, "ARGUMENTS_MISMATCH"},
		"count":            {codes.FailedPrecondition, "WRONG_METHOD"},
	} {
		_, err := gate.CallFunction(limited(t), "conformance_functions", function)
		var failed *callgate.GateError
		if !errors.As(err, &failed) || failed.Code != wanted.code || failed.Reason != wanted.reason {
			t.Errorf("%s: %v", function, err)
		}
	}
}

func TestADeadlineEndsTheFunction(t *testing.T) {
	gate := dial(t)
	tell := tellVia(t, gate)
	ctx, cancel := context.WithTimeout(limited(t), 2*time.Second)
	defer cancel()
	_, err := gate.CallFunction(ctx, "conformance_functions", "until_cancelled", tell.event("it"))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	tell.wait(tell.event("it") + " cancelled")
}

func TestCancellingEndsTheFunction(t *testing.T) {
	gate := dial(t)
	tell := tellVia(t, gate)
	ctx, cancel := context.WithCancel(limited(t))
	failed := make(chan error, 1)
	go func() {
		_, err := gate.CallFunction(ctx, "conformance_functions", "until_cancelled", tell.event("it"))
		failed <- err
	}()
	tell.wait(tell.event("it") + " started")
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	tell.wait(tell.event("it") + " cancelled")
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	gate := dial(t)
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	var failed *callgate.GateError
	_, err := gate.CallFunction(ctx, "math", "sqrt", 1.0)
	if !errors.As(err, &failed) || failed.Reason != "EXPIRED_IN_QUEUE" {
		t.Errorf("got %v", err)
	}
	_, err = gate.CallShared(ctx, "math", "sqrt", 1.0)
	if !errors.As(err, &failed) || failed.Reason != "EXPIRED_IN_QUEUE" {
		t.Errorf("shared: got %v", err)
	}
}

func TestTheGatesOwnTimeout(t *testing.T) {
	gate := dial(t, callgate.WithTimeout(200*time.Millisecond))
	_, err := gate.CallFunction(context.Background(), "conformance_functions", "until_cancelled", t.Name())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	hasty := dial(t, callgate.WithTimeout(1))
	if must(t, hasty, "math", "sqrt", 4.0) != 2.0 { // by a context that has a deadline of its own
		t.Error("a wrong answer")
	}
}

func TestCallsBeyondTheLimitWaitInTheClient(t *testing.T) {
	other := dial(t)
	tell := tellVia(t, other)
	gate := dial(t, callgate.WithInFlight(1))
	answered := make(chan error, 1)
	go func() {
		_, err := gate.CallFunction(limited(t), "conformance_functions", "hold", tell.event("it"))
		answered <- err
	}()
	tell.wait(tell.event("it") + " started")
	ctx, cancel := context.WithTimeout(limited(t), 50*time.Millisecond)
	defer cancel()
	_, err := gate.CallFunction(ctx, "math", "sqrt", 4.0)
	var failed *callgate.GateError
	if !errors.As(err, &failed) || failed.Reason != "EXPIRED_IN_QUEUE" {
		t.Errorf("got %v", err)
	}
	tell.signal(tell.event("it"))
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if must(t, gate, "math", "sqrt", 4.0) != 2.0 {
		t.Error("the place was not given back")
	}
}

func TestClosingEndsCallsOnTheirWay(t *testing.T) {
	other := dial(t)
	tell := tellVia(t, other)
	gate := dial(t, callgate.WithInFlight(2))
	failed := make(chan error, 4)
	for _, call := range []func(context.Context, string, string, ...any) (any, error){gate.CallFunction, gate.CallShared} {
		go func() {
			_, err := call(limited(t), "conformance_functions", "until_cancelled", tell.event("it"))
			failed <- err
		}()
		tell.wait(tell.event("it") + " started")
	}
	if err := gate.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-failed; !errors.Is(err, callgate.ErrClosed) {
			t.Errorf("on its way: %v", err)
		}
	}
	_, err := gate.CallFunction(limited(t), "math", "sqrt", 4.0)
	_, shared := gate.CallShared(limited(t), "math", "sqrt", 4.0)
	_, listed := gate.List(limited(t), "")
	for _, err := range []error{err, shared, listed} {
		if !errors.Is(err, callgate.ErrClosed) {
			t.Errorf("afterwards: %v", err)
		}
	}
	for _, err := range gate.Stream(limited(t), "examples.countdown", "down", 3) {
		if !errors.Is(err, callgate.ErrClosed) {
			t.Errorf("a stream afterwards: %v", err)
		}
	}
	if err := gate.Close(); err != nil {
		t.Error(err)
	}
}

func TestARequestThatIsTooLargeIsNotSent(t *testing.T) {
	gate := dial(t, callgate.WithMaxMessage(1000))
	_, err := gate.CallFunction(limited(t), "builtins", "len", make([]byte, 2000))
	var failed *callgate.GateError
	if !errors.As(err, &failed) || failed.Reason != "REQUEST_TOO_LARGE" || failed.Metadata["limit"] != "1000" {
		t.Errorf("got %v", err)
	}
	_, err = gate.CallFunction(limited(t), "conformance_functions", "sized", 5000)
	if !errors.As(err, &failed) || failed.Reason != "RESPONSE_TOO_LARGE" {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerAsLargeAsTheServerSends(t *testing.T) {
	gate := dial(t)
	if data, ok := must(t, gate, "conformance_functions", "sized", 40<<20).([]byte); !ok || len(data) != 40<<20 {
		t.Errorf("%d bytes came", len(data))
	}
}

func TestListingAndDescribing(t *testing.T) {
	gate := dial(t)
	functions, err := gate.List(limited(t), "examples.shapes")
	if err != nil || len(functions) != 3 || functions[0].Name != "area" {
		t.Fatalf("got %v, %v", functions, err)
	}
	all, err := gate.List(limited(t), "")
	if err != nil || len(all) < 60 {
		t.Errorf("%d functions, %v", len(all), err)
	}
	circle, err := gate.Describe(limited(t), "examples.shapes", "circle")
	if err != nil || circle.Kind != "function" || len(circle.Parameters) != 2 || circle.Parameters[1].Default != "3" ||
		circle.Parameters[1].Kind != "keyword-only" || !strings.HasPrefix(circle.String(), "examples.shapes.circle(radius") {
		t.Errorf("got %+v, %v", circle, err)
	}
	_, err = gate.Describe(limited(t), "examples.shapes", "triangle")
	var failed *callgate.GateError
	if !errors.As(err, &failed) || failed.Reason != "FUNCTION_NOT_FOUND" {
		t.Errorf("got %v", err)
	}
}

func TestHealth(t *testing.T) {
	gate := dial(t)
	if err := gate.Ready(limited(t)); err != nil {
		t.Error(err)
	}
	if said, err := gate.Health(limited(t), ""); err != nil || said != "SERVING" {
		t.Errorf("got %s, %v", said, err)
	}
	if said, err := gate.Health(limited(t), "no.such.Service"); err != nil || said != "SERVICE_UNKNOWN" {
		t.Errorf("got %s, %v", said, err)
	}
}

func TestWhereNobodyListensTheErrorSaysSo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	gate := dialTo(t, address)
	_, err = gate.CallFunction(limited(t), "math", "sqrt", 1.0)
	var failed *callgate.GateError
	if !errors.As(err, &failed) || failed.Code != codes.Unavailable || failed.Reason != "" ||
		!strings.Contains(err.Error(), "nothing listens there") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(limited(t), 300*time.Millisecond)
	defer cancel()
	if err := gate.Ready(ctx); err == nil || !strings.Contains(err.Error(), "nothing listens there") {
		t.Errorf("Ready: %v", err)
	}
}

func TestAServerThatWasRestartedIsFoundAgain(t *testing.T) {
	socket := "unix:" + t.TempDir() + "/gate.sock"
	gate := dialTo(t, socket)
	for range 2 {
		running, err := servertest.Start("math", "--listen", socket)
		if err != nil {
			t.Fatal(err)
		}
		if err := gate.Ready(limited(t)); err != nil {
			t.Error(err)
		}
		if must(t, gate, "math", "sqrt", 16.0) != 4.0 {
			t.Error("a wrong answer")
		}
		running.Kill()
	}
}

func TestWrongOptionsAreTold(t *testing.T) {
	for target, said := range map[string]string{"localhost": "HOST:PORT", "http://localhost:1": "WithTLS", "localhost:0": "1 to 65535"} {
		if _, err := callgate.Dial(target); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", target, err)
		}
	}
	for said, option := range map[string]callgate.Option{
		"cannot be read": callgate.WithCA("/nowhere"), "certificate": callgate.WithClientCertificate("/nowhere", "/nowhere"),
		"one word": callgate.WithToken("two words"), "timeout": callgate.WithTimeout(-1),
		"largest message": callgate.WithMaxMessage(0), "in flight": callgate.WithInFlight(0), "configuration": callgate.WithTLSConfig(nil),
	} {
		if _, err := callgate.Dial("localhost:1", option); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", said, err)
		}
	}
}

// mixed makes the n-th of many calls, and tells what is wrong with its answer.
func mixed(call func(context.Context, string, string, ...any) (any, error), ctx context.Context, n int) error {
	var got, wanted any
	var err error
	switch n % 4 {
	case 0:
		wanted = float64(n)
		got, err = call(ctx, "math", "sqrt", float64(n)*float64(n))
	case 1:
		wanted = fmt.Sprintf(`[%d, "x"]`, n)
		got, err = call(ctx, "json", "dumps", []any{n, "x"})
	case 2:
		wanted = int64(n)
		got, err = call(ctx, "builtins", "abs", -n)
	default:
		wanted = callgate.Dict{{Key: "n", Value: int64(n)}}
		got, err = call(ctx, "conformance_functions", "echo", wanted)
	}
	if err != nil || !reflect.DeepEqual(got, wanted) {
		return fmt.Errorf("call %d: %v (%w), wanted %v", n, got, err, wanted)
	}
	return nil
}

func TestManyGoroutinesGetTheirOwnAnswers(t *testing.T) {
	const goroutines, calls = 64, 1000
	gate := dial(t)
	for name, call := range map[string]func(context.Context, string, string, ...any) (any, error){
		"CallFunction": gate.CallFunction, "CallShared": gate.CallShared} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 3*testTime)
			defer cancel()
			var all sync.WaitGroup
			for goroutine := range goroutines {
				all.Go(func() {
					for i := range calls {
						if err := mixed(call, ctx, goroutine*calls+i); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}
