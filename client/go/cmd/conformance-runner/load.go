package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	callgate "github.com/callgate/callgate/client/go"
	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
)

// call is how concurrent callers call: CallFunction or CallShared.
type call func(ctx context.Context, module, function string, args ...any) (any, error)

func (r *runner) concurrent(one request) (answer, error) {
	gate, err := r.gate(one.Gate)
	if err != nil {
		return nil, err
	}
	return callAtOnce(one, gate.CallFunction)
}

func (r *runner) shared(one request) (answer, error) {
	gate, err := r.gate(one.Gate)
	if err != nil {
		return nil, err
	}
	return callAtOnce(one, gate.CallShared)
}

func callAtOnce(one request, do call) (answer, error) {
	var calls int
	if err := json.Unmarshal(one.Calls, &calls); err != nil {
		return nil, err
	}
	var all sync.WaitGroup
	var mutex sync.Mutex
	made, wrong := 0, []string{}
	for caller := range one.Callers {
		all.Go(func() {
			for i := range calls {
				problem := callMixed(do, caller, i, caller*calls+i)
				mutex.Lock()
				made++
				if problem != "" && len(wrong) < 10 {
					wrong = append(wrong, problem)
				}
				mutex.Unlock()
			}
		})
	}
	all.Wait()
	return answer{"made": made, "wrong": wrong}, nil
}

// callMixed makes the n-th call, and tells what is wrong with its answer.
func callMixed(do call, caller, i, n int) string {
	var got, wanted any
	var err error
	ctx := context.Background()
	switch n % 4 {
	case 0:
		wanted = float64(n)
		got, err = do(ctx, "math", "sqrt", float64(n)*float64(n))
	case 1:
		wanted = fmt.Sprintf(`[%d, "x"]`, n)
		got, err = do(ctx, "json", "dumps", []any{n, "x"})
	case 2:
		wanted = int64(n)
		got, err = do(ctx, "builtins", "abs", -n)
	default:
		wanted = callgate.Dict{{Key: "caller", Value: int64(caller)}, {Key: "call", Value: int64(i)}}
		got, err = do(ctx, "conformance_functions", "echo", wanted)
	}
	if err != nil || !reflect.DeepEqual(got, wanted) {
		return fmt.Sprintf("caller %d, call %d: %v (%v) instead of %v", caller, i, got, err, wanted)
	}
	return ""
}

func (r *runner) bench(one request) (answer, error) {
	gate, err := r.gate(one.Gate)
	if err != nil {
		return nil, err
	}
	do := func(ctx context.Context) error {
		value, err := gate.CallFunction(ctx, "math", "sqrt", 16.0)
		return check(value, err)
	}
	if one.What == "stub" {
		conn, ctx, err := bare(gate)
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close() }() // it has served
		stub := pb.NewFunctionServiceClient(conn)
		prepared := &pb.CallFunctionRequest{Module: "math", Function: "sqrt", Args: []*pb.Value{{Kind: &pb.Value_DoubleValue{DoubleValue: 16}}}}
		do = func(context.Context) error {
			response, err := stub.CallFunction(ctx, prepared)
			return check(response.GetValue().GetDoubleValue(), err)
		}
	}
	if err := do(context.Background()); err != nil { // connects
		return nil, err
	}
	return measure(one.Callers, seconds(one.Seconds), do)
}

func check(value any, err error) error {
	if err == nil && value != 4.0 {
		return fmt.Errorf("%v is not 4.0", value)
	}
	return err
}

// bare is a connection without this client, to where a gate leads.
func bare(gate *connected) (*grpc.ClientConn, context.Context, error) {
	ctx := context.Background()
	if gate.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+gate.token)
	}
	transport := insecure.NewCredentials()
	if gate.secure {
		transport = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}) // #nosec G402 -- a benchmark's own server
	}
	conn, err := grpc.NewClient(gate.target, grpc.WithTransportCredentials(transport))
	return conn, ctx, err
}

func measure(callers int, span time.Duration, do func(context.Context) error) (answer, error) {
	var all sync.WaitGroup
	took, failed := make([][]time.Duration, callers), make([]error, callers)
	began := time.Now()
	for caller := range callers {
		all.Go(func() {
			for at := time.Now(); at.Sub(began) < span; {
				if failed[caller] = do(context.Background()); failed[caller] != nil {
					return
				}
				now := time.Now()
				took[caller] = append(took[caller], now.Sub(at))
				at = now
			}
		})
	}
	all.Wait()
	total := time.Since(began)
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	latencies := slices.Concat(took...)
	slices.Sort(latencies)
	quantile := func(part float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return latencies[min(len(latencies)-1, int(part*float64(len(latencies))))].Seconds()
	}
	return answer{"calls": len(latencies), "seconds": total.Seconds(), "p50": quantile(0.5), "p99": quantile(0.99)}, nil
}
