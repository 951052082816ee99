package main_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/users"
)

// elsewhere is a server that the benchmark did not start, over TLS. It sends its answers in chunks, as many do.
type elsewhere struct {
	*httptest.Server
	client, resource credentials
}

type credentials struct{ id, secret string }

func startElsewhere(t *testing.T) elsewhere {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "data.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(flushing{w}, r) }))
	srv, err := server.New(t.Context(), server.Config{
		Issuer: "https://" + web.Listener.Addr().String(), Store: s, Keys: ring, Log: slog.New(slog.DiscardHandler), Hasher: users.NewHasher(users.Params{}, 0, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	handler = srv.Handler()
	web.StartTLS()
	t.Cleanup(web.Close)
	resource := create(t, srv.LocalHandler(), "/resources", `{"slug":"stock","identifier":"https://stock.example","name":"Stock","scopes":[{"name":"stock:read"}]}`)
	client := create(t, srv.LocalHandler(), "/clients", `{"client_id":"robot","name":"Robot","type":"service","grant_types":["client_credentials"],"scopes":["stock:read"]}`)
	return elsewhere{web, credentials{"robot", client["client_secret"].(string)}, credentials{"stock", resource["secret"].(string)}}
}

// flushing sends what is written at once, so that nobody knows the length of the whole.
type flushing struct{ http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	f.ResponseWriter.(http.Flusher).Flush()
	return n, err
}

func create(t *testing.T, operator http.Handler, path, body string) (made map[string]any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/v1"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	operator.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusCreated {
		t.Fatalf("POST %s: %d %s", path, w.Code, w.Body)
	}
	return made
}

// Whoever wants to compare measures his own server with the same load. A secret comes from the environment alone, and a
// wrong one is an error and not a fast answer.
func measuresAnother(t *testing.T, program string) {
	there := startElsewhere(t)
	trusted := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: there.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", trusted)
	args := []string{"-against", there.URL + "/oauth/token", "-introspection", there.URL + "/oauth/introspect", "-client", there.client.id,
		"-introspection-client", there.resource.id, "-scope", "stock:read", "-rounds", "1", "-duration", "100ms", "-connections", "2", "-rate", "100"}

	if _, progress, err := start(t, program, args...); err == nil || !strings.Contains(progress, "BENCH_CLIENT_SECRET") {
		t.Errorf("without a secret: got %v %q", err, progress)
	}
	t.Setenv("BENCH_CLIENT_SECRET", "wrong")
	t.Setenv("BENCH_INTROSPECTION_SECRET", there.resource.secret)
	if out, progress, err := start(t, program, args...); err == nil || !strings.Contains(progress, "answered 401") {
		t.Errorf("with a wrong secret: got %v %q %q", err, out, progress)
	}
	t.Setenv("BENCH_CLIENT_SECRET", there.client.secret)
	out, progress, err := start(t, program, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress)
	}
	for _, row := range []string{"| client-credentials | closed | ", "| client-credentials | open, 100/s | ", "| introspect | closed | ", "| introspect | open, 100/s | "} {
		if !strings.Contains(out, row) {
			t.Errorf("no row %q in\n%s", row, out)
		}
	}
	if bytes.Contains([]byte(out+progress), []byte(there.client.secret)) {
		t.Error("the output holds a secret")
	}
}
