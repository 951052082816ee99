package main

import (
	"fmt"
	"slices"
	"time"
)

// request is the two lines of the ledger about one request, put together.
type request struct {
	entry // the line after it
	begun time.Duration
	ended bool
}

func (r *request) refused() bool { return r.Status == 400 && r.Error == "invalid_grant" }

func (r *request) unavailable() bool { return r.Status == 503 }

// granted reports whether the server said yes: what was presented is good, and what was asked for is done.
func (r *request) granted() bool {
	switch r.Act {
	case authorize:
		return r.Status == 303 && r.Code != ""
	case introspect:
		return r.Status == 200 && r.Active
	}
	return r.Status == 200
}

// inactive reports whether the server said that an access token is not good.
func (r *request) inactive() bool { return r.Act == introspect && r.Status == 200 && !r.Active }

// span is a stretch of the run. An end that has not come is beyond everything.
type span struct{ from, to time.Duration }

const never = time.Duration(1<<63 - 1)

func (s span) holds(r *request) bool { return r.begun >= s.from && r.At <= s.to }

// course is what happened, as the ledger tells it.
type course struct {
	requests []*request
	// trouble are the stretches in which a request may fail, down those in which none can succeed.
	trouble, down []span
	settled       time.Duration // when everything was looked up
}

// readCourse puts the lines of a ledger together. What does not fit together is a fault of the harness, and told.
func readCourse(entries []entry) (*course, []violation) {
	c := &course{settled: never}
	byNumber := make(map[int64]*request)
	var wrong []violation
	for _, e := range entries {
		switch {
		case e.Mark != "":
			c.mark(e)
		case e.Intent:
			r := &request{entry: e, begun: e.At}
			byNumber[e.Request] = r
			c.requests = append(c.requests, r)
		case byNumber[e.Request] == nil || byNumber[e.Request].ended:
			wrong = append(wrong, violation{4, fmt.Sprintf("request %d has an end without a beginning", e.Request)})
		default:
			r := byNumber[e.Request]
			r.entry, r.ended = e, true
		}
	}
	for _, r := range c.requests {
		if !r.ended {
			wrong = append(wrong, violation{4, fmt.Sprintf("request %d (%s) has no end: nobody knows what became of it", r.Request, r.Act)})
		}
	}
	return c, wrong
}

func (c *course) mark(e entry) {
	open := func(spans *[]span) {
		if n := len(*spans); n == 0 || (*spans)[n-1].to != never {
			*spans = append(*spans, span{e.At, never})
		}
	}
	end := func(spans []span) {
		if n := len(spans); n > 0 && spans[n-1].to == never {
			spans[n-1].to = e.At
		}
	}
	switch e.Mark {
	case markTrouble:
		open(&c.trouble)
	case markDown:
		open(&c.trouble)
		open(&c.down)
	case markCalm:
		end(c.trouble)
		end(c.down)
	case markSettled:
		end(c.trouble)
		end(c.down)
		c.settled = e.At
	}
}

// sinceCalm is how long after the end of the last trouble a request began, and whether trouble explains its failure at
// all: it overlapped some, or followed it.
func (c *course) sinceCalm(r *request) (after time.Duration, explained bool) {
	for _, s := range c.trouble {
		switch {
		case s.from > r.At:
			return after, explained
		case r.begun <= s.to:
			return 0, true
		}
		after, explained = r.begun-s.to, true
	}
	return after, explained
}

// inTail reports whether a delegation was acknowledged so late before some trouble, or in it, that a store may have lost
// it.
func (c *course) inTail(h *history, tail time.Duration) bool {
	return slices.ContainsFunc(c.trouble, func(s span) bool { return h.redeemedAt >= s.from-tail && h.redeemedAt <= s.to })
}

// troubledBefore reports whether there was trouble before the end of a request.
func (c *course) troubledBefore(r *request) bool {
	return len(c.trouble) > 0 && c.trouble[0].from <= r.At
}
