// Command example does what a program that embeds Python would do: it calls library functions, hands nested data to a
// module of its own and gets structs back, handles Python's exceptions, and calls from many goroutines at once.
//
//	callgate serve math json.dumps json.loads builtins.len client/go/example/shop.py
//	go run ./example
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	callgate "github.com/callgate/callgate/client/go"
)

// Item is what shop.quote takes; its hints make a shop.Item of the dict that this struct is sent as.
type Item struct {
	Name     string
	Quantity int
}

// Quote is what shop.quote returns.
type Quote struct {
	Customer string
	Lines    []struct {
		Item  string
		Total float64
	}
	Total    float64
	ValidFor time.Duration
}

func main() {
	server := flag.String("server", "", "HOST:PORT of the server (default: $CALLGATE_SERVER, else 127.0.0.1:50051)")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout, *server); err != nil {
		fmt.Fprintf(os.Stderr, "%+v\n", err) // with the remote traceback
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, server string) error {
	gate, err := callgate.Dial(server)
	if err != nil {
		return err
	}
	defer func() { _ = gate.Close() }()
	for _, step := range []func(context.Context, io.Writer, *callgate.Gate) error{
		callLibraries, callOwnModule, handleExceptions, readStream, callFromManyGoroutines, mapNumbers,
	} {
		if err := step(ctx, out, gate); err != nil {
			return err
		}
	}
	return nil
}

func callLibraries(ctx context.Context, out io.Writer, gate *callgate.Gate) error {
	root, err := callgate.Call[float64](ctx, gate, "math", "sqrt", 16.0)
	if err != nil {
		return err
	}
	text, err := callgate.Call[string](ctx, gate, "json", "dumps", map[string]any{"root": root, "primes": []int{2, 3, 5}},
		callgate.Kwargs{"sort_keys": true})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "json:", text)
	return err
}

func callOwnModule(ctx context.Context, out io.Writer, gate *callgate.Gate) error {
	order := []Item{{"apple", 10}, {"coffee", 1}}
	quote, err := callgate.Call[Quote](ctx, gate, "shop", "quote", order, callgate.Kwargs{"customer": "Ada", "discount": 0.1})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "quote: %+v\n", quote)
	return err
}

func handleExceptions(ctx context.Context, out io.Writer, gate *callgate.Gate) error {
	_, err := gate.CallFunction(ctx, "shop", "quote", []Item{{Name: "pear"}})
	var raised *callgate.PythonError
	if !errors.As(err, &raised) || !raised.IsA("LookupError") {
		return fmt.Errorf("there should be no pears: %w", err)
	}
	_, err = fmt.Fprintf(out, "raised: %v, from %v\n", raised, errors.Unwrap(raised))
	return err
}

func readStream(ctx context.Context, out io.Writer, gate *callgate.Gate) error {
	var items []string
	for item, err := range gate.Stream(ctx, "shop", "countdown", 3) {
		if err != nil {
			return err
		}
		items = append(items, fmt.Sprint(item))
	}
	_, err := fmt.Fprintln(out, "stream:", strings.Join(items, " "))
	return err
}

// callFromManyGoroutines: a Gate is shared by all; each goroutine gets its own answers.
func callFromManyGoroutines(ctx context.Context, out io.Writer, gate *callgate.Gate) error {
	const goroutines, calls = 20, 50
	failed := make([]error, goroutines)
	var all sync.WaitGroup
	for goroutine := range goroutines {
		all.Go(func() {
			for i := range calls {
				n := goroutine*calls + i
				if failed[goroutine] = callMixed(ctx, gate, n); failed[goroutine] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "goroutines: %d answers, each its caller's own\n", goroutines*calls)
	return err
}

func callMixed(ctx context.Context, gate *callgate.Gate, n int) error {
	var got, wanted any
	var err error
	switch n % 3 {
	case 0:
		wanted = float64(n)
		got, err = gate.CallFunction(ctx, "math", "sqrt", n*n)
	case 1:
		wanted = fmt.Sprintf(`{"n": %d}`, n)
		got, err = gate.CallFunction(ctx, "json", "dumps", map[string]int{"n": n})
	default:
		// Quick calls of many goroutines are cheaper where they share messages.
		wanted = int64(n % 100)
		got, err = gate.CallShared(ctx, "builtins", "len", make([]bool, n%100))
	}
	if err == nil && got != wanted {
		err = fmt.Errorf("call %d gave %v instead of %v", n, got, wanted)
	}
	return err
}

func mapNumbers(ctx context.Context, out io.Writer, gate *callgate.Gate) error {
	sum := 0.0
	for root, err := range callgate.Map[float64](ctx, gate, "math", "sqrt", slices.Values(make([]float64, 1000))) {
		if err != nil {
			return err
		}
		sum += root
	}
	_, err := fmt.Fprintln(out, "map:", sum)
	return err
}
