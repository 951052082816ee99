package redistest_test

import (
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// Tests of failover rely on a cluster in which a replica takes the place of its master.
func TestClusterReplacesAMaster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	if got := len(cluster.Masters()); got != 3 {
		t.Fatalf("%d masters, want 3", got)
	}
	first := cluster.MasterOf("k")
	do(t, first, "SET", "k", "kept")
	cluster.AwaitCopies(first)

	second := cluster.Failover(first)
	if got := do(t, second, "GET", "k"); got != "kept" || cluster.MasterOf("k") != second {
		t.Errorf("the next master says %q, want kept", got)
	}
	cluster.AwaitHealthy()

	replica := cluster.ReplicasOf(second)[0]
	second.Kill()
	cluster.AwaitMaster(replica)
	if got := do(t, replica, "GET", "k"); got != "kept" {
		t.Errorf("the third master says %q, want kept", got)
	}
	cluster.AwaitHealthy()
}

// Tests of resharding rely on a move that shows both its stages, and loses nothing.
func TestSlotMovesWithItsKeys(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, "--requirepass", "secret")
	slot, from := cluster.Slot("{s}"), cluster.MasterOf("{s}")
	to := cluster.Masters()[0]
	if to == from {
		to = cluster.Masters()[1]
	}
	do(t, from, "SET", "{s}\n1", "kept")

	cluster.BeginMove(slot, to)
	if got := do(t, from, "GET", "{s}\n1"); got != "kept" {
		t.Errorf("in between, the old master says %q, want kept", got)
	}
	if _, err := from.Do("GET", "{s}2"); err == nil || !strings.HasPrefix(err.Error(), "ASK "+slot+" "+to.Addr()) {
		t.Errorf("in between, the old master says %v of a key that it lacks, want ASK", err)
	}
	cluster.FinishMove(slot, to)
	if _, err := from.Do("GET", "{s}\n1"); err == nil || !strings.HasPrefix(err.Error(), "MOVED "+slot+" "+to.Addr()) {
		t.Errorf("afterwards the old master says %v, want MOVED", err)
	}
	if got := do(t, to, "GET", "{s}\n1"); got != "kept" {
		t.Errorf("the new master says %q, want kept", got)
	}
	cluster.AwaitHealthy()
}
