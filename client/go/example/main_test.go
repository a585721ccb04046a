package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/callgate/callgate/client/go/internal/servertest"
)

func TestTheExampleRuns(t *testing.T) {
	server, err := servertest.Start("math", "json.dumps", "json.loads", "builtins.len", "shop.py")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out strings.Builder
	if err := run(ctx, &out, server.Address); err != nil {
		t.Fatalf("%+v", err)
	}
	wanted := `json: {"primes": [2, 3, 5], "root": 4.0}
quote: {Customer:Ada Lines:[{Item:apple Total:4} {Item:coffee Total:7.9}] Total:10.71 ValidFor:24h0m0s}
raised: shop.OutOfStock: no pear left, from KeyError: 'pear'
stream: 3 2 1
goroutines: 1000 answers, each its caller's own
map: 0
`
	if out.String() != wanted {
		t.Errorf("got %s", out.String())
	}
}
