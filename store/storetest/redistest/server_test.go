package redistest_test

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// Tests of restarts rely on what a stop keeps and a kill loses.
func TestStopKeepsDataAndKillLosesThem(t *testing.T) {
	server := redistest.Start(t)
	do(t, server, "SET", "kept", "1")
	server.Restart()
	do(t, server, "SET", "lost", "1")
	server.Kill()
	server.Restart()
	if got := do(t, server, "EXISTS", "kept"); got != "1" {
		t.Errorf("EXISTS kept = %s, want 1", got)
	}
	if got := do(t, server, "EXISTS", "lost"); got != "0" {
		t.Errorf("EXISTS lost = %s, want 0", got)
	}
}

// A test that panics runs no cleanup. Its servers must not outlive it all the same.
func TestServerEndsWithItsTestProcess(t *testing.T) {
	if os.Getenv("REDISTEST_PANIC") != "" {
		server := redistest.Start(t)
		os.Stdout.WriteString("address " + server.Addr() + "\n")
		go panic("as a test may")
		select {}
	}
	if runtime.GOOS != "linux" {
		redistest.Missing(t, "only Linux ends children with their parent")
	}
	child := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithItsTestProcess$")
	child.Env = append(os.Environ(), "REDISTEST_PANIC=1")
	output, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "as a test may") {
		redistest.Start(t) // It says so when redis-server is missing.
		t.Fatalf("the child did not panic: %v\n%s", err, output)
	}
	_, rest, _ := strings.Cut(string(output), "address ")
	address, _, _ := strings.Cut(rest, "\n")
	for deadline := time.Now().Add(10 * time.Second); ; <-time.After(5 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		connection.Close()
		if time.Now().After(deadline) {
			t.Fatalf("the server at %s has outlived its test", address)
		}
	}
}

// What each mischief does to a client.
func TestProxyMischief(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	// ask sets a key through the proxy, and returns the answer or what came instead.
	ask := func(key string) string {
		connection, err := net.Dial("tcp", proxy.Addr())
		if err != nil {
			return "refused"
		}
		defer connection.Close()
		_, _ = connection.Write([]byte("*3\r\n$3\r\nSET\r\n$1\r\n" + key + "\r\n$1\r\n1\r\n"))
		_ = connection.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		answer := make([]byte, 64)
		n, err := connection.Read(answer)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			return "silence"
		}
		if err != nil {
			return "closed"
		}
		return strings.TrimSpace(string(answer[:n]))
	}
	matches := func(key string) func([]string) bool {
		return func(command []string) bool { return command[1] == key }
	}
	for _, step := range []struct {
		key, want string
		arrives   string // how many keys of that name there are then
		do        func()
	}{
		{"a", "+OK", "1", func() {}},
		{"b", "closed", "1", func() { proxy.DropReplies(1, redistest.Close, matches("b")) }},
		{"c", "silence", "1", func() { proxy.DropReplies(1, redistest.Silence, nil) }},
		{"d", "+OK", "1", func() { proxy.DropReplies(1, redistest.Close, matches("other")) }},
		{"e", "silence", "0", proxy.BlackHole},
		{"f", "+OK", "1", proxy.Pass},
		{"g", "refused", "0", proxy.Refuse},
		{"h", "+OK", "1", proxy.Pass},
		{"i", "silence", "1", func() { proxy.Delay(time.Minute) }},
		{"j", "+NO", "1", func() { proxy.Pass(); proxy.Rewrite("OK", "NO") }},
	} {
		step.do()
		if got := ask(step.key); got != step.want {
			t.Errorf("%s: got %q, want %q", step.key, got, step.want)
		}
		if got := do(t, server, "EXISTS", step.key); got != step.arrives {
			t.Errorf("EXISTS %s = %s, want %s", step.key, got, step.arrives)
		}
	}
	if n := proxy.Dropped(); n != 2 {
		t.Errorf("%d replies dropped, want 2", n)
	}
}

// A paused server answers nobody, and goes on afterwards.
func TestPausedServerIsSilent(t *testing.T) {
	server := redistest.Start(t)
	server.Pause()
	connection, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_, _ = connection.Write([]byte("PING\r\n"))
	_ = connection.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	answer := make([]byte, 64)
	if n, err := connection.Read(answer); err == nil {
		t.Errorf("a paused server says %q", answer[:n])
	}
	server.Resume()
	if got := do(t, server, "PING"); got != "PONG" {
		t.Errorf("PING = %q, want PONG", got)
	}
}

func do(t *testing.T, server *redistest.Server, args ...string) string {
	t.Helper()
	answer, err := server.Do(args...)
	if err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	return answer
}
