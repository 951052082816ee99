package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startPatience is how long a server may take to say that it serves, on a machine that has other things to do.
const startPatience = 30 * time.Second

// programs are the binaries under test, each built once.
type programs struct {
	dir   string
	plain func() (string, error)
	// breakable has the door for panics and other clocks, which the program that people run has not.
	breakable func() (string, error)
	// older is a binary of an earlier release, or empty.
	older string
}

func newPrograms(ctx context.Context, dir string) *programs {
	build := func(name, tags string) func() (string, error) {
		return sync.OnceValues(func() (string, error) {
			path := filepath.Join(dir, name)
			cmd := exec.CommandContext(ctx, "go", "build", "-tags", tags, "-o", path, "./cmd/safeconduct")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				return "", fmt.Errorf("build safeconduct: %w\n%s", err, out)
			}
			return path, nil
		})
	}
	return &programs{dir: dir, plain: build("safeconduct", "nomsgpack"), breakable: build("safeconduct-breakable", "nomsgpack,faults")}
}

// process is a `safeconduct serve` that runs, or has run.
type process struct {
	cmd    *exec.Cmd
	log    string
	stdout *lockedBuffer
	ended  chan struct{}
	told   chan struct{} // closed when it has said that it serves
}

// lockedBuffer collects what a process says.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	told chan struct{}
	once sync.Once
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.text.Write(p)
	if json.Valid(b.text.Bytes()) {
		b.once.Do(func() { close(b.told) })
	}
	return n, err
}

// launch starts a program without waiting for anything. It dies with the harness.
func (s *scene) launch(program, dir string, env []string, args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	told := make(chan struct{})
	p := &process{cmd: exec.Command(program, args...), log: log.Name(), stdout: &lockedBuffer{told: told}, ended: make(chan struct{}), told: told}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, environment(env...), p.stdout, log
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// environment is ours without what configures Safeconduct, and more.
func environment(more ...string) []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "SAFECONDUCT_") {
			env = append(env, variable)
		}
	}
	return append(env, more...)
}

// serving waits until the process says that it serves.
func (p *process) serving() error {
	select {
	case <-p.told:
		return nil
	case <-p.ended:
		return fmt.Errorf("the server ended with %d: %s", p.cmd.ProcessState.ExitCode(), p.lastWords())
	case <-time.After(startPatience):
		return errors.New("the server does not begin to serve: " + p.lastWords())
	}
}

// kill ends the process as a power cut would end it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop asks the process to end and returns its exit code and how long it took.
func (p *process) stop(within time.Duration) (int, time.Duration, error) {
	began := time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), time.Since(began), nil
	case <-time.After(within):
		p.kill()
		return 0, 0, fmt.Errorf("the server did not end within %v", within)
	}
}

// lastWords are the end of its log. It holds no secrets.
func (p *process) lastWords() string {
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}

// freePort is a port of the loopback network that nobody has just now.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}
