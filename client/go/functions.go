package callgate

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// Function describes a function that this client may call.
type Function struct {
	// Module is its module, as calls name it.
	Module string
	// Name is its name.
	Name string
	// Signature is its signature as Python writes it; "" if Python cannot tell.
	Signature string
	// Parameters are its parameters, in order; none if Python cannot tell.
	Parameters []Parameter
	// ReturnType is its return annotation as written, else "".
	ReturnType string
	// Doc is its docstring.
	Doc string
	// Kind is "function", "generator", "coroutine" or "async generator".
	Kind string
	// Executor is the name of the executor that runs it.
	Executor string
	// ExecutorKind is that executor's kind.
	ExecutorKind string
	// ExecutorNote is why it runs elsewhere than its settings say, "" if it does not.
	ExecutorNote string
	// Timeout is the server's own limit on a call's time; 0 if there is none.
	Timeout time.Duration
}

// String returns "module.name(signature)".
func (f Function) String() string {
	if f.Signature == "" {
		return f.Module + "." + f.Name + "(...)"
	}
	return f.Module + "." + f.Name + f.Signature
}

// Parameter is one parameter of a function.
type Parameter struct {
	// Name is its name.
	Name string
	// Kind is how arguments bind to it: "positional-only", "positional or keyword", "variadic positional", "keyword-only"
	// or "variadic keyword".
	Kind string
	// Type is its annotation as written, else "".
	Type string
	// Default is repr() of its default; "" if it has none.
	Default string
	// Required is whether a call must give it.
	Required bool
}

var functionKinds = map[pb.FunctionKind]string{
	pb.FunctionKind_FUNCTION_KIND_PLAIN:           "function",
	pb.FunctionKind_FUNCTION_KIND_GENERATOR:       "generator",
	pb.FunctionKind_FUNCTION_KIND_COROUTINE:       "coroutine",
	pb.FunctionKind_FUNCTION_KIND_ASYNC_GENERATOR: "async generator",
}

var parameterKinds = map[pb.ParameterKind]string{
	pb.ParameterKind_PARAMETER_KIND_POSITIONAL_ONLY:       "positional-only",
	pb.ParameterKind_PARAMETER_KIND_POSITIONAL_OR_KEYWORD: "positional or keyword",
	pb.ParameterKind_PARAMETER_KIND_VAR_POSITIONAL:        "variadic positional",
	pb.ParameterKind_PARAMETER_KIND_KEYWORD_ONLY:          "keyword-only",
	pb.ParameterKind_PARAMETER_KIND_VAR_KEYWORD:           "variadic keyword",
}

func functionOf(message *pb.Function) Function {
	made := Function{
		Module: message.GetModule(), Name: message.GetFunction(), Signature: message.GetSignature(),
		ReturnType: message.GetReturnType(), Doc: message.GetDoc(), Kind: functionKinds[message.GetKind()],
		Executor: message.GetExecutor(), ExecutorKind: message.GetExecutorKind(),
		ExecutorNote: message.GetExecutorNote(), Timeout: message.GetTimeout().AsDuration(),
	}
	for _, parameter := range message.GetParameters() {
		made.Parameters = append(made.Parameters, Parameter{parameter.GetName(), parameterKinds[parameter.GetKind()],
			parameter.GetType(), parameter.GetDefaultRepr(), parameter.GetRequired()})
	}
	return made
}

// List returns the functions that this client may call, by module and name; only one module's, unless module is "".
// It is sent again, up to three times, where the server cannot be reached.
func (g *Gate) List(ctx context.Context, module string) ([]Function, error) {
	var made []Function
	request := &pb.ListFunctionsRequest{Module: module}
	for {
		response, err := unary(ctx, g, g.functions.ListFunctions, request)
		if err != nil {
			return nil, err
		}
		for _, message := range response.GetFunctions() {
			made = append(made, functionOf(message))
		}
		if request.PageToken = response.GetNextPageToken(); request.PageToken == "" {
			return made, nil
		}
	}
}

// Describe returns what there is to know of one function before calling it. It is sent again as List is.
func (g *Gate) Describe(ctx context.Context, module, function string) (Function, error) {
	response, err := unary(ctx, g, g.functions.GetFunction, &pb.GetFunctionRequest{Module: module, Function: function})
	if err != nil {
		return Function{}, err
	}
	return functionOf(response.GetFunction()), nil
}

// Health asks the standard health service for the server as a whole, or for one of its services: "SERVING",
// "NOT_SERVING", "UNKNOWN", or "SERVICE_UNKNOWN" for a service that it does not know.
func (g *Gate) Health(ctx context.Context, service string) (string, error) {
	return g.health(ctx, service)
}

func (g *Gate) health(ctx context.Context, service string, options ...grpc.CallOption) (string, error) {
	check := grpc_health_v1.NewHealthClient(g.conn).Check
	response, err := unary(ctx, g, check, &grpc_health_v1.HealthCheckRequest{Service: service}, options...)
	if status.Code(err) == codes.NotFound { // what the health protocol answers for a service it does not know
		return "SERVICE_UNKNOWN", nil
	}
	return response.GetStatus().String(), err
}

// Ready connects, and returns when the server has answered, or with what is wrong when the context ends. Where the server
// answers that it wants other credentials, that is the error.
func (g *Gate) Ready(ctx context.Context) error {
	_, first := g.health(ctx, "")
	if first == nil || status.Code(first) != codes.Unavailable {
		return answered(first)
	}
	_, err := g.health(ctx, "", grpc.WaitForReady(true))
	if err != nil && ctx.Err() != nil {
		return first // why it could not be reached tells more than that the time is over
	}
	return answered(err)
}

// answered: an answer that it has no health service is one all the same.
func answered(err error) error {
	if status.Code(err) == codes.Unimplemented {
		return nil
	}
	return err
}

// unary makes a call that is none of a function, and takes no place among those.
func unary[Q, R any](ctx context.Context, g *Gate, rpc func(context.Context, Q, ...grpc.CallOption) (R, error), request Q, options ...grpc.CallOption) (R, error) {
	var none R
	if g.closed.Load() {
		return none, errClosedBefore()
	}
	if ctx.Err() != nil {
		return none, errUnsent(ctx, "before the call left this client")
	}
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	var trailer metadata.MD
	response, err := rpc(ctx, request, append(options, grpc.Trailer(&trailer))...)
	if err != nil {
		return none, g.errorOf(err, trailer)
	}
	g.wasReached()
	return response, nil
}
