package callgate

import "fmt"

// ValueFormError says that an argument, or something inside one, has no form on the wire. Nothing was sent.
type ValueFormError struct {
	// Path is where it stands: "args[0]['model']".
	Path string
	// Problem is what is wrong with it.
	Problem string
}

func (e *ValueFormError) Error() string { return placed(e.Path, e.Problem) }

// ValueDecodeError says that what the server sent is no value that Python could hold, or goes beyond a limit.
type ValueDecodeError struct {
	// Path is where it stands: "result[3]['model']".
	Path string
	// Problem is what is wrong with it.
	Problem string
	// Limit is the limit that it goes beyond, 0 if it is no such matter.
	Limit int
}

func (e *ValueDecodeError) Error() string { return placed(e.Path, e.Problem) }

// ConversionError says that a value is not of the type that [Call] or [To] was asked for. The function ran.
type ConversionError struct {
	// Path is where it stands: "result.items[2]".
	Path string
	// Problem is what is wrong with it.
	Problem string
}

func (e *ConversionError) Error() string { return placed(e.Path, e.Problem) }

func placed(path, problem string) string {
	if path == "" {
		return problem
	}
	return path + ": " + problem
}

func formError(format string, args ...any) *ValueFormError {
	return &ValueFormError{Problem: fmt.Sprintf(format, args...)}
}

func decodeError(format string, args ...any) *ValueDecodeError {
	return &ValueDecodeError{Problem: fmt.Sprintf(format, args...)}
}

func conversionError(format string, args ...any) *ConversionError {
	return &ConversionError{Problem: fmt.Sprintf(format, args...)}
}

// at prepends a step to the path, on the way out of the value.
func (e *ValueFormError) at(format string, args ...any) *ValueFormError {
	e.Path = fmt.Sprintf(format, args...) + e.Path
	return e
}

func (e *ValueDecodeError) at(format string, args ...any) *ValueDecodeError {
	e.Path = fmt.Sprintf(format, args...) + e.Path
	return e
}

func (e *ConversionError) at(format string, args ...any) *ConversionError {
	e.Path = fmt.Sprintf(format, args...) + e.Path
	return e
}
