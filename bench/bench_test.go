package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// build makes the program as people do who run it: what starts its own children must be tried as a program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bench")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

func start(t *testing.T, program string, args ...string) (out, progress string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	return stdout.String(), stderr.String(), err
}

func TestBench(t *testing.T) {
	program := build(t)
	t.Run("measures every scenario on every engine", func(t *testing.T) { measuresEverything(t, program) })
	t.Run("puts its table between the markers", func(t *testing.T) { keepsWords(t, program) })
	t.Run("measures another server", func(t *testing.T) { measuresAnother(t, program) })
	t.Run("refuses unknown scenarios", func(t *testing.T) { refusesUnknown(t, program) })
}

// A benchmark that breaks unseen is noticed when its figures are needed. This runs all of it, as short as it gets.
func measuresEverything(t *testing.T, program string) {
	t.Helper()
	engines := []string{"redis", "bolt"}
	if _, err := exec.LookPath("redis-server"); err != nil {
		engines = engines[1:]
	}
	out, progress, err := start(t, program, "-short", "-rounds", "1", "-duration", "40ms", "-connections", "4", "-rate", "300", "-flood", "40")
	if err != nil {
		t.Fatalf("%v\n%s", err, progress)
	}
	for _, scenario := range []string{"metadata", "jwks", "introspect", "introspect-garbage", "refresh", "client-credentials", "client-credentials-jwt", "revoke", "password-apart",
		"code-flow", "code-flow-es256", "code-flow-rs256", "login-page", "password"} {
		for _, engine := range engines {
			if row := "| " + scenario + " | " + engine + " | 1000 | "; !strings.Contains(out, row) {
				t.Errorf("no row %q in\n%s", row, out)
			}
		}
	}
	if len(engines) == 1 {
		redistest.Missing(t, "redis-server is not installed (Debian: apt-get install redis-server): only bolt was tried")
	}
	for _, part := range []string{"| floor: bare Gin + GET | ", "| floor: bare Gin + SET + ES256 | ", "\nOpen loop, 300 requests a second", "| 40 logins | bolt | ", "| warm | 1000 | ", "| cold | 1000 | ", "| machine's grant | ", "| floor: Gin + one Lua | ", "| floor: Gin + 7 GET + 3 Lua + ES256 | ", "| get 1.", "| en | 12 | ",
		"| the bare signature | RS256 | ", "| a token that was not seen before | ES256 | ", "| a token that was seen before | EdDSA | "} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in\n%s", part, out)
		}
	}
}

// The table is made by the tool, the words around it by people: neither may overwrite the other.
func keepsWords(t *testing.T, program string) {
	t.Helper()
	doc := filepath.Join(t.TempDir(), "performance.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(doc, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-short", "-rounds", "1", "-duration", "40ms", "-connections", "2", "-engines", "bolt", "-only", "metadata", "-out", doc}

	write("words\n")
	if _, progress, err := start(t, program, args...); err == nil || !strings.Contains(progress, "has no place for it") {
		t.Errorf("a document without markers: got %v %q, want a refusal", err, progress)
	}

	write("words before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nwords after\n")
	if _, progress, err := start(t, program, args...); err != nil {
		t.Fatalf("%v\n%s", err, progress)
	}
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasPrefix(got, "words before\n<!-- bench: begin -->\n") || !strings.HasSuffix(got, "<!-- bench: end -->\nwords after\n") ||
		!strings.Contains(got, "| metadata | bolt | ") || strings.Contains(got, "old") {
		t.Errorf("got\n%s", got)
	}
}

// Bad input gets a clear error before anything is started.
func refusesUnknown(t *testing.T, program string) {
	t.Helper()
	_, progress, err := start(t, program, "-only", "introspekt")
	if err == nil || !strings.Contains(progress, `there is no "introspekt" here; there are: get, set-es256, metadata`) {
		t.Errorf("got %v %q", err, progress)
	}
}
