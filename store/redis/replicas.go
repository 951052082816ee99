package redis

import (
	"context"
	"errors"
	"strconv"

	"github.com/go-redis/redis/v8"
)

// A master acknowledges before its replicas have what was written, and one of them may take its place a moment later.
// So what must last is followed by WAIT on the same connection. WAIT narrows the loss, it does not exclude it: a replica
// that lacks the write may be chosen all the same. A master without any replica is not waited for; who wants writes to
// be refused then sets min-replicas-to-write in Redis.

var errNoReplica = errors.New("no replica has confirmed the write in time")

// waits reports whether what must last waits for replicas of the node.
func (n *node) waits() bool { return n.terms.waitReplicas > 0 && n.replicated.Load() }

// waitCommand waits until enough replicas have what its connection wrote before.
func (n *node) waitCommand(ctx context.Context) *redis.IntCmd {
	return redis.NewIntCmd(ctx, "wait", n.terms.waitReplicas, n.terms.patience.wait.Milliseconds())
}

// settle tells the calls of a batch when their writes are not where they must be. They are done on the master all the
// same, and the caller who repeats them waits again.
func (n *node) settle(wait *redis.IntCmd, calls []*call) {
	err := wait.Err()
	if err == nil && wait.Val() < int64(n.terms.waitReplicas) && n.countReplicas() {
		err = errNoReplica
	}
	if err == nil {
		return
	}
	for _, c := range calls {
		if c.cmd.Err() == nil {
			c.cmd.SetErr(err)
		}
	}
}

// countReplicas finds out whether the node has replicas. What cannot be found out stays as it was.
func (n *node) countReplicas() bool {
	section := redis.NewStringCmd(n.terms.base, "info", "replication")
	if n.ask(section) == nil {
		n.learnReplicas(factsFrom(section.Val()))
	}
	return n.replicated.Load()
}

func (n *node) learnReplicas(facts map[string]string) {
	count, err := strconv.Atoi(facts["connected_slaves"])
	n.replicated.Store(err == nil && count > 0)
}
