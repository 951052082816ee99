package users

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

const (
	firstDelay = time.Second
	lastDelay  = time.Minute
	// guessMemory is how long failures against a name that nobody has are remembered. Those against an account stay.
	guessMemory = 30 * 24 * time.Hour
	// releaseTimeout bounds the taking back of a guess whose caller has gone.
	releaseTimeout = 5 * time.Second
	guessTries     = 10_000
	noNetwork      = "none"
)

// Limits bounds the guessing of passwords. A zero field stands for the default.
type Limits struct {
	// Free is how many attempts an account has before each next one must wait: 1 s, then 2, 4, … 60. Default 5.
	Free int
	// Block is after how many consecutive failures only a new password opens the account again. Default 100 (NIST SP
	// 800-63B).
	Block int
	// PerNetwork is how many failures a network (an IPv4 address, an IPv6 /64) may make within Window. Default 30.
	PerNetwork int
	// Window is the span of PerNetwork. Default 15 min.
	Window time.Duration
}

func (l Limits) orDefaults() Limits {
	if l.Free == 0 {
		l.Free = 5
	}
	if l.Block == 0 {
		l.Block = 100
	}
	if l.PerNetwork == 0 {
		l.PerNetwork = 30
	}
	if l.Window == 0 {
		l.Window = 15 * time.Minute
	}
	return l
}

// LimitedError refuses an attempt that was not even looked at.
type LimitedError struct {
	RetryAfter time.Duration
	// Blocked says that waiting does not help: the account needs a new password. It is for the log; whoever asks is
	// told no more than RetryAfter.
	Blocked bool
}

// Error tells when to come back.
func (e *LimitedError) Error() string {
	return fmt.Sprintf("users: too many failed attempts, retry after %s", e.RetryAfter)
}

// guesses counts attempts in the store, so that every process counts the same ones. An attempt is counted before it is
// looked at: of any number of attempts at once no more than the limit are.
type guesses struct {
	store  store.Store
	limits Limits
}

// tally is one counter.
type tally struct {
	Count int       `json:"n"`
	Last  time.Time `json:"last"`
	Ends  time.Time `json:"ends"`
}

// accountOf names the counter of a user, whatever name was typed.
func accountOf(id uuid.UUID) string { return "guess/user/" + id.String() }

// unknownAccount names the counter of a name that nobody has.
func unknownAccount(username string) string {
	hash := sha256.Sum256([]byte(username))
	return "guess/name/" + hex.EncodeToString(hash[:16])
}

// networkOf names the counter of a network. Whoever holds an IPv6 /64 has all of its addresses. Callers without an
// address share one counter: a forgotten address must not mean no limit.
func networkOf(address netip.Addr) string {
	network := noNetwork
	address = address.Unmap().WithZone("")
	switch {
	case address.Is4():
		network = address.String()
	case address.Is6():
		prefix, _ := address.Prefix(64)
		network = prefix.Addr().String()
	}
	return "guess/network/" + network
}

// count counts an attempt against the account and its network, or returns a *LimitedError. An empty network is not
// counted.
func (g guesses) count(ctx context.Context, account, network string, known bool) error {
	if err := g.countNetwork(ctx, network); err != nil {
		return err
	}
	err := g.add(ctx, account, func(t *tally, now time.Time) error {
		t.Ends = now.Add(guessMemory)
		if known {
			t.Ends = store.Forever
		}
		if t.Count >= g.limits.Block {
			return &LimitedError{RetryAfter: lastDelay, Blocked: true}
		}
		if wait := t.Last.Add(g.delay(t.Count)).Sub(now); wait > 0 {
			return &LimitedError{RetryAfter: wait}
		}
		return nil
	})
	if err != nil {
		g.release(ctx, network)
	}
	return err
}

func (g guesses) countNetwork(ctx context.Context, network string) error {
	if network == "" {
		return nil
	}
	return g.add(ctx, network, func(t *tally, now time.Time) error {
		if t.Count == 0 {
			t.Ends = now.Add(g.limits.Window)
		}
		if t.Count >= g.limits.PerNetwork {
			return &LimitedError{RetryAfter: t.Ends.Sub(now)}
		}
		return nil
	})
}

// delay is how long an account must rest after its count-th failure.
func (g guesses) delay(count int) time.Duration {
	if count < g.limits.Free {
		return 0
	}
	doublings := min(count-g.limits.Free, 6)
	return min(firstDelay<<doublings, lastDelay)
}

// add adds one to the counter under key if allow permits.
func (g guesses) add(ctx context.Context, key string, allow func(*tally, time.Time) error) error {
	return g.change(ctx, key, func(t *tally) error {
		now := g.store.Now()
		if err := allow(t, now); err != nil {
			return err
		}
		t.Count++
		t.Last = now
		return nil
	})
}

// release takes an attempt back that was not looked at, or did not fail. If that cannot be done it stays counted.
func (g guesses) release(ctx context.Context, key string) {
	if key == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = g.change(ctx, key, func(t *tally) error {
		t.Count = max(t.Count-1, 0)
		if t.Count == 0 {
			t.Ends = g.store.Now().Add(time.Second) // a counter of nothing need not stay
		}
		return nil
	})
}

// forgive ends the counter of an account.
func (g guesses) forgive(ctx context.Context, account string) error {
	if err := g.store.Delete(ctx, account); err != nil {
		return fmt.Errorf("forgive failed logins: %w", err)
	}
	return nil
}

func (g guesses) change(ctx context.Context, key string, change func(*tally) error) error {
	for try := range guessTries {
		err := g.swap(ctx, key, change)
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) {
			return err
		}
		pause := time.NewTimer(rand.N(time.Millisecond << min(try, 4)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
	return fmt.Errorf("count a login: %w", store.ErrUnavailable)
}

func (g guesses) swap(ctx context.Context, key string, change func(*tally) error) error {
	var t tally
	old, err := g.store.Get(ctx, key)
	absent := errors.Is(err, store.ErrNotFound)
	if err != nil && !absent {
		return fmt.Errorf("count a login: %w", err)
	}
	if !absent {
		if err := json.Unmarshal(old.Value, &t); err != nil {
			return fmt.Errorf("count a login: damaged counter: %w", err)
		}
	}
	if err := change(&t); err != nil {
		return err
	}
	value, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if absent {
		err = g.store.Add(ctx, key, value, t.Ends)
	} else {
		err = g.store.Swap(ctx, key, old, value, t.Ends)
	}
	if err != nil {
		return fmt.Errorf("count a login: %w", err)
	}
	return nil
}
