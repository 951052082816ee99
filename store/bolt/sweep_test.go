package bolt_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
)

// sweeps tells a test that the sweeper has caught up: it logs that.
type sweeps chan struct{}

func (s sweeps) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "expired data removed") {
		select {
		case s <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

func (s sweeps) wait(t *testing.T) {
	t.Helper()
	select {
	case <-s:
	case <-time.After(patience):
		t.Fatal("nothing was swept")
	}
}

// What has expired leaves the file, so that a file does not grow with what passed through it; what has been given a later
// expiry stays.
func TestExpiredDataLeavesTheFile(t *testing.T) {
	t.Parallel()
	const many = 400
	path := filepath.Join(t.TempDir(), "data.db")
	var passed atomic.Int64
	swept := make(sweeps, 1)
	options := bolt.Options{
		Clock:  func() time.Time { return time.Unix(1_800_000_000, passed.Load()) },
		Logger: slog.New(slog.NewTextHandler(swept, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	s, ctx := open(t, path, options), context.Background()
	fill := func() {
		t.Helper()
		end := s.Now().Add(time.Minute)
		err := inParallel(many, func(n int) error {
			name := fmt.Sprint(n)
			if err := s.Set(ctx, name, make([]byte, 200), end); err != nil {
				return err
			}
			if _, err := s.Increment(ctx, name, end); err != nil {
				return err
			}
			if _, err := s.Enroll(ctx, fmt.Sprint("index ", n%7), name, end); err != nil {
				return err
			}
			_, err := s.Append(ctx, fmt.Sprint("log ", n%7), []byte(name), end)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fill()

	// These outlive the sweep: each was written with an expiry that it no longer has.
	later := s.Now().Add(time.Hour)
	old, err := s.Get(ctx, "0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Swap(ctx, "0", old, []byte("refreshed"), later); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(ctx, "1", []byte("anew"), store.Forever); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Enroll(ctx, "index 0", "0", later); err != nil {
		t.Fatal(err)
	}

	passed.Add(int64(2 * time.Minute))
	swept.wait(t)
	for key, want := range map[string]string{"0": "refreshed", "1": "anew"} {
		if record, err := s.Get(ctx, key); err != nil || string(record.Value) != want {
			t.Errorf("Get(%s) = %q, %v, want %q", key, record.Value, err, want)
		}
	}
	if n, err := s.Enroll(ctx, "index 0", "another", later); err != nil || n != 2 {
		t.Errorf("index 0 counts %d names, %v, want the one that was enrolled again and another", n, err)
	}
	s.Close()
	items, size := survey(t, path)
	want := map[string]int{"records": 2, "counters": 0, "indexes": 3, "logs": 0, "deadlines": 3, "safeconduct": 2}
	if fmt.Sprint(items) != fmt.Sprint(want) {
		t.Errorf("the file holds %v, want %v", items, want)
	}

	// Three more generations fit where the first was.
	for range 3 {
		s = open(t, path, options)
		fill()
		passed.Add(int64(2 * time.Minute))
		swept.wait(t)
		s.Close()
	}
	if _, grown := survey(t, path); grown > size*3/2 {
		t.Errorf("the file has grown from %d to %d bytes", size, grown)
	}
}

// survey counts what is in the buckets of a closed data file, and the bytes that it uses.
func survey(t *testing.T, path string) (items map[string]int, size int64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	items = map[string]int{}
	err = db.View(func(tx *bbolt.Tx) error {
		size = tx.Size()
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			items[string(name)] = 0
			return b.ForEach(func(k, v []byte) error {
				items[string(name)]++
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return items, size
}

// Sweeping travels with other writes, and must not hold them up: a server that comes back after a long time has much to
// sweep and people waiting.
func TestSweepingHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	const many = 4_000
	path := filepath.Join(t.TempDir(), "data.db")
	var passed atomic.Int64
	swept := make(sweeps, 1)
	s := open(t, path, bolt.Options{
		Clock:  func() time.Time { return time.Unix(1_800_000_000, passed.Load()) },
		Logger: slog.New(slog.NewTextHandler(swept, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	ctx, end := context.Background(), s.Now().Add(time.Minute)
	err := inParallel(many, func(n int) error {
		return s.Set(ctx, fmt.Sprint(n*7919%many), make([]byte, 100), end)
	})
	if err != nil {
		t.Fatal(err)
	}
	passed.Add(int64(time.Hour))
	later, writes := s.Now().Add(time.Hour), 0
	for done := false; !done; writes++ {
		if _, err := s.Increment(ctx, "k", later); err != nil {
			t.Fatal(err)
		}
		select {
		case <-swept:
			done = true
		default:
		}
	}
	// Many steps of the sweeper, each of which let writes through.
	if writes < many/1000 {
		t.Errorf("only %d writes were done while %d records were swept", writes, many)
	}
}
