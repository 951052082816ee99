package redis_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// F08 of the failure list: when nothing comes back, callers must not pile up.
func TestCallsToABlackHoleEndSoon(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	s := open(t, redis.Options{URL: proxy.URL()})
	must(t, s.Set(t.Context(), "k", nil, store.Forever))
	idle := 2 // the clock's and the pool's
	eventually(t, "the store is at rest", func() bool { return goroutines() <= idle })

	proxy.BlackHole()
	var callers sync.WaitGroup
	for i := range 300 {
		callers.Go(func() {
			// They come over a second, so that some find others waiting.
			<-time.After(time.Duration(i) * 3 * time.Millisecond)
			start := time.Now()
			if _, err := s.Get(context.Background(), "k"); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Get = %v, want ErrUnavailable", err)
			}
			// 1.5 s, and what a busy machine adds.
			if took := time.Since(start); took > 2500*time.Millisecond {
				t.Errorf("Get took %v, want 1.5 s at most", took)
			}
		})
	}
	callers.Wait()
	proxy.Pass()
	eventually(t, "the store mends", func() bool { return s.Ping(t.Context()) == nil })
	eventually(t, "all goroutines end", func() bool { return goroutines() <= idle })
}

// goroutines counts those that run or wait in the engine or in go-redis.
func goroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "store/redis.(*") || strings.Contains(stack, "go-redis") {
			n++
		}
	}
	return n
}

// A caller that hangs up takes no other down with it, and need not wait for Redis.
func TestCanceledCallerLeavesItsBatchWhole(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	s := open(t, redis.Options{URL: proxy.URL()})
	must(t, s.Set(t.Context(), "k", []byte("v"), store.Forever))

	const callers = 200
	proxy.Delay(200 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	var group sync.WaitGroup
	var leftEarly atomic.Int64
	start := time.Now()
	for i := range callers {
		group.Go(func() {
			if i%2 == 0 {
				if record, err := s.Get(t.Context(), "k"); err != nil || string(record.Value) != "v" {
					t.Errorf("Get = %q, %v", record.Value, err)
				}
				return
			}
			_, err := s.Get(ctx, "k")
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("canceled Get = %v", err)
			}
			if err != nil && time.Since(start) < 180*time.Millisecond {
				leftEarly.Add(1)
			}
		})
	}
	group.Wait()
	// The two that lead a batch see it through, and a busy machine may be late to tell the others.
	if n := leftEarly.Load(); n < callers/4 {
		t.Errorf("%d of %d canceled callers left at once", n, callers/2)
	}
}

// Calls that arrive while others are under way travel together: a few connections carry any number of them, and a far
// Redis does not mean a slow one.
func TestWaitingCallsTravelTogether(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	s := open(t, redis.Options{URL: proxy.URL(), PoolSize: 4})
	must(t, s.Set(t.Context(), "k", nil, store.Forever))
	proxy.Delay(100 * time.Millisecond)
	start := time.Now()
	var callers sync.WaitGroup
	for range 256 {
		callers.Go(func() {
			if _, err := s.Get(t.Context(), "k"); err != nil {
				t.Errorf("Get: %v", err)
			}
		})
	}
	callers.Wait()
	// One by one on four connections they would take 6.4 s.
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("256 calls took %v", took)
	}
}

// When the memory is full nothing new is kept, and every way to take rights away works: deleting, marking a record, and
// telling of it in a log.
func TestFullMemoryRefusesWhatIsNewOnly(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{URL: server.URL()})
	ctx, later := t.Context(), s.Now().Add(time.Hour)
	must(t, s.Set(ctx, "k", []byte("v"), later))
	old, err := s.Get(ctx, "k")
	must(t, err)
	_, err = s.Enroll(ctx, "index", "name", later)
	must(t, err)
	_, err = s.Append(ctx, "log", []byte("entry"), later)
	must(t, err)

	_, err = server.Do("CONFIG", "SET", "maxmemory", "1")
	must(t, err)
	writes := map[string]error{
		"Set": s.Set(ctx, "new", nil, later),
		"Add": s.Add(ctx, "new", nil, later),
	}
	_, writes["Enroll"] = s.Enroll(ctx, "index", "name", later.Add(time.Hour))
	_, writes["Increment"] = s.Increment(ctx, "counter", later)
	for name, err := range writes {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s = %v, want ErrUnavailable", name, err)
		}
	}

	if record, err := s.Get(ctx, "k"); err != nil || string(record.Value) != "v" {
		t.Errorf("Get = %q, %v, want v", record.Value, err)
	}
	must(t, s.Swap(ctx, "k", old, []byte("marked"), later))
	if err := s.Swap(ctx, "k", old, []byte("again"), later); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Swap of what was swapped = %v, want ErrConflict", err)
	}
	if record, err := s.Get(ctx, "k"); err != nil || string(record.Value) != "marked" {
		t.Errorf("Get = %q, %v, want marked", record.Value, err)
	}
	if ttl, err := server.Do("PTTL", redis.RecordKey(redis.DefaultPrefix, "k")); err != nil || len(ttl) < 6 {
		t.Errorf("the swapped record lives for %q ms, %v, want about an hour", ttl, err)
	}
	// A handle that had to connect anew knows no more that it has left the marker of Empty, and cannot leave it again.
	_, err = server.Do("CLIENT", "KILL", "TYPE", "normal")
	must(t, err)
	must(t, s.Ping(ctx))
	_, err = s.Append(ctx, "log", []byte("ended"), later)
	must(t, err)
	if members, err := s.Members(ctx, "index", "", 10); err != nil || len(members) != 1 {
		t.Errorf("Members = %v, %v, want the one that was there", members, err)
	}
	if entries, err := s.Since(ctx, "log", 0, 10); err != nil || len(entries) != 2 {
		t.Errorf("Since = %v, %v, want the one that was there and the new one", entries, err)
	}
	must(t, s.Withdraw(ctx, "index", "name"))
	must(t, s.Publish(ctx, "topic"))
	must(t, s.Ping(ctx))
	must(t, s.Delete(ctx, "k"))
	if _, err := s.Get(ctx, "k"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get after Delete = %v, want ErrNotFound", err)
	}
	_, err = server.Do("CONFIG", "SET", "maxmemory", "0")
	must(t, err)
	must(t, s.Add(ctx, "k", nil, later))
}
