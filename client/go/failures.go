package callgate

import (
	"errors"
	"regexp"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// domain is ErrorInfo.domain of every failure that Callgate reports.
const domain = "callgate"

// errorOf is the error of a failed RPC: from its rich status if it has one, else from its code.
func (g *Gate) errorOf(err error, trailer metadata.MD) error {
	failed, _ := status.FromError(err)
	if g.closed.Load() && failed.Code() == codes.Canceled {
		return errClosedMidway()
	}
	callID := first(trailer, "callgate-call-id")
	rich := failed.Proto()
	if len(rich.GetDetails()) > 0 {
		g.wasReached()
		return errorFromStatus(rich, callID)
	}
	message := failed.Message()
	switch failed.Code() {
	case codes.DeadlineExceeded:
		return &GateError{Code: codes.DeadlineExceeded, Message: "the deadline passed before an answer came", CallID: callID}
	case codes.Canceled:
		return &GateError{Code: codes.Canceled, Message: "the call was cancelled; the function may have run", CallID: callID}
	case codes.Unavailable:
		message = g.unreachable(message)
	case codes.ResourceExhausted:
		if refused := tooLargeOnTheWay(message); refused != nil {
			refused.CallID = callID
			return refused
		}
	case codes.Internal:
		if changed := changedOnTheWay(message); changed != nil {
			changed.CallID = callID
			return changed
		}
	}
	if message == "" {
		message = codeName(failed.Code())
	}
	return &GateError{Code: failed.Code(), Message: message, CallID: callID}
}

func first(trailer metadata.MD, key string) string {
	if values := trailer.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// mismatchMessage is what grpc-go puts in the place of an answer whose code somebody on the way, a proxy, changed.
var mismatchMessage = regexp.MustCompile(`^grpc-status-details-bin mismatch: grpc-status=(\w+), grpc-message=("(?:[^"\\]|\\.)*")`)

// changedOnTheWay is the error of such an answer: the code that came counts, and not the details. Nil if it is none.
func changedOnTheWay(message string) *GateError {
	found := mismatchMessage.FindStringSubmatch(message)
	if found == nil {
		return nil
	}
	for number := range codeNames {
		if code := codes.Code(number); code.String() == found[1] {
			text, _ := strconv.Unquote(found[2])
			return gateError(code, "", text)
		}
	}
	return nil
}

// refusedMessage is how gRPC itself refuses a message: grpc-go on this side, C core ("SERVER: ") on the other.
var refusedMessage = regexp.MustCompile(`(grpc: |SERVER: )?[Rr]eceived message (?:after decompression )?larger than max \((\d+) vs\. (\d+)\)`)

// tooLargeOnTheWay gives such a refusal the reason and numbers that Callgate would have given.
func tooLargeOnTheWay(message string) *GateError {
	found := refusedMessage.FindStringSubmatch(message)
	if found == nil {
		return nil
	}
	if found[1] == "grpc: " {
		return tooLarge("RESPONSE_TOO_LARGE", "the answer is "+found[2]+" bytes; this client takes at most "+found[3]+" (WithMaxMessage)", found[2], found[3])
	}
	return tooLarge("REQUEST_TOO_LARGE", "the request is "+found[2]+" bytes; the server takes at most "+found[3], found[2], found[3])
}

func tooLarge(reason, message, size, limit string) *GateError {
	return &GateError{Code: codes.ResourceExhausted, Reason: reason, Message: message,
		Metadata: map[string]string{"size": size, "limit": limit, "unit": "bytes"}}
}

// errorFromStatus is the error of a failed call: a PythonError if the function raised, else a GateError.
func errorFromStatus(failed *spb.Status, callID string) error {
	var exception *pb.PythonException
	var info *errdetails.ErrorInfo
	var retry *errdetails.RetryInfo
	var others []*anypb.Any
	for _, detail := range failed.GetDetails() {
		unpacked, err := detail.UnmarshalNew()
		if err != nil {
			if errors.Is(err, protoregistry.NotFound) { // a type that is not known here: for whoever knows it
				others = append(others, detail)
			}
			continue // what is not what it says is none
		}
		switch unpacked := unpacked.(type) {
		case *pb.PythonException:
			exception = unpacked
		case *errdetails.ErrorInfo:
			if unpacked.GetDomain() == domain {
				info = unpacked
			}
		case *errdetails.RetryInfo:
			retry = unpacked
			others = append(others, detail)
		default:
			others = append(others, detail)
		}
	}
	if callID == "" {
		callID = info.GetMetadata()["call_id"]
	}
	code := codes.Code(failed.GetCode())
	if int(code) >= len(codeNames) || code == codes.OK {
		code = codes.Unknown
	}
	if exception != nil {
		made := pythonError(exception, 0)
		made.Code, made.Reason, made.Metadata, made.CallID = code, info.GetReason(), info.GetMetadata(), callID
		made.Details, made.all, made.statusMessage = others, failed.GetDetails(), failed.GetMessage()
		return made
	}
	made := &GateError{Code: code, Reason: info.GetReason(), Message: failed.GetMessage(), Metadata: info.GetMetadata(),
		CallID: callID, details: failed.GetDetails()}
	if made.Message == "" {
		made.Message = codeName(code)
	}
	if retry != nil {
		delay := retry.GetRetryDelay().AsDuration()
		made.RetryAfter = &delay
	}
	return made
}

// pythonError makes an exception of its message. What is in it that does not decode is left out: it is not the failure.
func pythonError(exception *pb.PythonException, level int) *PythonError {
	made := &PythonError{Type: exception.GetType(), Module: exception.GetModule(), QualName: exception.GetQualname(),
		Message: exception.GetMessage(), ArgsOmitted: exception.GetArgsOmitted(), Notes: exception.GetNotes(),
		SuppressContext: exception.GetSuppressContext(), BuiltinBases: exception.GetBuiltinBases(),
		Truncated: exception.GetTruncated(), Code: codes.Unknown}
	for _, value := range exception.GetArgs() {
		arg, err := decodeAt("args", value)
		if err != nil {
			made.Args, made.ArgsOmitted = nil, true
			break
		}
		made.Args = append(made.Args, arg)
	}
	for name, value := range exception.GetAttributes() {
		if attribute, err := decodeAt(name, value); err == nil {
			if made.Attributes == nil {
				made.Attributes = map[string]any{}
			}
			made.Attributes[name] = attribute
		}
	}
	for _, frame := range exception.GetFrames() {
		made.Frames = append(made.Frames, Frame{frame.GetFile(), int(frame.GetLine()), frame.GetFunction(),
			frame.GetSource(), int(frame.GetRepeated())})
	}
	if level == mostDepth { // the server sends eight
		made.Truncated = true
		return made
	}
	if exception.GetCause() != nil {
		made.Cause = pythonError(exception.GetCause(), level+1)
	}
	if exception.GetContext() != nil {
		made.Context = pythonError(exception.GetContext(), level+1)
	}
	for _, member := range exception.GetExceptions() {
		made.Exceptions = append(made.Exceptions, pythonError(member, level+1))
	}
	return made
}
