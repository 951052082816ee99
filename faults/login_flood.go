package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// loginFlood is F30: people who log in must not keep apps from refreshing.
func loginFlood(s *scene) {
	logins := pick(s, 100, 2000)
	in := s.install("", "SAFECONDUCT_PASSWORDS_MEMORY=19MiB", "SAFECONDUCT_PASSWORDS_PASSES=2", "SAFECONDUCT_PASSWORDS_QUEUE=2000")
	n := in.addNode().mustStart()
	base := n.footprint()
	in.furnish(4 + logins)
	l := in.newLoad()
	var held []*delegation
	for _, person := range in.people[:4] {
		if d := l.delegate(in.newParty(l.ledger, person, in.app, n.to)); d != nil {
			held = append(held, d)
		}
	}
	refreshFor := func(lasting time.Duration, until func() bool) latencies {
		var wait sync.WaitGroup
		times := make([]latencies, len(held))
		for i, d := range held {
			wait.Go(func() {
				for began := time.Now(); time.Since(began) < lasting && !until(); {
					asked := time.Now()
					l.refresh(d)
					times[i] = append(times[i], time.Since(asked))
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		wait.Wait()
		return together(times)
	}
	idle := refreshFor(3*time.Second, func() bool { return false })
	var waiting, let atomic.Int64
	var flood sync.WaitGroup
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	waiting.Store(int64(logins))
	for i := range logins {
		p := in.newParty(l.ledger, in.people[4+i], in.app, n.to)
		p.http.Timeout = time.Minute
		flood.Go(func() {
			if got, err := p.signIn(ctx); err == nil && got.status == 303 {
				let.Add(1)
			}
			waiting.Add(-1)
		})
	}
	var most int64
	measured := make(chan struct{})
	go func() { // the most memory of the flood
		defer close(measured)
		for waiting.Load() > 0 && s.ctx.Err() == nil {
			if f, err := measureFootprint(n.process.cmd.Process.Pid, ""); err == nil {
				most = max(most, f.rss)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	busy := refreshFor(20*time.Second, func() bool { return waiting.Load() == 0 })
	cancel()
	flood.Wait()
	<-measured
	l.judge(promise{})
	bound := base.rss + int64(runtime.GOMAXPROCS(0))*19<<20 + 64<<20
	s.done("%d logins at once (argon2id, 19 MiB, 2 passes), %d let in while %d refreshes were timed", logins, let.Load(), len(busy))
	s.figure("refresh p99 %v idle, %v in the flood (%.1f ×, goal 3); RSS at most %d MiB (bound %d)", idle.at(0.99).Round(100*time.Microsecond),
		busy.at(0.99).Round(100*time.Microsecond), float64(busy.at(0.99))/float64(idle.at(0.99)), most>>20, bound>>20)
	s.goal(busy.at(0.99) <= 3*idle.at(0.99), "refresh is %.1f × as slow in a flood of logins", float64(busy.at(0.99))/float64(idle.at(0.99)))
	s.goal(most <= bound, "RSS rose to %d MiB, above the bound of %d", most>>20, bound>>20)
}
