package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-redis/redis/v8"
)

const (
	// lookPause is how long one look at the cluster is good enough for who asks again.
	lookPause = 50 * time.Millisecond
	// forgetAfter is how long a node is kept that the cluster names no more.
	forgetAfter = time.Minute
)

// look asks the cluster which node holds which slot, unless somebody has done so since.
func (cl *cluster) look(ctx context.Context, since time.Time) error {
	select {
	case cl.looking <- struct{}{}:
		defer func() { <-cl.looking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now := time.Now()
	if last := time.Unix(0, cl.looked.Load()); last.After(since) || now.Sub(last) < lookPause {
		return nil
	}
	cl.looked.Store(now.UnixNano())
	return cl.inquire()
}

// inquire asks one node after the other until one can tell. What a node refuses says more than that another is away.
func (cl *cluster) inquire() error {
	err := errNoMaster
	for _, n := range cl.witnesses() {
		ranges, wrong := n.ranges()
		if wrong == nil && len(ranges) > 0 {
			cl.adopt(ranges)
			return nil
		}
		if _, refused := errors.AsType[*refusal](err); wrong != nil && !refused {
			err = wrong
		}
	}
	return err
}

// ranges is who holds which slots, as far as the node knows.
func (n *node) ranges() ([]slotRange, error) {
	answer := redis.NewSliceCmd(n.terms.base, "cluster", "slots")
	if err := n.ask(answer); err != nil {
		if reason := refusalOf(n.name(), err); reason != nil {
			return nil, reason
		}
		return nil, err
	}
	return slotsFrom(answer.Val(), n.host)
}

// witnesses are the nodes to ask about the cluster: the known ones in any order, those in trouble last, and then those
// of the URL.
func (cl *cluster) witnesses() []*node {
	all := cl.all()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b *node) int { return trouble(a) - trouble(b) })
	for _, host := range cl.terms.address.hosts {
		if n := cl.node(host); n != nil && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

func trouble(n *node) int {
	if n.troubled.Load() {
		return 1
	}
	return 0
}

// adopt takes over what the cluster says of itself, and forgets nodes of which it has said nothing for long.
func (cl *cluster) adopt(ranges []slotRange) {
	var held [slotCount]*node
	for _, r := range ranges {
		n := cl.node(r.host)
		for slot := r.first; slot <= r.last; slot++ {
			held[slot] = n
		}
	}
	for slot, n := range held {
		cl.slots[slot].Store(n)
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for host, n := range cl.nodes {
		if time.Since(n.listed) > forgetAfter {
			delete(cl.nodes, host)
			_ = n.client.Close()
		}
	}
}

// masters are the nodes that hold slots.
func (cl *cluster) masters() []*node {
	var masters []*node
	for slot := range cl.slots {
		n := cl.slots[slot].Load()
		if n != nil && (len(masters) == 0 || masters[len(masters)-1] != n) && !slices.Contains(masters, n) {
			masters = append(masters, n)
		}
	}
	return masters
}

// ping asks all masters at once whether the cluster can serve. One that can is enough: the others' part is away, and to
// turn everybody away would not mend it.
func (cl *cluster) ping(ctx context.Context) error {
	asked := time.Now()
	masters := cl.masters()
	if len(masters) == 0 {
		if err := cl.look(ctx, asked); err != nil {
			return err
		}
		masters = cl.masters()
	}
	answers := make(chan error, len(masters))
	for _, n := range masters {
		go func() { answers <- n.state(ctx) }()
	}
	err := errNoMaster
	for range masters {
		if err = <-answers; err == nil {
			return nil
		}
	}
	_ = cl.look(ctx, asked)
	return err
}

var errClusterDown = errors.New("the cluster says that it is down")

// state says whether the node takes the cluster to be in order.
func (n *node) state(ctx context.Context) error {
	cmd := redis.NewStringCmd(ctx, "cluster", "info")
	if err := n.do(ctx, &call{cmd: cmd}); err != nil {
		return err
	}
	if factsFrom(cmd.Val())["cluster_state"] != "ok" {
		return errClusterDown
	}
	return nil
}

// fitness asks every master whether it is fit to keep records, and returns the first refusal.
func (cl *cluster) fitness(ctx context.Context) *refusal {
	var reason *refusal
	for _, n := range cl.masters() {
		err := n.do(ctx, &call{cmd: redis.NewStatusCmd(ctx, "ping")})
		if found, ok := errors.AsType[*refusal](err); ok && reason == nil {
			reason = found
		}
	}
	return reason
}
