package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// talk is what one connection asks, and what it must hear.
type talk struct {
	// next writes the next request after dst. It returns false when there is nothing left to ask.
	next func(dst []byte) ([]byte, bool)
	// accept says what is wrong with an answer.
	accept func(answer) error
	// steps is how many requests are counted and timed as one; 0 is one.
	steps int
}

// load is a closed loop, in which each connection sends a request when it has checked the answer to the one before, or an
// open one, in which requests are due at a fixed rate whatever the answers do. In an open loop a request's time counts
// from the moment when it was due: one that had to wait for a slow answer before it must not look fast.
type load struct {
	began       time.Time
	every       time.Duration // between two requests of an open loop; 0 for a closed one
	connections []*connection
	finished    chan struct{} // closed when a connection has nothing left to ask, or failed
	finish      sync.Once
	stopping    atomic.Bool
	done        sync.WaitGroup
}

// connection is one keep-alive connection with its own counts.
type connection struct {
	load  *load
	talk  talk
	wire  *wire
	asked atomic.Int64
	took  []time.Duration // of each request, in order
	err   error
	_     [64]byte // counts of two connections must not share a cache line
}

// startLoad connects, and begins to ask, at a rate in an open loop, or without one in a closed one. Connection i comes from
// an address of its own, where the machine has one: limits of logins are counted by address.
func startLoad(to endpoint, talks []talk, rate int) (*load, error) {
	l := &load{finished: make(chan struct{})}
	if rate > 0 {
		l.every = time.Second / time.Duration(rate)
	}
	for i, t := range talks {
		w, err := dial(to, net.IPv4(127, 0, 1, byte(i%250+1)))
		if err != nil {
			for _, c := range l.connections {
				c.wire.close()
			}
			return nil, fmt.Errorf("connect to %s: %w", to.address, err)
		}
		l.connections = append(l.connections, &connection{load: l, talk: t, wire: w, took: make([]time.Duration, 0, 1<<13)})
	}
	l.began = time.Now()
	for i, c := range l.connections {
		l.done.Go(func() { c.run(i) })
	}
	return l, nil
}

func (c *connection) run(place int) {
	request := make([]byte, 0, 1024)
	for n := place; !c.load.stopping.Load(); n += len(c.load.connections) {
		began := time.Now()
		if c.load.every > 0 {
			began = c.load.began.Add(time.Duration(n) * c.load.every)
			time.Sleep(time.Until(began))
		}
		var more bool
		if request, more = c.converse(request); !more {
			break
		}
		c.took = append(c.took, time.Since(began))
		c.asked.Add(1)
	}
	if !c.load.stopping.Load() {
		c.load.finish.Do(func() { close(c.load.finished) })
	}
}

// converse asks whatever is counted as one. It returns false when there is nothing left to ask, or something went wrong.
func (c *connection) converse(request []byte) ([]byte, bool) {
	for range max(c.talk.steps, 1) {
		var more bool
		if request, more = c.talk.next(request[:0]); !more {
			return request, false
		}
		answer, err := c.wire.exchange(request)
		if err == nil {
			err = c.talk.accept(answer)
		}
		if err != nil {
			c.err = err
			return request, false
		}
	}
	return request, true
}

// asked counts the answers so far.
func (l *load) asked() int64 {
	var n int64
	for _, c := range l.connections {
		n += c.asked.Load()
	}
	return n
}

// wait waits for d, or until there is nothing left to ask.
func (l *load) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.finished:
	case <-ctx.Done():
	}
}

// waitForOne waits until more than before were answered: a brief round on a busy machine would count none.
func (l *load) waitForOne(ctx context.Context, before int64) {
	for deadline := time.Now().Add(exchangeTimeout); l.asked() == before && time.Now().Before(deadline) && ctx.Err() == nil; {
		l.wait(ctx, time.Millisecond)
	}
}

// marks is how far each connection has come, so that a span of its times can be cut out.
func (l *load) marks() []int64 {
	marks := make([]int64, len(l.connections))
	for i, c := range l.connections {
		marks[i] = c.asked.Load()
	}
	return marks
}

// stop ends the loop and returns the first thing that went wrong.
func (l *load) stop() error {
	l.stopping.Store(true)
	l.done.Wait()
	var err error
	for _, c := range l.connections {
		c.wire.close()
		if err == nil {
			err = c.err
		}
	}
	return err
}

// spread is how long requests took: half of them no longer than p50, and so on.
type spread struct{ p50, p90, p99, p999, slowest time.Duration }

// spread is that of the requests between two marks. Call it after stop.
func (l *load) spread(from, to []int64) spread {
	var all []time.Duration
	for i, c := range l.connections {
		all = append(all, c.took[from[i]:to[i]]...)
	}
	return spreadOf(all)
}

// due is the spread of an open loop's requests that were due from one time to another, however late they were answered,
// and their number. Call it after stop.
func (l *load) due(from, to time.Time) (spread, int) {
	var all []time.Duration
	for i, c := range l.connections {
		for n, took := range c.took {
			due := l.began.Add(time.Duration(i+n*len(l.connections)) * l.every)
			if !due.Before(from) && due.Before(to) {
				all = append(all, took)
			}
		}
	}
	return spreadOf(all), len(all)
}

func spreadOf(all []time.Duration) spread {
	if len(all) == 0 {
		return spread{}
	}
	slices.Sort(all)
	return spread{all[len(all)/2], all[len(all)*9/10], all[len(all)*99/100], all[len(all)*999/1000], all[len(all)-1]}
}

func (s spread) String() string {
	return fmt.Sprintf("%.2f / %.2f / %.2f / %.2f", milliseconds(s.p50), milliseconds(s.p90), milliseconds(s.p99), milliseconds(s.p999))
}
