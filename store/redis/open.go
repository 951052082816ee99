package redis

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/go-redis/redis/v8"
)

const (
	// tendInterval is how often nodes are asked for their replicas.
	tendInterval = time.Second
	// clockRounds is after how many of these the clock is asked for, besides at each connect.
	clockRounds = 10
)

// Open opens a handle. It refuses a server that is there but unfit: a wrong password, a policy that evicts records, a
// version before 6.2, a replica; in a cluster each master is looked at. When the server is not there, Open still gives a
// handle: its calls return store.ErrUnavailable until the server appears, and if that proves unfit they go on and say why.
func Open(ctx context.Context, o Options) (*Store, error) {
	address, err := o.address()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{clock: newClock(o.Clock), scripts: newScripts(), prefix: cmp.Or(o.Prefix, DefaultPrefix)}
	s.alive, s.end = context.WithCancel(context.Background())
	s.terms = &terms{
		address: address, patience: patienceOf(cmp.Or(o.Timeout, DefaultTimeout)), poolSize: o.PoolSize,
		waitReplicas: cmp.Or(o.WaitReplicas, DefaultWaitReplicas), uncoalesced: o.uncoalesced,
		clock: s.clock, logger: o.Logger, base: withLogger(o.Logger), met: s.meet,
	}
	if reason := s.reach(ctx, o); reason != nil {
		_ = s.Close()
		return nil, reason
	}
	s.inBackground(context.Background(), s.tend)
	return s, nil
}

// reach prepares the nodes and looks whether they are fit. Whatever else they answer: what is not there, or not ready,
// may yet become so.
func (s *Store) reach(ctx context.Context, o Options) *refusal {
	t := s.terms
	if t.address.cluster {
		s.cluster = newCluster(t)
		reason, _ := errors.AsType[*refusal](s.cluster.look(ctx, time.Now()))
		if reason == nil {
			reason = s.cluster.fitness(ctx)
		}
		return reason
	}
	if t.address.master == "" {
		s.node = t.newNode(t.address.hosts[0], nil)
	} else {
		s.sentinels = t.newSentinels(o.SentinelUsername, o.SentinelPassword)
		s.node = t.newNode(t.address.master, s.sentinels.locate)
		for i := range s.sentinels.clients {
			s.inBackground(context.Background(), func(ctx context.Context) { s.sentinels.watch(ctx, i, s.node) })
		}
	}
	reason, _ := errors.AsType[*refusal](s.node.do(ctx, &call{cmd: redis.NewStatusCmd(ctx, "ping")}))
	return reason
}

// meet learns from a new connection. In a cluster the node that keeps the marker tells the time, see clock; until it was
// met any other does, for a machine's own clock may be wrong by hours. The node may be another server than before, or one
// that has lost its data.
func (s *Store) meet(n *node, look sample) {
	if s.cluster != nil && s.cluster.holder(s.markerKey()) != n {
		if !s.clock.known.Load() {
			s.clock.learn(look)
		}
		return
	}
	s.clock.learn(look)
	s.marked.Store(false)
}

// tend keeps what the store knows of its nodes up to date until ctx ends.
func (s *Store) tend(ctx context.Context) {
	ticker := time.NewTicker(tendInterval)
	defer ticker.Stop()
	for round := 0; ; round++ {
		if round%clockRounds == 0 {
			if s.cluster != nil {
				_ = s.cluster.look(ctx, time.Now())
			}
			s.measureTime()
		}
		for _, n := range s.nodes() {
			n.countReplicas()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
