package examples_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// shell runs commands in the root of the repository, and ends all that they start when it is killed or this test dies.
func shell(commands string) *exec.Cmd {
	cmd := exec.Command("bash", "-eu", "-c", commands)
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Env = []string{"PYTHONDONTWRITEBYTECODE=1"}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "SAFECONDUCT_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	return cmd
}

// need skips a test whose programs or packages are missing, unless nothing may be skipped.
func need(t *testing.T, command string) {
	t.Helper()
	out, err := shell(command).CombinedOutput()
	if err == nil {
		return
	}
	if os.Getenv("SAFECONDUCT_TEST_REQUIRE_ALL") != "" {
		t.Fatalf("missing: %s\n%s", command, out)
	}
	t.Skipf("missing, make needs-examples installs it: %s\n%s", command, out)
}

var folderOfBinary string

func TestMain(m *testing.M) {
	var err error
	if folderOfBinary, err = os.MkdirTemp("", "sc"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folderOfBinary)
	os.Exit(code)
}

var buildOnce = sync.OnceValues(func() ([]byte, error) {
	cmd := exec.Command("go", "build", "-o", filepath.Join(folderOfBinary, "safeconduct"), "./cmd/safeconduct")
	cmd.Dir = root
	return cmd.CombinedOutput()
})

// build returns the program, which is built once.
func build(t *testing.T) string {
	t.Helper()
	if out, err := buildOnce(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return filepath.Join(folderOfBinary, "safeconduct")
}

// start runs a command until the end of the test, together with all that it starts.
func start(t *testing.T, cmd *exec.Cmd) (ended <-chan struct{}) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(over)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-over
	})
	return over
}

// startDev starts a server and returns its issuer, and what stops it before the end of the test.
func startDev(t *testing.T, binary, data string) (issuer string, stop func()) {
	t.Helper()
	cmd := shell(`exec "` + binary + `" dev --listen localhost:0 --data-dir "` + data + `" --json`)
	var log bytes.Buffer
	cmd.Stderr = &log
	said, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd.Stdout = out
	ended := start(t, cmd)
	out.Close()
	var server struct{ Issuer string }
	stop = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}
	if err := json.NewDecoder(said).Decode(&server); err != nil {
		stop()
		t.Fatalf("the server does not start: %v\n%s", err, &log)
	}
	return server.Issuer, stop
}

// startExample runs an example and waits until it takes requests.
func startExample(t *testing.T, commands, port string) {
	t.Helper()
	var log bytes.Buffer
	cmd := shell(commands)
	cmd.Stdout, cmd.Stderr = &log, &log
	ended := start(t, cmd)
	t.Cleanup(func() { // before it is killed
		if t.Failed() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
			t.Logf("the example says:\n%s", &log)
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if connection, err := net.Dial("tcp", "localhost:"+port); err == nil {
			connection.Close()
			return
		}
		select {
		case <-ended:
			t.Fatal("the example has ended")
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("the example takes no requests")
		}
	}
}

var lastPort atomic.Int64

// freePort returns a port that nobody listens at, and that the kernel gives to no outgoing connection before it is used.
func freePort(t *testing.T) string {
	t.Helper()
	lastPort.CompareAndSwap(0, 20_000+rand.Int64N(10_000))
	for range 1000 {
		port := fmt.Sprint(lastPort.Add(1))
		if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}
