package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/cli"
)

// The tests run this program as users do: as processes of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"safeconduct": func() { os.Exit(cli.Main()) }})
}

const startPatience = 20 * time.Second

// process is a running dev or serve.
type process struct {
	cmd         *exec.Cmd
	stdout, log *output
	ended       chan struct{} // closed when it has ended

	Issuer string `json:"issuer"`
	Listen string `json:"listen"`
	Socket string `json:"socket"`
	Demo   string `json:"demo"`
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// promptEnd keeps programs that are built with the race detector from sleeping a second at their end.
const promptEnd = "atexit_sleep_ms=0"

// environment is that of a child: this one's without what configures Safeconduct, and more.
func environment(more ...string) []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "SAFECONDUCT_") {
			env = append(env, variable)
		}
	}
	return append(append(env, "GORACE="+promptEnd), more...)
}

// launch starts the program without waiting for anything.
func launch(folder string, env []string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command("safeconduct", args...), log: &output{}, stdout: &output{}, ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = folder, environment(env...), p.stdout, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// ready waits until a server that was started with --json says where it is.
func (p *process) ready() error {
	for deadline := time.Now().Add(startPatience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if json.Unmarshal([]byte(p.stdout.String()), p) == nil {
			return nil
		}
		select {
		case <-p.ended:
			return errors.New("the server ended:\n" + p.log.String() + p.stdout.String())
		default:
		}
	}
	return errors.New("the server is not ready:\n" + p.log.String())
}

// stop sends a signal, waits for the end and returns the exit code, -1 for a death by signal.
func (p *process) stop(s os.Signal) (int, error) {
	_ = p.cmd.Process.Signal(s) // it may have ended before
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(startPatience):
		return 0, errors.New("the server does not end:\n" + p.log.String())
	}
}

// start runs dev or serve in a folder until the end of the test.
func start(t *testing.T, folder string, env []string, args ...string) *process {
	t.Helper()
	p, err := launch(folder, env, append(args, "--json")...)
	if err == nil {
		err = p.ready()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = p.stop(syscall.SIGKILL) })
	return p
}

// end stops a server in good order.
func (p *process) end(t *testing.T) {
	t.Helper()
	if code, err := p.stop(syscall.SIGTERM); err != nil || code != 0 {
		t.Fatalf("the server ended with %d, %v:\n%s", code, err, p.log)
	}
}

// result is what a command left behind.
type result struct {
	stdout, stderr string
	code           int
}

// run runs a command to its end.
func run(t *testing.T, folder, stdin string, env []string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("safeconduct", args...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = folder, environment(env...), strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must runs a command that succeeds and returns its output.
func must(t *testing.T, folder, stdin string, env []string, args ...string) string {
	t.Helper()
	r := run(t, folder, stdin, env, args...)
	if r.code != 0 {
		t.Fatalf("safeconduct %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(startPatience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// folder is a short path: that of a unix socket must be.
func folder(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "sc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	return path
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
