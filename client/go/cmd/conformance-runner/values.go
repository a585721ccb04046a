package main

import (
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	callgate "github.com/callgate/callgate/client/go"
	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// value decodes and encodes a value.
func value(one request) (answer, error) {
	data, err := hex.DecodeString(one.Value)
	if err != nil {
		return nil, err
	}
	message := new(pb.Value)
	if err := proto.Unmarshal(data, message); err != nil {
		return answer{"failure": answer{"class": "proto.Error", "message": err.Error()}}, nil
	}
	decoded, err := callgate.Decode(message)
	if err != nil {
		return answer{"failure": failure(err)}, nil
	}
	text, err := hexOf(decoded)
	return answer{"value": text}, err
}

// valueOf is the client's value of a hex text.
func valueOf(text string) (any, error) {
	data, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	message := new(pb.Value)
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, err
	}
	return callgate.Decode(message)
}

func hexOf(value any) (string, error) {
	message, err := callgate.Encode(value)
	if err != nil {
		return "", err
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	return hex.EncodeToString(data), err
}

func hexOfAll(values []any) ([]string, error) {
	made := make([]string, len(values))
	for i, value := range values {
		text, err := hexOf(value)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		made[i] = text
	}
	return made, nil
}

// arguments are a call's, keyword arguments last.
func arguments(args []string, kwargs map[string]string) ([]any, error) {
	made := make([]any, 0, len(args)+1)
	for _, text := range args {
		value, err := valueOf(text)
		if err != nil {
			return nil, err
		}
		made = append(made, value)
	}
	named := callgate.Kwargs{}
	for name, text := range kwargs {
		value, err := valueOf(text)
		if err != nil {
			return nil, err
		}
		named[name] = value
	}
	if len(named) > 0 {
		made = append(made, named)
	}
	return made, nil
}

// failure is an error as the driver compares it.
func failure(err error) answer {
	made := answer{"class": "", "raised": false, "code": "", "reason": "", "message": err.Error(), "metadata": map[string]string{},
		"retry_after": nil, "call_id": "", "exception": nil}
	var raised *callgate.PythonError
	var failed *callgate.GateError
	switch {
	case errors.As(err, &raised):
		made["class"], made["raised"], made["message"] = "PythonError", true, raised.Message
		made["code"], made["reason"], made["call_id"] = codeName(raised.Code), raised.Reason, raised.CallID
		if raised.Metadata != nil {
			made["metadata"] = raised.Metadata
		}
		made["exception"] = exception(raised)
	case errors.As(err, &failed):
		made["class"], made["message"] = "GateError", failed.Message
		made["code"], made["reason"], made["call_id"] = codeName(failed.Code), failed.Reason, failed.CallID
		if failed.Metadata != nil {
			made["metadata"] = failed.Metadata
		}
		if failed.RetryAfter != nil {
			made["retry_after"] = failed.RetryAfter.Seconds()
		}
	default:
		made["class"] = fmt.Sprintf("%T", err)
	}
	return made
}

// codeName is the code's canonical name, as protobuf's own enum has it.
func codeName(code codes.Code) string {
	names := map[codes.Code]string{codes.OK: "OK", codes.Canceled: "CANCELLED", codes.Unknown: "UNKNOWN",
		codes.InvalidArgument: "INVALID_ARGUMENT", codes.DeadlineExceeded: "DEADLINE_EXCEEDED",
		codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS", codes.PermissionDenied: "PERMISSION_DENIED",
		codes.ResourceExhausted: "RESOURCE_EXHAUSTED", codes.FailedPrecondition: "FAILED_PRECONDITION",
		codes.Aborted: "ABORTED", codes.OutOfRange: "OUT_OF_RANGE", codes.Unimplemented: "UNIMPLEMENTED",
		codes.Internal: "INTERNAL", codes.Unavailable: "UNAVAILABLE", codes.DataLoss: "DATA_LOSS",
		codes.Unauthenticated: "UNAUTHENTICATED"}
	return names[code]
}

func exception(raised *callgate.PythonError) any {
	if raised == nil {
		return nil
	}
	args, err := hexOfAll(raised.Args)
	if err != nil {
		panic(err) // what was decoded can be encoded: else a bug
	}
	frames, members, attributes := []answer{}, []any{}, map[string]string{}
	for _, frame := range raised.Frames {
		frames = append(frames, answer{"file": frame.File, "line": frame.Line, "function": frame.Function, "source": frame.Source})
	}
	for _, member := range raised.Exceptions {
		members = append(members, exception(member))
	}
	for name, value := range raised.Attributes {
		if attributes[name], err = hexOf(value); err != nil {
			panic(err)
		}
	}
	return answer{"type": raised.Type, "module": raised.Module, "qualname": raised.QualName, "message": raised.Message,
		"args": args, "notes": notNil(raised.Notes), "frames": frames, "cause": exception(raised.Cause),
		"context": exception(raised.Context), "suppress_context": raised.SuppressContext, "exceptions": members,
		"builtin_bases": notNil(raised.BuiltinBases), "truncated": raised.Truncated, "attributes": attributes}
}

func notNil(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}
