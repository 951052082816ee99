package server_test

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/safeconduct/safeconduct/server"
)

// While passwords are hashed, requests keep the processors that they had, and everything is as before when the last hash
// has ended. An operator's own, more careful setting of the collector is left alone.
func TestHashesStandBesideRequests(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(cores) })
	percent := func() int { found := debug.SetGCPercent(100); debug.SetGCPercent(found); return found }
	before := percent()
	t.Cleanup(func() { debug.SetGCPercent(before) })
	tell := server.HashesBeside(3)
	for _, c := range []struct{ configured, busy int }{{server.GCPercent, 100}, {50, 50}, {-1, -1}} {
		debug.SetGCPercent(c.configured)
		for range 2 {
			tell(true)
			if got := runtime.GOMAXPROCS(0); got != cores+3 {
				t.Errorf("busy: GOMAXPROCS is %d, want %d", got, cores+3)
			}
			if got := percent(); got != c.busy {
				t.Errorf("busy: the collector's target is %d, want %d", got, c.busy)
			}
			tell(false)
			if got := runtime.GOMAXPROCS(0); got != cores {
				t.Errorf("afterwards: GOMAXPROCS is %d, want %d", got, cores)
			}
			if got := percent(); got != c.configured {
				t.Errorf("afterwards: the collector's target is %d, want %d", got, c.configured)
			}
		}
	}
}
