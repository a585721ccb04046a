// Command conformance-runner reports what the Go client does with the cases of tests/conformance: one JSON object a line
// on standard input, one a line on standard output; the protocol is in tests/conformance/README.md.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"google.golang.org/grpc"
)

// request is one line of the driver's; each op reads some of it.
type request struct {
	ID          any               `json:"id"`
	Op          string            `json:"op"`
	Gate        string            `json:"gate"`
	Value       string            `json:"value"`
	Target      string            `json:"target"`
	TLSCA       string            `json:"tls_ca"`
	TLSCert     string            `json:"tls_certificate"`
	TLSKey      string            `json:"tls_key"`
	Token       *string           `json:"token"`
	Module      string            `json:"module"`
	Function    string            `json:"function"`
	Args        []string          `json:"args"`
	Kwargs      map[string]string `json:"kwargs"`
	Timeout     *float64          `json:"timeout"`
	CancelAfter *float64          `json:"cancel_after"`
	Take        *int              `json:"take"`
	Calls       json.RawMessage   `json:"calls"` // a list for batch, a number for the others
	CallTimeout *float64          `json:"call_timeout"`
	Callers     int               `json:"callers"`
	What        string            `json:"what"`
	Seconds     float64           `json:"seconds"`
}

type answer map[string]any

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance-runner:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	runner := &runner{gates: map[string]*connected{}}
	defer runner.closeAll()
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	for {
		var one request
		if err := requests.Decode(&one); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		made := runner.answer(one)
		made["id"] = one.ID
		if err := answers.Encode(made); err != nil {
			return err
		}
	}
}

// answer carries out a request; what goes wrong in this program itself is a fault.
func (r *runner) answer(one request) (made answer) {
	defer func() {
		if problem := recover(); problem != nil {
			made = answer{"fault": fmt.Sprint("panic: ", problem)}
		}
	}()
	ops := map[string]func(request) (answer, error){
		"hello": hello, "value": value, "connect": r.connect, "close": r.close, "call": r.call, "stream": r.stream,
		"batch": r.batch, "list": r.list, "describe": r.describe, "concurrent": r.concurrent, "shared": r.shared,
		"bench": r.bench,
	}
	op, known := ops[one.Op]
	if !known {
		return answer{"fault": fmt.Sprintf("unknown op %q", one.Op)}
	}
	made, err := op(one)
	if err != nil {
		return answer{"fault": err.Error()}
	}
	return made
}

func hello(request) (answer, error) {
	return answer{"language": "Go", "version": runtime.Version(), "grpc": "grpc-go " + grpc.Version}, nil
}
