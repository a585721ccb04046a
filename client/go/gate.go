package callgate

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// Gate is a connection to a server, made by [Dial]. All of its methods may be called from any goroutine.
type Gate struct {
	conn       *grpc.ClientConn
	functions  pb.FunctionServiceClient
	target     string
	secure     bool // with TLS
	certified  bool // with a certificate of its own
	timeout    time.Duration
	maxMessage int
	// places holds a token for each call on its way.
	places chan struct{}
	shared *sharer
	closed atomic.Bool
	// reached is whether anything was ever answered: what breaks a connection before is another matter than after.
	reached atomic.Bool
	// done ends what waits in this client when the Gate is closed.
	done chan struct{}
}

// Dial makes a Gate to a target: "HOST:PORT", "unix:PATH" or any gRPC name; "" for $CALLGATE_SERVER, else 127.0.0.1:50051.
//
// It connects with the first call; [Gate.Ready] connects now. Close the Gate when it is no longer used.
func Dial(target string, options ...Option) (*Gate, error) {
	target, err := targetOf(target)
	if err != nil {
		return nil, err
	}
	set := settings{token: os.Getenv("CALLGATE_TOKEN"), maxMessage: defaultMaxMessage, inFlight: defaultInFlight}
	for _, option := range options {
		if err := option(&set); err != nil {
			return nil, err
		}
	}
	if err := checkToken(set.token); err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(target, set.dialOptions()...)
	if err != nil {
		return nil, err
	}
	gate := &Gate{
		conn: conn, functions: pb.NewFunctionServiceClient(conn), target: target, secure: set.tls != nil,
		certified: set.tls != nil && len(set.tls.Certificates) > 0,
		timeout:   set.timeout, maxMessage: set.maxMessage, places: make(chan struct{}, set.inFlight),
		done: make(chan struct{}),
	}
	gate.shared = newSharer(gate)
	return gate, nil
}

// Close closes the connection. Calls on their way are cancelled; their errors wrap [ErrClosed]. Closing again does nothing.
func (g *Gate) Close() error {
	if g.closed.Swap(true) {
		return nil
	}
	close(g.done)
	return g.conn.Close()
}

// String returns what the Gate leads to.
func (g *Gate) String() string { return "gate to " + g.target }

// CallFunction calls a function and returns what it returns; the types are in the package's documentation.
//
// The arguments are positional, save those of type [Kwargs]. A context's deadline is for all of the call: waiting in the
// client and on the server, running, travelling; the server ends the function when it passes. Cancelling the context
// cancels the call on the server, too. No call is ever repeated by itself.
//
// The error is a [*PythonError] if the function raised, a [*GateError] if getting to it failed, and a [*ValueFormError] if
// an argument has no form on the wire.
func (g *Gate) CallFunction(ctx context.Context, module, function string, args ...any) (any, error) {
	request, err := g.request(module, function, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	if err := g.takePlace(ctx); err != nil {
		return nil, err
	}
	var trailer metadata.MD
	response, err := g.functions.CallFunction(ctx, request, grpc.Trailer(&trailer))
	<-g.places
	if err != nil {
		return nil, g.errorOf(err, trailer)
	}
	g.wasReached()
	return decodeResult(response)
}

// wasReached notes that something was answered; reading first leaves the flag's memory shared among processors.
func (g *Gate) wasReached() {
	if !g.reached.Load() {
		g.reached.Store(true)
	}
}

// Call calls a function as [Gate.CallFunction] does, and converts what it returns to T as [To] does; what does not fit
// is a [*ConversionError].
func Call[T any](ctx context.Context, gate *Gate, module, function string, args ...any) (T, error) {
	value, err := gate.CallFunction(ctx, module, function, args...)
	if err != nil {
		return *new(T), err
	}
	return To[T](value)
}

// decodeResult decodes a response. A nil *ValueDecodeError must not become an error.
func decodeResult(response interface{ GetValue() *pb.Value }) (any, error) {
	value, err := decodeAt("result", response.GetValue())
	if err != nil {
		return nil, err
	}
	return value, nil
}

func nothingToCancel() {}

// bounded gives a context without a deadline the Gate's.
func (g *Gate) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if g.timeout == 0 {
		return ctx, nothingToCancel
	}
	if _, has := ctx.Deadline(); has {
		return ctx, nothingToCancel
	}
	return context.WithTimeout(ctx, g.timeout)
}

// takePlace waits until fewer than WithInFlight's calls are on their way.
func (g *Gate) takePlace(ctx context.Context) error {
	if g.closed.Load() {
		return errClosedBefore()
	}
	if ctx.Err() != nil {
		return errUnsent(ctx, "before the call left this client")
	}
	select {
	case g.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case g.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errUnsent(ctx, "while the call waited in this client, which has as many on their way as WithInFlight lets")
	case <-g.done:
		return errClosedBefore()
	}
}

// checkSize refuses what this side already knows to be too large.
func (g *Gate) checkSize(request proto.Message, most int) error {
	if size := proto.Size(request); size > most {
		return requestTooLarge(size, most)
	}
	return nil
}
