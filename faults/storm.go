package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// oneTokenAtOnce is F19: as many refreshes as there are, of one token, at two nodes.
func oneTokenAtOnce(s *scene) {
	const requests, connections = 10_000, 512
	server := redistest.Start(s)
	in := s.onRedis(server.URL(), 2, 1)
	l := in.newLoad()
	first := in.newParty(l.ledger, in.people[0], in.app, in.nodes[0].to)
	d := l.delegate(first)
	if d == nil {
		s.Fatalf("the first tokens cannot be had")
	}
	before := in.nodes[0].footprint()
	parties := make([]*party, connections)
	for i := range parties {
		parties[i] = in.newParty(l.ledger, "", in.app, in.nodes[i%2].to)
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	began := time.Now()
	for _, p := range parties {
		wait.Go(func() {
			for next.Add(1) <= requests && s.ctx.Err() == nil {
				p.refresh(refresh, d.number, d.refresh)
			}
		})
	}
	wait.Wait()
	lasted := time.Since(began)
	after := in.nodes[0].footprint()
	f := l.judge(promise{})
	entries, err := readLedger(l.ledger.file.Name())
	s.must(err)
	p99 := took(entries, refresh, span{0, never}).at(0.99)
	s.done("%d refreshes of one token, %d connections, 2 nodes", requests, connections)
	s.figure("%d answers with one successor, %d others, in %v; p99 %v (goal 1 s); RSS +%d MiB (goal 100)", countGranted(entries, refresh), f.unavailable+f.unknown,
		lasted.Round(time.Millisecond), p99.Round(time.Millisecond), (after.rss-before.rss)>>20)
	s.goal(p99 < time.Second, "p99 of %v is above 1 s", p99)
	s.goal(after.rss-before.rss < 100<<20, "RSS grew by %d MiB", (after.rss-before.rss)>>20)
}

func countGranted(entries []entry, a act) int { return len(took(entries, a, span{0, never})) }

// refreshStorm is F20: all clients come back at once.
func refreshStorm(s *scene) {
	crowd, lasting := pick(s, 500, 2000), pick(s, 3*time.Second, time.Minute)
	in := s.install("")
	n := in.addNode().mustStart()
	in.furnish(8)
	l := in.newLoad()
	// The machines stand for the clients: what they do is to write a grant, like a login or a refresh.
	few := l.goodput(16, lasting/2)
	many := l.goodput(crowd, lasting)
	again := l.goodput(16, lasting/2)
	l.ledger.mark(markTrouble)
	f := l.judge(promise{recovery: time.Second})
	s.done("%d clients without pause for %v, embedded file; before and after them 16", crowd, lasting)
	s.figure("%.0f requests/s of %.0f (%.0f %%, goal 80); p99 %v (goal 1 s), then %.0f requests/s; %d × 503", many.rate, few.rate, 100*many.rate/few.rate,
		many.p99.Round(time.Millisecond), again.rate, f.unavailable)
	s.goal(many.rate >= 0.8*few.rate, "goodput fell to %.0f %%", 100*many.rate/few.rate)
	s.goal(many.p99 < time.Second, "p99 of %v is above 1 s", many.p99)
	if !n.ready() {
		s.Errorf("the server is not ready afterwards")
	}
}

// rate is what a server gets done.
type rate struct {
	rate float64
	p99  time.Duration
}

// goodput lets clients get tokens, each the next when it has the one before, and counts.
func (l *load) goodput(clients int, lasting time.Duration) rate {
	parties := make([]*party, clients)
	for i := range parties {
		parties[i] = l.in.newParty(l.ledger, "", credential{}, l.in.nodes[0].to)
	}
	ctx, cancel := context.WithTimeout(l.s.ctx, lasting)
	defer cancel()
	var wait sync.WaitGroup
	times := make([]latencies, clients)
	for i, p := range parties {
		wait.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				if e := l.issue(p); e.Access == "" {
					l.breathe(e)
					continue
				}
				times[i] = append(times[i], time.Since(began))
			}
		})
	}
	wait.Wait()
	l.in.hangUp()
	all := together(times)
	return rate{float64(len(all)) / lasting.Seconds(), all.at(0.99)}
}
