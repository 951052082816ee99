package bolt

import (
	"context"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// sweepEvery is how often the sweeper looks for something to do.
	sweepEvery = time.Second
	// sweepStep bounds what one commit may sweep, so that the calls that share it notice little; but it sweeps as much as
	// it writes, or a store that is never idle would only grow.
	sweepStep = 64
	// sweepTime bounds the same when a slow machine takes long for a step.
	sweepTime = 2 * time.Millisecond
)

// sweepAlways removes what has expired, until the store closes. Nothing depends on it but the size of the file: reads
// look at expiries themselves.
func (s *Store) sweepAlways() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweep(); err != nil && s.usable(context.Background()) == nil {
			s.log.Warn("expired data could not be removed", "file", s.path, "err", err)
		}
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
	}
}

// sweep removes all that has expired by now, in steps that travel with other writes.
func (s *Store) sweep() error {
	steps := 0
	for ; s.due(); steps++ {
		if err := s.write(&write{ctx: context.Background(), frees: true, run: (*tx).sweep}); err != nil {
			return err
		}
	}
	if steps > 0 {
		s.log.Debug("expired data removed", "file", s.path, "steps", steps)
	}
	return nil
}

// due reports whether a deadline has passed.
func (s *Store) due() bool {
	passed := false
	err := s.read(context.Background(), func(db *bbolt.Tx) error {
		name, _ := deadlineKind.bucket()
		key, _ := db.Bucket([]byte(name)).Cursor().First()
		if key != nil {
			at, _ := splitDeadline(key)
			passed = at <= s.Now().UnixMilli()
		}
		return nil
	})
	return err == nil && passed
}

// sweep deals with the items whose deadline has passed: a few, the rest is for the next commit.
func (t *tx) sweep() error {
	start := time.Now()
	limit := max(sweepStep, t.batch)
	if t.tight {
		limit = tightBatch
	}
	for range limit {
		raw, _ := t.bucket(deadlineKind).Cursor().First()
		if raw == nil {
			return nil
		}
		at, key := splitDeadline(append([]byte(nil), raw...))
		if at > t.now || time.Since(start) > sweepTime {
			return nil
		}
		if err := t.sweepItem(at, key); err != nil {
			return err
		}
	}
	return nil
}

// sweepItem removes an item that has expired, and moves the deadline of one that has been given a later expiry.
func (t *tx) sweepItem(at int64, key []byte) error {
	there, err := t.find(key)
	if err != nil {
		return err
	}
	if there == nil || there.deadline != at {
		return t.moveDeadline(key, at, 0) // cannot be, but must not stop the sweeper if it is
	}
	if !there.live(t.now) {
		if kind(key[0]) == indexKind {
			if _, err := t.count(headOf(key), -1); err != nil {
				return err
			}
		}
		return t.drop(key, there)
	}
	moved := &item{expires: there.expires, deadline: there.expires, payload: there.payload}
	if err := t.moveDeadline(key, there.deadline, moved.deadline); err != nil {
		return err
	}
	return t.store(key, there, moved)
}
