package main

import (
	"net/http"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// wrongClocks is F18: the clocks of the nodes differ, and jump.
func wrongClocks(s *scene) {
	s.skewed()
	s.jumping()
}

// skewed runs three nodes on one Redis whose clocks are minutes apart. There is one time for all of them, that of Redis.
func (s *scene) skewed() {
	codeLife := pick(s, 0, 60*time.Second)
	skews := []time.Duration{-5 * time.Minute, 0, 5 * time.Minute}
	server := redistest.Start(s)
	in := s.install(server.URL())
	for _, skew := range skews {
		n, door := in.addBreakable()
		n.mustStart()
		door.setClock(skew)
	}
	in.furnish(12)
	// Each has measured the clock of Redis anew.
	s.sleep(clockMeasured)
	l := in.newLoad()
	l.begin(3, in.inTurn)
	l.warmUp()
	var late []entry
	if codeLife > 0 {
		late = in.keepCodes(l)
	}
	s.sleep(2*time.Second + codeLife + codeLife/6)
	for _, code := range late {
		p := in.newParty(l.ledger, in.people[0], in.site, in.nodes[1].to)
		e := p.ledger.intend(revoke, code.Delegation, code.Code) // from here on its refusal is right
		e.Status = http.StatusOK
		p.ledger.conclude(e)
		if got := p.redeem(code.Delegation, code.Code); got.Access != "" {
			s.Errorf("a code of a node with another clock is good after 70 s")
		}
	}
	f := l.judge(promise{})
	s.done("3 nodes at −5, 0 and +5 minutes on one Redis, %d requests", f.requests)
	s.figure("%d delegations, %d failed requests, nothing lapsed early", f.delegations, f.unavailable+f.unknown)
	if len(late) > 0 {
		s.figure("a code of each node refused at another after 70 s")
	}
}

// clockMeasured is how long a process takes to notice that its clock was set: it looks each 10 s.
const clockMeasured = 11 * time.Second

// keepCodes gets a code from each node and redeems none.
func (in *installation) keepCodes(l *load) []entry {
	var codes []entry
	for _, n := range in.nodes {
		e := in.newParty(l.ledger, in.people[0], in.site, n.to).authorize(l.last.Add(1))
		codes = append(codes, e)
	}
	return codes
}

// jumping sets the clock of a server with an embedded file forward by an hour and back. What has lapsed stays lapsed.
func (s *scene) jumping() {
	in := s.install("", "SAFECONDUCT_TOKENS_ACCESS_TTL=10m")
	n, door := in.addBreakable()
	n.mustStart()
	in.furnish(4)
	l := in.newLoad()
	var held []*delegation
	for _, person := range in.people {
		p := in.newParty(l.ledger, person, in.site, n.to)
		for range 5 {
			held = append(held, l.delegate(p))
		}
	}
	codes := in.keepCodes(l)
	count := func(what string, want bool) {
		for _, d := range held {
			if got := d.party.introspect(d.number, d.access); got.Unknown || got.Active != want {
				s.Errorf("%s, an access token of 10 minutes is active: %v", what, got.Active)
				return
			}
		}
	}
	count("at first", true)
	door.setClock(time.Hour)
	count("an hour later", false)
	asker := in.newParty(l.ledger, "", credential{}, n.to)
	l.issue(asker)
	door.setClock(0)
	count("with the clock set back", false)
	n.process.kill()
	door.clear()
	n.mustStart()
	count("after a restart with the clock set back", false)
	for _, code := range codes {
		if got := in.newParty(l.ledger, in.people[0], in.site, n.to).redeem(code.Delegation, code.Code); got.Access != "" {
			s.Errorf("a code of an hour ago is good after the clock was set back")
		}
	}
	// The grants themselves have lived through it.
	for _, d := range held {
		if e := d.party.refresh(refresh, d.number, d.refresh); e.Access == "" {
			s.Errorf("a refresh after the jumps got %d %s", e.Status, e.Error)
		}
	}
	s.figure("embedded file, clock +1 h and back, and a restart: %d access tokens and a code lapsed and stayed so, %d refresh tokens live", len(held), len(held))
}
