package main

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// durably are the settings under which Redis keeps everything that it has acknowledged.
var durably = []string{"--appendonly", "yes", "--appendfsync", "always"}

// onRedis is a furnished installation of some nodes on one Redis.
func (s *scene) onRedis(url string, nodes, people int, settings ...string) *installation {
	in := s.install(url, settings...)
	for range nodes {
		in.addNode().mustStart()
	}
	in.furnish(people)
	// What one node was told, the others know within a second.
	s.await(startPatience, "all nodes know the machine", func() bool {
		for _, n := range in.nodes {
			if !n.knowsMachine() {
				return false
			}
		}
		return true
	})
	return in
}

// lateRedis is F01: there is no Redis when the server starts.
func lateRedis(s *scene) {
	runs, away := pick(s, 2, 20), pick(s, 2*time.Second, 10*time.Second)
	var slowest time.Duration
	for range runs {
		server := redistest.Start(s)
		server.Kill()
		in := s.install(server.URL())
		n := in.addNode()
		s.must(n.launch())
		s.await(startPatience, "/livez says 200 without Redis", func() bool { return n.probe("/livez") == http.StatusOK })
		if !in.newParty(nil, "", credential{}, n.to).seen(s.ctx, "/.well-known/oauth-authorization-server") {
			s.Errorf("the metadata cannot be had without Redis")
		}
		if got := n.probe("/readyz"); got != http.StatusServiceUnavailable {
			s.Errorf("/readyz says %d without Redis", got)
		}
		s.sleep(away)
		server.Restart()
		slowest = max(slowest, s.await(startPatience, "the server becomes ready", n.ready))
		n.process.kill()
		server.Kill()
	}
	s.done("%d starts without Redis, which came %v later", runs, away)
	s.figure("/livez and the metadata 200, /readyz 503, ready at most %v after Redis (promise 6 s)", slowest.Round(10*time.Millisecond))
	if slowest > 6*time.Second {
		s.Errorf("ready only %v after Redis", slowest)
	}
}

// redisDies is F02.
func redisDies(s *scene) {
	kills := pick(s, 8, 100)
	server := redistest.Start(s, durably...)
	in := s.onRedis(server.URL(), 1, 16)
	l := in.newLoad()
	l.begin(4, func(int) func() string { return in.nodes[0].to })
	l.warmUp()
	before := in.nodes[0].footprint()
	random := rand.New(rand.NewPCG(2, 2))
	for range kills {
		s.sleep(time.Duration(200+random.IntN(300)) * time.Millisecond)
		l.ledger.mark(markTrouble)
		server.Kill()
		s.sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		server.Restart()
		l.ledger.mark(markCalm)
	}
	s.sleep(time.Second)
	f := l.judge(promise{recovery: 2 * time.Second})
	s.done("%d kills of Redis (append-only file, always), %d requests", kills, f.requests)
	s.figure("%d delegations, %s; %d × 503, after %v at most, %d without an answer; last failure %v after Redis was back",
		f.delegations, f.verdict(), f.unavailable, f.slowestRefusal.Round(time.Millisecond), f.unknown, f.recovery.Round(time.Millisecond))
	s.noLeaks(in.nodes[0], before)
}

// repliesLost is F03: Redis carries a command out, and nobody hears of it.
func repliesLost(s *scene) {
	wanted := pick(s, 500, 10_000)
	server := redistest.Start(s)
	proxy := redistest.NewProxy(s, server.Addr())
	in := s.onRedis(proxy.URL(), 1, 16)
	l := in.newLoad()
	l.begin(4, func(int) func() string { return in.nodes[0].to })
	l.warmUp()
	before := in.nodes[0].footprint()
	l.ledger.mark(markTrouble)
	random := rand.New(rand.NewPCG(3, 3))
	for proxy.Dropped() < wanted {
		// One lost reply is mended by the store, unseen; two in a row are the client's to mend. An order that met a
		// connection about to be closed is spent for nothing, so the next one does not wait for it.
		s.sleep(time.Duration(random.IntN(12)) * time.Millisecond)
		asked := proxy.Dropped()
		proxy.DropReplies(1+random.IntN(2), redistest.Close, isWrite)
		for began := time.Now(); proxy.Dropped() == asked && time.Since(began) < 50*time.Millisecond; {
			s.sleep(time.Millisecond)
		}
	}
	proxy.Pass()
	l.ledger.mark(markCalm)
	s.sleep(500 * time.Millisecond)
	f := l.judge(promise{recovery: time.Second})
	s.done("%d replies to writes cut off, %d requests", proxy.Dropped(), f.requests)
	s.figure("%d delegations, %s; %d alarms of reuse; %d × 503", f.delegations, f.verdict(), s.audited(in.nodes[0], "refresh_token.reused"), f.unavailable)
	if n := s.audited(in.nodes[0], "refresh_token.reused"); n > 0 {
		s.Errorf("%d alarms of reuse, and nobody has reused anything", n)
	}
	s.noLeaks(in.nodes[0], before)
}

// isWrite tells the commands that change something: the store's scripts, and its plain writes.
func isWrite(command []string) bool {
	switch command[0] {
	case "evalsha", "eval", "set", "del", "zadd", "zrem":
		return true
	}
	return false
}
