package bolt_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
)

// One flipped bit, wherever it is, is reported or does no harm. It never becomes an answer.
func TestFlippedBitsNeverBecomeAnswers(t *testing.T) {
	t.Parallel()
	good := goodFile(t)
	pageSize := os.Getpagesize()
	random := rand.New(rand.NewPCG(3, 4))
	var flips []int // by bit
	for range 120 {
		flips = append(flips, random.IntN(8*len(good)))
	}
	for _, head := range []int{0, pageSize} {
		for at := 0; at < 16+64; at += 2 {
			flips = append(flips, 8*(head+at)+random.IntN(16))
		}
	}
	want := everything(t, good)
	var reported atomic.Int64
	inParallel(len(flips), func(n int) error {
		at, bit := flips[n]/8, flips[n]%8
		content := bytes.Clone(good)
		content[at] ^= 1 << bit
		path := filepath.Join(t.TempDir(), "data.db")
		write(t, path, content)
		s, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			reported.Add(1)
			refused(t, path, "damaged")
			return nil
		}
		defer s.Close()
		if got := contentOf(t, s); !maps.Equal(got, want) {
			t.Errorf("bit %d of byte %d is flipped, and the store answers wrongly", bit, at)
		}
		if err := s.Set(context.Background(), "another", nil, store.Forever); err != nil {
			t.Errorf("bit %d of byte %d is flipped, and a write fails: %v", bit, at, err)
		}
		return nil
	})
	if reported.Load() < int64(len(flips)/4) {
		t.Errorf("only %d of %d flips were reported: the test has not tested", reported.Load(), len(flips))
	}
}

// goodFile returns the content of a data file with all sorts of items in trees of some depth, cut off behind its last
// page.
func goodFile(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, path, bolt.Options{})
	ctx := context.Background()
	err := inParallel(400, func(n int) error {
		later := s.Now().Add(time.Duration(n+1000) * time.Hour)
		if err := s.Set(ctx, fmt.Sprint("record ", n), fmt.Appendf(nil, "value %d of many", n), later); err != nil {
			return err
		}
		if _, err := s.Increment(ctx, fmt.Sprint("counter ", n%20), later); err != nil {
			return err
		}
		if _, err := s.Enroll(ctx, fmt.Sprint("index ", n%5), fmt.Sprint("name ", n), later); err != nil {
			return err
		}
		_, err := s.Append(ctx, fmt.Sprint("log ", n%5), []byte("entry"), later)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Set(ctx, "large", bytes.Repeat([]byte("large"), 3000), store.Forever); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(content, "\x00"))
	end := (used/os.Getpagesize() + 1) * os.Getpagesize()
	return content[:min(end+os.Getpagesize(), len(content))]
}

// everything returns what a data file holds.
func everything(t *testing.T, content []byte) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.db")
	write(t, path, content)
	s := open(t, path, bolt.Options{})
	defer s.Close()
	found := contentOf(t, s)
	if len(found) < 400+10 {
		t.Fatalf("the good file holds %d things", len(found))
	}
	return found
}

// contentOf reads all that goodFile has written, but for the counters: reading those changes them.
func contentOf(t *testing.T, s *bolt.Store) map[string]string {
	t.Helper()
	ctx, found := context.Background(), map[string]string{}
	for _, key := range slices.Concat([]string{"large"}, numbered("record ", 400)) {
		record, err := s.Get(ctx, key)
		if err != nil {
			t.Errorf("Get(%q): %v", key, err)
		}
		found[key] = fmt.Sprintf("%x %s", record.ID, record.Value)
	}
	for _, index := range numbered("index ", 5) {
		members, err := s.Members(ctx, index, "", 1000)
		if err != nil {
			t.Errorf("Members(%q): %v", index, err)
		}
		found[index] = fmt.Sprint(members)
	}
	for _, log := range numbered("log ", 5) {
		entries, err := s.Since(ctx, log, 0, 1000)
		if err != nil {
			t.Errorf("Since(%q): %v", log, err)
		}
		found[log] = fmt.Sprint(entries)
	}
	return found
}

func numbered(prefix string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprint(prefix, i))
	}
	return names
}
