package main

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// lag is how far a replica may be behind while its master takes writes, and a second for the clocks.
const lag = 3 * time.Second

// strictly are the settings under which a master that has lost its replicas takes no writes.
var strictly = []string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"}

// failovers is F04: the master of a set with sentinels dies, or hangs, and another takes its place.
func failovers(s *scene) {
	times := pick(s, 2, 50)
	set := redistest.StartSentinelSet(s, strictly...)
	in := s.onRedis(set.URL(), 2, 16)
	l := in.newLoad()
	l.pace = 20 * time.Millisecond
	l.begin(4, in.inTurn)
	l.warmUp()
	random := rand.New(rand.NewPCG(4, 4))
	for i := range times {
		s.sleep(time.Duration(500+random.IntN(1000)) * time.Millisecond)
		master := set.Master()
		l.ledger.mark(markTrouble)
		if i%2 == 0 {
			master.Kill()
		} else {
			master.Pause()
		}
		s.awaitWritable(set.AwaitOther(master))
		l.ledger.mark(markCalm)
		s.sleep(3 * time.Second)
		// The old one comes back as a replica, for which the others copy once more: that is a trouble of its own.
		l.ledger.mark(markTrouble)
		if i%2 == 0 {
			master.Restart()
		} else {
			master.Resume()
		}
		set.AwaitHealthy()
		l.ledger.mark(markCalm)
	}
	s.sleep(3 * time.Second)
	f := l.judge(promise{recovery: 2 * time.Second, tail: lag})
	s.done("%d failovers (kill -9 and SIGSTOP in turn), 2 nodes, WAIT 1, min-replicas-to-write 1, %d requests", times, f.requests)
	s.figure("%d delegations: %d lost of the tail, %d with a stale access token until the next refresh; %d ended, %s; last failure %v after the promotion",
		f.delegations, f.lost, f.stale, f.revoked, f.verdict(), f.recovery.Round(time.Millisecond))
}

// awaitWritable waits until a new master has a replica: without one it takes no writes here.
func (s *scene) awaitWritable(master *redistest.Server) {
	s.await(startPatience, "the new master has a replica", func() bool {
		info, err := master.Do("INFO", "replication")
		return err == nil && !strings.Contains(info, "min_slaves_good_slaves:0")
	})
}

// isolatedMaster is F05: the master goes on without its replicas, and is gone for good when they are back.
func isolatedMaster(s *scene) {
	times := pick(s, 1, 20)
	set := redistest.StartSentinelSet(s, strictly...)
	in := s.onRedis(set.URL(), 1, 16)
	l := in.newLoad()
	l.pace = 20 * time.Millisecond
	l.begin(4, in.inTurn)
	l.warmUp()
	asker := in.newParty(l.ledger, "", credential{}, in.nodes[0].to)
	var slowest time.Duration
	for range times {
		master, others := set.Master(), set.Replicas()
		l.ledger.mark(markTrouble)
		for _, replica := range others {
			replica.Pause()
		}
		slowest = max(slowest, s.await(12*time.Second, "the master takes no writes", func() bool { return l.issue(asker).Status == http.StatusServiceUnavailable }))
		master.Kill()
		for _, replica := range others {
			replica.Resume()
		}
		set.AwaitOther(master)
		master.Restart()
		set.AwaitHealthy()
		l.ledger.mark(markCalm)
		s.sleep(3 * time.Second)
	}
	f := l.judge(promise{recovery: 2 * time.Second, tail: lag})
	s.done("%d times a master without its replicas, then another master, %d requests", times, f.requests)
	s.figure("no writes after %v (promise 10 s); %d ended, %s; %d of %d delegations lost with the old master", slowest.Round(10*time.Millisecond),
		f.revoked, f.verdict(), f.lost, f.delegations)
	if slowest > 10*time.Second {
		s.Errorf("an isolated master took writes for %v", slowest)
	}
}

// otherNode is F11: what one node issues is active at the other at once, replicas or not.
func otherNode(s *scene) {
	tokens := pick(s, 2000, 100_000)
	set := redistest.StartSentinelSet(s)
	in := s.onRedis(set.URL(), 2, 1)
	l := in.newLoad()
	var next atomic.Int64
	var wait sync.WaitGroup
	for i := range 16 {
		one, other := in.newParty(l.ledger, "", credential{}, in.nodes[i%2].to), in.newParty(l.ledger, "", credential{}, in.nodes[1-i%2].to)
		wait.Go(func() {
			for next.Add(1) <= int64(tokens) && s.ctx.Err() == nil {
				e := one.issue(l.last.Add(1))
				if e.Access != "" {
					other.introspect(e.Delegation, e.Access)
				}
			}
		})
	}
	wait.Wait()
	entries, err := l.ledger.close()
	s.must(err)
	f := check(entries, promise{})
	for _, v := range f.violations {
		s.Errorf("%v", v)
	}
	s.done("%d tokens issued at one node and introspected at the other at once (1 + 2 with sentinels)", tokens)
	s.figure("%d active, %d not", countGranted(entries, introspect), tokens-countGranted(entries, introspect))
}
