package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// needs skips a test whose program is not there, or fails it where nothing may be skipped.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("SAFECONDUCT_TEST_REQUIRE_ALL") != "" {
				t.Fatalf("%s is not installed", program)
			}
			t.Skipf("%s is not installed", program)
		}
	}
}

// demoFile reads the variables of the demo.
func demoFile(t *testing.T, folder string) map[string]string {
	t.Helper()
	values := make(map[string]string)
	for line := range strings.Lines(readFile(t, filepath.Join(folder, "demo.env"))) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found {
			values[name] = strings.Trim(value, "'")
		}
	}
	for _, name := range []string{"DEMO_CLIENT_ID", "DEMO_CLIENT_SECRET", "DEMO_USER", "DEMO_PASSWORD", "DEMO_API_ID", "DEMO_API_SECRET"} {
		if values[name] == "" {
			t.Fatalf("demo.env lacks %s", name)
		}
	}
	return values
}

// The first thing that anybody does: copy the printed lines, one after the other.
func TestPrintedLinesDoTheMainJob(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "curl", "sed")
	folder := folder(t)
	p, err := launch(folder, nil, "dev", "--listen", "localhost:0", "--log-level", "debug")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = p.stop(syscall.SIGKILL) })
	eventually(t, "the lines", func() bool { return strings.Contains(p.stdout.String(), "Ctrl-C") })

	_, lines, _ := strings.Cut(p.stdout.String(), "one after the other:\n")
	lines, _, _ = strings.Cut(lines, "The command line reaches")
	cmd := exec.Command("bash", "-eu")
	cmd.Dir, cmd.Stdin, cmd.Env = folder, strings.NewReader(lines), environment("NO_PROXY=*")
	shown, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nof\n%s", err, shown, lines)
	}
	var statuses []string
	for _, found := range regexp.MustCompile(`(?m)^HTTP/1.1 (\d+)`).FindAllStringSubmatch(string(shown), -1) {
		statuses = append(statuses, found[1])
	}
	// Read, place, introspect, revoke, read again.
	if got := strings.Join(statuses, " "); got != "200 403 200 200 401" {
		t.Errorf("the statuses are %s, want 200 403 200 200 401\n%s", got, shown)
	}
	for _, want := range []string{"letter of safe-conduct", `"error":"insufficient_scope"`, `scope="orders:write"`, `"active":true,"scope":"orders:read"`, `"error":"invalid_token"`} {
		if !strings.Contains(string(shown), want) {
			t.Errorf("%q is missing in\n%s", want, shown)
		}
	}
	p.end(t)

	// LS-01: neither the terminal nor the log shows a secret.
	demo := demoFile(t, filepath.Join(folder, "safeconduct-dev"))
	printed := p.stdout.String() + p.log.String()
	for _, secret := range []string{demo["DEMO_CLIENT_SECRET"], demo["DEMO_PASSWORD"], demo["DEMO_API_SECRET"], "sca_", "scr_", "scs_", "scx_"} {
		if strings.Contains(printed, secret) {
			t.Errorf("%s… is shown:\n%s", secret[:4], printed)
		}
	}
}

// logIn gets a token by the password grant.
func logIn(t *testing.T, issuer string, demo map[string]string, scope string) (token string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, issuer+"/oauth/token", strings.NewReader(url.Values{
		"grant_type": {"password"}, "username": {demo["DEMO_USER"]}, "password": {demo["DEMO_PASSWORD"]}, "scope": {scope},
	}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(demo["DEMO_CLIENT_ID"], demo["DEMO_CLIENT_SECRET"])
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &got); err != nil || got.AccessToken == "" {
		t.Fatalf("no token: %s %s", response.Status, body)
	}
	return got.AccessToken
}

// introspects reports whether the demo API's credential is good.
func introspects(t *testing.T, issuer string, demo map[string]string, token string) bool {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, issuer+"/oauth/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(demo["DEMO_API_ID"], demo["DEMO_API_SECRET"])
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode == http.StatusOK && strings.Contains(string(body), `"active":true`)
}

// A second start takes up the data of the first, tokens included; the environment has no say in it.
func TestSecondStartReusesTheDemo(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	env := []string{"SAFECONDUCT_DATA_DIR=/nowhere", "SAFECONDUCT_UNKNOWN=1"}
	first := start(t, folder, env, "dev", "--listen", "localhost:0", "--data-dir", "d")
	before := demoFile(t, filepath.Join(folder, "d"))
	token := logIn(t, first.Issuer, before, "orders:read")
	first.end(t)

	second := start(t, folder, env, "dev", "--listen", "localhost:0", "--data-dir", "d")
	after := demoFile(t, filepath.Join(folder, "d"))
	for name, value := range before {
		if after[name] != value {
			t.Errorf("%s has changed", name)
		}
	}
	if got := must(t, folder, "", nil, "user", "list", "-q", "--data-dir", "d"); got != before["DEMO_USER"]+"\n" {
		t.Errorf("the users are %q", got)
	}
	if !introspects(t, second.Issuer, after, token) {
		t.Error("the token of the first start is not good any more")
	}
}

// A first start that is killed leaves something that the next start completes.
func TestKilledFirstStartIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"DEVELOPMENT", "secrets", "demo.env"} {
		folder := folder(t)
		p, err := launch(folder, nil, "dev", "--listen", "localhost:0", "--data-dir", "d")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, file, func() bool {
			_, err := os.Stat(filepath.Join(folder, "d", file))
			return err == nil
		})
		if _, err := p.stop(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		again := start(t, folder, nil, "dev", "--listen", "localhost:0", "--data-dir", "d")
		demo := demoFile(t, filepath.Join(folder, "d"))
		if !introspects(t, again.Issuer, demo, logIn(t, again.Issuer, demo, "orders:read orders:write account:read")) {
			t.Errorf("after a kill at %s the demo API cannot introspect", file)
		}
		if got := must(t, folder, "", nil, "user", "list", "-q", "--data-dir", "d"); got != demo["DEMO_USER"]+"\n" {
			t.Errorf("after a kill at %s the users are %q", file, got)
		}
		again.end(t)
	}
}
