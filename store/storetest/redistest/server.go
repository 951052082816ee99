// Package redistest starts real redis-server processes for tests: one node, a master with replicas under sentinels, a
// cluster. It has a proxy, too, that stands between a client and its server and misbehaves on demand. Tests of
// store/redis and of whole servers use it; nothing else does. What it starts ends with the test, and with the test
// process when that dies.
package redistest

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 15 * time.Second
	stopTimeout  = 10 * time.Second
	pollInterval = 5 * time.Millisecond
	portAttempts = 5
)

// Server is a redis-server process on a port of 127.0.0.1, with a directory of its own. Its methods fail the test
// when they cannot do their work, so they must be called from the test's own goroutine; Do is for any.
type Server struct {
	t       testing.TB
	program string
	port    string
	busPort string // on which the nodes of a cluster talk among themselves; empty for no such node
	tlsPort string // empty without TLS
	dir     string
	args    []string
	watches []string // the configuration of a sentinel; empty for what keeps data
	process *exec.Cmd
	ended   chan struct{}
	paused  bool
}

// Start starts a server and waits until it answers. The further arguments are those of redis-server, such as
// "--requirepass", "secret". Nothing is written to disk unless they ask for it.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, args: args}
	s.begin(false)
	return s
}

// begin starts the process for the first time, on ports of its own.
func (s *Server) begin(inCluster bool) {
	s.t.Helper()
	s.program = installed(s.t, "redis-server")
	s.dir = s.t.TempDir()
	s.t.Cleanup(s.Kill)
	var err error
	// The port is free when it is chosen, but another process may take it before redis-server does.
	for range portAttempts {
		s.port = freePort(s.t)
		if inCluster {
			s.busPort = freePort(s.t)
		}
		if s.option("--tls-cert-file") != "" {
			s.tlsPort = freePort(s.t)
		}
		if err = s.launch(); err == nil {
			return
		}
	}
	s.t.Fatalf("start redis-server: %v", err)
}

// installed is the path of a program of Redis.
func installed(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		Missing(t, program+" is not installed (Debian: apt-get install redis-server)")
	}
	return path
}

// Missing skips the test because of what is missing, or fails it when SAFECONDUCT_TEST_REQUIRE_ALL is set.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("SAFECONDUCT_TEST_REQUIRE_ALL") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// Addr is the server's address, host and port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", s.port) }

// listensOn reports whether a port, other than that of the bus, is the server's.
func (s *Server) listensOn(port string) bool {
	return port == s.port || s.tlsPort != "" && port == s.tlsPort
}

// TLSAddr is the server's address for TLS.
func (s *Server) TLSAddr() string { return net.JoinHostPort("127.0.0.1", s.tlsPort) }

// URL is the server's address for redis.Options, without a password.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Stop ends the server in good order. What it held is in its directory and is there again after Restart.
func (s *Server) Stop() {
	s.t.Helper()
	// The server closes the connection instead of an answer, so only its end tells that it worked.
	if _, err := s.Do("SHUTDOWN", "SAVE"); err != nil && !errors.Is(err, errClosed) {
		s.t.Fatalf("stop redis-server: %v", err)
	}
	s.wait()
}

// Kill ends the server as a power cut would: what was not on disk is lost. Killing an ended server is no error.
func (s *Server) Kill() {
	s.t.Helper()
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	s.paused = false
	s.wait()
}

// Restart starts the server again on the same port and with the same directory, stopping it before if it runs.
func (s *Server) Restart() {
	s.t.Helper()
	if s.process != nil {
		s.Stop()
	}
	deadline := time.Now().Add(startTimeout)
	for {
		err := s.launch()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("restart redis-server: %v", err)
		}
	}
}

// Pause stops the process without ending it: connections stay open and nothing is answered until Resume.
func (s *Server) Pause() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	s.paused = true
}

// Resume lets a paused server go on.
func (s *Server) Resume() {
	s.t.Helper()
	s.signal(syscall.SIGCONT)
	s.paused = false
}

// Running reports whether the server runs and is not paused.
func (s *Server) Running() bool { return s.process != nil && !s.paused }

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatalf("%v redis-server: %v", signal, err)
	}
}

// launch starts the process and waits until it answers or ends.
func (s *Server) launch() error {
	output, err := os.Create(filepath.Join(s.dir, "output"))
	if err != nil {
		return err
	}
	defer output.Close()

	args, err := s.arguments()
	if err != nil {
		return err
	}
	s.process = exec.Command(s.program, args...)
	s.process.Stdout, s.process.Stderr = output, output
	s.process.SysProcAttr = dieWithParent()
	if err := s.process.Start(); err != nil {
		s.process = nil
		return err
	}
	s.ended = make(chan struct{})
	go func(process *exec.Cmd, ended chan struct{}) { _ = process.Wait(); close(ended) }(s.process, s.ended)

	deadline := time.After(startTimeout)
	for {
		// An answer that asks for a password is an answer.
		if _, err := s.Do("PING"); err == nil || strings.HasPrefix(err.Error(), "NOAUTH") {
			return nil
		}
		select {
		case <-s.ended:
			s.process = nil
			said, _ := os.ReadFile(output.Name())
			return fmt.Errorf("redis-server ended at once: %s", lastLines(string(said)))
		case <-deadline:
			s.Kill()
			return errors.New("redis-server does not answer")
		case <-time.After(pollInterval):
		}
	}
}

// arguments are those of the process.
func (s *Server) arguments() ([]string, error) {
	args := []string{"--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no"}
	if len(s.watches) > 0 {
		// A sentinel writes what it learns into its configuration, so it needs one as a file.
		file := filepath.Join(s.dir, "sentinel.conf")
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			if err := os.WriteFile(file, []byte(strings.Join(s.watches, "\n")+"\n"), 0o600); err != nil {
				return nil, err
			}
		}
		return slices.Concat([]string{file, "--sentinel"}, args, s.args), nil
	}
	args = append(args, "--save", "")
	if s.tlsPort != "" {
		args = append(args, "--tls-port", s.tlsPort)
	}
	if s.busPort != "" {
		args = append(args, "--cluster-enabled", "yes", "--cluster-port", s.busPort)
	}
	return append(args, s.args...), nil
}

func (s *Server) wait() {
	s.t.Helper()
	select {
	case <-s.ended:
		s.process = nil
	case <-time.After(stopTimeout):
		s.t.Fatal("redis-server does not end")
	}
}

// option is the value of a redis-server argument, or "".
func (s *Server) option(name string) string {
	if i := slices.Index(s.args, name); i >= 0 && i+1 < len(s.args) {
		return s.args[i+1]
	}
	return ""
}

func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}
