package redistest_test

import (
	"slices"
	"testing"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// Tests of failover rely on a set that chooses a new master by itself, and takes the old one back as a replica.
func TestSentinelsReplaceAMaster(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinelSet(t)
	first := set.Master()
	if got := len(set.Replicas()); got != 2 {
		t.Fatalf("%d replicas, want 2", got)
	}
	do(t, first, "SET", "k", "kept")
	set.AwaitCopies(first)

	second := set.Failover()
	if got := do(t, second, "GET", "k"); got != "kept" {
		t.Errorf("the next master says %q, want kept", got)
	}
	set.AwaitHealthy()

	second.Pause()
	third := set.AwaitOther(second)
	if got := do(t, third, "GET", "k"); got != "kept" {
		t.Errorf("the third master says %q, want kept", got)
	}
	second.Resume()
	third.Kill()
	if fourth := set.AwaitOther(third); fourth == third || slices.Contains(set.Replicas(), third) {
		t.Error("a dead node is master or replica")
	}
}
