package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	callgate "github.com/callgate/callgate/client/go"
)

// connected is a gate, and how it was reached.
type connected struct {
	*callgate.Gate
	target, token string
	secure        bool
}

type runner struct {
	gates map[string]*connected
}

func (r *runner) closeAll() {
	for _, gate := range r.gates {
		_ = gate.Close() // the process ends
	}
}

func (r *runner) connect(one request) (answer, error) {
	var options []callgate.Option
	made := &connected{target: one.Target}
	if one.TLSCA != "" {
		options, made.secure = append(options, callgate.WithCA(one.TLSCA)), true
	}
	if one.TLSCert != "" {
		options, made.secure = append(options, callgate.WithClientCertificate(one.TLSCert, one.TLSKey)), true
	}
	if one.Token != nil {
		options, made.token = append(options, callgate.WithToken(*one.Token)), *one.Token
	}
	gate, err := callgate.Dial(one.Target, options...)
	if err != nil {
		return answer{"failure": failure(err)}, nil
	}
	made.Gate = gate
	r.gates[one.Gate] = made
	return answer{"connected": true}, nil
}

func (r *runner) gate(name string) (*connected, error) {
	gate, ok := r.gates[name]
	if !ok {
		return nil, fmt.Errorf("there is no gate %q", name)
	}
	return gate, nil
}

func (r *runner) close(one request) (answer, error) {
	gate, err := r.gate(one.Gate)
	if err != nil {
		return nil, err
	}
	return answer{"closed": true}, gate.Close() // it stays, so that a call on a closed gate can be made
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

// contextOf is the context that a request asks for.
func contextOf(one request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if one.Timeout != nil {
		ctx, cancel = context.WithTimeout(context.Background(), seconds(*one.Timeout))
	}
	if one.CancelAfter != nil {
		time.AfterFunc(seconds(*one.CancelAfter), cancel)
	}
	return ctx, cancel
}

func (r *runner) call(one request) (answer, error) {
	gate, err := r.gate(one.Gate)
	if err != nil {
		return nil, err
	}
	args, err := arguments(one.Args, one.Kwargs)
	if err != nil {
		return nil, err
	}
	ctx, cancel := contextOf(one)
	defer cancel()
	began := time.Now()
	value, err := gate.CallFunction(ctx, one.Module, one.Function, args...)
	made := answer{"seconds": time.Since(began).Seconds()}
	if err != nil {
		made["failure"] = failure(err)
		return made, nil
	}
	made["value"], err = hexOf(value)
	return made, err
}

func (r *runner) stream(one request) (answer, error) {
	gate, err := r.gate(one.Gate)
	if err != nil {
		return nil, err
	}
	args, err := arguments(one.Args, one.Kwargs)
	if err != nil {
		return nil, err
	}
	ctx, cancel := contextOf(one)
	defer cancel()
	values, made := []string{}, answer{"failure": nil}
	if one.Take != nil && *one.Take == 0 {
		return answer{"values": values, "failure": nil}, nil
	}
	for item, err := range gate.Stream(ctx, one.Module, one.Function, args...) {
		if err != nil {
			made["failure"] = failure(err)
			break
		}
		text, err := hexOf(item)
		if err != nil {
			return nil, err
		}
		values = append(values, text)
		if one.Take != nil && len(values) == *one.Take {
			break
		}
	}
	made["values"] = values
	return made, nil
}

func (r *runner) batch(one request) (answer, error) {
	gate, err := r.gate(one.Gate)
	if err != nil {
		return nil, err
	}
	var asked []request
	if err := json.Unmarshal(one.Calls, &asked); err != nil {
		return nil, err
	}
	calls := make([]callgate.BatchCall, len(asked))
	for i, call := range asked {
		args, err := arguments(call.Args, call.Kwargs)
		if err != nil {
			return nil, err
		}
		calls[i] = callgate.BatchCall{Module: call.Module, Function: call.Function, Args: args}
	}
	var options []callgate.BatchOption
	if one.CallTimeout != nil {
		options = append(options, callgate.CallTimeout(seconds(*one.CallTimeout)))
	}
	ctx, cancel := contextOf(one)
	defer cancel()
	results, err := gate.Batch(ctx, calls, options...)
	if err != nil {
		return answer{"failure": failure(err)}, nil
	}
	made := make([]answer, len(results))
	for i, result := range results {
		if result.Err != nil {
			made[i] = answer{"failure": failure(result.Err)}
			continue
		}
		text, err := hexOf(result.Value)
		if err != nil {
			return nil, err
		}
		made[i] = answer{"value": text}
	}
	return answer{"results": made}, nil
}

func described(function callgate.Function) answer {
	return answer{"module": function.Module, "function": function.Name, "signature": function.Signature,
		"doc": function.Doc, "executor": function.Executor}
}

func (r *runner) list(one request) (answer, error) {
	gate, err := r.gate(one.Gate)
	if err != nil {
		return nil, err
	}
	functions, err := gate.List(context.Background(), one.Module)
	if err != nil {
		return answer{"failure": failure(err)}, nil
	}
	made := make([]answer, len(functions))
	for i, function := range functions {
		made[i] = described(function)
	}
	return answer{"functions": made}, nil
}

func (r *runner) describe(one request) (answer, error) {
	gate, err := r.gate(one.Gate)
	if err != nil {
		return nil, err
	}
	function, err := gate.Describe(context.Background(), one.Module, one.Function)
	if err != nil {
		return answer{"failure": failure(err)}, nil
	}
	return answer{"function": described(function)}, nil
}
