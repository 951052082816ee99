package server_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/archive"
)

// operatorOf answers as the socket in the data directory does.
func operatorOf(t *testing.T, d *deployment) func(method, path string) *httptest.ResponseRecorder {
	t.Helper()
	local := httptest.NewServer(d.server.LocalHandler())
	t.Cleanup(local.Close)
	return func(method, path string) *httptest.ResponseRecorder {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, local.URL+"/api/v1"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		out := httptest.NewRecorder()
		out.Code = response.StatusCode
		if _, err := out.Body.ReadFrom(response.Body); err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// The store as a whole, every hash and key in it, is for who runs the server; no token is worth that much.
func TestTheStoreAsAWholeIsForTheOperatorAlone(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) { c.WorkDir = t.TempDir() })
	token := d.administrator("admin:clients", "admin:users", "admin:resources", "admin:tokens", "admin:keys")
	wantError(t, d.callJSON(http.MethodPost, "/api/v1/store/backup", token, ""), http.StatusNotFound, "not_found")
	wantError(t, d.callJSON(http.MethodGet, "/api/v1/store", token, ""), http.StatusNotFound, "not_found")

	operator := operatorOf(t, d)
	backup := operator(http.MethodPost, "/store/backup")
	members := 0
	contents, err := archive.Read(t.Context(), bytes.NewReader(backup.Body.Bytes()), func(i store.Item) error {
		if i.Kind == store.KindMember && i.Name == "secrets" {
			members++
		}
		return nil
	})
	if backup.Code != http.StatusOK || err != nil || contents.Tally.Records.Count == 0 || !contents.About.Snapshot {
		t.Fatalf("got %d, %+v, %v", backup.Code, contents, err)
	}
	shown := operator(http.MethodGet, "/store")
	if shown.Code != http.StatusOK || strings.Count(shown.Body.String(), "fingerprint") != members {
		t.Errorf("got %d %s, want %d fingerprints", shown.Code, shown.Body, members)
	}
	if !strings.Contains(d.log.String(), `"event":"store.backup"`) {
		t.Error("the backup left no mark in the log")
	}
}
