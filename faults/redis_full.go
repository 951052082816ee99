package main

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// memoryFull is F09: Redis has no room. Nothing new is issued, and every way to take rights away works.
func memoryFull(s *scene) {
	each := pick(s, 5, 20) // delegations of one person, below the cap
	server := redistest.Start(s)
	in := s.onRedis(server.URL(), 1, 24)
	n := in.nodes[0]
	l := in.newLoad()
	var held, stolen []*delegation
	for i, person := range in.people {
		p := in.newParty(l.ledger, person, in.site, n.to)
		if i%2 == 1 {
			p.app = in.app
		}
		for range each {
			if d := l.delegate(p); d != nil {
				held = append(held, d)
			}
		}
		p = in.newParty(l.ledger, person, in.fragile, n.to)
		if d := l.delegate(p); d != nil {
			first := d.refresh
			l.refresh(d)
			d.refresh = first // what a thief has
			stolen = append(stolen, d)
		}
	}
	l.ledger.mark(markTrouble)
	in.fill(server)
	// 1. Nothing is issued, and nobody is told that something is wrong with him.
	asker := in.newParty(l.ledger, "", credential{}, n.to)
	refusedIssues := 0
	for range 50 {
		if e := l.issue(asker); e.Status == http.StatusServiceUnavailable && e.RetryAfter {
			refusedIssues++
		} else {
			s.Errorf("a full Redis, and an issue got %d", e.Status)
		}
	}
	// 2. What is there is read; what is to end, ends.
	revoked, killed := 0, 0
	for _, d := range held {
		if !d.party.introspect(d.number, d.access).Active {
			s.Errorf("a live token is not active while Redis is full")
		}
		d.ended = true
		if d.party.revoke(d.number, d.access).Status == http.StatusOK && !d.party.introspect(d.number, d.access).Active {
			revoked++
		}
	}
	for _, d := range stolen {
		d.ended = true
		if d.party.refresh(reuse, d.number, d.refresh).Error == "invalid_grant" && !d.party.introspect(d.number, d.access).Active {
			killed++
		}
	}
	loggedOut := 0
	for _, person := range in.people {
		// The operator and the person himself come by the same way.
		if err := n.operator(http.MethodPost, "/users/"+person+"/logout-everywhere", nil, nil); err != nil {
			s.Errorf("log-out everywhere: %v: %s", err, n.process.lastWords())
		} else {
			loggedOut++
		}
	}
	in.s.mustDo(server, "CONFIG", "SET", "maxmemory", "0")
	l.ledger.mark(markCalm)
	if l.issue(asker).Access == "" {
		s.Errorf("with room again, nothing is issued")
	}
	f := l.judge(promise{})
	s.done("Redis filled to its limit, %d delegations", f.delegations)
	s.figure("%d of %d revocations, %d of %d reuses and %d of %d log-outs everywhere took effect; %d of 50 issues got 503", revoked, len(held), killed, len(stolen),
		loggedOut, len(in.people), refusedIssues)
	if revoked < len(held) || killed < len(stolen) {
		s.Errorf("not all that was to end has ended")
	}
}

// fill leaves Redis without room for anything.
func (in *installation) fill(server *redistest.Server) {
	info := in.s.mustDo(server, "INFO", "memory")
	_, rest, _ := strings.Cut(info, "used_memory:")
	used, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.Atoi(strings.TrimSpace(used))
	in.s.must(err)
	in.s.mustDo(server, "CONFIG", "SET", "maxmemory", strconv.Itoa(n/2))
}

func (s *scene) mustDo(server *redistest.Server, command ...string) string {
	answer, err := server.Do(command...)
	s.must(err)
	return answer
}
