package scopes_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/safeconduct/safeconduct/scopes"
)

// issuerURL is where the issuer of the tests is, in a network of its own.
const issuerURL = "http://localhost"

// issuer is an authorization server in a network of its own, for tests in a bubble of time.
type issuer struct {
	listener *memoryListener
	http.ServeMux
	feedServer

	mu      sync.Mutex
	keySet  string
	control string // Cache-Control of the key set
	fetches int    // of the key set
}

func newIssuer(t testing.TB, keys ...signingKey) *issuer {
	is := &issuer{listener: newMemoryListener(), keySet: keySetOf(keys...)}
	is.feedServer.init()
	is.HandleFunc("GET /.well-known/jwks.json", is.jwks)
	is.HandleFunc("GET /oauth/revocations", is.revocations)
	server := &http.Server{Handler: is}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		server.Serve(is.listener)
	}()
	t.Cleanup(func() {
		server.Close()
		<-stopped
	})
	return is
}

func (is *issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.fetches++
	if is.control != "" {
		w.Header().Set("Cache-Control", is.control)
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	io.WriteString(w, is.keySet)
}

func (is *issuer) publish(keySet string) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.keySet = keySet
}

func (is *issuer) fetched() int {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.fetches
}

// client returns a client in the network of the issuer.
func (is *issuer) client(t testing.TB) *http.Client {
	transport := &http.Transport{DialContext: is.listener.dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// config is how the API verifies tokens of the issuer, with its feed.
func (is *issuer) config(t testing.TB) scopes.VerifierConfig {
	return scopes.VerifierConfig{Issuer: issuerURL, Audience: audience, ID: apiID, Secret: apiSecret, HTTPClient: is.client(t)}
}

// feedless is how the API verifies tokens without the feed.
func (is *issuer) feedless(t testing.TB) scopes.VerifierConfig {
	config := is.config(t)
	config.ID, config.Secret, config.NoFeed = "", "", true
	return config
}

func newVerifier(t testing.TB, config scopes.VerifierConfig) *scopes.Verifier {
	t.Helper()
	v, err := scopes.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// inBubble runs a test in a bubble, where time passes only while everybody waits. What is left running fails it.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	es() // is made outside: it belongs to no bubble
	synctest.Test(t, test)
}

// wants checks one token.
func wants(t testing.TB, c scopes.Checker, what, token string, want error) {
	t.Helper()
	got, err := c.Check(t.Context(), token)
	if !errors.Is(err, want) || (got == nil) != (want != nil) {
		t.Errorf("%s: got %v and %v, want %v", what, got, err, want)
	}
	if err != nil && strings.Contains(err.Error(), apiSecret) {
		t.Errorf("%s: the error tells the secret: %v", what, err)
	}
}

// memoryListener is a network of one server, without sockets.
type memoryListener struct {
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
	mu       sync.Mutex
	away     bool
	open     []net.Conn
}

func newMemoryListener() *memoryListener {
	return &memoryListener{incoming: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	l.mu.Lock()
	if l.away {
		l.mu.Unlock()
		return nil, errors.New("the server is away")
	}
	l.open = append(l.open, near)
	l.mu.Unlock()
	select {
	case l.incoming <- far:
		return near, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	return nil, net.ErrClosed
}

// leave cuts all connections and makes no new ones until the server is back.
func (l *memoryListener) leave(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
	for _, conn := range l.open {
		conn.Close()
	}
	l.open = nil
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.incoming:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)} }
