package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const quickStop = "SAFECONDUCT_SERVER_DRAIN_DELAY=0s"

// get asks a server by its address under the name of its issuer.
func get(t *testing.T, client *http.Client, address, host, path string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// dev must not become the product: what is for trying out does not exist in a real server.
func TestServeHasNoDemo(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	p := start(t, folder, []string{quickStop}, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	for path, want := range map[string]int{"/demo/orders": 404, "/demo": 404, "/demo/": 404, "/readyz": 200, "/api/v1/me": 401} {
		if got := get(t, http.DefaultClient, "http://"+p.Listen, "localhost:8080", path); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
	for _, noun := range []string{"user", "client"} {
		if got := must(t, folder, "", nil, noun, "list", "-q", "--data-dir", "d"); got != "" {
			t.Errorf("there is a %s %q", noun, got)
		}
	}
}

// A server that died leaves its socket behind; the next one is not kept from starting by it.
func TestSocketOfADeadServerIsReplaced(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	dead := start(t, folder, []string{quickStop}, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	if _, err := dead.stop(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "d", "safeconduct.sock")); err != nil {
		t.Fatal(err)
	}
	// Until then commands work on the data themselves.
	if r := run(t, folder, "", nil, "client", "list", "--data-dir", "d"); r.code != 0 || !strings.Contains(r.stderr, "working on the data directly") {
		t.Errorf("got %+v", r)
	}
	start(t, folder, []string{quickStop}, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	if r := run(t, folder, "", nil, "client", "list", "--data-dir", "d"); r.code != 0 || strings.Contains(r.stderr, "directly") {
		t.Errorf("got %+v", r)
	}
}

// The operator's commands must keep reaching the server that they reached: its socket is never taken over, not even when
// the lock beside it is gone.
func TestSocketOfALivingServerIsNotStolen(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	first := start(t, folder, []string{quickStop}, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	other := []string{quickStop, "SAFECONDUCT_STORE_URL=bolt://" + filepath.Join(folder, "other", "data.db")}
	for range 2 {
		r := run(t, folder, "", other, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
		if r.code != 1 || !strings.Contains(r.stderr, "another server runs on d/safeconduct.sock") {
			t.Errorf("got %+v", r)
		}
		if err := os.Remove(filepath.Join(folder, "d", "safeconduct.sock.lock")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if r := run(t, folder, "", nil, "client", "list", "--data-dir", "d"); r.code != 0 || strings.Contains(r.stderr, "directly") {
		t.Errorf("got %+v", r)
	}
	first.end(t)
}

// A store that a server has, whose socket cannot be reached, is not worked on behind its back.
func TestStoreOfAnUnreachableServerIsLeftAlone(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	p := start(t, folder, []string{quickStop}, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	if err := os.Remove(filepath.Join(folder, "d", "safeconduct.sock")); err != nil {
		t.Fatal(err)
	}
	r := run(t, folder, "", nil, "client", "list", "--data-dir", "d", "--json")
	if r.code != 7 || !strings.Contains(r.stderr, `"code":"data_in_use"`) || !strings.Contains(r.stderr, "does not answer on its socket") || r.stdout != "" {
		t.Errorf("got %+v", r)
	}
	p.end(t)
}

// Whoever is in a hurry tells the server twice; that is no failure either.
func TestSecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	p := start(t, folder, []string{"SAFECONDUCT_SERVER_DRAIN_DELAY=5m"}, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "the log", func() bool { return strings.Contains(p.log.String(), `"msg":"stopping"`) })
	if got := get(t, http.DefaultClient, "http://"+p.Listen, "localhost:8080", "/livez"); got != 200 {
		t.Errorf("while it drains the server answers %d", got)
	}
	if got := get(t, http.DefaultClient, "http://"+p.Listen, "localhost:8080", "/readyz"); got != 503 {
		t.Errorf("while it drains the server is ready: %d", got)
	}
	if code, err := p.stop(os.Interrupt); err != nil || code != 0 {
		t.Errorf("got %d, %v", code, err)
	}
}

// TLS needs no proxy.
func TestServeSpeaksTLS(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	pool := writeCertificate(t, folder, "id.example.com")
	env := []string{quickStop, "SAFECONDUCT_ISSUER=https://id.example.com", "SAFECONDUCT_SERVER_TLS_CERT_FILE=cert.pem", "SAFECONDUCT_SERVER_TLS_KEY_FILE=key.pem"}
	p := start(t, folder, env, "serve", "--listen", "127.0.0.1:0", "--data-dir", "d")
	for _, h2 := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "id.example.com"}}}
		if got := get(t, client, "https://"+p.Listen, "id.example.com", "/.well-known/oauth-authorization-server"); got != 200 {
			t.Errorf("got %d", got)
		}
	}
	if r := run(t, folder, "", env, "healthcheck", "--listen", p.Listen, "--data-dir", "d"); r.code != 0 {
		t.Errorf("got %+v", r)
	}
	if err := os.Chmod(filepath.Join(folder, "key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := run(t, folder, "", env, "config", "check"); r.code != 3 || !strings.Contains(r.stderr, "chmod 600 key.pem") {
		t.Errorf("got %+v", r)
	}
}

// writeCertificate makes a certificate and its key, and returns who vouches for it.
func writeCertificate(t *testing.T, folder, host string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, content := range map[string][]byte{"cert.pem": certificate, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	return pool
}
