// Package examples_test does what the documents beside it say: it starts a server, registers an API, starts the example
// and calls it, by the very commands of the READMEs. Only the ports and the folder of the data are others.
package examples_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	root     = ".."
	patience = 2 * time.Minute // the first go run compiles
)

// want are the statuses in the order of the commands in README.md: no token, a token for reading, one for reading that wants to write, a
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
	issuer, stop := startDev(t, binary, data)
	here := strings.NewReplacer(
		"localhost:8080", strings.TrimPrefix(issuer, "http://"), "9090", port, "9091", freePort(t),
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

	getToken := strings.Join(strings.Split(common[2], "\n")[:2], "\n") + "\necho \"$TOKEN\""
	token, err := shell(here.Replace(getToken)).Output()
	if err != nil {
		t.Fatalf("no further token: %v", err)
	}
	failsClosed(t, "http://localhost:"+port+"/books", strings.TrimSpace(string(token)), stop)
}

// failsClosed stops Safeconduct. Then nobody can know what was revoked: a good token must soon be refused, and not as if
// it were a bad one.
func failsClosed(t *testing.T, url, token string, stop func()) {
	t.Helper()
	status := func() int {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		return a.StatusCode
	}
	if got := status(); got != http.StatusOK {
		t.Fatalf("%d for a good token", got)
	}
	stop()
	got := http.StatusOK
	for deadline := time.Now().Add(patience); got == http.StatusOK && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		got = status()
	}
	if got < 500 {
		t.Errorf("%d while nobody knows what was revoked", got)
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
