package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
	"github.com/safeconduct/safeconduct/users"
)

// cheapHash keeps tests of everything else from waiting for argon2id.
var cheapHash = users.Params{MemoryKiB: 64, Passes: 1, Threads: 1}

// noon is when tests with a clock of their own begin.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// deployment is a running server with a way to administer it.
type deployment struct {
	t      testing.TB
	server *server.Server
	url    string
	local  http.Handler
	log    *syncBuffer
	clock  *bolttest.Clock
	store  store.Store
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newRing(t testing.TB) *keys.Ring {
	t.Helper()
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// deployBolt runs a server on the embedded store with a clock of the test's own.
func deployBolt(t testing.TB, change ...func(*server.Config)) *deployment {
	t.Helper()
	s, c := bolttest.Open(t, noon)
	d := deploy(t, s, newRing(t), change...)
	d.clock = c
	return d
}

// deployRedis runs a server on a real Redis.
func deployRedis(t testing.TB, url string, ring *keys.Ring, change ...func(*server.Config)) *deployment {
	t.Helper()
	s, err := redis.Open(context.Background(), redis.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return deploy(t, s, ring, change...)
}

func deploy(t testing.TB, s store.Store, ring *keys.Ring, change ...func(*server.Config)) *deployment {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	config := server.Config{
		Issuer: "http://" + listener.Addr().String(), Store: s, Keys: ring, Demo: true,
		Log:    slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Hasher: users.NewHasher(cheapHash, 0, 0),
	}
	for _, f := range change {
		f(&config)
	}
	srv, err := server.New(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, listener, nil) }()
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		s.Close()
	})
	return &deployment{t: t, server: srv, url: config.Issuer, local: srv.LocalHandler(), log: log, store: s}
}

// engines runs a test on the embedded store and on a real Redis.
func engines(t *testing.T, test func(t *testing.T, d *deployment)) {
	t.Run("bolt", func(t *testing.T) { test(t, deployBolt(t)) })
	t.Run("redis", func(t *testing.T) {
		test(t, deployRedis(t, redistest.Start(t).URL(), newRing(t)))
	})
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (a answer) str(name string) string {
	s, _ := a.json[name].(string)
	return s
}

func (d *deployment) do(r *http.Request) answer {
	d.t.Helper()
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		d.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatalf("read answer: %v", err)
	}
	a := answer{status: response.StatusCode, header: response.Header, text: string(body)}
	_ = json.Unmarshal(body, &a.json)
	return a
}

// request makes a request with a body of a media type.
func (d *deployment) request(method, path, mediaType, body string) *http.Request {
	d.t.Helper()
	r, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	return r
}

const formType = "application/x-www-form-urlencoded"

// post sends a form, with the client's credentials by Basic unless id is empty.
func (d *deployment) post(path, id, secret string, form url.Values) answer {
	d.t.Helper()
	r := d.request(http.MethodPost, path, formType, form.Encode())
	if id != "" {
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	return d.do(r)
}

func (d *deployment) token(c client, form url.Values) answer {
	d.t.Helper()
	if c.secret == "" {
		form.Set("client_id", c.id)
		return d.post("/oauth/token", "", "", form)
	}
	return d.post("/oauth/token", c.id, c.secret, form)
}

// call calls a route with a bearer token.
func (d *deployment) call(method, path, token string) answer {
	d.t.Helper()
	r := d.request(method, path, "", "")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return d.do(r)
}

// admin calls our own API as the operator.
func (d *deployment) admin(method, path string, body any) answer {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	r := httptest.NewRequest(method, "/api/v1"+path, bytes.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	d.local.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), text: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a.json)
	return a
}

func (d *deployment) mustAdmin(method, path string, body any) answer {
	d.t.Helper()
	a := d.admin(method, path, body)
	if a.status >= 300 {
		d.t.Fatalf("%s %s: %d %s", method, path, a.status, a.text)
	}
	return a
}

type client struct{ id, secret string }

type obj = map[string]any

func (d *deployment) client(kind string, change ...obj) client {
	d.t.Helper()
	in := obj{"name": "Test " + kind, "type": kind, "scopes": []string{"orders:read", "orders:write"}}
	switch kind {
	case "service":
		in["grant_types"] = []string{"client_credentials"}
	case "public":
		in["grant_types"], in["first_party"] = []string{"password", "refresh_token"}, true
	default:
		in["grant_types"] = []string{"password", "refresh_token", "client_credentials"}
	}
	for _, c := range change {
		for name, value := range c {
			in[name] = value
		}
	}
	a := d.mustAdmin(http.MethodPost, "/clients", in)
	return client{a.str("client_id"), a.str("client_secret")}
}

const password = "correct horse battery staple"

func (d *deployment) user(name string, change ...obj) string {
	d.t.Helper()
	in := obj{"username": name, "password": password}
	for _, c := range change {
		for name, value := range c {
			in[name] = value
		}
	}
	return d.mustAdmin(http.MethodPost, "/users", in).str("id")
}

// api is the demo resource's credential.
func (d *deployment) api() client {
	d.t.Helper()
	a := d.mustAdmin(http.MethodPost, "/resources/demo-orders/secrets", obj{})
	return client{"demo-orders", a.str("secret")}
}

func (d *deployment) login(c client, username string, more ...string) answer {
	d.t.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}, "scope": {"orders:read"}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return d.token(c, form)
}

func (d *deployment) mustLogin(c client, username string, more ...string) answer {
	d.t.Helper()
	a := d.login(c, username, more...)
	if a.status != http.StatusOK {
		d.t.Fatalf("login: %d %s", a.status, a.text)
	}
	return a
}

func (d *deployment) refresh(c client, token string, more ...string) answer {
	d.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return d.token(c, form)
}

func (d *deployment) introspect(api client, token string) answer {
	d.t.Helper()
	return d.post("/oauth/introspect", api.id, api.secret, url.Values{"token": {token}})
}

// wantError checks status, code and what every error answer has.
func wantError(t testing.TB, a answer, status int, code string) {
	t.Helper()
	if a.status != status || a.str("error") != code {
		t.Fatalf("got %d %s, want %d %s", a.status, a.text, status, code)
	}
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("error of type %q, want JSON", got)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", got)
	}
}

func wantStatus(t testing.TB, a answer, status int) {
	t.Helper()
	if a.status != status {
		t.Fatalf("got %d %s, want %d", a.status, a.text, status)
	}
}

// eventually polls until the condition holds.
func eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
