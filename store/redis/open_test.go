package redis_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// canary is a secret that no error and no log may show.
const canary = "s3cr3t-canary"

// A server that would lose records, or that cannot be used, is refused at start, with what to change.
func TestOpenRefusesUnfitServers(t *testing.T) {
	plain := redistest.Start(t)
	guarded := redistest.Start(t, "--requirepass", canary)
	old := redistest.NewProxy(t, plain.Addr())
	old.Rewrite("redis_version:7.0", "redis_version:6.1")
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", "1")

	for _, test := range []struct {
		name    string
		options redis.Options
		says    string
	}{
		{"wrong password", redis.Options{URL: "redis://:wrong-" + canary + "@" + guarded.Addr()}, "correct them"},
		{"unknown user", redis.Options{URL: guarded.URL(), Username: "nobody", Password: canary}, "correct them"},
		{"no password", redis.Options{URL: guarded.URL()}, "asks for a password"},
		{"a password too many", redis.Options{URL: plain.URL(), Password: canary}, "give none"},
		{"policy allkeys-lru", redis.Options{URL: redistest.Start(t, "--maxmemory-policy", "allkeys-lru").URL()}, "set maxmemory-policy noeviction"},
		{"policy volatile-ttl", redis.Options{URL: redistest.Start(t, "--maxmemory-policy", "volatile-ttl").URL()}, "set maxmemory-policy noeviction"},
		{"old version", redis.Options{URL: old.URL()}, "use 6.2 or newer"},
		{"replica", redis.Options{URL: replica.URL()}, "address of its master"},
		{"too high a database", redis.Options{URL: "redis://" + plain.Addr() + "/99"}, "lower the number"},
		{"no URL", redis.Options{}, "write redis://"},
		{"another scheme", redis.Options{URL: "http://" + plain.Addr()}, "write redis://"},
		{"no scheme", redis.Options{URL: plain.Addr()}, "write redis://"},
		{"a password with a slash", redis.Options{URL: "redis://:" + canary + "/x@" + plain.Addr()}, "percent-encode"},
		{"a password with a space", redis.Options{URL: "redis://:" + canary + " x@" + plain.Addr()}, "percent-encode"},
		{"unknown setting", redis.Options{URL: plain.URL() + "?password=" + canary}, "write redis://"},
		{"a database by name", redis.Options{URL: "redis://" + plain.Addr() + "/main"}, "number of a database"},
		{"two passwords", redis.Options{URL: "redis://:" + canary + "@" + plain.Addr(), Password: canary}, "given twice"},
		{"several servers", redis.Options{URL: "redis://" + plain.Addr() + "," + guarded.Addr()}, "write redis+sentinel:// or redis+cluster://"},
		{"an unknown kind", redis.Options{URL: "redis+ring://" + plain.Addr()}, "write redis://"},
		{"a cluster with a database", redis.Options{URL: "redis+cluster://" + plain.Addr() + "/1"}, "has no databases"},
		{"sentinels without a master", redis.Options{URL: "redis+sentinel://" + plain.Addr()}, "names no master"},
		{"a host left out", redis.Options{URL: "redis+cluster://" + plain.Addr() + ",,"}, "write redis://"},
		{"a password among the hosts", redis.Options{URL: "redis+cluster://a,b:" + canary}, "percent-encode"},
		{"a user without password", redis.Options{URL: plain.URL(), Username: "safeconduct"}, "add the password"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := redis.Open(t.Context(), test.options)
			if err == nil {
				s.Close()
				t.Fatal("opened, want a refusal")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("refused with %q, want it to say %q", err, test.says)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the refusal shows the password: %q", err)
			}
		})
	}
}

// The refused have a counterpart that is let in.
func TestOpenTakesAPasswordFromTheURLOrApart(t *testing.T) {
	server := redistest.Start(t, "--requirepass", canary)
	for _, o := range []redis.Options{
		{URL: "redis://:" + canary + "@" + server.Addr() + "/3"},
		{URL: "redis://default:" + canary + "@" + server.Addr()},
		{URL: server.URL(), Password: canary},
		{URL: "redis://default@" + server.Addr(), Password: canary},
	} {
		must(t, open(t, o).Ping(t.Context()))
	}
}

// A server that was away at start is looked at when it appears, and again after each restart.
func TestUnfitServerThatAppearsLaterIsReportedByEveryCall(t *testing.T) {
	server := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	server.Kill()
	s := open(t, redis.Options{URL: server.URL()})
	server.Restart()
	eventually(t, "the policy is reported", func() bool {
		err := s.Ping(t.Context())
		return errors.Is(err, store.ErrUnavailable) && strings.Contains(err.Error(), "noeviction")
	})
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "noeviction") {
		t.Errorf("Get = %v, want ErrUnavailable with the reason", err)
	}
	_, err := server.Do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	must(t, err)
	must(t, s.Ping(t.Context()))
}

// A context that ends while Open waits is the caller's own.
func TestOpenWithAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := redis.Open(ctx, redis.Options{URL: "redis://127.0.0.1:1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want context.Canceled", err)
	}
}

// Empty tells a first start from a later one, for each prefix.
func TestEmptyUntilTheFirstWrite(t *testing.T) {
	writes := map[string]func(context.Context, *redis.Store) error{
		"Set": func(ctx context.Context, s *redis.Store) error { return s.Set(ctx, "k", nil, store.Forever) },
		"Add": func(ctx context.Context, s *redis.Store) error { return s.Add(ctx, "k", nil, store.Forever) },
		"Enroll": func(ctx context.Context, s *redis.Store) error {
			_, err := s.Enroll(ctx, "index", "name", store.Forever)
			return err
		},
		"Append": func(ctx context.Context, s *redis.Store) error {
			_, err := s.Append(ctx, "log", nil, store.Forever)
			return err
		},
		"Increment": func(ctx context.Context, s *redis.Store) error {
			_, err := s.Increment(ctx, "counter", store.Forever)
			return err
		},
	}
	server := redistest.Start(t)
	for name, write := range writes {
		o := redis.Options{URL: server.URL(), Prefix: name + ":"}
		s := open(t, o)
		must(t, s.Delete(t.Context(), "k"))
		if empty, err := s.Empty(t.Context()); err != nil || !empty {
			t.Errorf("before %s: Empty = %v, %v, want true", name, empty, err)
		}
		must(t, write(t.Context(), s))
		if empty, err := open(t, o).Empty(t.Context()); err != nil || empty {
			t.Errorf("after %s: Empty = %v, %v, want false", name, empty, err)
		}
	}
}

// A server that has lost its data is empty once, and not after the next write.
func TestEmptyAfterTheLossOfAllData(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{URL: server.URL()})
	for _, askFirst := range []bool{true, false, true} {
		must(t, s.Set(t.Context(), "k", nil, store.Forever))
		if empty, err := s.Empty(t.Context()); err != nil || empty {
			t.Errorf("after a write: Empty = %v, %v, want false", empty, err)
		}
		server.Kill()
		server.Restart()
		if askFirst {
			if empty, err := s.Empty(t.Context()); err != nil || !empty {
				t.Errorf("after the loss: Empty = %v, %v, want true", empty, err)
			}
		}
	}
}

// LS-01 of the security list: whatever goes wrong, neither the password nor what is stored may be shown.
func TestErrorsAndLogsShowNoSecrets(t *testing.T) {
	server := redistest.Start(t, "--requirepass", canary, "--rename-command", "EVALSHA", "")
	proxy := redistest.NewProxy(t, server.Addr())
	var log syncBuffer
	s := open(t, redis.Options{URL: proxy.URL(), Password: canary, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := s.Subscribe(t.Context(), "topic")
	must(t, err)

	shown := []string{}
	fails := func(err error) {
		t.Helper()
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
			return
		}
		shown = append(shown, err.Error())
	}
	fails(s.Add(t.Context(), "k", []byte("value-"+canary), store.Forever))
	proxy.Refuse()
	fails(s.Set(t.Context(), "k", []byte("value-"+canary), store.Forever))
	proxy.Pass()
	eventually(t, "the store mends", func() bool { return s.Ping(t.Context()) == nil })
	eventually(t, "the log says so", func() bool { return strings.Contains(log.String(), "available again") })
	for _, text := range append(shown, log.String()) {
		if strings.Contains(text, canary) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
	if !strings.Contains(log.String(), "discarding bad PubSub connection") {
		t.Errorf("the log lacks go-redis's own lines: %s", log.String())
	}
}

// syncBuffer is a buffer for several writers.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
