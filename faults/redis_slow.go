package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// slowRedis is F08: Redis answers late, later than anybody waits, and not at all. What needs no Redis goes on as if
// nothing were.
func slowRedis(s *scene) {
	lasting := pick(s, 3*time.Second, time.Minute)
	s.troubleOnTheWay([]mischief{
		{"replies 50 ms late", lasting, func(p *redistest.Proxy) { p.Delay(50 * time.Millisecond) }},
		{"replies 2 s late", lasting, func(p *redistest.Proxy) { p.Delay(2 * time.Second) }},
	}, time.Second)
}

// blackHole is F29: connections stand and nothing comes through them.
func blackHole(s *scene) {
	s.troubleOnTheWay([]mischief{
		{"a black hole", pick(s, 4*time.Second, 10*time.Minute), func(p *redistest.Proxy) { p.BlackHole() }},
	}, 2*time.Second)
}

const keySetPath = "/.well-known/jwks.json"

// mischief is what a proxy does to all that goes between a server and its Redis.
type mischief struct {
	name    string
	lasting time.Duration
	begin   func(*redistest.Proxy)
}

func (s *scene) troubleOnTheWay(all []mischief, recovery time.Duration) {
	server := redistest.Start(s)
	proxy := redistest.NewProxy(s, server.Addr())
	in := s.install(proxy.URL())
	n, door := in.addBreakable()
	n.mustStart()
	in.furnish(16)
	l := in.newLoad()
	l.begin(24, func(int) func() string { return n.to })
	l.warmUp()
	before := door.footprint(n)
	looker := in.newParty(l.ledger, "", credential{}, n.to)
	if !looker.seen(context.Background(), keySetPath) { // the first time it is made
		s.Errorf("the key set cannot be had")
	}
	var most int64
	var keySet latencies
	names := ""
	for _, m := range all {
		names += fmt.Sprintf("%s for %v, ", m.name, m.lasting)
		l.ledger.mark(markTrouble)
		m.begin(proxy)
		for began := time.Now(); time.Since(began) < m.lasting; s.sleep(20 * time.Millisecond) {
			asked := time.Now()
			if !looker.seen(context.Background(), keySetPath) || n.probe("/livez") != http.StatusOK {
				s.Errorf("%s, and the key set or /livez cannot be had", m.name)
				break
			}
			keySet = append(keySet, time.Since(asked))
			most = max(most, door.goroutines())
		}
		proxy.Pass()
		l.ledger.mark(markCalm)
		s.sleep(recovery + time.Second)
	}
	f := l.judge(promise{recovery: recovery})
	p99 := keySet.sorted().at(0.99)
	s.done("%s40 clients, %d requests", names, f.requests)
	s.figure("%d × 503, after %v at most; last failure %v after the end; key set p99 %v (goal 20 ms); at most %d goroutines", f.unavailable, f.slowestRefusal.Round(time.Millisecond), f.recovery.Round(time.Millisecond),
		p99.Round(100*time.Microsecond), most)
	s.goal(p99 < 20*time.Millisecond, "the key set takes %v", p99)
	// A request that waits holds two: its connection's and, for a moment, a timer's. There are 40 clients.
	if bound := before.goroutines + 5*20 + 2*40; most > bound {
		s.Errorf("there were %d goroutines, and %d before", most, before.goroutines)
	}
	door.calmDown(n, before)
}
