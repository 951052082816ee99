package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const (
	// maxBatch and maxBatchSize bound what shares one commit, so that no caller waits for a giant.
	maxBatch     = 512
	maxBatchSize = 4 << 20
	// tightBatch is how many writes that give room back share a commit when the disk is full.
	tightBatch = 4
)

// write is one call that changes the file.
type write struct {
	ctx   context.Context
	run   func(*tx) error // may run twice, so it sets its results anew each time
	size  int             // bytes to be stored
	frees bool            // it gives room back, so it must work when the disk is full
	err   error
	done  chan struct{}
}

// queue holds the writes that wait for the next commit. Whoever finds no leader at work starts one; the leader commits
// all that waits, again and again, until nothing does. So a lone write waits for nobody, and what arrives during an
// fsync shares the next. The leader runs under no caller's context: one that hangs up fails nobody else.
type queue struct {
	mu      sync.Mutex
	waiting []*write
	leading bool
	closed  bool
	leaders sync.WaitGroup
}

// add queues w and reports whether the caller must start a leader. It fails after close.
func (q *queue) add(w *write) (lead, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, false
	}
	q.waiting = append(q.waiting, w)
	if q.leading {
		return false, true
	}
	q.leading = true
	q.leaders.Add(1)
	return true, true
}

// take returns the next batch; none means that the leader is relieved.
func (q *queue) take() []*write {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.waiting) && n < maxBatch && (n == 0 || size+q.waiting[n].size <= maxBatchSize) {
		size += q.waiting[n].size
		n++
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	if n == 0 {
		q.waiting = nil
		q.leading = false
		q.leaders.Done()
	}
	return batch
}

// close lets nothing more in and waits until all that is in has been done.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.leaders.Wait()
}

// write runs w in the next commit and waits for it, or until its context ends. In the latter case it may still be done,
// and nothing that it sets may be read.
func (s *Store) write(w *write) error {
	if err := s.usable(w.ctx); err != nil {
		return err
	}
	w.done = make(chan struct{})
	lead, ok := s.queue.add(w)
	if !ok {
		return errClosed
	}
	if lead {
		go s.lead()
	}
	select {
	case <-w.done:
		return w.err
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

func (s *Store) lead() {
	for batch := s.gather(); len(batch) > 0; batch = s.gather() {
		s.commit(batch)
		for _, w := range batch {
			close(w.done)
		}
	}
}

// gather returns the next batch. Before, it lets everybody go on who can: on a machine with few cores those who could add a
// write would else stand still until the commit is over, and each would get one of his own. Nobody waits for them: a lone
// write finds nobody to let go first.
func (s *Store) gather() []*write {
	runtime.Gosched()
	return s.queue.take()
}

// commit does a batch and sets the error of each write.
func (s *Store) commit(batch []*write) {
	err := s.commitOnce(batch, false)
	if !errors.Is(err, errFull) {
		return
	}
	// No room: what gives some back is tried by itself, in steps that need few pages.
	var frees []*write
	for _, w := range batch {
		if w.frees {
			frees = append(frees, w)
		}
	}
	for len(frees) > 0 {
		n := min(tightBatch, len(frees))
		s.commitOnce(frees[:n], true)
		frees = frees[n:]
	}
}

// commitOnce does a batch in one transaction. The error it returns is that of all its writes.
func (s *Store) commitOnce(batch []*write, tight bool) error {
	err := s.attempt(batch, tight)
	if err != nil {
		for _, w := range batch {
			w.err = err
		}
	}
	return err
}

func (s *Store) attempt(batch []*write, tight bool) (err error) {
	if failure := s.broken.Load(); failure != nil {
		return *failure
	}
	// bbolt and the memory map report a bad disk by panics and faults. The transaction is left open on purpose:
	// rolling it back would have bbolt read the bad file again, where nothing catches the panic.
	defer func() {
		if p := recover(); p != nil {
			err = s.fail("write", fmt.Errorf("%v", p))
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))

	// 1. Make room before anything is changed.
	db, err := s.db.Begin(true)
	if err != nil {
		return s.unavailable("write", err)
	}
	if !tight {
		if err := s.room.reserve(db, batch); err != nil {
			db.Rollback()
			if errors.Is(err, errFull) {
				return s.unavailable("write", err)
			}
			return s.fail("write", err)
		}
	}

	// 2. Run the writes. Those whose callers have gone are not begun.
	t := &tx{db: db, now: s.clock.Now().UnixMilli(), sums: s.sums, batch: len(batch), tight: tight}
	for _, w := range batch {
		if w.err = w.ctx.Err(); w.err == nil {
			w.err = s.explain(w.run(t))
		}
	}

	// 3. Commit, if there is anything to commit.
	t.sums.now = s.clock.Now().UnixNano()
	if t.dirty && t.void == nil {
		t.void = t.finish()
	}
	if t.void != nil || !t.dirty {
		db.Rollback()
		if t.void != nil {
			return s.unavailable("write", t.void)
		}
		return nil
	}
	err = db.Commit()
	switch {
	case err == nil:
		s.sums = t.sums
		s.used.Store(t.sums.written > 0)
		return nil
	case outOfRoom(err):
		s.room.full, s.room.have = time.Now(), 0
		return s.unavailable("write", fmt.Errorf("%w: %w", errFull, err))
	default:
		return s.fail("write", err)
	}
}

// explain makes an error of the store out of one that a call met inside a transaction.
func (s *Store) explain(err error) error {
	if errors.Is(err, errDamaged) {
		return s.unavailable("read", err)
	}
	return err
}

// outOfRoom reports whether a commit failed harmlessly, before anything hung on it: while pages that nothing refers to
// yet were written. (A failed fsync is another matter, even when it says that the disk is full: bbolt returns it bare.)
func outOfRoom(err error) bool {
	var writing *fs.PathError
	return errors.As(err, &writing) && isFull(err) || strings.HasPrefix(err.Error(), "file resize error")
}
