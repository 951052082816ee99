package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// promise is what the store of a run promises beyond what every store does.
type promise struct {
	// recovery is how soon after the end of the trouble no request fails any more.
	recovery time.Duration
	// tail is how long before the trouble a delegation may have been acknowledged that is gone after it: the end of what
	// a replica had not heard of. Zero for stores that lose nothing. That what has ended is not revived holds everywhere.
	tail time.Duration
}

// violation is a broken invariant, by its number.
type violation struct {
	invariant int
	what      string
}

func (v violation) String() string { return fmt.Sprintf("I%d: %s", v.invariant, v.what) }

// findings are what a ledger tells.
type findings struct {
	violations                      []violation
	requests, acknowledged, refused int
	unavailable, unknown            int
	delegations, revoked            int
	// lost are delegations that the store has lost from its tail. stale are those whose access token it does not know any
	// more though they live: the next refresh mends that.
	lost, stale    int
	recovery       time.Duration
	slowestRefusal time.Duration // how long somebody waited for a 503
	writes         int           // acknowledged requests that changed the store
}

// history is all that was done with one delegation.
type history struct {
	name     int64
	requests []*request
	// endBegun is when somebody first asked for its end, endKnown when that was acknowledged.
	endBegun, endKnown time.Duration
	redeemedAt         time.Duration
	redeemed, lookedUp bool
	lost, stale        bool
}

// check reads a ledger and holds it against the invariants:
//
//	I1 no code and no refresh token has more than one successor; the same answer again is the same successor
//	I2 what was acknowledged as ended never lives again
//	I3 what was acknowledged as issued lives, unless the store's promise says otherwise
//	I4 a request without an answer was carried out wholly or not at all, and its repetition gets a definite answer
//	I5 trouble is 503 with Retry-After or a dropped connection; it is never invalid_grant and never a yes
//	I6 after the fault, requests succeed again by themselves within the promised time
//
// I7, what the process takes of the machine, is not in a ledger; see footprint.
func check(entries []entry, p promise) findings {
	c, wrong := readCourse(entries)
	f := findings{violations: wrong}
	histories := make(map[int64]*history)
	var order []*history
	for _, r := range c.requests {
		if !r.ended {
			continue
		}
		f.count(r)
		h := histories[r.Delegation]
		if h == nil {
			h = &history{name: r.Delegation, endBegun: never, endKnown: never}
			histories[r.Delegation] = h
			order = append(order, h)
		}
		h.add(r)
	}
	for _, r := range c.requests {
		if r.ended {
			f.checkAnswer(c, r, p)
		}
	}
	for _, h := range order {
		f.checkHistory(c, h, p)
	}
	slices.SortStableFunc(f.violations, func(a, b violation) int { return a.invariant - b.invariant })
	return f
}

// verdict says how often which invariants were broken.
func (f *findings) verdict() string {
	if len(f.violations) == 0 {
		return "0 violations of I1 to I6"
	}
	count := make(map[int]int)
	for _, v := range f.violations {
		count[v.invariant]++
	}
	var words []string
	for invariant := range 8 {
		if n := count[invariant]; n > 0 {
			words = append(words, fmt.Sprintf("%d violations of I%d", n, invariant))
		}
	}
	return strings.Join(words, ", ")
}

func (f *findings) broken(invariant int, format string, args ...any) {
	f.violations = append(f.violations, violation{invariant, fmt.Sprintf(format, args...)})
}

func (f *findings) count(r *request) {
	f.requests++
	switch {
	case r.Unknown:
		f.unknown++
	case r.granted():
		f.acknowledged++
		if r.Act != introspect {
			f.writes++
		}
	case r.unavailable():
		f.unavailable++
		f.slowestRefusal = max(f.slowestRefusal, r.At-r.begun)
	default:
		f.refused++
	}
}

func (h *history) add(r *request) {
	h.requests = append(h.requests, r)
	ends := r.Act == revoke || r.Act == reuse
	if ends {
		h.endBegun = min(h.endBegun, r.begun)
	}
	if r.Act == revoke && r.granted() || r.Act == reuse && r.refused() {
		h.endKnown = min(h.endKnown, r.At)
	}
	if (r.Act == redeem || r.Act == issue) && r.granted() {
		h.redeemed, h.redeemedAt = true, r.At
	}
}

// checkAnswer holds one answer, whatever it is about, against I5 and I6.
func (f *findings) checkAnswer(c *course, r *request, p promise) {
	if r.granted() {
		if slices.ContainsFunc(c.down, func(s span) bool { return s.holds(r) }) {
			f.broken(5, "request %d (%s) was acknowledged while nothing could be", r.Request, r.Act)
		}
		return
	}
	switch {
	case r.Unknown, r.unavailable():
		if r.unavailable() && !r.RetryAfter {
			f.broken(5, "request %d (%s) got 503 without Retry-After", r.Request, r.Act)
		}
		after, explained := c.sinceCalm(r)
		if !explained {
			f.broken(6, "request %d (%s) failed with %s, and there was no trouble", r.Request, r.Act, r.outcome())
			return
		}
		f.recovery = max(f.recovery, after)
		if after > p.recovery {
			f.broken(6, "request %d (%s) failed with %s, %v after the trouble was over", r.Request, r.Act, r.outcome(), after.Round(time.Millisecond))
		}
	case r.refused(), r.inactive():
		// Whether that was right is a matter of the delegation's history.
	default:
		f.broken(5, "request %d (%s) got %s", r.Request, r.Act, r.outcome())
	}
}

func (r *request) outcome() string {
	if r.Unknown {
		return "no answer"
	}
	return strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Error))
}

func (f *findings) checkHistory(c *course, h *history, p promise) {
	if h.redeemed {
		f.delegations++
	}
	if h.endKnown != never {
		f.revoked++
	}
	f.checkSuccessors(h)
	f.checkEnd(h)
	f.checkLife(c, h, p)
	f.checkRepetitions(h)
	if h.lost {
		f.lost++
	} else if h.stale {
		f.stale++
	}
	if h.redeemed && c.settled != never && h.endBegun == never && !h.lookedUp {
		f.broken(3, "delegation %d was acknowledged and never looked up again", h.name)
	}
}

// checkSuccessors is I1.
func (f *findings) checkSuccessors(h *history) {
	successor := make(map[string]string)
	for _, r := range h.requests {
		if (r.Act != redeem && r.Act != refresh && r.Act != reuse) || !r.granted() {
			continue
		}
		before, again := successor[r.Presented]
		switch {
		case again && r.Act == redeem:
			f.broken(1, "a code of delegation %d was redeemed twice", h.name)
		case again && before != r.Refresh:
			f.broken(1, "a refresh token of delegation %d has two successors", h.name)
		}
		successor[r.Presented] = r.Refresh
	}
}

// checkEnd is I2. What began before the end was acknowledged may have come first.
func (f *findings) checkEnd(h *history) {
	for _, r := range h.requests {
		if r.begun > h.endKnown && r.granted() && r.Act != revoke {
			f.broken(2, "delegation %d had ended %v before, and request %d (%s) says that it lives", h.name, (r.begun - h.endKnown).Round(time.Microsecond), r.Request, r.Act)
			return
		}
	}
}

// checkLife is I3, and the part of I5 that says that trouble is never told as invalid_grant: what nobody has ended is
// not refused.
func (f *findings) checkLife(c *course, h *history, p promise) {
	uncertain := make(map[string]bool) // codes whose redemption may have happened without an answer
	for _, r := range h.requests {
		if r.begun >= c.settled {
			h.lookedUp = true
		}
		if r.Act == redeem && (r.Unknown || r.unavailable()) {
			uncertain[r.Presented] = true
		}
		if !r.refused() && !r.inactive() || r.Act == reuse || r.At >= h.endBegun {
			continue
		}
		switch {
		case r.Act == redeem && uncertain[r.Presented]:
			// The lost answer has spent it. Nobody has its tokens; the person is sent on his way again.
		case p.tail > 0 && c.inTail(h, p.tail):
			h.lost = true
		case p.tail > 0 && r.inactive() && h.refreshable() && c.troubledBefore(r):
			h.stale = true
		case r.inactive():
			f.broken(3, "request %d: an access token of delegation %d is not active, and nobody has ended it", r.Request, h.name)
		default:
			f.broken(5, "request %d (%s) of delegation %d was refused with %s, and nobody has ended it", r.Request, r.Act, h.name, r.Error)
		}
	}
}

// checkRepetitions is I4: the last word on a request is a definite one.
func (f *findings) checkRepetitions(h *history) {
	open := make(map[string]*request)
	for _, r := range h.requests {
		if r.Act != redeem && r.Act != refresh && r.Act != revoke {
			continue
		}
		question := string(r.Act) + r.Presented
		if r.Unknown || r.unavailable() {
			open[question] = r
		} else {
			delete(open, question)
		}
	}
	for _, r := range open {
		f.broken(4, "request %d (%s) of delegation %d never got a definite answer", r.Request, r.Act, h.name)
	}
}

// refreshable reports whether the delegation ever had a refresh token.
func (h *history) refreshable() bool {
	return slices.ContainsFunc(h.requests, func(r *request) bool { return r.Refresh != "" })
}
