package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// A right that was taken away must not come back with a replica that did not hear of it: while none hears, the server does
// not say that it is done, not even to who asks again and would find nothing left to do.
func TestRevocationWaitsForAReplica(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinelSet(t)
	s := newScene(deployRedis(t, set.URL(), newRing(t)))
	replicas := set.Replicas()
	for _, replica := range replicas {
		replica.Pause()
	}
	unavailable := func(what string, a answer) {
		t.Helper()
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s, want 503 and Retry-After", what, a.status, a.text)
		}
	}
	for range 3 {
		unavailable("revoke", s.revoke(s.app, s.refresh))
	}
	unavailable("redeem a code", s.redeem(s.web, s.code))
	unavailable("disable a user", s.admin(http.MethodPatch, "/users/ada", obj{"disabled": true}))
	// What gives rights goes on, and so does asking.
	wantStatus(t, s.call(http.MethodGet, "/readyz", ""), http.StatusOK)
	if a := s.introspect(s.api, s.machine); a.json["active"] != true {
		t.Errorf("introspect: %s", a.text)
	}
	for _, replica := range replicas {
		replica.Resume()
	}
	eventually(t, 20*time.Second, "a revocation is done", func() bool { return s.revoke(s.app, s.refresh).status == http.StatusOK })
	s.wantInactive(s.api, s.access)
	eventually(t, 20*time.Second, "a user is disabled", func() bool {
		return s.admin(http.MethodPatch, "/users/ada", obj{"disabled": true}).status == http.StatusOK
	})
}
