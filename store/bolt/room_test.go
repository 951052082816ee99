package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
)

// Revoking is deleting, and must work when the disk is full. The child limits its own files, which is a full disk to it.
func TestFullDiskStillDeletes(t *testing.T) {
	t.Parallel()
	c := startChild(t, "fill", filepath.Join(t.TempDir(), "data.db"))
	for c.output.Scan() {
		t.Log(c.output.Text())
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the child failed: %v, %s", err, c.errors)
	}
}

func fillTheDisk(s *bolt.Store) error {
	const limit = 4 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	ctx := context.Background()
	key := func(n int) string { return fmt.Sprintf("%08d", n*7919%1_000_000) }
	written := make([]bool, 8_000)
	fill := func() error {
		return inParallel(len(written), func(n int) error {
			err := s.Set(ctx, key(n), make([]byte, 1000), s.Now().Add(time.Hour))
			written[n] = err == nil
			return err
		})
	}
	err := fill()
	if !errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("writing on a full disk: %v", err)
	}
	fmt.Println("the disk is full:", err)
	for err = nil; err == nil; { // what had no room for a crowd may have some for one
		_, err = s.Append(ctx, "log", make([]byte, 1000), s.Now().Add(time.Hour))
	}
	if !errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("Append on a full disk: %v", err)
	}
	if err := s.Ping(ctx); err != nil {
		return fmt.Errorf("Ping on a full disk: %v", err)
	}

	// Deletes work, alone and in a crowd, and reads do.
	before := 0
	for n, was := range written {
		if _, err := s.Get(ctx, key(n)); was != (err == nil) {
			return fmt.Errorf("record %d, written: %v: %v", n, was, err)
		}
		if was {
			before++
		}
	}
	if before < 1000 {
		return fmt.Errorf("only %d records of 1 kB in %d bytes", before, limit)
	}
	if err := s.Delete(ctx, key(0)); err != nil {
		return fmt.Errorf("Delete on a full disk: %v", err)
	}
	if err := inParallel(len(written)/2, func(n int) error { return s.Delete(ctx, key(n)) }); err != nil {
		return fmt.Errorf("Delete on a full disk: %v", err)
	}
	for n, was := range written {
		if _, err := s.Get(ctx, key(n)); (err == nil) != (was && n >= len(written)/2) {
			return fmt.Errorf("record %d after the first half was deleted: %v", n, err)
		}
	}

	// The room within the file is used again, though the disk still has none.
	for deadline := time.Now().Add(patience); ; {
		err := s.Set(ctx, "after", nil, store.Forever)
		if err == nil {
			return s.Close()
		}
		if !errors.Is(err, store.ErrUnavailable) || time.Now().After(deadline) {
			return fmt.Errorf("writing after deleting: %v", err)
		}
	}
}

// inParallel calls do for 0 to n-1 from many goroutines, and returns one of the errors.
func inParallel(n int, do func(int) error) error {
	var all sync.WaitGroup
	var next atomic.Int64
	errs := make([]error, 64)
	for w := range errs {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					errs[w] = err
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
