package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const adaPassword = "a long password of ada"

// installation is a server's folder, with an API, an app that people log in to, a machine and a user.
type installation struct {
	*testing.T
	folder string
	env    []string // where the store is, beside the default
	server *process
	secret map[string]string // by client or resource
}

// install starts a server on an empty data file and registers everybody. The API takes signed tokens if asked.
func install(t *testing.T, resourceFlags ...string) *installation {
	t.Helper()
	i := &installation{T: t, folder: folder(t), secret: map[string]string{}}
	i.start()
	i.must("", append([]string{"resource", "create", "urn:orders", "--slug", "orders", "--scope", "orders:read", "--secret-file", "orders.secret"}, resourceFlags...)...)
	i.must("", "client", "create", "Robot", "--id", "robot", "--type", "service", "--scope", "orders:read", "--secret-file", "robot.secret")
	i.must("", "client", "create", "App", "--id", "app", "--grant", "password", "--grant", "refresh_token", "--scope", "orders:read", "--secret-file", "app.secret")
	i.must(adaPassword, "user", "create", "ada", "--password-stdin")
	for _, name := range []string{"orders", "robot", "app"} {
		i.secret[name] = strings.TrimSpace(readFile(t, filepath.Join(i.folder, name+".secret")))
	}
	return i
}

func (i *installation) start() {
	i.Helper()
	i.server = start(i.T, i.folder, append(i.env, quickStop), "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
}

func (i *installation) must(stdin string, args ...string) string {
	i.Helper()
	return must(i.T, i.folder, stdin, i.env, append(args, "--data-dir", "d")...)
}

func (i *installation) run(args ...string) result {
	i.Helper()
	return run(i.T, i.folder, "", i.env, append(args, "--data-dir", "d")...)
}

// post sends a form as a client or resource, and returns the status and the JSON of the answer.
func (i *installation) post(path, as string, pairs ...string) (int, map[string]any) {
	i.Helper()
	form := url.Values{}
	for n := 0; n < len(pairs); n += 2 {
		form.Set(pairs[n], pairs[n+1])
	}
	return i.send(http.MethodPost, path, as, form.Encode())
}

func (i *installation) send(method, path, as, body string) (int, map[string]any) {
	i.Helper()
	r, err := http.NewRequestWithContext(i.Context(), method, "http://"+i.server.Listen+path, strings.NewReader(body))
	if err != nil {
		i.Fatal(err)
	}
	r.Host = "localhost:8080"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(as, i.secret[as])
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		i.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		i.Fatal(err)
	}
	var answer map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			i.Fatalf("%s: %d %s", path, response.StatusCode, text)
		}
	}
	return response.StatusCode, answer
}

// tokens asks the token endpoint and returns the access and the refresh token.
func (i *installation) tokens(as string, pairs ...string) (access, refresh string) {
	i.Helper()
	status, answer := i.post("/oauth/token", as, pairs...)
	if status != http.StatusOK {
		i.Fatalf("token: %d %v", status, answer)
	}
	access, _ = answer["access_token"].(string)
	refresh, _ = answer["refresh_token"].(string)
	return access, refresh
}

func (i *installation) machine() string {
	i.Helper()
	access, _ := i.tokens("robot", "grant_type", "client_credentials")
	return access
}

func (i *installation) login() (access, refresh string) {
	i.Helper()
	return i.tokens("app", "grant_type", "password", "username", "ada", "password", adaPassword)
}

// apiKey makes a key of the user's.
func (i *installation) apiKey() string {
	i.Helper()
	i.must("", "apikey", "create", "Key", "--user", "ada", "--scope", "orders:read", "--key-file", "key")
	return strings.TrimSpace(readFile(i.T, filepath.Join(i.folder, "key")))
}

func (i *installation) revoke(as, token string) {
	i.Helper()
	if status, answer := i.post("/oauth/revoke", as, "token", token); status != http.StatusOK {
		i.Fatalf("revoke: %d %v", status, answer)
	}
}

// active reports whether a token is good at the API.
func (i *installation) active(token string) bool {
	i.Helper()
	status, answer := i.post("/oauth/introspect", "orders", "token", token)
	if status != http.StatusOK {
		i.Fatalf("introspect: %d %v", status, answer)
	}
	return answer["active"] == true
}

// want checks which tokens are good.
func (i *installation) want(when string, tokens map[string]string, good ...string) {
	i.Helper()
	for name, token := range tokens {
		want := false
		for _, g := range good {
			want = want || g == name
		}
		if got := i.active(token); got != want {
			i.Errorf("%s the token %q is active: %v, want %v", when, name, got, want)
		}
	}
}

// useRedis points the configuration to a Redis, under the secrets that the data file had.
func (i *installation) useRedis(url string) {
	i.env = []string{"SAFECONDUCT_STORE_URL=" + url, "SAFECONDUCT_SECRETS_FILE=" + filepath.Join(i.folder, "d", "secrets")}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
