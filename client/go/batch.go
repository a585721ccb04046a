package callgate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// BatchCall is one call of a batch.
type BatchCall struct {
	// Module is the function's module.
	Module string
	// Function is the function's name.
	Function string
	// Args are its arguments; those of type [Kwargs] are keyword arguments.
	Args []any
}

// Result is how one call of a batch ended.
type Result struct {
	// Value is what the function returned.
	Value any
	// Err is why there is no value: of the kinds that [Gate.CallFunction] returns.
	Err error
}

// BatchOption sets how [Gate.Batch] and [Map] make their calls.
type BatchOption func(*batchOptions) error

type batchOptions struct {
	callTimeout time.Duration
	chunk       int
}

// CallTimeout limits each call's own time, from when it starts to run. Without it the Gate's timeout holds, if it has one.
func CallTimeout(limit time.Duration) BatchOption {
	return func(o *batchOptions) error {
		if limit <= 0 {
			return fmt.Errorf("the calls' timeout is %s; more than 0 is right", limit)
		}
		o.callTimeout = limit
		return nil
	}
}

// Chunk sets how many calls [Map] sends in one message. Without it, messages begin with 16, grow to 1,024, and go early
// where the items come slowly.
func Chunk(calls int) BatchOption {
	return func(o *batchOptions) error {
		if calls < 1 {
			return fmt.Errorf("a chunk of %d calls; 1 or more is right", calls)
		}
		o.chunk = calls
		return nil
	}
}

func (g *Gate) batchOptions(options []BatchOption) (batchOptions, error) {
	made := batchOptions{callTimeout: g.timeout}
	for _, option := range options {
		if err := option(&made); err != nil {
			return made, err
		}
	}
	return made, nil
}

// Batch makes many calls in one message, which is many times cheaper than one by one, and returns their results in the
// calls' order; the context's deadline is for all of them. For endless or very many calls of one function see [Map].
//
// If the batch itself fails, that is the error, and it is also that of each call without an answer, which may have run.
// No call is sent twice. A bad argument is a [*ValueFormError], and nothing is sent.
func (g *Gate) Batch(ctx context.Context, calls []BatchCall, options ...BatchOption) ([]Result, error) {
	set, err := g.batchOptions(options)
	if err != nil {
		return nil, err
	}
	frames := make([][]byte, len(calls), len(calls)+1)
	for i, call := range calls {
		request, err := newRequest(call.Module, call.Function, call.Args)
		if err == nil {
			frames[i], err = frameOf(request, g.maxMessage)
		}
		var bad *ValueFormError
		if errors.As(err, &bad) {
			return nil, bad.at("calls[%d].", i)
		}
		if err != nil {
			return nil, err
		}
	}
	if size := totalSize(frames); size > g.maxMessage {
		return nil, requestTooLarge(size, g.maxMessage)
	}
	if g.closed.Load() {
		return nil, errClosedBefore()
	}
	if ctx.Err() != nil {
		return nil, errUnsent(ctx, "before the batch left this client")
	}
	if len(calls) == 0 {
		return []Result{}, nil
	}
	outcomes := make([]outcome, len(calls))
	end := g.runBatch(ctx, append(frames, timeoutFrame(set.callTimeout)), outcomes, func(int) {})
	results := make([]Result, len(calls))
	for i, outcome := range outcomes {
		if !outcome.done {
			outcome.err = endError(end)
		}
		results[i].Value, results[i].Err = outcome.result()
	}
	if isEnd(end) {
		return results, nil
	}
	return results, end
}
