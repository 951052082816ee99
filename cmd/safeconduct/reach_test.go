package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// One code path: a command says the same whichever way it reaches the records.
func TestThreeWaysGiveTheSameJSON(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	p := start(t, folder, nil, "dev", "--listen", "localhost:0", "--data-dir", "d")
	local := []string{"--data-dir", "d"}
	admin := "admin:clients admin:users admin:resources admin:tokens"
	must(t, folder, "", nil, append(local, "client", "create", "Operator", "--id", "operations", "--type", "service", "--first-party", "--scope", admin, "--secret-file", "operator.secret")...)
	token := strings.TrimSpace(must(t, folder, "", nil, "token", "get", "operations", "--server", p.Issuer, "--secret-file", "operator.secret", "--scope", admin, "-q"))
	if err := os.WriteFile(filepath.Join(folder, "token"), []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	user := demoFile(t, filepath.Join(folder, "d"))["DEMO_USER"]
	logIn(t, p.Issuer, demoFile(t, filepath.Join(folder, "d")), "orders:read")
	questions := [][]string{
		{"client", "list"}, {"client", "get", "operations"}, {"client", "secret", "list", "operations"}, {"client", "get", "nosuch"},
		{"user", "list"}, {"user", "get", user}, {"grant", "list", user},
		{"resource", "list"}, {"resource", "get", "demo-orders"}, {"client", "create", "x", "--type", "nosuch"}, {"resource", "delete", "safeconduct", "--yes"},
	}
	ask := func(env, flags []string) []result {
		var answers []result
		for _, question := range questions {
			answers = append(answers, run(t, folder, "", env, append(append(question, "--json"), flags...)...))
		}
		return answers
	}
	remote := []string{"SAFECONDUCT_SERVER=" + p.Issuer, "SAFECONDUCT_TOKEN_FILE=token"}
	bySocket, byNetwork := ask(nil, local), ask(remote, nil)
	p.end(t)
	inProcess := ask(nil, local)
	for i, question := range questions {
		if bySocket[i] != byNetwork[i] || bySocket[i] != inProcess[i] {
			t.Errorf("%v:\nsocket     %+v\nnetwork    %+v\nin-process %+v", question, bySocket[i], byNetwork[i], inProcess[i])
		}
		if bySocket[i].stdout+bySocket[i].stderr == "" {
			t.Errorf("%v says nothing", question)
		}
	}
	if !strings.Contains(bySocket[6].stdout, `"orders:read"`) {
		t.Errorf("the grant is missing: %s", bySocket[6].stdout)
	}
}

// A token opens what its scopes say, and what is wrong with it is told without showing it.
func TestRemoteNeedsATokenWithTheScope(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	p := start(t, folder, nil, "dev", "--listen", "localhost:0", "--data-dir", "d")
	must(t, folder, "", nil, "client", "create", "Clerk", "--id", "clerk", "--type", "service", "--first-party", "--scope", "admin:clients", "--secret-file", "clerk.secret", "--data-dir", "d")
	token := strings.TrimSpace(must(t, folder, "", nil, "token", "get", "clerk", "--server", p.Issuer, "--secret-file", "clerk.secret", "--scope", "admin:clients", "-q"))
	server := "SAFECONDUCT_SERVER=" + p.Issuer
	for _, test := range []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"with the scope", []string{server, "SAFECONDUCT_TOKEN=" + token}, []string{"client", "list"}, 0, ""},
		{"without the scope", []string{server, "SAFECONDUCT_TOKEN=" + token}, []string{"user", "list"}, 4, `"code":"insufficient_scope"`},
		{"a wrong token", []string{server, "SAFECONDUCT_TOKEN=" + token[:40]}, []string{"client", "list"}, 4, `"code":"invalid_token"`},
		{"no token", []string{server}, []string{"client", "list"}, 4, `"code":"no_token"`},
		{"two tokens", []string{server, "SAFECONDUCT_TOKEN=" + token, "SAFECONDUCT_TOKEN_FILE=x"}, []string{"client", "list"}, 2, "both set"},
		{"no such file", []string{server, "SAFECONDUCT_TOKEN_FILE=absent"}, []string{"client", "list"}, 2, "absent"},
		{"in the clear", []string{"SAFECONDUCT_SERVER=http://id.example.com", "SAFECONDUCT_TOKEN=" + token}, []string{"client", "list"}, 2, "write https://id.example.com"},
		{"not a server", []string{"SAFECONDUCT_SERVER=localhost:8080", "SAFECONDUCT_TOKEN=" + token}, []string{"client", "list"}, 2, "scheme and host"},
		{"nobody there", []string{"SAFECONDUCT_SERVER=http://localhost:1", "SAFECONDUCT_TOKEN=" + token}, []string{"client", "list"}, 7, `"code":"unreachable"`},
		{"two servers", nil, []string{"client", "list", "--server", p.Issuer, "--data-dir", "d"}, 2, "name two servers"},
		{"a flag for this machine wins", []string{"SAFECONDUCT_SERVER=http://localhost:1"}, []string{"client", "list", "--data-dir", "d"}, 0, ""},
	} {
		r := run(t, folder, "", test.env, append(test.args, "--json")...)
		if r.code != test.code || !strings.Contains(r.stderr, test.says) || strings.Contains(r.stdout+r.stderr, token[:40]) {
			t.Errorf("%s: got %+v, want %d and %s", test.name, r, test.code, test.says)
		}
	}
}

// With Redis several servers share the records, so none of them may make up a system secret, and a lost Redis is no
// lost client.
func TestServeOnRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	folder := folder(t)
	env := []string{quickStop, "SAFECONDUCT_STORE_URL=" + redis.URL()}
	if r := run(t, folder, "", env, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d"); r.code != 3 || !strings.Contains(r.stderr, "the same system secrets") {
		t.Errorf("without secrets: got %+v", r)
	}
	secrets := strings.Repeat("A", 43) + "="
	env = append(env, "SAFECONDUCT_SECRETS="+secrets)
	if r := run(t, folder, "", env, "client", "list", "--data-dir", "d"); r.code != 7 || !strings.Contains(r.stderr, "no server was ever started") {
		t.Errorf("on an empty Redis: got %+v", r)
	}
	first := start(t, folder, env, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	second := start(t, folder, env, "serve", "--listen", "127.0.0.1:0", "--data-dir", "e")
	must(t, folder, "", env, "client", "create", "Robot", "--id", "robot", "--type", "service", "-q", "--data-dir", "d")
	if got := must(t, folder, "", env, "client", "list", "-q", "--data-dir", "e"); got != "robot\n" {
		t.Errorf("the second server has %q", got)
	}
	wrong := append([]string{"SAFECONDUCT_SECRETS=" + strings.Repeat("B", 42) + "A="}, env[:2]...)
	if r := run(t, folder, "", wrong, "serve", "--listen", "127.0.0.1:0", "--data-dir", "f"); r.code != 1 || !strings.Contains(r.stderr, "issued under system secret") || strings.Contains(r.stderr, "BBBB") {
		t.Errorf("with another secret: got %+v", r)
	}
	second.end(t)
	if got := must(t, folder, "", env, "client", "list", "-q", "--data-dir", "e"); got != "robot\n" {
		t.Errorf("without a server there is %q", got)
	}
	redis.Kill()
	if r := run(t, folder, "", env, "client", "list", "--data-dir", "e", "--json"); r.code != 7 || strings.Contains(r.stderr, "not_found") {
		t.Errorf("without Redis: got %+v", r)
	}
	if r := run(t, folder, "", env, "client", "get", "robot", "--data-dir", "d", "--json"); r.code != 7 || strings.Contains(r.stderr, "not_found") {
		t.Errorf("by a server without Redis: got %+v", r)
	}
	first.end(t)
	if strings.Contains(first.log.String(), secrets) {
		t.Error("the log shows the system secret")
	}
}

// What a server says goes to a terminal: it must not be able to write titles, move the cursor or turn text around.
func TestAnswersCannotDisturbATerminal(t *testing.T) {
	t.Parallel()
	evil := "\u001b]0;title\u0007\u202etxt\r\u009b2J"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/nosuch") {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_request", "error_description": evil})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": []map[string]string{{"client_id": "x", "name": evil, "type": evil}}})
	}))
	t.Cleanup(server.Close)
	env := []string{"SAFECONDUCT_SERVER=" + server.URL, "SAFECONDUCT_TOKEN=t"}
	for _, args := range [][]string{{"client", "list"}, {"client", "list", "-q"}, {"client", "get", "nosuch"}, {"client", "get", "nosuch", "--json"}, {"client", "list", "--json"}} {
		r := run(t, folder(t), "", env, args...)
		for _, c := range r.stdout + r.stderr {
			if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)) {
				t.Errorf("%v: %U is printed: %q", args, c, r.stdout+r.stderr)
				break
			}
		}
	}
}
