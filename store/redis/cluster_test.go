package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// keysOf finds a key for each master of a cluster, and the master of each.
func keysOf(cluster *redistest.Cluster) (keys []string, masters []*redistest.Server) {
	for _, master := range cluster.Masters() {
		for i := 0; ; i++ {
			if key := fmt.Sprint("key ", i); cluster.MasterOf(redis.DefaultPrefix+"r"+key) == master {
				keys, masters = append(keys, key), append(masters, master)
				break
			}
		}
	}
	return keys, masters
}

// A call goes to the node that holds its key at once: a redirection costs a second round trip, and hides a wrong guess.
func TestCallsFindTheirNodeAtOnce(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	s := open(t, redis.Options{URL: cluster.URL()})
	doAll(t, s)
	for _, key := range []string{"{tag}", "a{tag}b", "{}a", "a{}", "{a", "a}", "{{a}}", "}{", "{a}{b}", "\x00\xff", ""} {
		must(t, s.Set(t.Context(), key, []byte(key), store.Forever))
		if record, err := s.Get(t.Context(), key); err != nil || string(record.Value) != key {
			t.Errorf("Get(%q) = %q, %v", key, record.Value, err)
		}
	}
	for _, master := range cluster.Masters() {
		errors, err := master.Do("INFO", "errorstats")
		must(t, err)
		if strings.Contains(errors, "MOVED") {
			t.Errorf("a node had to send calls on: %s", errors)
		}
	}
}

// One queue for all nodes would let one stuck master stall everybody.
func TestStuckMasterStallsOnlyItsOwnKeys(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, "--cluster-node-timeout", "15000")
	keys, masters := keysOf(cluster)
	s := open(t, redis.Options{URL: cluster.URL()})
	must(t, s.Set(t.Context(), keys[0], nil, store.Forever))
	others := startLoad(t, s, keys[1:]...)
	began := time.Now()
	others.proceed(200)
	usual := time.Since(began) / 200

	masters[0].Pause()
	began, before := time.Now(), others.count()
	var stuck sync.WaitGroup
	for range 200 {
		stuck.Go(func() {
			start := time.Now()
			if _, err := s.Get(context.Background(), keys[0]); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Get from the stuck master = %v, want ErrUnavailable", err)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("Get from the stuck master took %v", took)
			}
		})
	}
	stuck.Wait()
	made, took := others.count()-before, time.Since(began)
	must(t, s.Ping(t.Context())) // the other parts can serve
	masters[0].Resume()
	others.end()
	others.untroubled("while another master was stuck")
	// Behind the stuck master each would take half a second at least. A busy machine may slow everything down a few times.
	if want := int(took/usual) / 10; made < want {
		t.Errorf("the callers of the other masters made %d calls in %v, want at least %d; before, one took %v", made, took, want, usual)
	}
	follows(t, s, keys[0], "after the master came back")
}

// Calls that wait for one node travel together to it.
func TestCallsToOneNodeTravelTogether(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	keys, masters := keysOf(cluster)
	s := open(t, redis.Options{URL: cluster.URL(), PoolSize: 2})
	for _, key := range keys {
		must(t, s.Set(t.Context(), key, nil, store.Forever))
	}
	var before []int
	for _, master := range masters {
		before = append(before, readsOf(t, master))
		master.Pause()
	}
	const each = 100
	var callers sync.WaitGroup
	for i := range each * len(keys) {
		callers.Go(func() {
			if _, err := s.Get(context.Background(), keys[i%len(keys)]); err != nil {
				t.Errorf("Get: %v", err)
			}
		})
	}
	<-time.After(100 * time.Millisecond) // until they wait; who comes later travels alone
	for _, master := range masters {
		master.Resume()
	}
	callers.Wait()
	for i, master := range masters {
		// Two alone, the others in two batches, and what the store and this test want to know.
		if reads := readsOf(t, master) - before[i]; reads > each/3 {
			t.Errorf("%d calls came to a node in %d pieces, want few", each, reads)
		}
	}
}

// readsOf is how often a server has read from its connections.
func readsOf(t *testing.T, server *redistest.Server) int {
	t.Helper()
	stats, err := server.Do("INFO", "stats")
	must(t, err)
	_, rest, _ := strings.Cut(stats, "total_reads_processed:")
	count, _, _ := strings.Cut(rest, "\r")
	reads, err := strconv.Atoi(count)
	must(t, err)
	return reads
}

// F06 of the failure list: resharding is seen by no caller.
func TestSlotsMoveUnseen(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	s := open(t, redis.Options{URL: cluster.URL()})
	// All in one slot, which moves, with logs, indexes and new keys in it.
	keys := []string{"{s}1", "{s}2", "{s}3", "{s}4"}
	slot := cluster.Slot(keys[0])
	busy := startLoad(t, s, keys...)
	home := cluster.MasterOf(keys[0])
	var last uint64
	for i, to := range append(cluster.Masters(), home) {
		if cluster.MasterOf(keys[0]) == to {
			continue
		}
		cluster.BeginMove(slot, to)
		busy.proceed(40)
		ctx, later := t.Context(), s.Now().Add(time.Hour)
		fresh := fmt.Sprint("{s} new ", i)
		must(t, s.Add(ctx, fresh, []byte("v"), later)) // the old master does not have it and sends us on (ASK)
		if err := s.Add(ctx, fresh, nil, later); !errors.Is(err, store.ErrExists) {
			t.Errorf("a second Add = %v, want ErrExists", err)
		}
		seq, err := s.Append(ctx, "{s}log", nil, later)
		must(t, err)
		if seq <= last {
			t.Errorf("number %d after %d", seq, last)
		}
		last = seq
		n, err := s.Enroll(ctx, "{s}index", fresh, later)
		must(t, err)
		cluster.FinishMove(slot, to)
		busy.proceed(40)
		if members, err := s.Members(ctx, "{s}index", "", 10); err != nil || len(members) != n {
			t.Errorf("Members = %d, %v, want %d", len(members), err, n)
		}
		if _, err := s.Get(ctx, fresh); err != nil {
			t.Errorf("Get after the move: %v", err)
		}
		must(t, s.Delete(ctx, fresh))
	}
	busy.end()
	busy.untroubled("while the slot moved")
}

// F07 of the failure list: a master that is lost is followed by its replica, and the other parts go on meanwhile.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	keys, _ := keysOf(cluster)
	s := open(t, redis.Options{URL: cluster.URL()})
	others := startLoad(t, s, keys[1:]...)
	wake, err := s.Subscribe(t.Context(), "topic")
	must(t, err)
	watched := watchTime(s)

	for _, failure := range []struct {
		name   string
		happen func(master *redistest.Server)
		mend   func(master *redistest.Server)
	}{
		{"after a failover by order", func(m *redistest.Server) { cluster.Failover(m) }, nil},
		{"after the master died", (*redistest.Server).Kill, (*redistest.Server).Restart},
		{"after the master fell silent", (*redistest.Server).Pause, (*redistest.Server).Resume},
	} {
		must(t, s.Set(t.Context(), "gone "+keys[0], nil, store.Forever))
		eventually(t, "a deletion lasts", func() bool { return s.Delete(t.Context(), "gone "+keys[0]) == nil })
		master := cluster.MasterOf(redis.DefaultPrefix + "r" + keys[0])
		replica := cluster.ReplicasOf(master)[0]
		failure.happen(master)
		cluster.AwaitMaster(replica)
		follows(t, s, keys[0], failure.name)
		if _, err := s.Get(t.Context(), "gone "+keys[0]); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s, what was deleted is there: %v", failure.name, err)
		}
		if failure.mend != nil {
			failure.mend(master)
		}
		cluster.AwaitHealthy()
	}
	others.end()
	others.untroubled("while another master was replaced")
	eventually(t, "subscribers are woken", func() bool {
		must(t, s.Publish(t.Context(), "topic"))
		select {
		case <-wake:
			return true
		default:
			return false
		}
	})
	watched(t)
}

// watchTime looks whether the store's time runs backwards until it is asked.
func watchTime(s *redis.Store) (judge func(*testing.T)) {
	ctx, stop := context.WithCancel(context.Background())
	worst := make(chan time.Duration, 1)
	go func() {
		back := time.Duration(0)
		for last := s.Now(); ctx.Err() == nil; <-time.After(time.Millisecond) {
			now := s.Now()
			back, last = max(back, last.Sub(now)), now
		}
		worst <- back
	}()
	return func(t *testing.T) {
		t.Helper()
		stop()
		if back := <-worst; back > 0 {
			t.Errorf("Now ran backwards by %v", back)
		}
	}
}
