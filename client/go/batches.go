package callgate

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	encproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// A call is serialized once, on its own, and a batch is its calls' bytes one after another: BatchCallFunctionsRequest has
// nothing but repeated calls (and a timeout), and repeated fields of one message concatenate
// (https://protobuf.dev/programming-guides/encoding/#last-one-wins). So sizes are exact before anything is sent, a call
// can move to another batch without being encoded again, and what its caller changes later has no effect.

// frameOf is a call as it stands in a batch.
func frameOf(request *pb.CallFunctionRequest, most int) ([]byte, error) {
	frame, err := proto.Marshal(&pb.BatchCallFunctionsRequest{Calls: []*pb.CallFunctionRequest{request}})
	if err != nil {
		return nil, &ValueFormError{Problem: err.Error()}
	}
	if len(frame) > most {
		return nil, requestTooLarge(len(frame), most)
	}
	return frame, nil
}

// timeoutFrame is a batch's limit on each call's time, as it stands after the calls; nil for none.
func timeoutFrame(limit time.Duration) []byte {
	if limit == 0 {
		return nil
	}
	frame, err := proto.Marshal(&pb.BatchCallFunctionsRequest{CallTimeout: durationpb.New(limit)})
	if err != nil {
		panic("callgate: a duration cannot be serialized: " + err.Error())
	}
	return frame
}

// frameCodec sends frames as they are, and reads messages as gRPC does.
type frameCodec struct{ encoding.CodecV2 }

func (c frameCodec) Marshal(v any) (mem.BufferSlice, error) {
	frames, ok := v.([][]byte)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	made := make(mem.BufferSlice, 0, len(frames))
	for _, frame := range frames {
		if len(frame) > 0 {
			made = append(made, mem.SliceBuffer(frame))
		}
	}
	return made, nil
}

// Name is empty, so that the content type is the one of requests without a codec of their own.
func (frameCodec) Name() string { return "" }

var (
	batchCodec  = grpc.ForceCodecV2(frameCodec{encoding.GetCodecV2(encproto.Name)})
	batchMethod = &grpc.StreamDesc{StreamName: "BatchCallFunctions", ServerStreams: true}
)

// openBatch starts a batch.
func (g *Gate) openBatch(ctx context.Context, frames [][]byte) (grpc.ClientStream, error) {
	stream, err := g.conn.NewStream(ctx, batchMethod, pb.FunctionService_BatchCallFunctions_FullMethodName, batchCodec)
	if err != nil {
		return nil, g.errorOf(err, nil)
	}
	if err := stream.SendMsg(frames); err != nil && !errors.Is(err, io.EOF) { // after EOF the reason is to be read
		return nil, g.errorOf(err, nil)
	}
	if err := stream.CloseSend(); err != nil {
		return nil, g.errorOf(err, nil)
	}
	return stream, nil
}

// outcome is how a call of a batch ended; done is false while it has not.
type outcome struct {
	value *pb.Value
	err   error
	done  bool
}

// result decodes the outcome's value.
func (o outcome) result() (any, error) {
	if o.err != nil {
		return nil, o.err
	}
	return decodeResult(&pb.CallFunctionResponse{Value: o.value})
}

// readBatch reads a batch's next message into its outcomes, and returns the indices that were answered. Its error is
// io.EOF at the end, a failed RPC's, or that of an answer that was not asked for.
func (g *Gate) readBatch(stream grpc.ClientStream, outcomes []outcome) ([]int, error) {
	response := new(pb.BatchCallFunctionsResponse)
	if err := stream.RecvMsg(response); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, g.errorOf(err, stream.Trailer())
	}
	g.wasReached()
	arrived := make([]int, 0, len(response.GetResults()))
	for _, result := range response.GetResults() {
		index := int(result.GetIndex())
		if index < 0 || index >= len(outcomes) || outcomes[index].done {
			return arrived, gateError(codes.Internal, "", "the server answered call "+strconv.Itoa(index)+" of a batch of "+
				strconv.Itoa(len(outcomes))+" twice, or unasked")
		}
		switch kind := result.GetOutcome().(type) {
		case *pb.BatchResult_Response:
			outcomes[index] = outcome{value: kind.Response.GetValue(), done: true}
		case *pb.BatchResult_Error:
			outcomes[index] = outcome{err: errorFromStatus(kind.Error, ""), done: true}
		default:
			outcomes[index] = outcome{err: errNoAnswer(), done: true}
		}
		arrived = append(arrived, index)
	}
	return arrived, nil
}

// runBatch sends a batch and reads its answers into outcomes, each told of as it comes. It returns how the batch ended:
// io.EOF if it ended well.
func (g *Gate) runBatch(ctx context.Context, frames [][]byte, outcomes []outcome, arrived func(index int)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := g.openBatch(ctx, frames)
	if err != nil {
		return err
	}
	for {
		indices, err := g.readBatch(stream, outcomes)
		for _, index := range indices {
			arrived(index)
		}
		if err != nil {
			return err
		}
	}
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) }

// errNoAnswer is the error of a call that a batch, though it ended well, has no answer to.
func errNoAnswer() *GateError {
	return gateError(codes.Internal, "", "the server ended the batch without an answer to this call")
}

// endError is the error of the calls that a batch's end left without an answer.
func endError(end error) error {
	if isEnd(end) {
		return errNoAnswer()
	}
	return end
}

const (
	// mostCalls of one batch: at 1,024 a batch's own cost is below 1 µs a call.
	mostCalls = 1024
	// enoughBytes is where a batch is closed: large enough for a batch's fixed cost to vanish beside moving them, small
	// enough that a few batches weigh nothing in memory. A single call may be larger.
	enoughBytes = 1 << 20
)

// batchSize is how large a batch may be: what this client sends, and what the server said that it takes.
type batchSize struct {
	mutex  sync.Mutex
	calls  int
	enough int
	limit  int
}

func newBatchSize(calls, maxMessage int) *batchSize {
	return &batchSize{calls: calls, enough: min(enoughBytes, maxMessage), limit: maxMessage}
}

func (s *batchSize) now() (calls, enough, limit int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.calls, s.enough, s.limit
}

// learn learns from the server's refusal of a batch of which no call was answered, and tells whether its calls, of which
// none started, can go again in smaller batches.
func (s *batchSize) learn(err error, calls, size int) bool {
	var refused *GateError
	if calls < 2 || !errors.As(err, &refused) || refused.Reason != "REQUEST_TOO_LARGE" {
		return false
	}
	limit, broken := strconv.Atoi(refused.Metadata["limit"])
	if broken != nil || limit < 1 {
		return false
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if refused.Metadata["unit"] == "calls" {
		if limit >= calls {
			return false
		}
		s.calls = min(s.calls, limit)
		return true
	}
	// The size is that of what was sent: else it is an answer that is too large for this client, and calls ran.
	if refused.Metadata["size"] != strconv.Itoa(size) || size <= limit {
		return false
	}
	s.limit = min(s.limit, limit)
	s.enough = min(s.enough, s.limit)
	return true
}

// pieces cuts frames into as many batches as they need by now, as ends of slices.
func (s *batchSize) pieces(frames [][]byte) (ends []int) {
	calls, _, limit := s.now()
	count, size := 0, 0
	for i, frame := range frames {
		if count > 0 && (count >= calls || size+len(frame) > limit) {
			ends = append(ends, i)
			count, size = 0, 0
		}
		count++
		size += len(frame)
	}
	return append(ends, len(frames))
}

func totalSize(frames [][]byte) int {
	size := 0
	for _, frame := range frames {
		size += len(frame)
	}
	return size
}
