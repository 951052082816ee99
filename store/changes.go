package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ChangesTopic is what every running server is subscribed to.
const ChangesTopic = changesLog

const (
	changesLog = "changes"
	// pollEvery bounds how long a change stays unknown to another process when the wake-up is lost.
	pollEvery = 500 * time.Millisecond
	// trustFor is how long what a process remembers is trusted without a look at the log.
	trustFor = 2 * time.Second
	// changeLife is how long an entry waits for its readers. A process that was away for longer forgets everything.
	changeLife = time.Hour
	pollLimit  = 1000
)

// Changes tells every process that shares a store what was changed, so that none of them goes on believing what it
// remembers. A subject names a changed record, as "client/orders-app"; the empty subject means that anything may have
// changed. Being told of a change that did not happen is harmless, and happens.
type Changes struct {
	store  Store
	began  time.Time
	polled atomic.Int64 // when the last complete poll began, in nanoseconds after began; 0 = never

	mu        sync.RWMutex
	listeners []func(subject string)
}

// NewChanges makes the messenger of one process. It does nothing of itself before Run.
func NewChanges(s Store) *Changes {
	return &Changes{store: s, began: time.Now().Add(-time.Second)}
}

// Announce tells everybody that subject was changed. The listeners of this process have been told when it returns,
// also when it returns an error; the other processes learn it within a second. An error means that they may not learn
// it: the caller repeats what it did.
func (c *Changes) Announce(ctx context.Context, subject string) error {
	_, err := c.store.Append(ctx, changesLog, []byte(subject), c.store.Now().Add(changeLife))
	c.tell(subject)
	if err != nil {
		return fmt.Errorf("announce the change of %q: %w", subject, err)
	}
	_ = c.store.Publish(ctx, changesLog) // only a hint: the others poll
	return nil
}

// Listen registers a function that is called with the subject of every change. It must be quick and must not call
// Changes. Register before Run.
func (c *Changes) Listen(listener func(subject string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = append(c.listeners, listener)
}

func (c *Changes) tell(subject string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, listener := range c.listeners {
		listener(subject)
	}
}

// Run reads the log until ctx ends, twice a second and whenever somebody announces, and returns the error of ctx.
func (c *Changes) Run(ctx context.Context) error {
	reader := logReader{changes: c}
	Follow(ctx, c.store, changesLog, pollEvery, func(ctx context.Context) {
		began := c.clock()
		if err := reader.poll(ctx); err == nil {
			c.polled.Store(began)
		}
	})
	return ctx.Err()
}

// Fresh reports whether this process has looked at the log within the last two seconds. While it has not, nothing
// that it remembers may be trusted.
func (c *Changes) Fresh() bool {
	_, fresh := c.fresh()
	return fresh
}

// fresh is Fresh with the time by clock.
func (c *Changes) fresh() (now int64, fresh bool) {
	now = c.clock()
	polled := c.polled.Load()
	return now, polled != 0 && now-polled < int64(trustFor)
}

// clock counts nanoseconds by the monotonic clock of the machine: these are short spans, and no clock that is set
// may stretch them. It is never 0.
func (c *Changes) clock() int64 { return int64(time.Since(c.began)) }

// logReader is the place of one reader in the log.
type logReader struct {
	changes *Changes
	seq     uint64
	caught  time.Time // by the store's clock, when the end of the log was last reached
}

// poll tells the listeners everything up to the end of the log.
func (r *logReader) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, trustFor)
	defer cancel()
	now := r.changes.store.Now()
	// Entries lapse: after a long absence some may have been missed. At the first poll all were.
	missed := r.caught.IsZero() || now.Sub(r.caught) > changeLife/2
	for {
		entries, err := r.changes.store.Since(ctx, changesLog, r.seq, pollLimit)
		if err != nil {
			return fmt.Errorf("read the log of changes: %w", err)
		}
		for _, entry := range entries {
			r.seq = entry.Seq
			if !missed {
				r.changes.tell(string(entry.Value))
			}
		}
		if len(entries) < pollLimit {
			break
		}
	}
	if missed {
		r.changes.tell("")
	}
	r.caught = now
	return nil
}
