package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// story makes a ledger by hand. Each line is a millisecond after the one before.
type story struct {
	entries []entry
	last    int64
}

func (s *story) add(e entry) {
	e.At = time.Duration(len(s.entries)) * time.Millisecond
	s.entries = append(s.entries, e)
}

func (s *story) mark(what string) { s.add(entry{Mark: what}) }

// ask is a request with its end.
func (s *story) ask(a act, delegation int64, presented string, end entry) {
	s.last++
	s.add(entry{Request: s.last, Intent: true, Act: a, Delegation: delegation, Presented: presented})
	end.Request, end.Act, end.Delegation, end.Presented = s.last, a, delegation, presented
	s.add(end)
}

// asked are the lines of a request that is not added to the story.
func (s story) asked(a act, delegation int64, presented string, end entry) []entry {
	before := len(s.entries)
	s.entries = slices.Clone(s.entries)
	s.ask(a, delegation, presented, end)
	return s.entries[before:]
}

var (
	active      = entry{Status: 200, Active: true}
	inactive    = entry{Status: 200}
	yes         = entry{Status: 200}
	refused     = entry{Status: 400, Error: "invalid_grant"}
	unavailable = entry{Status: 503, Error: "temporarily_unavailable", RetryAfter: true}
	noAnswer    = entry{Unknown: true}
)

func tokens(n int) entry {
	return entry{Status: 200, Access: fmt.Sprint("access ", n), Refresh: fmt.Sprint("refresh ", n)}
}

// begin is a delegation up to its first tokens.
func (s *story) begin(delegation int64) {
	code := fmt.Sprint("code of ", delegation)
	s.ask(authorize, delegation, "", entry{Status: 303, Code: code})
	s.ask(redeem, delegation, code, tokens(0))
}

// What a good server does in trouble, with all that is allowed to go wrong, breaks nothing.
func TestCheckerAcceptsAGoodRun(t *testing.T) {
	s := &story{}
	s.begin(1)
	s.begin(2)
	s.ask(introspect, 1, "access 0", active)
	s.ask(refresh, 1, "refresh 0", tokens(1))
	s.mark(markTrouble)
	s.ask(refresh, 1, "refresh 1", noAnswer)
	s.ask(refresh, 1, "refresh 1", unavailable)
	s.ask(revoke, 2, "refresh 0", noAnswer)
	s.ask(authorize, 3, "", entry{Status: 303, Code: "c"})
	s.ask(redeem, 3, "c", noAnswer)
	s.mark(markCalm)
	s.ask(redeem, 3, "c", refused)
	s.ask(refresh, 1, "refresh 1", tokens(2))
	s.ask(refresh, 1, "refresh 1", tokens(2))
	s.ask(introspect, 2, "access 0", inactive)
	s.ask(revoke, 2, "refresh 0", yes)
	s.ask(revoke, 2, "refresh 0", yes)
	s.begin(4)
	s.ask(reuse, 4, "refresh 0", refused)
	s.mark(markSettled)
	s.ask(introspect, 1, "access 2", active)
	s.ask(introspect, 2, "access 0", inactive)
	s.ask(refresh, 4, "refresh 9", refused)

	found := check(s.entries, promise{recovery: time.Second})
	if len(found.violations) > 0 {
		t.Errorf("violations %v, want none", found.violations)
	}
	if found.delegations != 3 || found.revoked != 2 || found.unknown != 3 || found.unavailable != 1 || found.lost != 0 {
		t.Errorf("counted %+v", found)
	}
}

// Every way to break an invariant is found, and found as what it is. A checker that says yes to everything would make
// every figure worthless.
func TestCheckerFindsEachViolation(t *testing.T) {
	for name, c := range map[string]struct {
		tell func(s *story)
		want string
	}{
		"two successors of a refresh token": {func(s *story) {
			s.ask(refresh, 1, "refresh 0", tokens(1))
			s.ask(refresh, 1, "refresh 0", tokens(2))
		}, "I1: a refresh token of delegation 1 has two successors"},
		"a code redeemed twice": {func(s *story) {
			s.ask(redeem, 1, "code of 1", tokens(0))
		}, "I1: a code of delegation 1 was redeemed twice"},
		"a revocation that is forgotten": {func(s *story) {
			s.ask(revoke, 1, "access 0", yes)
			s.ask(introspect, 1, "access 0", inactive)
			s.ask(introspect, 1, "access 0", active)
		}, "I2: delegation 1 had ended"},
		"a refresh after the revocation": {func(s *story) {
			s.ask(revoke, 1, "access 0", yes)
			s.ask(refresh, 1, "refresh 0", tokens(1))
		}, "I2: delegation 1 had ended"},
		"a thief was found out, and the delegation goes on": {func(s *story) {
			s.ask(reuse, 1, "refresh 0", refused)
			s.ask(introspect, 1, "access 0", active)
		}, "I2: delegation 1 had ended"},
		"an acknowledged token that is lost": {func(s *story) {
			s.mark(markTrouble)
			s.mark(markSettled)
			s.ask(introspect, 1, "access 0", inactive)
		}, "I3: request 3: an access token of delegation 1 is not active"},
		"nobody looked": {func(s *story) {
			s.mark(markSettled)
		}, "I3: delegation 1 was acknowledged and never looked up again"},
		"a request that is never answered": {func(s *story) {
			s.mark(markTrouble)
			s.ask(refresh, 1, "refresh 0", noAnswer)
			s.mark(markCalm)
		}, "I4: request 3 (refresh) of delegation 1 never got a definite answer"},
		"a request without an end": {func(s *story) {
			s.last++
			s.add(entry{Request: s.last, Intent: true, Act: refresh, Delegation: 1})
		}, "I4: request 3 (refresh) has no end"},
		"a lost rotation that kills": {func(s *story) {
			s.mark(markTrouble)
			s.ask(refresh, 1, "refresh 0", noAnswer)
			s.mark(markCalm)
			s.ask(refresh, 1, "refresh 0", refused)
		}, "I5: request 4 (refresh) of delegation 1 was refused with invalid_grant"},
		"store trouble told as invalid_grant": {func(s *story) {
			s.mark(markDown)
			s.ask(refresh, 1, "refresh 0", refused)
			s.mark(markCalm)
		}, "I5: request 3 (refresh) of delegation 1 was refused with invalid_grant"},
		"store trouble told as invalid_client": {func(s *story) {
			s.mark(markTrouble)
			s.ask(refresh, 1, "refresh 0", entry{Status: 401, Error: "invalid_client"})
			s.ask(refresh, 1, "refresh 0", tokens(1))
		}, "I5: request 3 (refresh) got 401 invalid_client"},
		"a 200 while the store is down": {func(s *story) {
			s.mark(markDown)
			s.ask(issue, 9, "", entry{Status: 200, Access: "made up"})
			s.mark(markCalm)
		}, "I5: request 3 (issue) was acknowledged while nothing could be"},
		"a revocation acknowledged while the store is down": {func(s *story) {
			s.mark(markDown)
			s.ask(revoke, 1, "refresh 0", yes)
			s.mark(markCalm)
		}, "I5: request 3 (revoke) was acknowledged while nothing could be"},
		"503 without Retry-After": {func(s *story) {
			s.mark(markTrouble)
			s.ask(introspect, 1, "access 0", entry{Status: 503})
		}, "I5: request 3 (introspect) got 503 without Retry-After"},
		"an error of our own": {func(s *story) {
			s.ask(introspect, 1, "access 0", entry{Status: 500, Error: "server_error"})
		}, "I5: request 3 (introspect) got 500 server_error"},
		"an error without a fault": {func(s *story) {
			s.ask(introspect, 1, "access 0", unavailable)
		}, "I6: request 3 (introspect) failed with 503 temporarily_unavailable, and there was no trouble"},
		"trouble that does not end": {func(s *story) {
			s.mark(markTrouble)
			s.mark(markCalm)
			for range 600 {
				s.ask(introspect, 1, "access 0", active)
			}
			s.ask(introspect, 1, "access 0", unavailable)
		}, "I6: request 603 (introspect) failed with 503 temporarily_unavailable, 1.201s after"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &story{}
			s.begin(1)
			c.tell(s)
			found := check(s.entries, promise{recovery: time.Second})
			if len(found.violations) == 0 || !strings.HasPrefix(found.violations[0].String(), c.want) {
				t.Errorf("got %v, want %s", found.violations, c.want)
			}
		})
	}
}

// A store that may lose its tail is not blamed for that, and still for what it lost of before, and for what it revives.
func TestLossyStoreMayLoseItsTailAlone(t *testing.T) {
	s := &story{}
	s.begin(1)
	s.ask(refresh, 1, "refresh 0", tokens(1))
	s.entries[len(s.entries)-1].At += time.Hour
	for i := range s.entries {
		s.entries[i].At -= 2 * time.Hour // long before
	}
	s.begin(2)
	s.begin(3)
	s.ask(revoke, 3, "access 0", yes)
	s.mark(markTrouble)
	s.mark(markSettled)
	s.ask(introspect, 1, "access 1", inactive) // the rotation was lost
	s.ask(refresh, 1, "refresh 1", tokens(2))  // and is made up for
	s.ask(refresh, 2, "refresh 0", refused)
	lossy := promise{recovery: time.Second, tail: time.Second}
	if found := check(s.entries, lossy); len(found.violations) > 0 || found.lost != 1 || found.stale != 1 {
		t.Errorf("got %v, %d lost and %d stale; want 1 lost and 1 stale", found.violations, found.lost, found.stale)
	}
	older := append(slices.Clone(s.entries), story{entries: s.entries, last: s.last}.asked(refresh, 1, "refresh 2", refused)...)
	if found := check(older, lossy); len(found.violations) != 1 || found.violations[0].invariant != 5 {
		t.Errorf("a delegation of long before was refused: got %v, want I5 broken", found.violations)
	}
	s.ask(refresh, 3, "refresh 0", tokens(1))
	if found := check(s.entries, lossy); len(found.violations) != 1 || found.violations[0].invariant != 2 {
		t.Errorf("an ended one was revived: got %v, want I2 broken", found.violations)
	}
}

// I7: a process that keeps what it took is found; one that breathes is not.
func TestFootprintFindsLeaks(t *testing.T) {
	before := footprint{rss: 100 << 20, goroutines: 40, sockets: 30, file: 10 << 20}
	for name, c := range map[string]struct {
		after footprint
		want  string
	}{
		"the same":           {before, ""},
		"a little more":      {footprint{rss: 109 << 20, goroutines: 43, sockets: 32, file: 10 << 20}, ""},
		"leaked goroutines":  {footprint{rss: 100 << 20, goroutines: 90, sockets: 30, file: 10 << 20}, "I7: goroutines: 40 before, 90 after"},
		"leaked memory":      {footprint{rss: 300 << 20, goroutines: 40, sockets: 30, file: 10 << 20}, "I7: RSS"},
		"leaked connections": {footprint{rss: 100 << 20, goroutines: 40, sockets: 300, file: 10 << 20}, "I7: sockets"},
		"a file that grows":  {footprint{rss: 100 << 20, goroutines: 40, sockets: 30, file: 100 << 20}, "I7: data file"},
	} {
		t.Run(name, func(t *testing.T) {
			found := c.after.leaks(before)
			if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || !strings.HasPrefix(found[0].String(), c.want)) {
				t.Errorf("got %v, want %q", found, c.want)
			}
		})
	}
}

// What was written is what the checker reads.
func TestLedgerIsReadAsWritten(t *testing.T) {
	l, err := newLedger(filepath.Join(t.TempDir(), "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	e := l.intend(refresh, 7, "presented")
	e.Status, e.Access, e.Refresh = 200, "a", "r"
	l.conclude(e)
	l.mark(markSettled)
	entries, err := l.close()
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d lines, %v", len(entries), err)
	}
	if !entries[0].Intent || entries[1].Refresh != "r" || entries[1].Delegation != 7 || entries[2].Mark != markSettled {
		t.Errorf("read %+v", entries)
	}
}
