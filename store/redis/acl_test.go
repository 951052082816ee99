package redis_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// documentedUser lets servers know the user of the documentation, with a password.
func documentedUser(t *testing.T, servers ...*redistest.Server) {
	t.Helper()
	text, err := os.ReadFile("../../docs/redis.md")
	must(t, err)
	_, rule, found := strings.Cut(string(text), "\nuser safeconduct ")
	if !found {
		t.Fatal("the documentation names no user")
	}
	rule, _, _ = strings.Cut(rule, "\n")
	rule = strings.Replace(rule, "PASSWORD", canary, 1)
	for _, server := range servers {
		_, err := server.Do(append([]string{"ACL", "SETUSER", "safeconduct"}, strings.Fields(rule)...)...)
		must(t, err)
	}
}

// doAll makes every call of the contract.
func doAll(t *testing.T, s *redis.Store) {
	t.Helper()
	ctx, later := t.Context(), s.Now().Add(time.Hour)
	wake, err := s.Subscribe(ctx, "topic")
	must(t, err)
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} { // in a cluster, on all its masters
		must(t, s.Set(ctx, key, nil, later))
		must(t, s.Add(ctx, "new "+key, nil, store.Forever))
		old, err := s.Get(ctx, key)
		must(t, err)
		must(t, s.Swap(ctx, key, old, []byte("v"), later))
		must(t, s.Delete(ctx, key))
		for range 2 {
			_, err = s.Enroll(ctx, key, "name", later)
			must(t, err)
			_, err = s.Append(ctx, key, nil, later)
			must(t, err)
			_, err = s.Increment(ctx, "count "+key, store.Forever)
			must(t, err)
		}
		_, err = s.Members(ctx, key, "", 10)
		must(t, err)
		must(t, s.Withdraw(ctx, key, "name"))
		_, err = s.Since(ctx, key, 0, 10)
		must(t, err)
	}
	must(t, s.Publish(ctx, "topic"))
	await(t, wake, "Publish")
	must(t, s.Ping(ctx))
	_, err = s.Empty(ctx)
	must(t, err)
}

// ASVS 13.2.2: a stolen password of Safeconduct opens nothing but its own keys.
func TestUserWithFewRightsSuffices(t *testing.T) {
	server := redistest.Start(t)
	documentedUser(t, server)
	limited := redis.Options{URL: server.URL(), Username: "safeconduct", Password: canary}
	doAll(t, open(t, limited))

	// A full Redis takes rights away by other commands, with the same user.
	full := open(t, limited)
	later := full.Now().Add(time.Hour)
	must(t, full.Set(t.Context(), "spent", nil, later))
	old, err := full.Get(t.Context(), "spent")
	must(t, err)
	_, err = server.Do("CONFIG", "SET", "maxmemory", "1")
	must(t, err)
	must(t, full.Swap(store.Lasting(t.Context()), "spent", old, []byte("v"), later))
	_, err = full.Append(t.Context(), "log", nil, later)
	must(t, err)
	_, err = server.Do("CONFIG", "SET", "maxmemory", "0")
	must(t, err)

	limited.Prefix = "other:"
	err = open(t, limited).Set(t.Context(), "k", nil, store.Forever)
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "may not do what is needed") || strings.Contains(err.Error(), canary) {
		t.Errorf("Set under a foreign prefix = %v, want ErrUnavailable that says what the user lacks", err)
	}
}

// The same on a cluster, whose nodes announce their TLS ports.
func TestClusterWithTLSAndAUserWithFewRights(t *testing.T) {
	t.Parallel()
	args, file := redistest.Certificate(t)
	cluster := redistest.StartCluster(t, args...)
	documentedUser(t, cluster.Nodes()...)
	certificate, err := os.ReadFile(file)
	must(t, err)
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(certificate)

	limited := redis.Options{URL: cluster.URL(), Username: "safeconduct", Password: canary, TLS: &tls.Config{RootCAs: authorities}}
	doAll(t, open(t, limited))

	limited.TLS = nil
	if _, err := redis.Open(t.Context(), limited); err == nil || !strings.Contains(err.Error(), "give the authority") {
		t.Errorf("with an unknown authority: %v, want a refusal", err)
	}
	limited.URL = strings.Replace(limited.URL, "rediss", "redis", 1)
	if err := open(t, limited).Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without TLS to a TLS port, Ping = %v, want ErrUnavailable", err)
	}
}

// Who works on whole stores needs the few rights more that the documentation names.
func TestUserOfStoreCommandsNeedsWhatIsDocumented(t *testing.T) {
	server := redistest.Start(t)
	documentedUser(t, server)
	limited := redis.Options{URL: server.URL(), Username: "safeconduct", Password: canary}
	doAll(t, open(t, limited))
	nothing := func(store.Item) error { return nil }
	if _, err := open(t, limited).Walk(t.Context(), nothing); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Walk with the rights of a server = %v, want ErrUnavailable", err)
	}
	text, err := os.ReadFile("../../docs/redis.md")
	must(t, err)
	_, more, found := strings.Cut(strings.ReplaceAll(string(text), "\n", " "), "they need `")
	if !found {
		t.Fatal("the documentation names no further rights")
	}
	more, _, _ = strings.Cut(more, "`")
	_, err = server.Do(append([]string{"ACL", "SETUSER", "safeconduct"}, strings.Fields(more)...)...)
	must(t, err)
	s := open(t, limited)
	_, err = s.Walk(t.Context(), nothing)
	must(t, err)
	_, err = s.Extent(t.Context())
	must(t, err)
	filling, err := redis.Fill(t.Context(), limited, true, store.ChangesTopic)
	must(t, err)
	must(t, filling.Load(t.Context(), []store.Item{{Kind: store.KindRecord, Name: "k", ID: store.NewWriteID(), Expires: store.Forever}}))
	must(t, filling.Finish(t.Context()))
	if _, err := open(t, limited).Get(t.Context(), "k"); err != nil {
		t.Errorf("Get of what was filled in: %v", err)
	}
}
