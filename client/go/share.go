package callgate

import (
	"context"
	"sync"
	"time"
)

const (
	// lanes is how many batches of shared calls one Gate has on their way at once.
	lanes = 4
	// eagerLanes of them go without waiting: two keep the server at work while an answer travels. With more, many
	// goroutines' calls were spread over smaller batches (measured for the Python client).
	eagerLanes = 2
	// patience is how long calls wait for a batch on its way to end before they go in a third or fourth: long beside a
	// batch of quick calls, short beside a slow call.
	patience = 5 * time.Millisecond
	// sameDeadline: calls share a batch, and the earliest of their deadlines, where these lie within this part of the time
	// that is left. So much too early a call may be cut off; never too late.
	sameDeadline = 0.02
	// mostLookedAt bounds how far into the queue a batch's calls are looked for; arbitrary.
	mostLookedAt = 4 * mostCalls
)

// CallShared calls a function as [Gate.CallFunction] does, and shares messages with the calls that other goroutines make
// by it at the same time: for many goroutines that each make quick calls, it is several times cheaper.
//
// A call goes at once while fewer than 2 batches are on their way; what comes meanwhile goes together when one of those
// is done. Where they are slow, it waits 5 ms at most: then a third goes, and a fourth. So four slow batches hold up
// later shared calls, and nothing else. Each call returns when its own answer comes. A call whose context ends before it
// is sent never starts. Calls share a batch where their deadlines lie within 2 % of what is left, and then have the
// earliest of them. Once a call is sent, cancelling it cancels it on the server as soon as no other call of its batch is
// waited for. No call is sent twice.
func (g *Gate) CallShared(ctx context.Context, module, function string, args ...any) (any, error) {
	request, err := newRequest(module, function, args)
	if err != nil {
		return nil, err
	}
	frame, err := frameOf(request, g.maxMessage)
	if err != nil {
		return nil, err
	}
	if g.closed.Load() {
		return nil, errClosedBefore()
	}
	if ctx.Err() != nil {
		return nil, errUnsent(ctx, "before the call left this client")
	}
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	one := &sharedCall{frame: frame, since: time.Now(), answer: make(chan outcome, 1)}
	one.deadline, _ = ctx.Deadline()
	g.shared.add(one)
	return g.shared.wait(ctx, one)
}

// sharedCall is a call that waits in the queue, or is in a batch.
type sharedCall struct {
	frame    []byte
	deadline time.Time // zero for none
	since    time.Time
	answer   chan outcome // has room for the one answer: nobody waits for a caller that has gone
	batch    *sharedBatch // nil while it waits; guarded by sharer.mutex
	settled  bool         // whether it was answered, or its caller has gone; guarded by sharer.mutex
}

// sharedBatch is a batch on its way.
type sharedBatch struct {
	calls   []*sharedCall
	waiting int  // calls that are not settled; guarded by sharer.mutex
	gone    bool // whether a caller has gone; guarded by sharer.mutex
	ctx     context.Context
	cancel  context.CancelFunc
}

// sharer shares batches among the calls of one Gate.
//
// Invariant: a call is in the queue or in one batch, never both, and a batch answers all of its calls, whatever happens.
// While the queue is not empty, eagerLanes batches are on their way, whose ends look at it; and while fewer than lanes
// are, the timer looks at it when its oldest call has waited long enough.
type sharer struct {
	gate  *Gate
	size  *batchSize
	mutex sync.Mutex
	queue []*sharedCall
	busy  int
	timer *time.Timer // set while it will look at the queue
}

func newSharer(gate *Gate) *sharer {
	return &sharer{gate: gate, size: newBatchSize(mostCalls, gate.maxMessage)}
}

func (s *sharer) add(one *sharedCall) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.queue = append(s.queue, one)
	s.tend()
}

// tend has what waits looked after; under the mutex.
func (s *sharer) tend() {
	for len(s.queue) > 0 && s.busy < eagerLanes {
		s.start()
	}
	if len(s.queue) > 0 && s.busy < lanes && s.timer == nil {
		s.timer = time.AfterFunc(time.Until(s.queue[0].since.Add(patience)), s.lookAtQueue)
	}
}

// lookAtQueue opens a further lane for calls that have waited.
func (s *sharer) lookAtQueue() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.timer = nil
	if len(s.queue) > 0 && s.busy < lanes && time.Since(s.queue[0].since) >= patience {
		s.start()
	}
	s.tend()
}

// start opens a lane; under the mutex, with a queue that is not empty.
func (s *sharer) start() {
	s.busy++
	batch := s.take(time.Now())
	go s.lane(batch)
}

// lane sends batches until nothing waits.
func (s *sharer) lane(batch *sharedBatch) {
	for batch != nil {
		s.send(batch)
		batch.cancel()
		s.mutex.Lock()
		if batch = nil; len(s.queue) > 0 {
			batch = s.take(time.Now())
		} else {
			s.busy--
		}
		s.tend()
		s.mutex.Unlock()
	}
}

// take takes from the queue's front what may go in one batch; calls that do not fit keep their order. Under the mutex.
func (s *sharer) take(now time.Time) *sharedBatch {
	calls, enough, _ := s.size.now()
	first := s.queue[0]
	batch := &sharedBatch{calls: []*sharedCall{first}}
	tolerance := time.Duration(max(0, float64(first.deadline.Sub(now))*sameDeadline))
	weight, earliest := len(first.frame), first.deadline
	var skipped []*sharedCall
	at := 1
	for ; at < len(s.queue) && len(batch.calls) < calls && len(skipped) < mostLookedAt; at++ {
		one := s.queue[at]
		if one.deadline.IsZero() != first.deadline.IsZero() || one.deadline.Sub(first.deadline).Abs() > tolerance {
			skipped = append(skipped, one)
			continue
		}
		if weight+len(one.frame) > enough {
			break
		}
		weight += len(one.frame)
		batch.calls = append(batch.calls, one)
		if one.deadline.Before(earliest) {
			earliest = one.deadline
		}
	}
	s.queue = append(skipped, s.queue[at:]...)
	batch.waiting = len(batch.calls)
	if earliest.IsZero() {
		batch.ctx, batch.cancel = context.WithCancel(context.Background())
	} else {
		batch.ctx, batch.cancel = context.WithDeadline(context.Background(), earliest)
	}
	for _, one := range batch.calls {
		one.batch = batch
	}
	return batch
}

// send sends a batch, and answers all of its calls.
func (s *sharer) send(batch *sharedBatch) {
	if batch.ctx.Err() != nil {
		for _, one := range batch.calls {
			one.answer <- outcome{err: errUnsent(batch.ctx, "before the call left this client"), done: true}
		}
		return
	}
	s.exchange(batch.ctx, batch.calls)
}

func (s *sharer) exchange(ctx context.Context, calls []*sharedCall) {
	frames := make([][]byte, len(calls))
	for i, one := range calls {
		frames[i] = one.frame
	}
	outcomes := make([]outcome, len(calls))
	began := false
	end := s.gate.runBatch(ctx, frames, outcomes, func(index int) {
		began = true
		s.settle(calls[index], false)
		calls[index].answer <- outcomes[index]
	})
	if !began && s.size.learn(end, len(calls), totalSize(frames)) {
		begin := 0
		for _, piece := range s.size.pieces(frames) {
			s.exchange(ctx, calls[begin:piece])
			begin = piece
		}
		return
	}
	for i, one := range calls {
		if !outcomes[i].done {
			one.answer <- outcome{err: endError(end), done: true}
		}
	}
}

// wait waits for a call's answer, the end of its context, or of the Gate.
func (s *sharer) wait(ctx context.Context, one *sharedCall) (any, error) {
	select {
	case answer := <-one.answer:
		return answer.result()
	case <-ctx.Done():
	case <-s.gate.done:
		if s.leave(one) {
			return nil, errClosedBefore()
		}
		answer := <-one.answer // the connection's end ends its batch
		return answer.result()
	}
	unsent := s.leave(one)
	select {
	case answer := <-one.answer: // it came meanwhile
		return answer.result()
	default:
	}
	if unsent {
		return nil, errUnsent(ctx, "while the call waited in this client for a batch")
	}
	s.settle(one, true)
	return nil, errGone(ctx)
}

// settle notes that a call was answered, or that its caller has gone. A batch of which only gone callers' calls are left is
// cancelled.
func (s *sharer) settle(one *sharedCall, gone bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if one.settled {
		return
	}
	one.settled = true
	batch := one.batch
	batch.waiting--
	batch.gone = batch.gone || gone
	if batch.waiting == 0 && batch.gone {
		batch.cancel()
	}
}

// leave takes a call out of the queue, and tells whether it was still there.
func (s *sharer) leave(one *sharedCall) (unsent bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if one.batch != nil {
		return false
	}
	for i, other := range s.queue {
		if other == one {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			break
		}
	}
	return true
}
