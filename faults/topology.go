package main

import (
	"math/rand/v2"
	"net/http"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// strictly are the settings under which a master that has lost its replicas takes no writes.
var strictly = []string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"}

// lateRedis is F01: there is no Redis when the server starts.
func lateRedis(s *scene) {
	runs, away := pick(s, 3, 20), pick(s, 2*time.Second, 10*time.Second)
	var slowest time.Duration
	for range runs {
		server := redistest.Start(s)
		server.Kill()
		n := s.install(server.URL()).addNode()
		s.must(n.launch())
		s.await(startPatience, "/livez says 200 without Redis", func() bool { return n.probe("/livez") == http.StatusOK })
		if got := n.probe("/readyz"); got != http.StatusServiceUnavailable {
			s.Errorf("/readyz says %d without Redis", got)
		}
		s.sleep(away)
		server.Restart()
		slowest = max(slowest, s.await(startPatience, "the server becomes ready", n.ready))
		n.process.kill()
		server.Kill()
	}
	s.done("%d starts without Redis, which came %v later", runs, away)
	s.figure("/livez 200, /readyz 503, ready at most %v after Redis (promise 6 s)", slowest.Round(10*time.Millisecond))
	if slowest > 6*time.Second {
		s.Errorf("ready only %v after Redis", slowest)
	}
}

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
		set.AwaitOther(master)
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
	f := l.judge(promise{recovery: 2 * time.Second, tail: time.Second})
	s.done("%d failovers (kill -9 and SIGSTOP in turn), 2 nodes, WAIT 1, min-replicas-to-write 1, %d requests", times, f.requests)
	s.figure("%d delegations: %d lost of the tail, %d with a stale access token until the next refresh; %d revoked, 0 revived allowed; last failure %v after the promotion",
		f.delegations, f.lost, f.stale, f.revoked, f.recovery.Round(time.Millisecond))
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
	f := l.judge(promise{recovery: 2 * time.Second, tail: time.Second})
	s.done("%d times a master without its replicas, then another master, %d requests", times, f.requests)
	s.figure("no writes after %v (promise 10 s); %d revoked, 0 revived allowed; %d of %d delegations lost with the old master", slowest.Round(10*time.Millisecond),
		f.revoked, f.lost, f.delegations)
	if slowest > 10*time.Second {
		s.Errorf("an isolated master took writes for %v", slowest)
	}
}

// movedSlots is F06: slots of a cluster move between its nodes under load.
func movedSlots(s *scene) {
	times, slots := pick(s, 2, 10), "1000"
	cluster := redistest.StartCluster(s)
	in := s.onRedis(cluster.URL(), 1, 12)
	l := in.newLoad()
	l.pace = 10 * time.Millisecond
	l.begin(2, in.inTurn)
	l.warmUp()
	for i := range times {
		masters := cluster.Masters()
		from, to := masters[i%2], masters[1-i%2]
		move := exec.CommandContext(s.ctx, "redis-cli", "--cluster", "reshard", from.Addr(), "--cluster-from", s.mustDo(from, "CLUSTER", "MYID"),
			"--cluster-to", s.mustDo(to, "CLUSTER", "MYID"), "--cluster-slots", slots, "--cluster-yes")
		if out, err := move.CombinedOutput(); err != nil {
			s.Fatalf("move slots: %v: %s", err, oneLine(string(out[max(0, len(out)-300):])))
		}
	}
	f := l.judge(promise{})
	s.done("%d times %s slots moved to another node of a cluster (3 + 3), %d requests", times, slots, f.requests)
	s.figure("%d delegations, %d failed requests", f.delegations, f.unavailable+f.unknown)
}

// changesKey is where the list of changes lies, by which processes know that what they remember is still so. While its
// master is away nothing that is remembered is trusted, so everything waits for its successor.
const changesKey = "sc:lchanges"

// lostMaster is F07: a master of a cluster dies. What lies on the others goes on.
func lostMaster(s *scene) {
	const nodeTimeout = 2 * time.Second // as redistest starts clusters
	times := pick(s, 1, 20)
	cluster := redistest.StartCluster(s)
	in := s.onRedis(cluster.URL(), 1, 16)
	l := in.newLoad()
	var held []*delegation
	for _, person := range in.people {
		for range keptEach {
			if d := l.delegate(in.newParty(l.ledger, person, in.site, in.nodes[0].to)); d != nil {
				held = append(held, d)
			}
		}
	}
	var untouched, asked int
	for round := range times {
		failed := make([]atomic.Bool, len(held))
		var over atomic.Bool
		var wait sync.WaitGroup
		for i, d := range held {
			wait.Go(func() {
				for !over.Load() {
					if e := d.party.introspect(d.number, d.access); e.Unknown || e.Status != http.StatusOK {
						failed[i].Store(true)
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		s.sleep(500 * time.Millisecond)
		master := cluster.Masters()[round%3]
		forAll := master == cluster.MasterOf(changesKey)
		if forAll && !s.long {
			master, forAll = cluster.Masters()[(round+1)%3], false
		}
		replica := cluster.ReplicasOf(master)[0]
		cluster.AwaitCopies(master)
		l.ledger.mark(markTrouble)
		master.Kill()
		cluster.AwaitMaster(replica)
		l.ledger.mark(markCalm)
		s.sleep(4 * time.Second)
		over.Store(true)
		wait.Wait()
		l.ledger.mark(markTrouble)
		master.Restart()
		cluster.AwaitHealthy()
		l.ledger.mark(markCalm)
		if forAll {
			continue
		}
		for i := range failed {
			asked++
			if !failed[i].Load() {
				untouched++
			}
		}
	}
	f := l.judge(promise{recovery: 3 * time.Second, tail: time.Second})
	s.done("%d masters of a cluster (3 + 3, node timeout %v) killed, %d delegations introspected all the time", times, nodeTimeout, len(held))
	s.figure("%d of %d never noticed (where the master was not the one that holds the list of changes); last failure %v after the promotion (promise 3 s); %d lost", untouched, asked, f.recovery.Round(time.Millisecond), f.lost)
	if 2*untouched < asked {
		s.Errorf("only %d of %d delegations went on, and two of three masters did", untouched, asked)
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
