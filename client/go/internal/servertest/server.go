// Package servertest starts real Callgate servers for tests.
package servertest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// startTime is how long a server may take to serve; arbitrary, long beside the two seconds that it takes on a busy machine.
const startTime = 60 * time.Second

// Server is a server process.
type Server struct {
	// Address is where it serves, "127.0.0.1:1234".
	Address string

	process *exec.Cmd
	ended   chan struct{}
	log     *strings.Builder // to be read once ended
}

// Root is the repository's folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..", "..")
}

// Command finds the callgate command: $CALLGATE, else the one in the repository's environment.
func Command() (string, error) {
	command := os.Getenv("CALLGATE")
	if command == "" {
		command = filepath.Join(Root(), ".venv", "bin", "callgate")
	}
	if _, err := exec.LookPath(command); err != nil {
		return "", fmt.Errorf("there is no callgate command for the tests to start (%w): run `make .venv/.dev` in the repository, or set CALLGATE to one", err)
	}
	return command, nil
}

var servesOn = regexp.MustCompile(` serves on (\S+) `)

// Start starts `callgate serve ARGUMENTS…`, on a free port unless they have --listen, and returns when it serves.
func Start(arguments ...string) (*Server, error) {
	command, err := Command()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(arguments, "--listen") {
		arguments = append(arguments, "--listen", "127.0.0.1:0")
	}
	process := exec.Command(command, append([]string{"serve"}, arguments...)...)
	process.Env = append(os.Environ(), "PYTHONUNBUFFERED=1", "COLUMNS=200")
	output, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	process.Stdout, process.Stderr = input, input
	err = process.Start()
	_ = input.Close() // the child has its own
	if err != nil {
		return nil, err
	}
	server := &Server{process: process, ended: make(chan struct{}), log: &strings.Builder{}}
	address := make(chan string, 1)
	go server.read(output, address)
	select {
	case server.Address = <-address:
		return server, nil
	case <-server.ended:
		return nil, fmt.Errorf("callgate serve %s ended: %s", strings.Join(arguments, " "), server.log)
	case <-time.After(startTime):
		_ = process.Process.Kill()
		<-server.ended
		return nil, fmt.Errorf("callgate serve %s does not serve after %s: %s", strings.Join(arguments, " "), startTime, server.log)
	}
}

func (s *Server) read(output io.ReadCloser, address chan<- string) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		s.log.WriteString(lines.Text() + "\n")
		if found := servesOn.FindStringSubmatch(lines.Text()); found != nil {
			address <- found[1]
		}
	}
	_ = output.Close()
	_ = s.process.Wait() // how it ended is in its log
	close(s.ended)
}

// Stop ends the server, and waits until it has ended.
func (s *Server) Stop() {
	_ = s.process.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		s.Kill()
	}
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	_ = s.process.Process.Kill()
	<-s.ended
}
