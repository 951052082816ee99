package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// round is one measured span.
type round struct {
	requests int64
	took     time.Duration
	cpu      time.Duration // of the server
	redisCPU time.Duration
	commands map[string]int64
	spread   spread
}

// perRequest is the server's processor time for a request.
func (r round) perRequest() time.Duration { return r.cpu / time.Duration(max(r.requests, 1)) }

func (r round) rate() float64 { return float64(r.requests) / r.took.Seconds() }

// result is a scenario on an engine, or on its floor.
type result struct {
	scenario scenario
	target   string // the engine, or floorTarget
	size     int    // grants in the store
	rounds   []round
}

const floorTarget = "floor"

// roundTries is how often a round is tried. On a machine that others keep busy a call may take longer than the server
// waits for its store, and its answer is then not the one that counts.
const roundTries = 3

// runScenario takes the rounds of a scenario: the floor and each engine in turn, so that a slow spell of the machine
// meets all of them.
func (b *bench) runScenario(ctx context.Context, s scenario, size int) ([]*result, error) {
	targets, err := b.targets(s, size)
	if err != nil {
		return nil, err
	}
	if err := b.cores.hold(); err != nil {
		return nil, err
	}
	defer func() { _ = b.cores.release() }()
	var results []*result
	for _, t := range targets {
		results = append(results, t.result)
	}
	for n := range b.rounds {
		for _, t := range targets {
			r, err := b.runRound(ctx, t, s, n)
			for again := 1; err != nil && again < roundTries && ctx.Err() == nil; again++ {
				b.note("%s on %s, once more: %v", s.name, t.result.target, err)
				r, err = b.runRound(ctx, t, s, n)
			}
			if err != nil {
				return nil, fmt.Errorf("%s on %s: %w", s.name, t.result.target, err)
			}
			t.result.rounds = append(t.result.rounds, r)
			b.note("%-20s %-6s %8d grants  %8.0f/s  %7.1f µs", s.name, t.result.target, size, r.rate(), microseconds(r.perRequest()))
		}
	}
	return results, b.profile(ctx, s, targets)
}

// target is what a scenario is run against.
type target struct {
	result  *result
	child   *child
	fixture *fixture
	talk    func(f *fixture, host string, i int) talk
}

func (b *bench) targets(s scenario, size int) ([]target, error) {
	var targets []target
	floorTalk := s.floorTalk
	if floorTalk == nil {
		floorTalk = s.talk
	}
	if s.floor != "" && (b.redis != nil || s.floor == bareGin) {
		targets = append(targets, target{&result{scenario: s, target: floorTarget, size: size}, b.floor, b.floors, floorTalk})
	}
	for _, p := range b.places {
		if s.talk == nil {
			break
		}
		if err := p.serve(b, s.slowHash); err != nil {
			return nil, err
		}
		targets = append(targets, target{&result{scenario: s, target: p.engine, size: size}, p.server, p.fixture, s.talk})
	}
	return targets, nil
}

// profile takes one more round of each server, with the profiler on.
func (b *bench) profile(ctx context.Context, s scenario, targets []target) error {
	if b.profiles == "" {
		return nil
	}
	folder, err := filepath.Abs(b.profiles)
	if err != nil {
		return err
	}
	for _, t := range targets {
		name := fmt.Sprintf("%s-%s-%d.pprof", t.result.target, s.name, t.result.size)
		if _, err := t.child.ask(askProfile + " " + filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		if _, err := b.runRound(ctx, t, s, b.rounds); err != nil {
			return err
		}
		if _, err := t.child.ask(askEnd); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
	}
	return nil
}

// runRound is round n: a warm-up, which is not counted, and the measured span.
func (b *bench) runRound(ctx context.Context, t target, s scenario, n int) (round, error) {
	connections := b.connections
	if s.connections > 0 {
		connections = min(connections, s.connections)
	}
	if s.once {
		t.fixture.share(n, b.rounds+1)
	}
	talks := make([]talk, connections)
	for i := range talks {
		talks[i] = t.talk(t.fixture, t.child.address, i)
	}
	l, err := startLoad(endpoint{address: t.child.address}, talks, s.rate)
	if err != nil {
		return round{}, err
	}
	l.wait(ctx, b.duration/5)
	from, before, err := b.look(ctx, l, t.child)
	if err == nil {
		l.wait(ctx, b.duration)
		l.waitForOne(ctx, before.asked)
	}
	to, after, lookErr := b.look(ctx, l, t.child)
	stopErr := l.stop()
	for _, err := range []error{err, lookErr, stopErr, ctx.Err()} {
		if err != nil {
			return round{}, err
		}
	}
	r := round{requests: after.asked - before.asked, took: after.at.Sub(before.at), cpu: after.cpu - before.cpu, redisCPU: after.redis.cpu - before.redis.cpu}
	r.spread = l.spread(from, to)
	r.commands = make(map[string]int64)
	for command, calls := range after.redis.commands {
		if calls -= before.redis.commands[command]; calls > 0 {
			r.commands[command] = calls
		}
	}
	if r.requests == 0 {
		return r, fmt.Errorf("no request was answered in %v", b.duration)
	}
	return r, nil
}

// share lets round n of all use its part of the tokens that are good once, and no more.
func (f *fixture) share(n, of int) {
	f.revoked.Store(int64(len(f.revocable) * n / of))
	f.revokedMax.Store(int64(len(f.revocable) * (n + 1) / of))
}

// moment is how everything stands at one time.
type moment struct {
	at    time.Time
	asked int64
	cpu   time.Duration
	redis spent
}

func (b *bench) look(ctx context.Context, l *load, c *child) (marks []int64, m moment, err error) {
	if b.redis != nil {
		if m.redis, err = b.redis.spent(ctx); err != nil {
			return nil, m, err
		}
	}
	if m.cpu, err = c.usage(); err != nil {
		return nil, m, err
	}
	m.at, m.asked = time.Now(), l.asked()
	return l.marks(), m, nil
}
