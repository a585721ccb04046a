package callgate

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"

	"google.golang.org/grpc/metadata"
)

// errReadTwice is the error of ranging over a stream or a map's results again: it must not call anything twice.
var errReadTwice = errors.New("callgate: this iterator was used already; make a new call")

// Stream calls a generator, or what else gives items one by one, and iterates over them as they are made:
//
//	for item, err := range gate.Stream(ctx, "examples.countdown", "down", 3) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(item)
//	}
//
// The call is made when the iteration begins, and the iterator can be used once. An error, of the kinds that
// [Gate.CallFunction] returns, comes after the items before it and is the last. Leaving the loop cancels the stream, and
// so closes the generator on the server: its finally blocks run. The server makes only a few items more than are read.
// A stream takes no place among the calls in flight.
func (g *Gate) Stream(ctx context.Context, module, function string, args ...any) iter.Seq2[any, error] {
	request, err := g.request(module, function, args) // now: what is changed later has no effect
	var used atomic.Bool
	return func(yield func(any, error) bool) {
		switch {
		case used.Swap(true):
			yield(nil, errReadTwice)
			return
		case err != nil:
			yield(nil, err)
			return
		case g.closed.Load():
			yield(nil, errClosedBefore())
			return
		case ctx.Err() != nil:
			yield(nil, errUnsent(ctx, "before the call left this client"))
			return
		}
		ctx, done := g.bounded(ctx)
		defer done()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := g.functions.StreamFunction(ctx, request)
		if err != nil {
			yield(nil, g.errorOf(err, metadata.MD{}))
			return
		}
		for {
			response, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, g.errorOf(err, stream.Trailer()))
				return
			}
			g.wasReached()
			item, err := decodeResult(response)
			if !yield(item, err) || err != nil { // what follows an item that does not decode would be taken for it
				return
			}
		}
	}
}
