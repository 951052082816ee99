package redis_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// A restart of Redis empties its cache of scripts, and so does SCRIPT FLUSH.
func TestScriptsAreSentAgainWhenRedisForgotThem(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes")
	s := open(t, redis.Options{URL: server.URL()})
	writeAll := func(name string) {
		t.Helper()
		ctx, later := t.Context(), s.Now().Add(time.Hour)
		must(t, s.Add(ctx, name, []byte("one"), later))
		old, err := s.Get(ctx, name)
		must(t, err)
		must(t, s.Swap(ctx, name, old, []byte("two"), later))
		_, err = s.Enroll(ctx, "index", name, later)
		must(t, err)
		_, err = s.Members(ctx, "index", "", 10)
		must(t, err)
		must(t, s.Withdraw(ctx, "index", name))
		_, err = s.Append(ctx, "log", []byte(name), later)
		must(t, err)
		_, err = s.Increment(ctx, "counter", later)
		must(t, err)
	}
	writeAll("first")
	_, err := server.Do("SCRIPT", "FLUSH")
	must(t, err)
	writeAll("after the flush")
	server.Restart()
	writeAll("after the restart")
	if record, err := s.Get(t.Context(), "first"); err != nil || string(record.Value) != "two" {
		t.Errorf("Get = %q, %v, want what was written before the restart", record.Value, err)
	}
}

// A dead connection is found only by the command that uses it, and one kill breaks all. The repetition on a fresh
// connection must hide that from every caller.
func TestKilledConnectionsAreSeenByNoCaller(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{URL: server.URL()})
	ctx, end := context.WithCancel(t.Context())
	var calls atomic.Int64
	var callers sync.WaitGroup
	for i := range 32 {
		callers.Go(func() {
			key := string(rune('a' + i))
			if err := s.Add(context.Background(), key, nil, store.Forever); err != nil {
				t.Errorf("Add: %v", err)
			}
			for n := byte(0); ctx.Err() == nil; n++ {
				old, err := s.Get(context.Background(), key)
				if err == nil {
					err = s.Swap(context.Background(), key, old, []byte{n}, store.Forever)
				}
				if err != nil {
					t.Errorf("call %d: %v", calls.Load(), err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for range 10 {
		before := calls.Load()
		eventually(t, "calls go on", func() bool { return calls.Load() > before+500 })
		if _, err := server.Do("CLIENT", "KILL", "TYPE", "normal"); err != nil {
			t.Errorf("kill: %v", err)
		}
	}
	end()
	callers.Wait()
}

// F01 of the failure list: a process may start before its Redis does.
func TestStoreWithoutRedisMendsWhenItAppears(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	s := open(t, redis.Options{URL: server.URL()})
	if _, err := s.Subscribe(t.Context(), "topic"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Subscribe = %v, want ErrUnavailable", err)
	}
	for range 50 {
		start := time.Now()
		if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("Ping = %v, want ErrUnavailable", err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Fatalf("Ping took %v", took)
		}
	}
	server.Restart()
	eventually(t, "the store mends", func() bool { return s.Ping(t.Context()) == nil })
	must(t, s.Add(t.Context(), "k", nil, store.Forever))
}

// A master that was made a replica still answers reads, from data that grow old. It must not be believed.
func TestMasterThatBecomesAReplicaIsUnavailable(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{URL: server.URL()})
	must(t, s.Set(t.Context(), "k", nil, store.Forever))
	_, err := server.Do("REPLICAOF", "127.0.0.1", "1")
	must(t, err)
	if err := s.Set(t.Context(), "k", nil, store.Forever); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Set = %v, want ErrUnavailable", err)
	}
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "address of its master") {
		t.Errorf("Get = %v, want ErrUnavailable with the reason", err)
	}
	_, err = server.Do("REPLICAOF", "NO", "ONE")
	must(t, err)
	must(t, s.Set(t.Context(), "k", nil, store.Forever))
}

// What was published while a subscription was broken is lost, so its end counts as a wake-up.
func TestSubscriptionWakesAfterABreak(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	s := open(t, redis.Options{URL: proxy.URL()})
	wake, err := s.Subscribe(t.Context(), "topic")
	must(t, err)
	select {
	case <-wake:
		t.Error("woken before anything happened")
	default:
	}
	for range 3 {
		proxy.Cut()
		await(t, wake, "a break")
		must(t, s.Publish(t.Context(), "topic"))
		await(t, wake, "Publish")
	}
	server.Restart()
	await(t, wake, "a restart")
}

// A connection whose other end has vanished without a word must not leave its subscriber asleep.
func TestSubscriptionNoticesASilentBreak(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	s := open(t, redis.Options{URL: proxy.URL()})
	wake, err := s.Subscribe(t.Context(), "topic")
	must(t, err)
	// The first thing that the subscription says by itself is its PING; from then on it hears nothing.
	proxy.DropReplies(1, redistest.Silence, func(command []string) bool { return command[0] == "ping" })
	await(t, wake, "the silence")
}

func await(t *testing.T, wake <-chan struct{}, what string) {
	t.Helper()
	select {
	case _, open := <-wake:
		if !open {
			t.Fatalf("the subscription ended at %s", what)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("no wake-up after %s", what)
	}
}
