package callgate

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

const (
	// readAhead: one batch that the server works on, one that waits there, one that is being answered.
	readAhead = 3
	// Batches begin small, so that the first results come soon, and grow fourfold.
	firstCalls, growth = 16, 4
	// fillTime: a batch goes after it, full or not: slow items must not hold up what they gave.
	fillTime = 5 * time.Millisecond
	// muchBytes: with so much in a batch, what took the time was encoding, not the items; arbitrary.
	muchBytes = 64 << 10
)

// Map calls a function once for each item, many calls to a message, and iterates over the results in the items' order:
//
//	for root, err := range callgate.Map[float64](ctx, gate, "math", "sqrt", slices.Values(numbers)) { … }
//
// An item is a call's one argument; one of type [Args] is all of a call's arguments. Results are converted to Out as [To]
// does; with any they stay as they are.
//
// It is lazy: nothing is read or sent before the first result is asked for, and then at most 3 batches are on their way,
// so that the items may be endless. The error of one call comes in its result's place, and the iteration goes on; leave
// the loop to end it, which cancels what is on its way. A lost connection is the error of each call that was on its way.
// The context is for all of it: when it ends, its error is the last. No call is sent twice, and the iterator can be used
// once.
func Map[Out, In any](ctx context.Context, gate *Gate, module, function string, items iter.Seq[In], options ...BatchOption) iter.Seq2[Out, error] {
	var used atomic.Bool
	return func(yield func(Out, error) bool) {
		var none Out
		set, err := gate.batchOptions(options)
		switch {
		case used.Swap(true):
			yield(none, errReadTwice)
			return
		case err != nil:
			yield(none, err)
			return
		case gate.closed.Load():
			yield(none, errClosedBefore())
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // what is on its way when the loop is left
		source := &mapSource[In]{gate: gate, module: module, function: function, options: set,
			size: newBatchSize(mostCalls, gate.maxMessage-64), most: firstCalls} // 64: the timeout that follows the calls
		if set.chunk > 0 {
			source.size.calls, source.most = set.chunk, set.chunk
		}
		next, stop := iter.Pull(items)
		defer stop()
		source.next = next
		flight := mapFlight{gate: gate, ctx: ctx, size: source.size, timeout: timeoutFrame(set.callTimeout)}
		for {
			for len(flight.chunks) < source.ahead() {
				chunk := source.read()
				if chunk == nil {
					break
				}
				if err := flight.send(chunk); err != nil {
					yield(none, err)
					return
				}
			}
			if len(flight.chunks) == 0 {
				return
			}
			goOn, err := flight.oldest(func(one outcome) bool {
				value, err := one.result()
				if err != nil {
					return yield(none, err)
				}
				return yield(To[Out](value))
			})
			if err != nil {
				yield(none, err)
			}
			if !goOn || err != nil {
				return
			}
		}
	}
}

// mapChunk is a batch of one map: its calls, and the outcomes of the items by their order. A call that cannot be sent has
// its outcome from the beginning.
type mapChunk struct {
	frames   [][]byte
	places   []int // of the frames among the outcomes
	outcomes []outcome
	stream   grpc.ClientStream // nil if it is still to be sent
	cancel   context.CancelFunc
}

// mapSource reads a map's items a chunk at a time.
type mapSource[In any] struct {
	gate             *Gate
	module, function string
	options          batchOptions
	size             *batchSize
	next             func() (In, bool)
	held             []byte // a call that did not fit into the chunk before
	most             int
	slow             bool
	ended            bool
}

// ahead is how many batches may be on their way. Where items come slowly nothing is read ahead, since every item read
// would keep a finished result waiting.
func (s *mapSource[In]) ahead() int {
	if s.slow {
		return 1
	}
	return readAhead
}

// read reads a chunk; nil at the end.
func (s *mapSource[In]) read() *mapChunk {
	chunk := &mapChunk{}
	_, enough, limit := s.size.now()
	weight := 0
	if s.held != nil {
		chunk.add(s.held)
		weight, s.held = len(s.held), nil
	}
	until := time.Now().Add(fillTime)
	for !s.ended && len(chunk.outcomes) < s.most && weight < enough {
		item, more := s.next()
		if !more {
			s.ended = true
			break
		}
		frame, err := s.frame(item, limit)
		if err != nil {
			chunk.outcomes = append(chunk.outcomes, outcome{err: err, done: true})
			continue
		}
		if weight+len(frame) > limit && weight > 0 {
			s.held = frame
			break
		}
		chunk.add(frame)
		weight += len(frame)
		if s.options.chunk == 0 && time.Now().After(until) {
			s.slow = weight < muchBytes
			break
		}
	}
	if s.options.chunk == 0 && len(chunk.outcomes) >= s.most {
		calls, _, _ := s.size.now()
		s.slow, s.most = false, min(s.most*growth, calls)
	}
	if len(chunk.outcomes) == 0 {
		return nil
	}
	return chunk
}

func (s *mapSource[In]) frame(item any, limit int) ([]byte, error) {
	args, ok := item.(Args)
	if !ok {
		args = Args{item}
	}
	request, err := newRequest(s.module, s.function, args)
	if err != nil {
		return nil, err
	}
	return frameOf(request, limit)
}

func (c *mapChunk) add(frame []byte) {
	c.places = append(c.places, len(c.outcomes))
	c.frames = append(c.frames, frame)
	c.outcomes = append(c.outcomes, outcome{})
}

// mapFlight is the chunks on their way. The oldest is read; the others' answers wait in gRPC.
type mapFlight struct {
	gate    *Gate
	ctx     context.Context
	size    *batchSize
	timeout []byte
	chunks  []*mapChunk
}

func (f *mapFlight) send(chunk *mapChunk) error {
	f.chunks = append(f.chunks, chunk)
	return f.open(chunk)
}

// open sends a chunk. Its error is that of the whole map, whose context has ended; others are the calls' own.
func (f *mapFlight) open(chunk *mapChunk) error {
	if f.ctx.Err() != nil {
		return errUnsent(f.ctx, "before the next calls left this client")
	}
	if len(chunk.frames) == 0 {
		return nil
	}
	var ctx context.Context
	ctx, chunk.cancel = context.WithCancel(f.ctx)
	stream, err := f.gate.openBatch(ctx, append(chunk.frames[:len(chunk.frames):len(chunk.frames)], f.timeout))
	if err != nil {
		chunk.fail(err)
		return nil
	}
	chunk.stream = stream
	return nil
}

func (c *mapChunk) fail(err error) {
	for _, place := range c.places {
		if !c.outcomes[place].done {
			c.outcomes[place] = outcome{err: err, done: true}
		}
	}
}

// oldest hands out the oldest chunk's outcomes, in order and as they come. It tells whether to go on; its error is that
// of the whole map.
func (f *mapFlight) oldest(hand func(outcome) bool) (bool, error) {
	chunk := f.chunks[0]
	if chunk.stream == nil && len(chunk.frames) > 0 && !chunk.outcomes[chunk.places[0]].done { // a piece of a refused one
		if err := f.open(chunk); err != nil {
			return false, err
		}
	}
	if chunk.cancel != nil {
		defer chunk.cancel()
	}
	answered := make([]outcome, len(chunk.frames))
	at, began := 0, false
	for {
		for ; at < len(chunk.outcomes) && chunk.outcomes[at].done; at++ {
			one := chunk.outcomes[at]
			chunk.outcomes[at].value = nil // handed out: a batch's results need not stay together in memory
			if !hand(one) {
				return false, nil
			}
		}
		if chunk.stream == nil {
			f.chunks = f.chunks[1:]
			return true, nil
		}
		arrived, err := f.gate.readBatch(chunk.stream, answered)
		for _, index := range arrived {
			chunk.outcomes[chunk.places[index]], began = answered[index], true
			answered[index].value = nil
		}
		if err == nil {
			continue
		}
		chunk.stream = nil
		if !isEnd(err) && f.ctx.Err() != nil {
			return false, err
		}
		size := totalSize(chunk.frames) + len(f.timeout)
		if !began && f.size.learn(err, len(chunk.frames), size) {
			f.chunks = append(chunk.split(f.size, at), f.chunks[1:]...)
			return true, nil
		}
		chunk.fail(endError(err))
	}
}

// split makes smaller chunks of one that the server refused, of whose outcomes so many were handed out already.
func (c *mapChunk) split(size *batchSize, handed int) []*mapChunk {
	var made []*mapChunk
	begin := 0
	for _, end := range size.pieces(c.frames) {
		until := len(c.outcomes) // what could not be sent goes with the calls before it
		if end < len(c.frames) {
			until = c.places[end]
		}
		piece := &mapChunk{outcomes: c.outcomes[handed:until], frames: c.frames[begin:end]}
		for _, place := range c.places[begin:end] {
			piece.places = append(piece.places, place-handed)
		}
		made = append(made, piece)
		begin, handed = end, until
	}
	return made
}
