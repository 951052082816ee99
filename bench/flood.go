package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// floodRate is how many refreshes a second are due while the flood lasts, and before it.
	floodRate = 200
	// floodSpan is how long each is measured at least: a p99 needs some hundreds of requests.
	floodSpan = 3 * time.Second
	// floodPatience is how long a login that was turned away waits before it comes again, as Retry-After says.
	floodPatience = 2 * time.Second
	// floodUsers log in, by turns.
	floodUsers = 60

	floodSlowdown = 3.0
	floodHash     = 19 << 20 // one hash under way
	floodSlack    = 64e6
)

// flood is what refreshes and memory suffer while more people want to log in than can.
type flood struct {
	engine         string
	queued         int
	idle, flooded  spread
	in, away       float64 // logins a second
	before, most   int64   // bytes
	hashesUnderway int
}

func (f flood) row(out *strings.Builder) {
	fmt.Fprintf(out, "| %d logins | %s | %.2f | %.2f | %.1f | ≤ %.0f | %.0f, %.0f | %.0f | %.0f | ≤ %.0f |\n", f.queued, f.engine, milliseconds(f.idle.p99), milliseconds(f.flooded.p99),
		f.flooded.p99.Seconds()/f.idle.p99.Seconds(), floodSlowdown, f.in, f.away, float64(f.before)/1e6, float64(f.most)/1e6,
		(float64(f.before)+float64(f.hashesUnderway*floodHash)+floodSlack)/1e6)
}

// measureFloods measures it on every engine.
func (b *bench) measureFloods(ctx context.Context, r *report) error {
	for _, p := range b.places {
		b.note("%s: %d logins are queued", p.engine, b.flood)
		f, err := b.measureFlood(ctx, p)
		if err != nil {
			return fmt.Errorf("login flood on %s: %w", p.engine, err)
		}
		r.floods = append(r.floods, f)
	}
	return nil
}

func (b *bench) measureFlood(ctx context.Context, p *place) (flood, error) {
	f := flood{engine: p.engine, queued: b.flood, hashesUnderway: 1} // the server has one core
	if err := p.serve(b, true); err != nil {
		return f, err
	}
	if err := b.cores.hold(); err != nil {
		return f, err
	}
	defer func() { _ = b.cores.release() }()
	refresh := scenario{rate: floodRate, talk: askRefresh}
	t := target{child: p.server, fixture: p.fixture, talk: askRefresh, result: &result{}}
	calm := *b
	calm.duration = max(b.duration, floodSpan)
	// 1. Before.
	idle, err := calm.runRound(ctx, t, refresh, 0)
	if err != nil {
		return f, err
	}
	if f.before, err = p.server.memory(); err != nil {
		return f, err
	}
	// 2. During.
	var in, away atomic.Int64
	began := time.Now()
	crowd := make([]talk, b.flood)
	for i := range crowd {
		crowd[i] = floodLogin(p.fixture, p.server.address, &in, &away)
	}
	logins, err := startLoad(endpoint{address: p.server.address}, crowd, 0)
	if err != nil {
		return f, err
	}
	watch, stop := context.WithCancel(ctx)
	most := make(chan int64, 1)
	go func() { most <- p.server.peak(watch) }()
	flooded, err := calm.runRound(ctx, t, refresh, 1)
	stop()
	f.most = <-most
	if stopErr := logins.stop(); err == nil {
		err = stopErr
	}
	span := time.Since(began).Seconds()
	f.idle, f.flooded, f.in, f.away = idle.spread, flooded.spread, float64(in.Load())/span, float64(away.Load())/span
	return f, err
}

// floodLogin logs users in, and comes again later where it is turned away.
func floodLogin(f *fixture, host string, in, away *atomic.Int64) talk {
	start := head(host, "/oauth/token", basic(f.web.id, f.web.secret))
	var again time.Time
	return talk{
		next: func(dst []byte) ([]byte, bool) {
			time.Sleep(time.Until(again))
			n := int(f.slowLogins.Add(1)) - 1
			return appendForm(dst, start, loginForm, f.slowNames[n%len(f.slowNames)]), true
		},
		accept: func(a answer) error {
			switch {
			case a.status == http.StatusOK && bytes.Contains(a.body, []byte(loginMark)):
				in.Add(1)
			case a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests:
				away.Add(1)
				again = time.Now().Add(floodPatience)
			default:
				return unexpected(a, "a token, or to be turned away")
			}
			return nil
		},
	}
}

// memory is what the child has of its own: what it maps of files does not count.
func (c *child) memory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if value, is := strings.CutPrefix(line, "RssAnon:"); is {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("no RssAnon in the status of process %d", c.process.Process.Pid)
}

// peak watches the child's memory until ctx ends.
func (c *child) peak(ctx context.Context) (most int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if now, err := c.memory(); err == nil {
			most = max(most, now)
		}
		select {
		case <-ctx.Done():
			return most
		case <-tick.C:
		}
	}
}
