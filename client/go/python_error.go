package callgate

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// PythonError says that the function raised an exception, or returned what has no form on the wire.
//
// Error is one line, "ValueError: no such order"; formatted with %+v it has the notes, the remote traceback and the causes.
// Unwrap gives the exception's cause, so that errors.Is and errors.As look through causes, too. To tell exceptions by
// their class, use [PythonError.IsA], or errors.Is with [Exception].
type PythonError struct {
	// Type is the class's name: "ZeroDivisionError".
	Type string
	// Module is the class's module: "builtins", "decimal".
	Module string
	// QualName is the class's qualified name where it differs from Type (a nested class), else "".
	QualName string
	// Message is str(exception).
	Message string
	// Args are exception.args; empty if one of them could not be sent.
	Args []any
	// ArgsOmitted says that Args is empty because an argument has no form on the wire, or did not fit.
	ArgsOmitted bool
	// Attributes are the fields that builtin exceptions have of their own: "errno", "filename", "lineno".
	Attributes map[string]any
	// Notes are the exception's __notes__.
	Notes []string
	// Frames are the traceback, outermost frame first; empty where the server keeps it.
	Frames []Frame
	// Cause is what it was raised from, nil if nothing.
	Cause *PythonError
	// Context is the exception that was being handled, nil if none.
	Context *PythonError
	// SuppressContext says that Python would not show Context.
	SuppressContext bool
	// Exceptions are the members of an ExceptionGroup.
	Exceptions []*PythonError
	// BuiltinBases are the builtin classes it derives from, nearest first: "ArithmeticError", "Exception".
	BuiltinBases []string
	// Truncated says that something was left out because it did not fit.
	Truncated bool

	// Code is the gRPC code: Unknown, or what a callgate.StatusError chose. Set on the outermost exception, as are those below.
	Code codes.Code
	// Reason is "FUNCTION_RAISED", or "NO_VALUE_FORM" if the function returned what has no form on the wire.
	Reason string
	// Metadata is more about the reason, by name.
	Metadata map[string]string
	// Details are further details of the status: what a callgate.StatusError attached.
	Details []*anypb.Any
	// CallID is the id under which the server logged the call; "" if it said none.
	CallID string

	statusMessage string
	all           []*anypb.Any
}

// Frame is one frame of a remote traceback.
type Frame struct {
	// File is the file on the server.
	File string
	// Line is the line, from 1.
	Line int
	// Function is the function's qualified name.
	Function string
	// Source is the source line, "" if it is not known.
	Source string
	// Repeated is how many times more the frame came in a row (recursion).
	Repeated int
}

// Error returns the class and the message in one line, as the last line of a Python traceback.
func (e *PythonError) Error() string {
	if e.Message == "" {
		return e.Name()
	}
	return e.Name() + ": " + e.Message
}

// Name returns the class's full name, without the module for builtins: "ZeroDivisionError", "decimal.Overflow".
func (e *PythonError) Name() string {
	name := e.QualName
	if name == "" {
		name = e.Type
	}
	if e.Module == "builtins" || e.Module == "" {
		return name
	}
	return e.Module + "." + name
}

// IsA tells whether the exception is of a class, as Python's except does: its own, by name ("OrderRefused") or full name
// ("shop.orders.OrderRefused"), or a builtin that it derives from ("LookupError").
func (e *PythonError) IsA(class string) bool {
	return class == e.Name() || class == e.Type || slices.Contains(e.BuiltinBases, class)
}

// Exception stands for all exceptions of a class in errors.Is: errors.Is(err, callgate.Exception("ValueError")) tells
// whether the function raised one, or whether one is among its causes or the members of its group.
type Exception string

// Error returns the class's name.
func (e Exception) Error() string { return "Python " + string(e) }

// Is tells whether target is an [Exception] that this one is, or one of its group's members.
func (e *PythonError) Is(target error) bool {
	class, ok := target.(Exception)
	if !ok {
		return false
	}
	return e.IsA(string(class)) || slices.ContainsFunc(e.Exceptions, func(member *PythonError) bool { return member.Is(target) })
}

// Unwrap returns the cause, else the context that Python would show, else nil.
func (e *PythonError) Unwrap() error {
	if e.Cause != nil {
		return e.Cause
	}
	if e.Context != nil && !e.SuppressContext {
		return e.Context
	}
	return nil
}

// GRPCStatus returns the status as grpc-go's status.FromError finds it.
func (e *PythonError) GRPCStatus() *status.Status { return statusWith(e.Code, e.statusMessage, e.all) }

// Format writes the error; %+v with notes, remote traceback and causes, as Python prints an exception.
func (e *PythonError) Format(state fmt.State, verb rune) {
	text := e.Error()
	switch {
	case verb == 'v' && state.Flag('+'):
		text = e.Traceback()
	case verb == 'q':
		text = fmt.Sprintf("%q", text)
	}
	_, _ = fmt.Fprint(state, text) // an error of the writer is the writer's
}

// Traceback returns what Python would print: causes first, then the frames, the class and message, the notes.
func (e *PythonError) Traceback() string {
	var made strings.Builder
	e.write(&made, 0)
	return strings.TrimSuffix(made.String(), "\n")
}

// mostCauses bounds what is printed; the server sends eight levels.
const mostCauses = 32

func (e *PythonError) write(into *strings.Builder, level int) {
	if level == mostCauses {
		return
	}
	if e.Cause != nil {
		e.Cause.write(into, level+1)
		into.WriteString("\nThe above exception was the direct cause of the following exception:\n\n")
	} else if e.Context != nil && !e.SuppressContext {
		e.Context.write(into, level+1)
		into.WriteString("\nDuring handling of the above exception, another exception occurred:\n\n")
	}
	if len(e.Frames) > 0 {
		into.WriteString("Remote traceback (most recent call last):\n")
		for _, frame := range e.Frames {
			fmt.Fprintf(into, "  File %q, line %d, in %s\n", frame.File, frame.Line, frame.Function)
			if frame.Source != "" {
				fmt.Fprintf(into, "    %s\n", frame.Source)
			}
			if frame.Repeated > 0 {
				fmt.Fprintf(into, "  [the frame above repeated %d more times]\n", frame.Repeated)
			}
		}
	}
	into.WriteString(e.Error() + "\n")
	for _, note := range e.Notes {
		into.WriteString(note + "\n")
	}
	for i, member := range e.Exceptions {
		var inner strings.Builder
		member.write(&inner, level+1)
		fmt.Fprintf(into, "  +---------------- %d ----------------\n", i+1)
		for line := range strings.Lines(inner.String()) {
			into.WriteString("  | " + line)
		}
	}
}
