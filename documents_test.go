package safeconduct_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// blocks returns the fenced blocks of a language in a document.
func blocks(t *testing.T, path, language string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		found = append(found, match[1])
	}
	return found
}

// need skips a test whose program is missing, unless nothing may be skipped.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("SAFECONDUCT_TEST_REQUIRE_ALL") != "" {
		t.Fatalf("%s is missing", program)
	}
	t.Skipf("%s is missing", program)
}

// The README keeps its word: its first block starts the server, its other blocks, one after the other, do the main job.
// Only the port is another one, so that the test can run beside a server.
func TestREADMECommandsWork(t *testing.T) {
	need(t, "bash")
	need(t, "curl")
	commands := blocks(t, "README.md", "sh")
	if len(commands) < 2 {
		t.Fatal("the README has no commands")
	}
	port := freePort(t)
	data := filepath.Join(t.TempDir(), "safeconduct-dev")
	startDev(t, strings.TrimSpace(commands[0]), port, data)

	session := strings.Join(commands[1:], "\n")
	session = strings.ReplaceAll(session, "localhost:8080", "localhost:"+port)
	session = strings.ReplaceAll(session, "./safeconduct-dev/", data+"/")
	shell := exec.Command("bash", "-eu", "-c", session)
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("the session failed: %v\n%s", err, out)
	}
	var statuses []string
	for _, match := range regexp.MustCompile(`(?m)^HTTP/1\.1 (\d+)`).FindAllStringSubmatch(string(out), -1) {
		statuses = append(statuses, match[1])
	}
	if got, want := strings.Join(statuses, " "), "200 403 200 200 401"; got != want {
		t.Errorf("the session's answers were %s, want %s (read, write, introspect, revoke, read again)\n%s", got, want, out)
	}
	for _, wanted := range []string{`error="insufficient_scope"`, `"active":true`, `error="invalid_token"`} {
		if !strings.Contains(string(out), wanted) {
			t.Errorf("the session does not show %s", wanted)
		}
	}
}

// startDev runs the README's start command until the test ends, and waits until it answers.
func startDev(t *testing.T, command, port, data string) {
	t.Helper()
	if command != "go run ./cmd/safeconduct dev" {
		t.Fatalf("the README starts the server by %q", command)
	}
	binary := filepath.Join(t.TempDir(), "safeconduct")
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/safeconduct").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, binary, "dev", "--listen", "localhost:"+port, "--data-dir", data)
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = 30 * time.Second
	server.Stderr = os.Stderr
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = server.Wait()
	})
	go func() { // keep the pipe empty
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
		}
	}()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if exec.Command("curl", "-sf", "http://localhost:"+port+"/readyz").Run() == nil {
			if _, err := os.Stat(filepath.Join(data, "demo.env")); err == nil {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the server did not become ready")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
}

// Every Go program in the documents compiles.
func TestGoProgramsInTheDocumentsCompile(t *testing.T) {
	documents, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	compiled := 0
	for _, document := range documents {
		for i, program := range blocks(t, document, "go") {
			source := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
				t.Fatal(err)
			}
			// An overlay lets the program stand in a folder of this module that does not exist.
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, "docs", "program", "main.go"): source}})
			if err != nil {
				t.Fatal(err)
			}
			list := filepath.Join(t.TempDir(), "overlay.json")
			if err := os.WriteFile(list, overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("go", "build", "-overlay", list, "-o", os.DevNull, "./docs/program").CombinedOutput(); err != nil {
				t.Errorf("%s, program %d: %v\n%s", document, i+1, err, out)
			}
			compiled++
		}
	}
	if compiled == 0 {
		t.Error("no program found")
	}
}

// The blocks for proxies are copied as they stand: the proxies themselves read them without complaint.
func TestProxyBlocksInTheDocumentsAreRead(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin") // where Debian keeps nginx
	need(t, "nginx")
	need(t, "caddy")
	const document = "docs/protect-an-api.md"
	folder := t.TempDir()
	for language, test := range map[string]struct{ before, after, command string }{
		"nginx": {"error_log stderr; pid nginx.pid; events {}\nhttp { access_log off; server { listen 127.0.0.1:9;\n", "}}\n",
			`nginx -t -q -p . -e stderr -c`},
		"caddyfile": {"", "", "HOME=. caddy adapt --adapter caddyfile --config"},
	} {
		found := blocks(t, document, language)
		if len(found) != 1 {
			t.Fatalf("%d blocks for %s", len(found), language)
		}
		block := filepath.Join(folder, language)
		if err := os.WriteFile(block, []byte(test.before+found[0]+test.after), 0o600); err != nil {
			t.Fatal(err)
		}
		read := exec.Command("bash", "-c", test.command+" "+block)
		read.Dir = folder
		if out, err := read.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", language, err, out)
		}
	}
	for i, block := range blocks(t, document, "yaml") {
		if err := yaml.Unmarshal([]byte(block), new(map[string]any)); err != nil {
			t.Errorf("block %d of YAML: %v", i+1, err)
		}
	}
}

// No link of the documents leads nowhere: neither to a file that is not there nor to a heading that is not in it.
func TestLinksBetweenDocuments(t *testing.T) {
	documents := []string{"README.md"}
	for _, folder := range []string{"docs", "examples"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && entry.Name() == "node_modules" {
				return filepath.SkipDir
			}
			if err == nil && filepath.Ext(path) == ".md" {
				documents = append(documents, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	checked := 0
	for _, document := range documents {
		for _, match := range regexp.MustCompile(`\]\(([^):#]*)(?:#([^)]*))?\)`).FindAllStringSubmatch(prose(t, document), -1) {
			target, anchor := document, match[2]
			if match[1] != "" {
				target = filepath.Join(filepath.Dir(document), match[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", document, match[1])
			} else if anchor != "" && !slices.Contains(anchors(t, target), anchor) {
				t.Errorf("%s links to #%s, but %s has no such heading", document, anchor, target)
			}
			checked++
		}
	}
	if checked == 0 {
		t.Error("no link found")
	}
}

// prose is a document without its blocks of code.
func prose(t *testing.T, document string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(string(text), "")
}

// anchors are the names of a document's headings, as GitHub makes them.
func anchors(t *testing.T, document string) []string {
	t.Helper()
	var all []string
	for _, match := range regexp.MustCompile(`(?m)^#+ +(.+)$`).FindAllStringSubmatch(prose(t, document), -1) {
		kept := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(match[1]), "")
		all = append(all, strings.ReplaceAll(kept, " ", "-"))
	}
	return all
}
