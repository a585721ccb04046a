package callgate_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// TestTheReadmesProgramRuns builds README's program in a module of its own, by README's commands, and runs it.
func TestTheReadmesProgramRuns(t *testing.T) {
	running, err := server()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindSubmatch(readme)
	if program == nil {
		t.Fatal("README has no program")
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "main.go"), program[1], 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // it compiles
	defer cancel()
	const path = "github.com/callgate/callgate/client/go"
	var output []byte
	for _, command := range [][]string{
		{"go", "mod", "init", "example.org/try"},
		{"go", "mod", "edit", "-require=" + path + "@v0.0.0", "-replace=" + path + "=" + here},
		{"go", "mod", "tidy"},
		{"go", "run", "-p", "2", "."},
	} {
		run := exec.CommandContext(ctx, command[0], command[1:]...)
		run.Dir = folder
		run.Env = append(os.Environ(), "CALLGATE_SERVER="+running.Address)
		if output, err = run.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, output)
		}
	}
	const wanted = `4 <nil>
{Ada 1.2} <nil>
ValueError false
3 <nil>
2 <nil>
1 <nil>
1 <nil>
2 <nil>
3 <nil>
`
	if string(output) != wanted {
		t.Errorf("got %s", output)
	}
}
