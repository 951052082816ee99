package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	// flushers is how many batches are under way at once to a node: with two, a slow one does not stop all.
	flushers = 2
	// batchSize is the most calls in one batch. Bigger ones measured no better.
	batchSize = 64
	// queueLimit is how many calls may wait for a node. It bounds memory; what comes on top is turned away at once.
	queueLimit = 1 << 16
)

var errQueueFull = errors.New("too many calls are waiting")

// queue holds the calls for a node.
//
// Nobody works for the queue but those who wait in it. A call that finds a flusher free leads a batch itself, at once
// and on its own goroutine, so a lone call pays nothing. Calls that arrive while all flushers are busy wait; whoever
// ends a batch hands the flusher to the first of them, who takes along what has gathered.
type queue struct {
	node    *node
	lasting bool // its batches wait for replicas

	mu       sync.Mutex
	flushing int
	calls    []*call
}

// enqueue returns when c was carried out, or cannot be.
func (q *queue) enqueue(ctx context.Context, c *call) error {
	if q.node.terms.uncoalesced {
		q.node.run([]*call{c}, time.Now(), q.lasting)
		return nil
	}
	if c.queued.IsZero() {
		c.queued = time.Now()
	}
	c.progress = waiting
	q.mu.Lock()
	if q.flushing < flushers {
		q.flushing++
		q.mu.Unlock()
		q.lead(c)
		return nil
	}
	if len(q.calls) >= queueLimit {
		q.mu.Unlock()
		return errQueueFull
	}
	c.turn = make(chan struct{}, 1)
	q.calls = append(q.calls, c)
	q.mu.Unlock()

	select {
	case <-c.turn:
	case <-ctx.Done():
		q.abandon(c)
		return ctx.Err()
	}
	if c.progress == leading {
		q.lead(c)
	}
	return nil
}

// abandon lets c go. If it was just told to lead, somebody else must.
func (q *queue) abandon(c *call) {
	q.mu.Lock()
	wasLeading := c.progress == leading
	c.progress = abandoned
	q.mu.Unlock()
	if wasLeading {
		q.handOver()
	}
}

// lead carries out own and what waits, and hands the flusher over.
func (q *queue) lead(own *call) {
	batch, late := q.gather(own)
	for _, c := range late {
		c.cmd.SetErr(errNoAnswer)
		c.wake()
	}
	if len(batch) > 0 {
		q.node.run(batch, batch[0].queued, q.lasting)
	}
	// The answered go first: what they ask next may then travel with the next batch.
	for _, c := range batch {
		if c != own {
			c.wake()
		}
	}
	q.handOver()
}

// gather makes a batch of own and of what waits. When the node is in trouble, calls that have waited their time are
// not tried any more.
func (q *queue) gather(own *call) (batch, late []*call) {
	troubled := q.node.troubled.Load()
	now := time.Now()
	batch = make([]*call, 0, 8)
	place := func(c *call) {
		if troubled && now.Sub(c.queued) >= q.node.terms.patience.call {
			late = append(late, c)
		} else {
			batch = append(batch, c)
		}
	}
	place(own)

	q.mu.Lock()
	defer q.mu.Unlock()
	taken := 0
	for _, c := range q.calls {
		if len(batch) == batchSize {
			break
		}
		taken++
		if c.progress == waiting {
			c.progress = carried
			place(c)
		}
	}
	q.calls = slices.Delete(q.calls, 0, taken)
	return batch, late
}

// handOver gives the flusher to the first who waits, or back.
func (q *queue) handOver() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, c := range q.calls {
		if c.progress == waiting {
			c.progress = leading
			q.calls = slices.Delete(q.calls, 0, i+1)
			c.wake()
			return
		}
	}
	q.calls = slices.Delete(q.calls, 0, len(q.calls))
	q.flushing--
}
