package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

const (
	// othersRate is how many introspections a second are due for the grants that the stopped master does not concern,
	// and strandedRate how many there are at most for those that it does.
	othersRate, strandedRate = 500, 100
	// stopCalm is how long is measured before each stop, and stopRest how long it takes until all is as it was.
	stopCalm, stopRest = 2500 * time.Millisecond, time.Second
	// clusterPatience is when the cluster begins to replace a master that does not answer: after the brief stop, and
	// within the long one.
	clusterPatience     = 2500 * time.Millisecond
	briefStop, longStop = 1500 * time.Millisecond, 2 * clusterPatience

	stopSlowdown = 2.0
)

// stopped is what requests that a stopped master does not concern notice of it.
type stopped struct {
	stood              time.Duration
	replaced           bool // by its replica
	calm, began, ended time.Time
	before, during     spread
	asked              int   // while it was stopped
	failed             int64 // of these, and of those that came until all was as before
	turnedAway         int64 // of those that it concerned
}

func (s stopped) row(out *strings.Builder) {
	how := "and not replaced"
	if s.replaced {
		how = "and replaced meanwhile"
	}
	timesBefore := func(d time.Duration) float64 { return d.Seconds() / s.before.p99.Seconds() }
	fmt.Fprintf(out, "| %v, %s | %.2f / %.2f / %.2f | %.2f / %.2f / %.2f | %.1f | %.1f | ≤ %.0f | %d | %d | %d |\n", s.stood, how,
		milliseconds(s.before.p50), milliseconds(s.before.p99), milliseconds(s.before.slowest),
		milliseconds(s.during.p50), milliseconds(s.during.p99), milliseconds(s.during.slowest),
		timesBefore(s.before.slowest), timesBefore(s.during.slowest), stopSlowdown, s.asked, s.failed, s.turnedAway)
}

// measureStops stops a master of a cluster, more than once, while grants on all of its masters are introspected.
func (b *bench) measureStops(ctx context.Context) (found []stopped, err error) {
	b.note("%s: three masters and three replicas, %d requests a second for what is not concerned", stoppedName, othersRate)
	// What is started from here on runs on the generator's core, but for the server.
	if err := b.cores.hold(); err != nil {
		return nil, err
	}
	defer func() { _ = b.cores.release() }()
	err = redistest.Play(func(t testing.TB) {
		cluster := redistest.StartCluster(t, "--cluster-node-timeout", fmt.Sprint(clusterPatience.Milliseconds()))
		var err error
		if found, err = b.stopMaster(ctx, cluster); err != nil {
			t.Fatal(err)
		}
	})
	return found, err
}

func (b *bench) stopMaster(ctx context.Context, cluster *redistest.Cluster) ([]stopped, error) {
	// 1. Grants, and the master to stop.
	p := &place{engine: engineRedis, at: cluster.URL()}
	split, err := b.seedCluster(ctx, p, cluster)
	if err != nil {
		return nil, fmt.Errorf("seed a cluster: %w", err)
	}
	if err := p.serve(b, false); err != nil {
		return nil, err
	}
	defer p.stop()
	// 2. The load. What is asked for first is remembered, so that begins before anything is measured.
	var failed, turnedAway atomic.Int64
	others, err := startLoad(endpoint{address: p.server.address}, b.counting(p, split.others, &failed), othersRate)
	if err != nil {
		return nil, err
	}
	// Whoever is held up does not ask for all that was missed at once: so this is no open loop.
	patient := b.counting(p, split.stranded, &turnedAway)
	for i, t := range patient {
		patient[i].next = func(dst []byte) ([]byte, bool) {
			time.Sleep(time.Second * time.Duration(len(patient)) / strandedRate)
			return t.next(dst)
		}
	}
	concerned, err := startLoad(endpoint{address: p.server.address}, patient, 0)
	if err != nil {
		return nil, errors.Join(err, others.stop())
	}
	others.wait(ctx, stopRest)
	// 3. The stops. The brief one comes several times: the slowest of many requests tells of the machine, too.
	var all []stopped
	for _, stood := range []time.Duration{briefStop, briefStop, briefStop, longStop} {
		one := stopped{stood: stood, calm: time.Now()}
		others.wait(ctx, stopCalm)
		one.failed, one.turnedAway = -failed.Load(), -turnedAway.Load()
		one.began = time.Now()
		split.stop.Pause()
		others.wait(ctx, stood)
		one.ended = time.Now()
		one.replaced = cluster.MasterOf(split.on) != split.stop
		split.stop.Resume()
		others.wait(ctx, stopRest)
		one.failed += failed.Load()
		one.turnedAway += turnedAway.Load()
		all = append(all, one)
	}
	if err := errors.Join(others.stop(), concerned.stop(), ctx.Err()); err != nil {
		return nil, err
	}
	for i := range all {
		one := &all[i]
		one.before, _ = others.due(one.calm, one.began)
		one.during, one.asked = others.due(one.began, one.ended)
	}
	return all, nil
}

// counting asks about tokens at random on each connection, and counts the answers that are not good.
func (b *bench) counting(p *place, tokens []string, bad *atomic.Int64) []talk {
	talks := make([]talk, b.connections)
	start := head(p.server.address, "/oauth/introspect", basic(p.fixture.resource.id, p.fixture.resource.secret))
	for i := range talks {
		talks[i] = atRandom(start, tokens, i, `"active":true`)
		accept := talks[i].accept
		talks[i].accept = func(a answer) error {
			if accept(a) != nil {
				bad.Add(1)
			}
			return nil
		}
	}
	return talks
}
