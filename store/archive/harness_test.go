package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/archive"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/redis"
)

func openBolt(t *testing.T, path string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openRedis(t *testing.T, o redis.Options) *redis.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func dataFile(t *testing.T) string { return filepath.Join(t.TempDir(), "data.db") }

// populate writes some of each kind, many at once.
func populate(t *testing.T, s store.Store, count int) {
	t.Helper()
	later := s.Now().Add(time.Hour)
	var wait sync.WaitGroup
	for w := range 32 {
		wait.Go(func() {
			for n := w; n < count; n += 32 {
				if err := populateOne(t.Context(), s, n, later); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

func populateOne(ctx context.Context, s store.Store, n int, later time.Time) error {
	until := later.Add(time.Duration(n) * time.Millisecond)
	if n%5 == 0 {
		until = store.Forever
	}
	if err := s.Set(ctx, fmt.Sprintf("record %d", n), fmt.Appendf(nil, "value \x00 %d", n), until); err != nil {
		return err
	}
	if _, err := s.Enroll(ctx, fmt.Sprintf("index %d", n%7), fmt.Sprintf("member %d", n), until); err != nil || n%10 != 0 {
		return err
	}
	if _, err := s.Increment(ctx, fmt.Sprintf("counter %d", n), until); err != nil {
		return err
	}
	_, err := s.Append(ctx, "log", fmt.Appendf(nil, "entry %d", n), until)
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func quiet(*archive.Tally) {}

func silent(int64) {}

// copyAll copies and finishes.
func copyAll(t *testing.T, from archive.Source, to store.Filler) {
	t.Helper()
	_, err := archive.Copy(t.Context(), from, store.Mark{}, to, quiet)
	must(t, err)
	must(t, to.Finish(t.Context()))
}

func fillBolt(t *testing.T, path string) store.Filler {
	t.Helper()
	f, err := bolt.Fill(path, false, bolt.Options{})
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func fillRedis(t *testing.T, o redis.Options) store.Filler {
	t.Helper()
	f, err := redis.Fill(t.Context(), o, false, store.ChangesTopic)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// wantSame fails the test when two stores differ.
func wantSame(t *testing.T, from, to store.Walker) {
	t.Helper()
	c, err := archive.Compare(t.Context(), from, to, silent)
	must(t, err)
	if !c.Same() || c.From != c.To || c.From.Count() == 0 {
		t.Fatalf("the stores differ: %v\n%+v\n%+v", c.Differences, c.From, c.To)
	}
}

// save makes a backup of a store.
func save(t *testing.T, from store.Walker) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup")
	_, err := archive.Save(t.Context(), path, func(file *os.File) error {
		return archive.Write(t.Context(), file, from, time.Now(), quiet)
	})
	must(t, err)
	return path
}

func openBackup(t *testing.T, path string) *archive.File {
	t.Helper()
	f, err := archive.Open(t.Context(), path, silent)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// read reads a backup out of memory.
func read(ctx context.Context, content []byte) (*archive.Contents, []store.Item, error) {
	var items []store.Item
	contents, err := archive.Read(ctx, bytes.NewReader(content), func(i store.Item) error {
		i.Value = bytes.Clone(i.Value)
		items = append(items, i)
		return nil
	})
	return contents, items, err
}
