package main

import (
	"net/http"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

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
var changesKey = redis.LogKey(redis.DefaultPrefix, store.ChangesTopic)

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
