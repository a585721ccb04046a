package callgate

import (
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// Kwargs are keyword arguments: callgate.Kwargs{"digits": 2}, given among the arguments of a call. Of several, all count.
type Kwargs map[string]any

// Args are the arguments of one of several calls, Kwargs among them: see [Gate.Map].
type Args []any

// request makes the request of a call. A bad argument is an error that names its path, before anything is sent.
func (g *Gate) request(module, function string, args []any) (*pb.CallFunctionRequest, error) {
	request, err := newRequest(module, function, args)
	if err != nil {
		return nil, err
	}
	if err := g.checkSize(request, g.maxMessage); err != nil {
		return nil, err
	}
	return request, nil
}

// requestMemory is a request and room for a few arguments: one piece of memory instead of two.
type requestMemory struct {
	request pb.CallFunctionRequest
	args    [2]*pb.Value
}

func newRequest(module, function string, args []any) (*pb.CallFunctionRequest, error) {
	if !utf8.ValidString(module) || !utf8.ValidString(function) {
		return nil, &ValueFormError{Problem: fmt.Sprintf("%s, %s: a name is UTF-8 text", shortKey(module), shortKey(function))}
	}
	made := new(requestMemory)
	request := &made.request
	request.Module, request.Function = module, function
	limits := budget{elements: mostElements}
	for _, arg := range args {
		if kwargs, ok := arg.(Kwargs); ok {
			if err := addKwargs(request, kwargs, &limits); err != nil {
				return nil, err
			}
			continue
		}
		value, err := encodeOne(arg, &limits, 0)
		if err != nil {
			return nil, err.at("args[%d]", len(request.Args))
		}
		if request.Args == nil {
			request.Args = slices.Grow(made.args[:0], len(args))
		}
		request.Args = append(request.Args, value)
	}
	return request, nil
}

func addKwargs(request *pb.CallFunctionRequest, kwargs Kwargs, limits *budget) error {
	for name, arg := range kwargs {
		if !utf8.ValidString(name) {
			return &ValueFormError{Path: "kwargs", Problem: shortKey(name) + ": a name is UTF-8 text"}
		}
		if _, twice := request.Kwargs[name]; twice {
			return &ValueFormError{Path: "kwargs[" + shortKey(name) + "]", Problem: "this keyword argument is given twice"}
		}
		value, err := encodeOne(arg, limits, 0)
		if err != nil {
			return err.at("kwargs[%s]", shortKey(name))
		}
		if request.Kwargs == nil {
			request.Kwargs = make(map[string]*pb.Value, len(kwargs))
		}
		request.Kwargs[name] = value
	}
	return nil
}

func requestTooLarge(size, limit int) *GateError {
	return tooLarge("REQUEST_TOO_LARGE",
		fmt.Sprintf("the request is %d bytes; this client sends at most %d (WithMaxMessage)", size, limit),
		strconv.Itoa(size), strconv.Itoa(limit))
}
