package callgate

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// ErrClosed is what errors of a closed Gate wrap.
var ErrClosed = errors.New("this Gate is closed")

// GateError says that getting to the function failed; unless the reason says otherwise, it did not run. Branch on Reason,
// never on the text. docs/errors.md lists the reasons, and after which of them a call may be sent again.
//
// errors.Is finds context.DeadlineExceeded and context.Canceled in it where its code says so, and [ErrClosed] where the
// Gate was closed.
type GateError struct {
	// Code is the gRPC code.
	Code codes.Code
	// Reason is why, by name of callgate.v1.ErrorReason without its prefix ("FUNCTION_NOT_FOUND"); "" if the failure did not
	// come from a Callgate server (a refused connection).
	Reason string
	// Message is one sentence for people.
	Message string
	// Metadata is more about the reason, by name.
	Metadata map[string]string
	// RetryAfter is after how long a retry is welcome; nil if the server said nothing.
	RetryAfter *time.Duration
	// CallID is the id under which the server logged the call; "" if it said none.
	CallID string

	cause   error
	details []*anypb.Any
}

// Error returns the message, and the reason or the code.
func (e *GateError) Error() string {
	why := e.Reason
	if why == "" {
		why = codeName(e.Code)
	}
	return e.Message + " [" + why + "]"
}

// Unwrap returns context.DeadlineExceeded, context.Canceled or ErrClosed where that is what happened, else nil.
func (e *GateError) Unwrap() error {
	switch {
	case e.cause != nil:
		return e.cause
	case e.Code == codes.DeadlineExceeded:
		return context.DeadlineExceeded
	case e.Code == codes.Canceled:
		return context.Canceled
	}
	return nil
}

// GRPCStatus returns the status as grpc-go's status.FromError finds it.
func (e *GateError) GRPCStatus() *status.Status { return statusWith(e.Code, e.Message, e.details) }

func statusWith(code codes.Code, message string, details []*anypb.Any) *status.Status {
	made := status.New(code, message).Proto()
	made.Details = details
	return status.FromProto(made)
}

func gateError(code codes.Code, reason, message string) *GateError {
	return &GateError{Code: code, Reason: reason, Message: message}
}

// errClosedBefore is the error of a call on a closed Gate.
func errClosedBefore() *GateError {
	return &GateError{Code: codes.Canceled, Message: "this Gate is closed; the call never started", cause: ErrClosed}
}

// errClosedMidway is the error of a call whose Gate was closed while it was on its way.
func errClosedMidway() *GateError {
	return &GateError{Code: codes.Canceled, cause: ErrClosed,
		Message: "this Gate was closed while the call was on its way; the function may have run"}
}

// errUnsent is the error of a call whose context ended before the call left this client; where tells what it waited for.
func errUnsent(ctx context.Context, where string) *GateError {
	if errors.Is(ctx.Err(), context.Canceled) {
		return gateError(codes.Canceled, "", "the call was cancelled "+where+"; it never started")
	}
	return gateError(codes.DeadlineExceeded, "EXPIRED_IN_QUEUE", "the deadline passed "+where+"; it never started")
}

// errGone is the error of a call whose context ended while it was on its way.
func errGone(ctx context.Context) *GateError {
	if errors.Is(ctx.Err(), context.Canceled) {
		return gateError(codes.Canceled, "", "the call was cancelled; the function may have run")
	}
	return gateError(codes.DeadlineExceeded, "", "the deadline passed before an answer came")
}

// codeNames are the canonical codes' names (https://grpc.github.io/grpc/core/md_doc_statuscodes.html); grpc-go's own
// String() writes them differently.
var codeNames = [...]string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
	"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

func codeName(code codes.Code) string {
	if int(code) < len(codeNames) {
		return codeNames[code]
	}
	return "UNKNOWN"
}
