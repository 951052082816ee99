package main

import (
	"math/rand/v2"
	"time"
)

// killedUnderLoad is F12.
func killedUnderLoad(s *scene) {
	kills := pick(s, 10, 200)
	in := s.install("")
	n := in.addNode().mustStart()
	in.furnish(24)
	l := in.newLoad()
	l.begin(32, func(int) func() string { return n.to })
	// A login that is killed counts as a guess, as it must; so everybody is signed in first.
	l.warmUp()
	random := rand.New(rand.NewPCG(12, 12))
	var slowest, served time.Duration
	for range kills {
		serving := time.Duration(200+random.IntN(400)) * time.Millisecond
		s.sleep(serving)
		served += serving
		l.ledger.mark(markTrouble)
		n.process.kill()
		began := time.Now()
		s.must(n.start())
		slowest = max(slowest, time.Since(began))
		l.ledger.mark(markCalm)
	}
	s.sleep(time.Second)
	served += time.Second
	f := l.judge(promise{recovery: time.Second})
	s.done("%d × kill -9, %d requests", kills, f.requests)
	s.figure("%d delegations, %d of them ended, %s; %.0f acknowledged writing requests/s; slowest start %v", f.delegations, f.revoked, f.verdict(),
		float64(f.writes)/served.Seconds(), slowest.Round(time.Millisecond))
}
