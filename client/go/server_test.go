package callgate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	callgate "github.com/callgate/callgate/client/go"
	"github.com/callgate/callgate/client/go/internal/servertest"
)

// testTime is each test's limit: far beyond what any takes.
const testTime = 60 * time.Second

// server is the one that tests share; it is started by the first that needs it.
var server = sync.OnceValues(func() (*servertest.Server, error) { return servertest.Start(served()...) })

// served is what test servers serve: the conformance cases' functions, side by side, so that one can wait for another.
func served() []string {
	functions := filepath.Join(servertest.Root(), "tests", "conformance", "functions")
	return []string{"math", "json.dumps", "json.loads", "builtins.len", "builtins.abs", "builtins.sum",
		filepath.Join(servertest.Root(), "examples"), "conformance_functions.*", "conformance_events.*",
		"--path", functions, "--executor", "threads"}
}

func TestMain(m *testing.M) {
	_ = os.Unsetenv("CALLGATE_TOKEN") // what the user's own clients send is not for these servers
	code := m.Run()
	if running, err := server(); err == nil {
		running.Stop()
	}
	os.Exit(code)
}

// dial connects to the shared server.
func dial(t *testing.T, options ...callgate.Option) *callgate.Gate {
	t.Helper()
	running, err := server()
	if err != nil {
		t.Fatal(err)
	}
	return dialTo(t, running.Address, options...)
}

func dialTo(t *testing.T, address string, options ...callgate.Option) *callgate.Gate {
	t.Helper()
	gate, err := callgate.Dial(address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := gate.Close(); err != nil {
			t.Error(err)
		}
	})
	return gate
}

// limited is a test's context.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	t.Cleanup(cancel)
	return ctx
}

// must is a call that has to succeed.
func must(t *testing.T, gate *callgate.Gate, module, function string, args ...any) any {
	t.Helper()
	value, err := gate.CallFunction(limited(t), module, function, args...)
	if err != nil {
		t.Fatalf("%s.%s: %+v", module, function, err)
	}
	return value
}

// events are how functions and tests tell each other.
type events struct {
	t     *testing.T
	gate  *callgate.Gate
	nonce int64 // so that a test that runs again has other events
}

var nonces atomic.Int64

func tellVia(t *testing.T, gate *callgate.Gate) events { return events{t, gate, nonces.Add(1)} }

// event is a name that no other test has.
func (e events) event(name string) string {
	return fmt.Sprintf("%s of %s, %d", name, e.t.Name(), e.nonce)
}

func (e events) signal(name string) {
	e.t.Helper()
	must(e.t, e.gate, "conformance_events", "signal", name)
}

func (e events) wait(name string) {
	e.t.Helper()
	if came := must(e.t, e.gate, "conformance_events", "wait", name, 30.0); came != true {
		e.t.Fatalf("nobody signalled %q", name)
	}
}
