// Package examples_test does what the documents beside it say: it starts a server, registers an API, starts the example
// and calls it, by the very commands of the READMEs. Only the ports and the folder of the data are others.
package examples_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	root     = ".."
	patience = 2 * time.Minute // the first go run compiles
)

// In the order of the commands in README.md: no token, a token for reading, one for reading that wants to write, a
// revoked one.
const want = "401 200 403 401"

// Each example lets in whom it should, and nobody else; and what its README says of revocation is so.

func TestNetHTTP(t *testing.T) { try(t, "nethttp") }

func TestGin(t *testing.T) { try(t, "gin") }

func TestNginx(t *testing.T) {
	need(t, `PATH="$PATH:/usr/sbin" nginx -v`)
	try(t, "nginx")
}

func TestCaddy(t *testing.T) {
	need(t, "command -v caddy")
	try(t, "caddy")
}

func TestDjangoIntrospection(t *testing.T) {
	need(t, ".cache/examples/venv/bin/python -c 'import rest_framework, requests'")
	try(t, "django-introspection")
}

func TestDjangoSimpleJWT(t *testing.T) {
	need(t, ".cache/examples/venv/bin/python -c 'import rest_framework_simplejwt, cryptography, requests'")
	try(t, "django-simplejwt")
}

func TestExpress(t *testing.T) {
	need(t, "[ -d .cache/examples/node/node_modules/jose ] && node -e crypto.subtle")
	try(t, "express")
}

func TestExpressStatusList(t *testing.T) {
	need(t, "[ -d .cache/examples/node/node_modules/@sd-jwt/jwt-status-list ] && node -e crypto.subtle")
	try(t, "express-status-list")
}

func TestFastAPI(t *testing.T) {
	need(t, ".cache/examples/venv/bin/python -c 'import fastapi, uvicorn, jwt, cryptography, requests'")
	try(t, "fastapi")
}

// try starts Safeconduct and an example by the commands of the READMEs, and compares the statuses of the answers.
func try(t *testing.T, example string) {
	t.Helper()
	t.Parallel()
	need(t, "curl --version")
	common, own := blocks(t, "README.md"), blocks(t, filepath.Join(example, "README.md"))
	if len(common) != 3 || len(own) != 1 || !strings.HasSuffix(common[0], "\n./safeconduct dev\n") {
		t.Fatalf("%d and %d blocks of commands, want 3 and 1", len(common), len(own))
	}
	data, err := os.MkdirTemp("", "sc") // a short path: that of a unix socket must be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	binary := build(t)
	port := freePort(t)
	here := strings.NewReplacer(
		"localhost:8080", strings.TrimPrefix(startDev(t, binary, data), "http://"), "9090", port, "9091", freePort(t),
		"safeconduct-dev", data, `PATH="$PWD:`, `PATH="`+filepath.Dir(binary)+":", "examples/nginx/", data+"/here-", "examples/caddy/Caddyfile", data+"/Caddyfile",
		// What a client says of itself must not reach the API.
		"curl ", "curl -H 'X-Auth-Subject: forged' -H 'X-Auth-Username: forged' ")
	for from, to := range map[string]string{"nginx/nginx.conf": "here-nginx.conf", "caddy/Caddyfile": "Caddyfile"} {
		conf, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(data, to), []byte(here.Replace(string(conf))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	commands := strings.Split(strings.TrimSpace(own[0]), "\n")
	last := len(commands) - 1
	commands[last] = "exec " + commands[last]
	startExample(t, here.Replace(common[1]+strings.Join(commands, "\n")), port)
	out, err := shell(here.Replace(common[2])).CombinedOutput()
	if err != nil {
		t.Fatalf("the session failed: %v\n%s", err, out)
	}
	var statuses []string
	for _, match := range regexp.MustCompile(`(?m)^HTTP/1\.1 (\d+)`).FindAllStringSubmatch(string(out), -1) {
		statuses = append(statuses, match[1])
	}
	if got := strings.Join(statuses, " "); got != want {
		t.Errorf("the answers were %s, want %s\n%s", got, want, out)
	}
	if text := strings.ToLower(string(out)); !strings.Contains(text, "shelf") || strings.Contains(text, "forged") || !strings.Contains(text, "\nwww-authenticate: bearer") {
		t.Errorf("the answers do not say who called, or to whom a token is due\n%s", out)
	}
}

// blocks returns the commands in a document.
func blocks(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, match := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		found = append(found, match[1])
	}
	return found
}

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

// startDev starts a server and returns its issuer.
func startDev(t *testing.T, binary, data string) string {
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
	if err := json.NewDecoder(said).Decode(&server); err != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		t.Fatalf("the server does not start: %v\n%s", err, &log)
	}
	return server.Issuer
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

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
}
