package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// onRedis is the environment of a server whose store is at a URL.
func onRedis(t *testing.T, folder, url string, more ...string) []string {
	t.Helper()
	secrets := filepath.Join(folder, "secrets")
	if _, err := os.Stat(secrets); err != nil {
		if err := os.WriteFile(secrets, []byte(strings.Repeat("A", 42)+"E=\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return append([]string{quickStop, "SAFECONDUCT_STORE_URL=" + url, "SAFECONDUCT_SECRETS_FILE=" + secrets}, more...)
}

// F01 of the failure list: a process lives before its Redis does, tells what it knows, and is ready by itself.
func TestServeWaitsForRedis(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	redis := redistest.Start(t)
	redis.Kill()
	p := start(t, folder, onRedis(t, folder, redis.URL()), "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	ask := func(path string) int { return get(t, http.DefaultClient, "http://"+p.Listen, "localhost:8080", path) }
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 503, "/.well-known/oauth-authorization-server": 200, "/.well-known/openid-configuration": 200,
		"/.well-known/jwks.json": 503, "/oauth/token": 503, "/account": 503, "/api/v1/me": 503, "/nowhere": 503,
	} {
		if got := ask(path); got != want {
			t.Errorf("without Redis, %s: got %d, want %d", path, got, want)
		}
	}
	if r := run(t, folder, "", onRedis(t, folder, redis.URL()), "client", "list", "--data-dir", "d"); r.code != 7 {
		t.Errorf("a command without Redis: got %+v, want exit 7", r)
	}

	redis.Restart()
	began := time.Now()
	eventually(t, "the server is ready", func() bool { return ask("/readyz") == 200 })
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("the server was ready %v after Redis, want 6 s at most", took)
	}
	for path, want := range map[string]int{"/.well-known/jwks.json": 200, "/api/v1/me": 401, "/nowhere": 404} {
		if got := ask(path); got != want {
			t.Errorf("with Redis, %s: got %d, want %d", path, got, want)
		}
	}
	if r := run(t, folder, "", onRedis(t, folder, redis.URL()), "client", "list", "--data-dir", "d"); r.code != 0 {
		t.Errorf("a command with Redis: got %+v", r)
	}
	p.end(t)
}

// A Redis that is there and unfit is not waited for: who has to correct something must hear of it.
func TestServeRefusesAnUnfitRedis(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	guarded := redistest.Start(t, "--requirepass", "right-s3cr3t")
	evicting := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	if err := os.WriteFile(filepath.Join(folder, "password"), []byte("wrong-s3cr3t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, url, says string
		more            []string
	}{
		{"wrong password", guarded.URL(), "correct them", []string{"SAFECONDUCT_STORE_PASSWORD_FILE=password"}},
		{"no password", guarded.URL(), "store.password_file", nil},
		{"eviction", evicting.URL(), "set maxmemory-policy noeviction", nil},
		{"no cluster", strings.Replace(strings.TrimSuffix(evicting.URL(), "/0"), "redis://", "redis+cluster://", 1), "write redis://", nil},
	} {
		r := run(t, folder, "", onRedis(t, folder, test.url, test.more...), "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
		if r.code == 0 || !strings.Contains(r.stderr, test.says) || strings.Contains(r.stderr, "s3cr3t") {
			t.Errorf("%s: got %+v, want it to say %q", test.name, r, test.says)
		}
	}
}

// A Redis that appears late and holds what was issued under other system secrets cannot be served: the process must not
// linger half alive.
func TestServeEndsWhenItsSecretsAreNotThoseOfTheRedisThatAppears(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	redis := redistest.Start(t)
	env := onRedis(t, folder, redis.URL())
	start(t, folder, env, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d").end(t)
	redis.Stop()
	other := append(env, "SAFECONDUCT_SECRETS_FILE=", "SAFECONDUCT_SECRETS="+strings.Repeat("B", 42)+"E=")
	p := start(t, folder, other, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	redis.Restart()
	eventually(t, "the server ends", func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	if code := p.cmd.ProcessState.ExitCode(); code == 0 || !strings.Contains(p.log.String(), "system secret") {
		t.Errorf("exit %d, log:\n%s", code, p.log)
	}
}

// The same configuration file, with another URL, is all that a cluster takes.
func TestServeOnACluster(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	args, authority := redistest.Certificate(t)
	cluster := redistest.StartCluster(t, append(args, "--requirepass", "s3cr3t")...)
	if err := os.WriteFile(filepath.Join(folder, "password"), []byte("s3cr3t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := onRedis(t, folder, cluster.URL(), "SAFECONDUCT_STORE_PASSWORD_FILE=password", "SAFECONDUCT_STORE_TLS_CA_FILE="+authority)
	p := start(t, folder, env, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	if got := get(t, http.DefaultClient, "http://"+p.Listen, "localhost:8080", "/readyz"); got != 200 {
		t.Errorf("the server is not ready: %d", got)
	}
	must(t, folder, "", env, "client", "create", "Shop", "--id", "shop", "--type", "service", "--data-dir", "d")
	if got := must(t, folder, "", env, "client", "list", "-q", "--data-dir", "d"); got != "shop\n" {
		t.Errorf("the clients are %q", got)
	}
	p.end(t)
}
