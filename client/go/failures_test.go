package callgate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

func statusOf(t *testing.T, code codes.Code, message string, details ...proto.Message) *spb.Status {
	t.Helper()
	made := &spb.Status{Code: int32(code), Message: message}
	for _, detail := range details {
		packed, err := anypb.New(detail)
		if err != nil {
			t.Fatal(err)
		}
		made.Details = append(made.Details, packed)
	}
	return made
}

func raisedOrder(t *testing.T) error {
	t.Helper()
	return errorFromStatus(statusOf(t, codes.Unknown, "OrderRefused: no such order",
		&errdetails.ErrorInfo{Domain: "callgate", Reason: "FUNCTION_RAISED"},
		&pb.PythonException{Type: "OrderRefused", Module: "shop", Message: "no such order",
			Args: []*pb.Value{text("no such order"), ofInt(7)}, Notes: []string{"ask Ada"},
			BuiltinBases: []string{"LookupError", "Exception"},
			Frames:       []*pb.TracebackFrame{{File: "shop.py", Line: 3, Function: "refuse", Source: "raise", Repeated: 2}},
			Attributes:   map[string]*pb.Value{"errno": ofInt(2)},
			Cause:        &pb.PythonException{Type: "KeyError", Module: "builtins", Message: "7", BuiltinBases: []string{"LookupError"}}},
	), "id-1")
}

func TestWhatTheFunctionRaisedIsAPythonError(t *testing.T) {
	err := fmt.Errorf("quoting: %w", raisedOrder(t))
	var raised *PythonError
	if !errors.As(err, &raised) {
		t.Fatal(err)
	}
	if raised.Name() != "shop.OrderRefused" || raised.Args[1] != int64(7) || raised.CallID != "id-1" ||
		raised.Attributes["errno"] != int64(2) || raised.Reason != "FUNCTION_RAISED" || raised.Code != codes.Unknown {
		t.Errorf("got %+v", *raised)
	}
	if !raised.IsA("LookupError") || !raised.IsA("OrderRefused") || raised.IsA("KeyError") {
		t.Error("IsA does not tell its classes")
	}
	if !errors.Is(err, Exception("shop.OrderRefused")) || !errors.Is(err, Exception("KeyError")) || errors.Is(err, Exception("TypeError")) {
		t.Error("errors.Is does not tell its classes and its cause's")
	}
	if cause, ok := errors.Unwrap(raised).(*PythonError); !ok || cause.Error() != "KeyError: 7" || cause.Unwrap() != nil {
		t.Errorf("the cause is %v", errors.Unwrap(raised))
	}
	var failed *GateError
	if errors.As(err, &failed) {
		t.Error("it is both kinds at once")
	}
	if status.Code(raised) != codes.Unknown || len(status.Convert(raised).Details()) != 2 {
		t.Error("it has lost its status")
	}
}

func TestTheRemoteTracebackIsPrinted(t *testing.T) {
	err := raisedOrder(t)
	if got := fmt.Sprintf("%v|%s|%q", err, err, err); got != `shop.OrderRefused: no such order|shop.OrderRefused: no such order|"shop.OrderRefused: no such order"` {
		t.Error(got)
	}
	wanted := `KeyError: 7

The above exception was the direct cause of the following exception:

Remote traceback (most recent call last):
  File "shop.py", line 3, in refuse
    raise
  [the frame above repeated 2 more times]
shop.OrderRefused: no such order
ask Ada`
	if got := fmt.Sprintf("%+v", err); got != wanted {
		t.Error(got)
	}
}

func TestAGroupsMembersAreFound(t *testing.T) {
	err := errorFromStatus(statusOf(t, codes.Unknown, "", &pb.PythonException{Type: "ExceptionGroup", Module: "builtins",
		Message: "several", Exceptions: []*pb.PythonException{{Type: "ValueError", Module: "builtins", Message: "one"}}}), "")
	if !errors.Is(err, Exception("ValueError")) || !strings.Contains(fmt.Sprintf("%+v", err), "  | ValueError: one") {
		t.Errorf("got %+v", err)
	}
}

func TestAnExceptionsContextIsUnwrapped(t *testing.T) {
	context := &PythonError{Type: "ZeroDivisionError", Module: "builtins"}
	if shown := (&PythonError{Context: context}); errors.Unwrap(shown) != error(context) {
		t.Error("the context is not found")
	}
	if hidden := (&PythonError{Context: context, SuppressContext: true}); errors.Unwrap(hidden) != nil {
		t.Error("a suppressed context is found")
	}
}

func TestWhatFailedOnTheWayIsAGateError(t *testing.T) {
	err := errorFromStatus(statusOf(t, codes.ResourceExhausted, "too many calls wait",
		&errdetails.ErrorInfo{Domain: "callgate", Reason: "OVERLOADED", Metadata: map[string]string{"waiting": "8", "call_id": "id-2"}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)}), "")
	var failed *GateError
	if !errors.As(err, &failed) || failed.Reason != "OVERLOADED" || failed.Metadata["waiting"] != "8" ||
		failed.RetryAfter == nil || *failed.RetryAfter != 1500*time.Millisecond || failed.CallID != "id-2" {
		t.Fatalf("got %+v", err)
	}
	if err.Error() != "too many calls wait [OVERLOADED]" || status.Code(err) != codes.ResourceExhausted {
		t.Errorf("%v, %s", err, status.Code(err))
	}
	var raised *PythonError
	if errors.As(err, &raised) {
		t.Error("it is both kinds at once")
	}
}

func TestAnErrorInfoOfAnotherDomainIsNotOurs(t *testing.T) {
	err := errorFromStatus(statusOf(t, codes.PermissionDenied, "", &errdetails.ErrorInfo{Domain: "example.org", Reason: "X"}), "")
	if err.Error() != "PERMISSION_DENIED [PERMISSION_DENIED]" {
		t.Error(err)
	}
}

func TestDetailsThatAreNotWhatTheySayAreNone(t *testing.T) {
	broken := statusOf(t, codes.Unknown, "odd")
	broken.Details = []*anypb.Any{
		{TypeUrl: "type.googleapis.com/callgate.v1.PythonException", Value: []byte{0xff}},
		{TypeUrl: "type.googleapis.com/example.Unknown", Value: []byte{1}},
	}
	var failed *GateError
	if err := errorFromStatus(broken, ""); !errors.As(err, &failed) || failed.Reason != "" {
		t.Errorf("got %+v", err)
	}
}

func TestAnExceptionWithAnArgumentThatDoesNotDecodeIsStillOne(t *testing.T) {
	err := errorFromStatus(statusOf(t, codes.Unknown, "", &pb.PythonException{Type: "ValueError", Module: "builtins",
		Message: "m", Args: []*pb.Value{text("m"), {}}, Attributes: map[string]*pb.Value{"bad": {}}}), "")
	var raised *PythonError
	if !errors.As(err, &raised) || raised.Args != nil || !raised.ArgsOmitted || raised.Attributes != nil {
		t.Errorf("got %+v", err)
	}
}

func TestErrorsOfContextsAreFound(t *testing.T) {
	if !errors.Is(gateError(codes.DeadlineExceeded, "RAN_TOO_LONG", ""), context.DeadlineExceeded) ||
		!errors.Is(gateError(codes.Canceled, "", ""), context.Canceled) || !errors.Is(errClosedMidway(), ErrClosed) ||
		errors.Is(gateError(codes.Internal, "", ""), context.Canceled) {
		t.Error("errors.Is does not tell why a call ended")
	}
}

func TestMessagesThatGRPCItselfRefused(t *testing.T) {
	for message, reason := range map[string]string{
		"grpc: received message larger than max (2000 vs. 1000)":   "RESPONSE_TOO_LARGE",
		"SERVER: Received message larger than max (2000 vs. 1000)": "REQUEST_TOO_LARGE",
	} {
		made := tooLargeOnTheWay(message)
		if made == nil || made.Reason != reason || made.Metadata["size"] != "2000" || made.Metadata["limit"] != "1000" {
			t.Errorf("%s: %+v", message, made)
		}
	}
	if made := tooLargeOnTheWay("something else"); made != nil {
		t.Errorf("got %v", made)
	}
}

func TestACodeThatAProxyChangedCounts(t *testing.T) {
	made := changedOnTheWay(`grpc-status-details-bin mismatch: grpc-status=NotFound, grpc-message="no \"x\"", grpc-status-details-bin=code:2`)
	if made == nil || made.Code != codes.NotFound || made.Message != `no "x"` {
		t.Errorf("got %+v", made)
	}
}
