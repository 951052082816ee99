package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// rollingRestarts is F23: nobody notices that a new version is put in place.
func rollingRestarts(s *scene) {
	restarts := pick(s, 6, 100)
	server := redistest.Start(s)
	in := s.onRedis(server.URL(), 2, 12, "SAFECONDUCT_SERVER_DRAIN_DELAY=1s", "SAFECONDUCT_SERVER_TRUSTED_PROXIES=127.0.0.1/32")
	b := in.balance()
	l := in.newLoad()
	l.pace = 10 * time.Millisecond
	l.begin(2, func(int) func() string { return b.to })
	l.warmUp()
	var slowest time.Duration
	for i := range restarts {
		n := in.nodes[i%2]
		code, took, err := n.process.stop(25 * time.Second)
		s.must(err)
		if code != 0 {
			s.Errorf("a node that was told to stop ended with %d", code)
		}
		slowest = max(slowest, took)
		n.mustStart()
		s.sleep(4 * probeEvery)
	}
	f := l.judge(promise{})
	s.done("%d restarts, one after the other, of 2 nodes behind a balancer that asks /readyz; drain delay 1 s; %d requests", restarts, f.requests)
	s.figure("%d failed requests; slowest stop %v; exit code 0 each time", f.unavailable+f.unknown, slowest.Round(time.Millisecond))
}

// mixedVersions is F28: two versions on one store.
func mixedVersions(s *scene) {
	lasting := pick(s, 4*time.Second, 30*time.Second)
	server := redistest.Start(s)
	in := s.install(server.URL())
	in.addNode().mustStart()
	older := s.programs.older
	said := "two builds of this version, for there is no release yet"
	if older != "" {
		in.program = func() (string, error) { return older, nil }
		said = "this version and " + older
	}
	in.addNode().mustStart()
	in.furnish(16)
	s.await(startPatience, "both nodes know the machine", func() bool { return in.nodes[0].knowsMachine() && in.nodes[1].knowsMachine() })
	l := in.newLoad()
	l.begin(4, in.inTurn)
	s.sleep(lasting)
	f := l.judge(promise{})
	s.done("%s, connections spread over both, %d requests", said, f.requests)
	s.figure("%d delegations, %d failed requests", f.delegations, f.unavailable+f.unknown)
}

// panics is F24: our own mistakes cost one request each.
func panics(s *scene) {
	const wanted = 1000
	in := s.install("")
	n, door := in.addBreakable()
	n.mustStart()
	in.furnish(8)
	l := in.newLoad()
	l.begin(2, func(int) func() string { return n.to })
	l.warmUp()
	before := door.footprint(n)
	pid := n.process.cmd.Process.Pid
	p := in.newParty(l.ledger, "", credential{id: "panic-please"}, n.to)
	for range wanted {
		got, err := p.send(context.Background(), http.MethodPost, "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {p.app.id}}, nil)
		if err != nil || got.status != http.StatusInternalServerError {
			s.Errorf("a request that panics gets %d, %v", got.status, err)
			break
		}
	}
	panicked := door.count("/panics")
	f := l.judge(promise{})
	s.done("%d panics in the midst of a store call, beside %d good requests", panicked, f.requests)
	s.figure("each answered 500; %d failed requests of others; the same process %v", f.unavailable+f.unknown, n.process.cmd.Process.Pid == pid && n.ready())
	if panicked < wanted {
		s.Errorf("only %d panics", panicked)
	}
	door.calmDown(n, before)
}
