package users_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/users"
)

// attempts makes n attempts on different accounts from one address and returns how many were looked at.
func (r *room) attempts(t *testing.T, n int, from func(i int) netip.Addr) int {
	t.Helper()
	seen := 0
	for i := range n {
		_, err := r.Authenticate(t.Context(), users.Attempt{Username: fmt.Sprintf("victim%d", i), Password: wrong, Network: from(i)})
		if limited(t, err) == nil {
			seen++
		}
	}
	return seen
}

func always(address string) func(int) netip.Addr {
	return func(int) netip.Addr { return netip.MustParseAddr(address) }
}

// 30 failures in 15 minutes for a network, whatever accounts they are spread over, and however many
// addresses an IPv6 host has.
func TestNetworksAreLimited(t *testing.T) {
	for name, from := range map[string]func(int) netip.Addr{
		"IPv4": always("192.0.2.1"),
		"IPv4 in two forms": func(i int) netip.Addr {
			return netip.MustParseAddr([]string{"192.0.2.1", "::ffff:192.0.2.1"}[i%2])
		},
		"IPv6 within a /64": func(i int) netip.Addr {
			return netip.MustParseAddr(fmt.Sprintf("2001:db8:0:1:%x:%x::1", i, i))
		},
		"IPv6 with zones": func(i int) netip.Addr {
			return netip.MustParseAddr(fmt.Sprintf("fe80::%x%%eth%d", i+1, i))
		},
		"no address": func(int) netip.Addr { return netip.Addr{} },
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			r.create(t, "alice")
			if n := r.attempts(t, 60, from); n != 30 {
				t.Errorf("%d attempts were looked at, want 30", n)
			}
			_, err := r.Authenticate(t.Context(), users.Attempt{Username: "alice", Password: password, Network: from(0)})
			if l := limited(t, err); l == nil || l.RetryAfter != 15*time.Minute {
				t.Errorf("got %+v, want a wait of 15 minutes", l)
			}
			// Others are not touched, nor is an account that was named while the network was shut out.
			wantErr(t, "from elsewhere", r.try(t, "alice", password), nil)
			r.clock.Advance(15 * time.Minute)
			if n := r.attempts(t, 60, from); n != 30 {
				t.Errorf("%d attempts were looked at after the window, want 30", n)
			}
		})
	}
}

func TestDifferentNetworksAreLimitedApart(t *testing.T) {
	r := open(t)
	n := r.attempts(t, 60, func(i int) netip.Addr {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%x::1", i))
	})
	if n != 60 {
		t.Errorf("%d attempts were looked at, want 60", n)
	}
}

// An office behind one address logs in all day: only failures count.
func TestSuccessesDoNotUseUpTheNetwork(t *testing.T) {
	r := open(t)
	r.create(t, "alice")
	for i := range 40 {
		_, err := r.Authenticate(t.Context(), users.Attempt{Username: "alice", Password: password, Network: netip.MustParseAddr("192.0.2.1")})
		if err != nil {
			t.Fatalf("login %d: %v", i+1, err)
		}
	}
}

// An account that has to wait must not shut its network out as well.
func TestAttemptsThatWaitDoNotCountForTheNetwork(t *testing.T) {
	r := open(t)
	r.create(t, "alice")
	office := netip.MustParseAddr("192.0.2.1")
	r.fail(t, "bob", 5)
	for range 40 {
		_, err := r.Authenticate(t.Context(), users.Attempt{Username: "bob", Password: wrong, Network: office})
		if limited(t, err) == nil {
			t.Fatal("bob did not have to wait")
		}
	}
	_, err := r.Authenticate(t.Context(), users.Attempt{Username: "alice", Password: password, Network: office})
	wantErr(t, "a colleague", err, nil)
}
