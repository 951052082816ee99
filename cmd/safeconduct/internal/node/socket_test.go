package node_test

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/node"
)

// socketPath is short, as that of a unix socket must be.
func socketPath(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "sc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return filepath.Join(folder, "s.sock")
}

// leaveStale makes a socket that nobody listens on.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
}

// Servers that start at once on what a dead one left behind must not take the socket from each other.
func TestOneOfManyGetsAStaleSocket(t *testing.T) {
	for range 20 {
		path := socketPath(t)
		leaveStale(t, path)
		var mu sync.Mutex
		var won []net.Listener
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(func() {
				listener, err := node.ListenSocket(path)
				if err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				won = append(won, listener)
			})
		}
		wait.Wait()
		if len(won) != 1 || !node.SocketAnswers(path) {
			t.Fatalf("%d have the socket, want one; it answers: %v", len(won), node.SocketAnswers(path))
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("its mode is %v", info.Mode())
		}
		if err := won[0].Close(); err != nil {
			t.Error(err)
		}
		again, err := node.ListenSocket(path)
		if err != nil {
			t.Fatalf("after it was closed: %v", err)
		}
		again.Close()
	}
}

// A file that happens to have the name is somebody's.
func TestFileInTheWayOfTheSocketIsKept(t *testing.T) {
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if listener, err := node.ListenSocket(path); err == nil {
		listener.Close()
		t.Error("it was replaced")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("got %q, %v", text, err)
	}
}
