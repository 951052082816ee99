package main

import (
	"slices"
	"time"
)

// latencies are the times of requests, in order.
type latencies []time.Duration

// took collects how long the requests of a kind took that began within a span and were granted.
func took(entries []entry, a act, within span) latencies {
	c, _ := readCourse(entries)
	var all latencies
	for _, r := range c.requests {
		if r.ended && r.Act == a && r.granted() && within.holds(r) {
			all = append(all, r.At-r.begun)
		}
	}
	return all.sorted()
}

func (l latencies) sorted() latencies {
	slices.Sort(l)
	return l
}

// at is a quantile, from 0 to 1.
func (l latencies) at(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(len(l)-1, int(q*float64(len(l))))]
}

// together joins what several clients measured.
func together(times []latencies) latencies { return slices.Concat(times...).sorted() }
