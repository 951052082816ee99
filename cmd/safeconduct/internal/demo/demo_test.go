package demo_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/demo"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/node"
)

// open makes a development server in a folder.
func open(t *testing.T, folder string) http.Handler {
	t.Helper()
	loaded, err := config.Load(config.Sources{NoFile: true, Flags: []config.Flag{{Name: "data-dir", Path: "data_dir", Value: folder}}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(context.Background(), node.Options{
		Config: &loaded.Config, Material: &config.Material{}, Log: slog.New(slog.DiscardHandler), Create: true, Demo: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n.Server.LocalHandler()
}

// mortal passes a number of calls on and then dies: in the last call before its answer arrives, or before it is done.
type mortal struct {
	handler http.Handler
	calls   int
	doneYet bool
}

func (m *mortal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.calls--
	if m.calls < 0 {
		if m.calls == -1 && m.doneYet {
			m.handler.ServeHTTP(discarded{http.Header{}}, r)
		}
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	m.handler.ServeHTTP(w, r)
}

type discarded struct{ header http.Header }

func (d discarded) Header() http.Header         { return d.header }
func (d discarded) Write(p []byte) (int, error) { return len(p), nil }
func (d discarded) WriteHeader(int)             {}

const issuer = "http://localhost:8080"

// A first start may be interrupted between any two steps, and within each. The next one completes the demo, with one
// user, and leaves no secret valid that is in nobody's hands.
func TestInterruptedSetUpIsCompleted(t *testing.T) {
	ctx := context.Background()
	for _, doneYet := range []bool{false, true} {
		for calls := 0; ; calls++ {
			folder := t.TempDir()
			handler := open(t, folder)
			_, err := demo.Ensure(ctx, api.InProcess(&mortal{handler, calls, doneYet}), issuer, folder)
			if _, err := demo.Ensure(ctx, api.InProcess(handler), issuer, folder); err != nil {
				t.Fatalf("after %d calls: %v", calls, err)
			}
			checkDemo(t, handler, folder)
			if err == nil {
				break // it was not interrupted any more
			}
			if calls > 50 {
				t.Fatal("the set-up does not come to an end")
			}
		}
	}
}

// checkDemo asks the server itself whether what the file says is so.
func checkDemo(t *testing.T, handler http.Handler, folder string) {
	t.Helper()
	values := variables(t, folder)
	local := api.InProcess(handler)
	var users api.Page[api.UserRecord]
	call(t, local, "/users", &users)
	if len(users.Items) != 1 || users.Items[0].Username != values["DEMO_USER"] {
		t.Errorf("the users are %+v, want %s alone", users.Items, values["DEMO_USER"])
	}
	var client api.ClientRecord
	call(t, local, "/clients/"+values["DEMO_CLIENT_ID"], &client)
	var resource api.ResourceRecord
	call(t, local, "/resources/"+values["DEMO_API_ID"], &resource)
	if len(client.Secrets) != 1 || len(resource.Secrets) != 1 {
		t.Errorf("the client has %d secrets and the API %d, want one each", len(client.Secrets), len(resource.Secrets))
	}
	answer := post(t, handler, "/oauth/token", values["DEMO_CLIENT_ID"], values["DEMO_CLIENT_SECRET"],
		"grant_type=password&scope=orders:read&username="+values["DEMO_USER"]+"&password="+values["DEMO_PASSWORD"])
	token, _ := answer["access_token"].(string)
	if token == "" {
		t.Fatalf("the demo user gets no token: %v", answer)
	}
	if answer := post(t, handler, "/oauth/introspect", values["DEMO_API_ID"], values["DEMO_API_SECRET"], "token="+token); answer["active"] != true {
		t.Errorf("the demo API cannot introspect: %v", answer)
	}
}

func variables(t *testing.T, folder string) map[string]string {
	t.Helper()
	info, err := os.Stat(filepath.Join(folder, demo.File))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("the file of secrets has mode %v", info.Mode())
	}
	text, err := os.ReadFile(filepath.Join(folder, demo.File))
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found {
			values[name] = strings.Trim(value, "'")
		}
	}
	return values
}

func call(t *testing.T, local *api.Client, path string, into any) {
	t.Helper()
	raw, err := local.Call(context.Background(), http.MethodGet, path, nil)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// post sends a form as a client and reads the answer.
func post(t *testing.T, handler http.Handler, path, id, secret, form string) map[string]any {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://localhost:8080"+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	w := &recorded{discarded: discarded{http.Header{}}}
	handler.ServeHTTP(w, r)
	answer := make(map[string]any)
	if err := json.Unmarshal([]byte(w.text), &answer); err != nil {
		t.Fatalf("%s: %v", w.text, err)
	}
	return answer
}

type recorded struct {
	discarded
	text string
}

func (r *recorded) Write(p []byte) (int, error) {
	r.text += string(p)
	return len(p), nil
}

// What was made by hand since, or deleted, is not undone by force, and a demo whose client was deleted is made whole.
func TestDeletedPiecesAreMadeAgain(t *testing.T) {
	ctx := context.Background()
	folder := t.TempDir()
	handler := open(t, folder)
	local := api.InProcess(handler)
	if _, err := demo.Ensure(ctx, local, issuer, folder); err != nil {
		t.Fatal(err)
	}
	before := variables(t, folder)
	for _, path := range []string{"/clients/" + before["DEMO_CLIENT_ID"], "/users/" + before["DEMO_USER"]} {
		if _, err := local.Call(ctx, http.MethodDelete, path, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := demo.Ensure(ctx, local, issuer, folder); err != nil {
		t.Fatal(err)
	}
	checkDemo(t, handler, folder)
	if after := variables(t, folder); after["DEMO_USER"] != before["DEMO_USER"] || after["DEMO_API_SECRET"] != before["DEMO_API_SECRET"] {
		t.Error("what was still good was replaced")
	}
}

// The path of the folder is anybody's choice, and the lines go into a shell.
func TestLinesQuoteThePath(t *testing.T) {
	for path, want := range map[string]string{
		"safeconduct-dev/demo.env":  ". ./safeconduct-dev/demo.env\n",
		"./d/demo.env":              ". ./d/demo.env\n",
		"../d/demo.env":             ". ../d/demo.env\n",
		"/tmp/d/demo.env":           ". /tmp/d/demo.env\n",
		"my demo/demo.env":          ". './my demo/demo.env'\n",
		"$(touch x)'; #/demo.env":   `. './$(touch x)'\''; #/demo.env'` + "\n",
		"-d/demo.env":               ". ./-d/demo.env\n",
		"/tmp/ünïcödé/demo.env":     ". '/tmp/ünïcödé/demo.env'\n",
		".hidden/demo.env":          ". ./.hidden/demo.env\n",
		"/tmp/back\\slash/demo.env": ". '/tmp/back\\slash/demo.env'\n",
	} {
		if got := demo.Lines("http://localhost:8080", path); !strings.Contains(got, want) {
			t.Errorf("%s: %q is missing in\n%s", path, want, got)
		}
	}
	if bash, err := exec.LookPath("bash"); err == nil {
		cmd := exec.Command(bash, "-n")
		cmd.Stdin = strings.NewReader(demo.Lines("http://localhost:8080", "a'b c/demo.env"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("bash cannot read the lines: %v\n%s", err, out)
		}
	}
}
