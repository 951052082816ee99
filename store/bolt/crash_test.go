package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
)

const crashWriters = 8

// What was acknowledged is there, whenever the process dies: while it opens the file, while it writes, while it grows.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	const kills = 24
	path := filepath.Join(t.TempDir(), "data.db")
	random := rand.New(rand.NewPCG(1, 2))
	acknowledged := make([]int, crashWriters)
	for kill := range kills {
		c := startChild(t, "write", path)
		delay := time.Duration(random.IntN(60)) * time.Millisecond
		if kill%3 > 0 {
			noteStep(t, c.line(t), acknowledged)
		}
		time.AfterFunc(delay, func() { c.Process.Kill() })
		for c.output.Scan() {
			noteStep(t, c.output.Text(), acknowledged)
		}
		c.Wait()
		if c.errors.Len() > 0 {
			t.Fatalf("the child failed before it was killed: %s", c.errors)
		}
		checkSteps(t, path, acknowledged)
	}
	total := 0
	for _, n := range acknowledged {
		total += n
	}
	if total < kills {
		t.Errorf("only %d steps were acknowledged in all: the test has not tested", total)
	}
	t.Logf("%d kills, %d steps acknowledged", kills, total)
}

func stepKey(writer, step int) string { return fmt.Sprintf("writer %d step %d", writer, step) }
func stepLog(writer int) string       { return fmt.Sprint("log of ", writer) }

// writeUntilKilled takes step after step in several goroutines. A step is one write of each sort; it is told on the
// output once all of them have been acknowledged.
func writeUntilKilled(s *bolt.Store) error {
	failed := make(chan error)
	for w := range crashWriters {
		go func() {
			for {
				if err := takeStep(s, w); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func takeStep(s *bolt.Store, w int) error {
	ctx, writer := context.Background(), fmt.Sprint("writer ", w)
	old, err := s.Get(ctx, writer)
	if errors.Is(err, store.ErrNotFound) {
		if err := s.Add(ctx, writer, []byte("0"), store.Forever); err != nil {
			return err
		}
		old, err = s.Get(ctx, writer)
	}
	if err != nil {
		return err
	}
	last, err := strconv.Atoi(string(old.Value))
	if err != nil {
		return err
	}
	// The step may have been begun before the last kill, so each write can be made again.
	n, later := last+1, s.Now().Add(time.Hour)
	_, appended := s.Append(ctx, stepLog(w), fmt.Append(nil, n), later)
	_, enrolled := s.Enroll(ctx, "index", stepKey(w, n), later)
	_, counted := s.Increment(ctx, writer, later)
	err = errors.Join(
		appended, enrolled, counted,
		s.Set(ctx, stepKey(w, n), fmt.Append(nil, n), later),
		s.Delete(ctx, stepKey(w, n-3)),
		s.Withdraw(ctx, "index", stepKey(w, n-3)),
		s.Set(ctx, "short-lived "+stepKey(w, n), make([]byte, 2000), s.Now().Add(30*time.Millisecond)),
		s.Swap(ctx, writer, old, fmt.Append(nil, n), store.Forever),
	)
	if err == nil {
		_, err = fmt.Fprintf(os.Stdout, "%d %d\n", w, n)
	}
	return err
}

// noteStep notes what the child has told.
func noteStep(t *testing.T, line string, acknowledged []int) {
	t.Helper()
	var w, n int
	if _, err := fmt.Sscanf(line, "%d %d", &w, &n); err != nil {
		t.Fatalf("the child said %q", line)
	}
	acknowledged[w] = n
}

// checkSteps opens the file and looks for the acknowledged steps. One more may have been taken, at most; it is noted, since
// what is there after a restart must stay as well.
func checkSteps(t *testing.T, path string, acknowledged []int) {
	t.Helper()
	s := open(t, path, bolt.Options{})
	defer s.Close()
	ctx := context.Background()
	var all sync.WaitGroup
	for w, n := range acknowledged {
		all.Go(func() {
			record, err := s.Get(ctx, fmt.Sprint("writer ", w))
			if n == 0 && errors.Is(err, store.ErrNotFound) {
				return
			}
			at, _ := strconv.Atoi(string(record.Value))
			acknowledged[w] = at
			if err != nil || at != n && at != n+1 {
				t.Errorf("writer %d is at step %q, %v, and %d was acknowledged", w, record.Value, err, n)
			}
			if n == 0 {
				return
			}
			for step := max(n-1, 1); step <= n; step++ {
				record, err := s.Get(ctx, stepKey(w, step))
				if err != nil || string(record.Value) != fmt.Sprint(step) {
					t.Errorf("step %d of writer %d is %q, %v", step, w, record.Value, err)
				}
				members, err := s.Members(ctx, "index", stepKey(w, step)[:len(stepKey(w, step))-1], 100)
				if err != nil || !slices.ContainsFunc(members, func(m store.Member) bool { return m.Name == stepKey(w, step) }) {
					t.Errorf("step %d of writer %d is not in the index: %v", step, w, err)
				}
			}
			if _, err := s.Get(ctx, stepKey(w, n-3)); n > 3 && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("step %d of writer %d was deleted, and Get says %v", n-3, w, err)
			}
			entries, err := s.Since(ctx, stepLog(w), 0, 1<<20)
			if err != nil || len(entries) < n || !slices.ContainsFunc(entries, func(e store.Entry) bool { return string(e.Value) == fmt.Sprint(n) }) {
				t.Errorf("log of writer %d has %d entries after %d steps, %v", w, len(entries), n, err)
			}
		})
	}
	all.Wait()
}
