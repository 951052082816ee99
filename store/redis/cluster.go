package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"
)

// The pause before a call is tried again that a node would not take now grows from the one to the other.
const minBackOff, maxBackOff = 5 * time.Millisecond, 100 * time.Millisecond

var errNoMaster = errors.New("no master holds the slot of the key")

// cluster knows which node holds which slot, and brings each call there.
//
// It does without the ClusterClient of go-redis. That has one pipeline for all nodes, which a stuck one stops, while
// here each node has its queue. And it cannot read what Redis 7 answers to CLUSTER SLOTS and to COMMAND: every command
// would fail, or cost six others. A plain client per node needs neither, and what is left is this file.
type cluster struct {
	terms *terms
	slots [slotCount]atomic.Pointer[node]

	looking chan struct{} // held by who looks at the cluster
	looked  atomic.Int64  // when the last look began

	mu    sync.Mutex
	nodes map[string]*node // nil when closed
}

func newCluster(t *terms) *cluster {
	return &cluster{terms: t, looking: make(chan struct{}, 1), nodes: map[string]*node{}}
}

// holder is the node that holds a key, as far as is known, or nil.
func (cl *cluster) holder(key string) *node { return cl.slots[slotOf(key)].Load() }

// do carries the call out, wherever its key is by now.
func (cl *cluster) do(ctx context.Context, c *call) error {
	slot := &cl.slots[slotOf(c.key)]
	began, backOff := time.Now(), minBackOff
	for n := slot.Load(); ; {
		tried := time.Now()
		err := errNoMaster
		if n != nil {
			err = n.do(ctx, c)
		}
		if err == nil || errors.Is(err, redis.Nil) || ctx.Err() != nil || time.Since(began) > cl.terms.patience.call {
			return err
		}
		to, redirected := redirectionFrom(err, hostOr(n))
		c.asking = redirected && to.ask
		switch {
		case c.asking:
			n = cl.node(to.host)
		case redirected:
			n = cl.node(to.host)
			slot.Store(n)
			go cl.look(ctx, tried)
		case isPassing(err):
			if err := pause(ctx, backOff); err != nil {
				return err
			}
			backOff = min(2*backOff, maxBackOff)
			_ = cl.look(ctx, tried)
			n = slot.Load()
		case isAnswer(err):
			return err
		default: // the node is away, and another may have taken its place
			_ = cl.look(ctx, tried)
			now := slot.Load()
			if now == n || now == nil {
				return err
			}
			n = now
		}
		c.repeat()
	}
}

func hostOr(n *node) string {
	if n == nil {
		return ""
	}
	return n.host
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// node is the one at host, or nil when the store is closed.
func (cl *cluster) node(host string) *node {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	n := cl.nodes[host]
	if n == nil && cl.nodes != nil {
		n = cl.terms.newNode(host, nil)
		cl.nodes[host] = n
	}
	if n != nil {
		n.listed = time.Now()
	}
	return n
}

// all are the known nodes.
func (cl *cluster) all() []*node {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	all := make([]*node, 0, len(cl.nodes))
	for _, n := range cl.nodes {
		all = append(all, n)
	}
	return all
}

func (cl *cluster) close() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, n := range cl.nodes {
		_ = n.client.Close()
	}
	cl.nodes = nil
}
