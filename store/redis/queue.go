package redis

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"
)

const (
	// flushers is how many batches are under way at once to a node: with two, a slow one does not stop all.
	flushers = 2
	// batchSize is the most calls in one batch. Bigger ones measured no better.
	batchSize = 64
	// queueLimit is how many calls may wait for a node. It bounds memory; what comes on top is turned away at once.
	queueLimit = 1 << 16
	// callTimeout is how long a call lasts at most when the node is in trouble.
	callTimeout = 1500 * time.Millisecond
)

var errQueueFull = errors.New("too many calls are waiting")

// node is one Redis server and the queue of calls for it. Each node has a queue of its own, so that a stuck one does
// not stop the others.
//
// Nobody works for the queue but those who wait in it. A call that finds a flusher free leads a batch itself, at once
// and on its own goroutine, so a lone call pays nothing. Calls that arrive while all flushers are busy wait; whoever
// ends a batch hands the flusher to the first of them, who takes along what has gathered.
type node struct {
	host        string // and port
	client      redis.UniversalClient
	clock       *clock
	logger      *slog.Logger
	base        context.Context // carries the logger, never ends
	marker      string
	marked      atomic.Bool // the marker key is known to be there
	uncoalesced bool

	// generation counts the connections that broke: those that are older are suspect and not used again.
	generation atomic.Uint64
	// troubled says that the last batch got no answer.
	troubled atomic.Bool

	mu       sync.Mutex
	flushing int
	queue    []*call
}

// do carries the call out. The error is the context's when it ended first; the call may still be carried out then.
func (n *node) do(ctx context.Context, c *call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := n.enqueue(ctx, c); err != nil {
		return err
	}
	err := c.cmd.Err()
	if err != nil && !isAnswer(err) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// enqueue returns when c was carried out, or cannot be.
func (n *node) enqueue(ctx context.Context, c *call) error {
	if n.uncoalesced {
		n.run([]*call{c}, time.Now())
		return nil
	}
	n.mu.Lock()
	if n.flushing < flushers {
		n.flushing++
		n.mu.Unlock()
		c.queued = time.Now()
		n.lead(c)
		return nil
	}
	if len(n.queue) >= queueLimit {
		n.mu.Unlock()
		return errQueueFull
	}
	c.turn = make(chan struct{}, 1)
	c.queued = time.Now()
	n.queue = append(n.queue, c)
	n.mu.Unlock()

	select {
	case <-c.turn:
	case <-ctx.Done():
		n.abandon(c)
		return ctx.Err()
	}
	if c.progress == leading {
		n.lead(c)
	}
	return nil
}

// abandon lets c go. If it was just told to lead, somebody else must.
func (n *node) abandon(c *call) {
	n.mu.Lock()
	wasLeading := c.progress == leading
	c.progress = abandoned
	n.mu.Unlock()
	if wasLeading {
		n.handOver()
	}
}

// lead carries out own and what waits, and hands the flusher over.
func (n *node) lead(own *call) {
	batch, late := n.gather(own)
	for _, c := range late {
		c.cmd.SetErr(errNoAnswer)
		c.wake()
	}
	if len(batch) > 0 {
		n.run(batch, batch[0].queued)
	}
	// The answered go first: what they ask next may then travel with the next batch.
	for _, c := range batch {
		if c != own {
			c.wake()
		}
	}
	n.handOver()
}

// gather makes a batch of own and of what waits. When the node is in trouble, calls that have waited their time are
// not tried any more.
func (n *node) gather(own *call) (batch, late []*call) {
	troubled := n.troubled.Load()
	now := time.Now()
	batch = make([]*call, 0, 8)
	place := func(c *call) {
		if troubled && now.Sub(c.queued) >= callTimeout {
			late = append(late, c)
		} else {
			batch = append(batch, c)
		}
	}
	place(own)

	n.mu.Lock()
	defer n.mu.Unlock()
	taken := 0
	for _, c := range n.queue {
		if len(batch) == batchSize {
			break
		}
		taken++
		if c.progress == waiting {
			c.progress = carried
			place(c)
		}
	}
	n.queue = slices.Delete(n.queue, 0, taken)
	return batch, late
}

// handOver gives the flusher to the first who waits, or back.
func (n *node) handOver() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, c := range n.queue {
		if c.progress == waiting {
			c.progress = leading
			n.queue = slices.Delete(n.queue, 0, i+1)
			c.wake()
			return
		}
	}
	n.queue = slices.Delete(n.queue, 0, len(n.queue))
	n.flushing--
}
