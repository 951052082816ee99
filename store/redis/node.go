package redis

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"
)

// node is one Redis server, or with sentinels whichever is the master now, and the queues of calls for it. Each node has
// queues of its own, so that a stuck one does not stop the others.
type node struct {
	terms  *terms
	host   string                                // and port
	locate func(context.Context) (string, error) // finds the host of a new connection; nil when that is host
	client *redis.Client

	// at is where the youngest connection leads.
	at atomic.Pointer[string]
	// generation counts the connections that broke: those that are older are suspect and not used again.
	generation atomic.Uint64
	// troubled says that the last batch got no answer.
	troubled atomic.Bool
	// replicated says that replicas were there when the node was last asked.
	replicated atomic.Bool

	// What waits for replicas goes in batches of its own, so that a slow replica slows nothing else down.
	plain, lasting queue

	listed time.Time // when the cluster last named the node; under the lock of the cluster
}

// terms are what all nodes of a store have in common.
type terms struct {
	address      address
	patience     patience
	poolSize     int
	waitReplicas int
	uncoalesced  bool
	clock        *clock
	logger       *slog.Logger
	base         context.Context // carries the logger, never ends
	// met is called when a connection was set up, with a look at the node's clock.
	met func(*node, sample)
}

// patience is how long things may take.
type patience struct {
	answer time.Duration // one answer; a local Redis needs a fraction of a millisecond
	dial   time.Duration // a new connection
	pool   time.Duration // a free connection
	batch  time.Duration // a batch with its repetition: more than two answers
	call   time.Duration // a call, waiting included, when the node is in trouble
	wait   time.Duration // the replicas; less than an answer, or the connection would break instead
}

func patienceOf(answer time.Duration) patience {
	return patience{answer: answer, dial: 2 * answer, pool: answer / 2, batch: answer * 5 / 2, call: 3 * answer, wait: answer * 3 / 5}
}

// newNode prepares the connections to the node at host, and makes none yet.
func (t *terms) newNode(host string, locate func(context.Context) (string, error)) *node {
	n := &node{terms: t, host: host, locate: locate}
	n.at.Store(&host)
	n.plain = queue{node: n}
	n.lasting = queue{node: n, lasting: true}
	n.client = redis.NewClient(&redis.Options{
		Addr:     host,
		DB:       t.address.database,
		Username: t.address.username,
		Password: t.address.password,

		Dialer:    n.dial,
		OnConnect: n.welcome,

		// The store repeats by itself, once, and says so to the scripts.
		MaxRetries: -1,

		DialTimeout:  t.patience.dial,
		ReadTimeout:  t.patience.answer,
		WriteTimeout: t.patience.answer,
		PoolTimeout:  t.patience.pool,
		PoolSize:     t.poolSize, // zero is 10 for each core
	})
	return n
}

// name is the node's address, as errors and logs say it.
func (n *node) name() string { return *n.at.Load() }

// do carries the call out. The error is the context's when it ended first; the call may still be carried out then.
func (n *node) do(ctx context.Context, c *call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	queue := &n.plain
	if c.lasting && n.waits() {
		queue = &n.lasting
	}
	if err := queue.enqueue(ctx, c); err != nil {
		return err
	}
	err := c.cmd.Err()
	if err == nil || errors.Is(err, redis.Nil) {
		return err
	}
	if !isAnswer(err) && ctx.Err() != nil {
		return ctx.Err()
	}
	if reason := refusalOf(n.name(), err); reason != nil {
		return reason
	}
	return err
}

// ask carries out what the store itself wants to know, without a queue.
func (n *node) ask(cmd redis.Cmder) error {
	n.run([]*call{{cmd: cmd}}, time.Now(), false)
	return cmd.Err()
}

// note keeps in mind whether the node answers, and logs when that changes.
func (n *node) note(calls []*call) {
	err := calls[len(calls)-1].cmd.Err()
	troubled := err != nil && !isAnswer(err) && !errors.Is(err, errNoReplica)
	if n.troubled.Load() == troubled || errors.Is(err, redis.ErrClosed) || n.troubled.Swap(troubled) == troubled {
		return
	}
	if troubled {
		n.terms.logger.Warn("redis is unavailable", "address", n.name(), "error", plain(err))
	} else {
		n.terms.logger.Info("redis is available again", "address", n.name())
	}
}
