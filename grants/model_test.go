package grants

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

// The model test runs the real code over a map and tries every order in which the steps of a few actors can fall: each
// actor stops before each of its store calls, and a scheduler decides who goes on. A scenario is run again and again,
// once for each sequence of decisions, until none is left. Each test says what must hold.

// decisions is one path through the tree of choices; it is advanced like an odometer.
type decisions struct {
	taken []int
	width []int
	at    int
}

// pick chooses one of n branches.
func (d *decisions) pick(n int) int {
	if d.at == len(d.taken) {
		d.taken, d.width = append(d.taken, 0), append(d.width, n)
	}
	d.at++
	return d.taken[d.at-1]
}

// next moves to the next path and reports whether there is one.
func (d *decisions) next() bool {
	d.at = 0
	for i := len(d.taken) - 1; i >= 0; i-- {
		if d.taken[i]+1 < d.width[i] {
			d.taken[i]++
			d.taken, d.width = d.taken[:i+1], d.width[:i+1]
			return true
		}
	}
	return false
}

// world is one run of a scenario.
type world struct {
	t       *testing.T
	path    *decisions
	now     time.Time
	records map[string]store.Record
	names   map[string]bool // of the one index that there is
	listed  []string        // the names that were in the index when it was last listed
	undo    []func()        // how to lose the latest writes again; deletes and redemptions wait for a replica and are not lost
	yield   func()          // stops the running actor before a store call
	service *Service
	grant   uuid.UUID

	successors map[string]map[string]bool // by presented refresh token
	narrow     map[string][]uint32        // narrowed access tokens and what they were given for
	issued     []string                   // every access token
	resend     bool                       // the next swap or addition is sent twice
	userEpoch  uint32
	loggedOut  bool // the user's session has ended
	actors     []*actor
	events     []Event
}

// actor is a goroutine-like sequence of calls, resumed step by step.
type actor struct {
	name string
	next func() (struct{}, bool)
	stop func()
	over bool
}

var errLost = errors.New("the answer was lost")

const modelClient = 7

func newWorld(t *testing.T, path *decisions, ring *keys.Ring) *world {
	w := &world{
		t: t, path: path, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), records: map[string]store.Record{}, names: map[string]bool{},
		yield: func() {}, successors: map[string]map[string]bool{}, narrow: map[string][]uint32{},
	}
	w.service = New(Config{
		Store: modelStore{w}, Keys: ring, Parties: everybodyStands{w},
		Audit: func(_ context.Context, e Event) { w.events = append(w.events, e) },
	})
	return w
}

type everybodyStands struct{ w *world }

func (s everybodyStands) User(context.Context, uuid.UUID, bool) (Standing, error) {
	return Standing{Enabled: true, Epoch: s.w.userEpoch}, nil
}
func (everybodyStands) Client(context.Context, uint32) (Standing, error) {
	return Standing{Enabled: true}, nil
}

func (s everybodyStands) Session(context.Context, uuid.UUID, uuid.UUID) (bool, error) {
	s.w.yield()
	return !s.w.loggedOut, nil
}

// run lets the actors go in the order that the path says until all are through.
func (w *world) run(bodies map[string]func()) {
	names := make([]string, 0, len(bodies))
	for name := range bodies {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		body := bodies[name]
		a := &actor{name: name}
		a.next, a.stop = iter.Pull(func(yield func(struct{}) bool) {
			w.yield = func() { yield(struct{}{}) }
			body()
		})
		w.actors = append(w.actors, a)
	}
	defer func() {
		for _, a := range w.actors {
			a.stop()
		}
	}()
	yields := make(map[*actor]func())
	for {
		var ready []*actor
		for _, a := range w.actors {
			if !a.over {
				ready = append(ready, a)
			}
		}
		if len(ready) == 0 {
			return
		}
		a := ready[w.path.pick(len(ready))]
		if y, ok := yields[a]; ok {
			w.yield = y
		}
		_, more := a.next()
		yields[a] = w.yield
		a.over = !more
	}
}

// chance is a yes or no of the path.
func (w *world) chance() bool { return w.path.pick(2) == 1 }

func (w *world) terms(public bool) Terms {
	return Terms{
		Access: func([]uint32) time.Duration { return 15 * time.Minute }, Idle: 14 * 24 * time.Hour, Absolute: 90 * 24 * time.Hour, Window: 30 * time.Second,
		Rotate: public, Authenticated: !public,
	}
}

func (w *world) issue(public bool) Tokens {
	w.t.Helper()
	tokens, err := w.service.Issue(context.Background(), Delegation{
		Client: modelClient, Scopes: []uint32{1, 2, 3}, Resources: []uint32{1}, Refreshable: true, Terms: w.terms(public),
	})
	if err != nil {
		w.t.Fatalf("issue: %v", err)
	}
	w.grant = tokens.Grant.ID
	w.issued = append(w.issued, tokens.Access)
	w.undo = nil
	return tokens
}

// refresh is one request. It keeps the books that the invariants are read from; mayLose lets the path drop the answer.
func (w *world) refresh(token string, public, mayLose bool, scopes ...uint32) (Tokens, error) {
	tokens, err := w.service.Refresh(context.Background(), token, Presenter{modelClient, w.terms(public)}, Ask{Scopes: scopes})
	if err != nil {
		return Tokens{}, err
	}
	if public {
		if w.successors[token] == nil {
			w.successors[token] = map[string]bool{}
		}
		w.successors[token][tokens.Refresh] = true
		if len(w.successors[token]) > 1 {
			w.t.Fatalf("path %v: one refresh token has two successors", w.path.taken)
		}
	}
	w.issued = append(w.issued, tokens.Access)
	if len(scopes) > 0 && len(scopes) < 3 {
		w.narrow[tokens.Access] = scopes
	}
	w.checkNarrow()
	if mayLose && w.chance() {
		return Tokens{}, errLost
	}
	return tokens, nil
}

// checkNarrow: a narrowed token never widens.
func (w *world) checkNarrow() {
	w.uninterrupted(func() {
		for token, scopes := range w.narrow {
			if got, err := w.service.Check(context.Background(), token); err == nil && !slices.Equal(got.Scopes, scopes) {
				w.t.Fatalf("path %v: a token narrowed to %v is good for %v", w.path.taken, scopes, got.Scopes)
			}
		}
	})
}

// uninterrupted runs checks of the test itself, which are no actor's steps.
func (w *world) uninterrupted(f func()) {
	y := w.yield
	w.yield = func() {}
	f()
	w.yield = y
}

func (w *world) alive() bool {
	_, ok := w.records[recordKey(w.grant)]
	return ok
}

// failover loses the last n writes that had not waited for a replica.
func (w *world) failover(n int) {
	for range n {
		if len(w.undo) == 0 {
			return
		}
		w.undo[len(w.undo)-1]()
		w.undo = w.undo[:len(w.undo)-1]
	}
}

// explore runs a scenario over every path.
func explore(t *testing.T, scenario func(*world)) {
	t.Helper()
	t.Parallel()
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	path, runs := &decisions{}, 0
	for {
		runs++
		scenario(newWorld(t, path, ring))
		if t.Failed() {
			return
		}
		if !path.next() {
			t.Logf("%d orders of steps", runs)
			return
		}
	}
}

// An honest client in two tabs that share no memory, whose answers may be lost and whose writes may be sent twice: both
// tabs end with tokens, nobody is logged out, and no token has two successors.
func TestModelTwoTabsOfAnHonestClientNeverLoseTheGrant(t *testing.T) {
	explore(t, func(w *world) {
		first := w.issue(true)
		w.resend = w.chance()
		tab := func(scopes ...uint32) func() {
			return func() {
				if _, err := w.refresh(first.Refresh, true, true, scopes...); err == nil {
					return
				} else if !errors.Is(err, errLost) {
					w.t.Fatalf("path %v: honest refresh refused: %v", w.path.taken, err)
				}
				if _, err := w.refresh(first.Refresh, true, false, scopes...); err != nil {
					w.t.Fatalf("path %v: honest retry refused: %v", w.path.taken, err)
				}
			}
		}
		w.run(map[string]func(){"tab 1": tab(), "tab 2": tab(1)})
		if !w.alive() {
			t.Fatalf("path %v: honest traffic ended the grant", w.path.taken)
		}
	})
}

// One tab runs ahead while the other one's request is still on its way: the late one is refused or repeated, but the
// grant lives and the tab that is ahead goes on.
func TestModelALateRequestInsideTheWindowDoesNotEndTheGrant(t *testing.T) {
	explore(t, func(w *world) {
		first := w.issue(true)
		ahead := first
		w.run(map[string]func(){
			"ahead": func() {
				for range 2 {
					next, err := w.refresh(ahead.Refresh, true, false)
					if err != nil {
						w.t.Fatalf("path %v: the current refresh token was refused: %v", w.path.taken, err)
					}
					ahead = next
				}
			},
			"late": func() { w.refresh(first.Refresh, true, false) },
		})
		if _, err := w.refresh(ahead.Refresh, true, false); err != nil {
			w.t.Fatalf("path %v: the honest client was logged out: %v", w.path.taken, err)
		}
	})
}

// A failover loses up to the last two writes at any moment. The honest client, which holds what was acknowledged to
// it, is not logged out; narrowed tokens do not widen when their serials are given out again.
func TestModelAFailoverLogsNobodyOut(t *testing.T) {
	explore(t, func(w *world) {
		held := w.issue(true)
		w.run(map[string]func(){
			"client": func() {
				for i := range 3 {
					ask := [][]uint32{{1}, nil, {2}}[i]
					next, err := w.refresh(held.Refresh, true, true, ask...)
					if errors.Is(err, errLost) {
						next, err = w.refresh(held.Refresh, true, false, ask...)
					}
					if err != nil {
						w.t.Fatalf("path %v: refresh %d refused: %v", w.path.taken, i, err)
					}
					held = next
				}
			},
			"failover": func() {
				w.yield()
				w.failover(1 + w.path.pick(2))
			},
		})
		if _, err := w.refresh(held.Refresh, true, false, 1); err != nil {
			w.t.Fatalf("path %v: logged out by a failover: %v", w.path.taken, err)
		}
	})
}

// Revocation against refresh, from two tabs and with writes sent twice: once the revocation is acknowledged, nothing
// that was ever given out is good, also what a racing refresh answers later.
func TestModelNothingLivesAfterAnAcknowledgedRevocation(t *testing.T) {
	explore(t, func(w *world) {
		first := w.issue(true)
		actors := map[string]func(){
			"revoke": func() {
				if err := w.service.Revoke(context.Background(), first.Refresh, modelClient); err != nil {
					w.t.Fatalf("revoke: %v", err)
				}
			},
			"tab 1": func() { w.refresh(first.Refresh, true, false) },
		}
		if w.resend = w.chance(); !w.resend {
			actors["tab 2"] = func() { w.refresh(first.Refresh, true, false, 1) }
		}
		w.run(actors)
		for _, access := range w.issued {
			if _, err := w.service.Check(context.Background(), access); err == nil {
				w.t.Fatalf("path %v: an access token outlived the revocation", w.path.taken)
			}
		}
		if _, err := w.refresh(first.Refresh, true, false); err == nil {
			w.t.Fatalf("path %v: a refresh token outlived the revocation", w.path.taken)
		}
	})
}

// A thief uses a stolen refresh token of a public client, before or after its owner. Whoever of the two comes second
// and outside the window ends the grant; until then no token has two successors.
func TestModelTheThiefOfAPublicClientIsCaughtOutsideTheWindow(t *testing.T) {
	explore(t, func(w *world) {
		first := w.issue(true)
		pair := []string{"owner", "thief"}
		if w.chance() {
			slices.Reverse(pair)
		}
		held := map[string]string{pair[0]: first.Refresh, pair[1]: first.Refresh}
		rounds := 1 + w.path.pick(3)
		for range rounds { // the first one runs ahead
			next, err := w.refresh(held[pair[0]], true, true)
			if errors.Is(err, errLost) {
				next, err = w.refresh(held[pair[0]], true, false)
			}
			if err != nil {
				w.t.Fatalf("path %v: the only user of a token was refused: %v", w.path.taken, err)
			}
			held[pair[0]] = next.Refresh
			w.now = w.now.Add(time.Duration(w.path.pick(2)) * 10 * time.Second)
		}
		w.now = w.now.Add(31 * time.Second)
		if _, err := w.refresh(held[pair[1]], true, false); err == nil {
			w.t.Fatalf("path %v: the second holder was served outside the window", w.path.taken)
		}
		if w.alive() {
			w.t.Fatalf("path %v: two holders of one token, and the grant lives", w.path.taken)
		}
	})
}

// A thief that races its victim inside the window sees at most the same answer; the next refresh of either outside the
// window shows that there are two.
func TestModelAThiefInsideTheWindowIsCaughtAtTheNextRefresh(t *testing.T) {
	explore(t, func(w *world) {
		first := w.issue(true)
		got := map[string]string{}
		holder := func(name string) func() {
			return func() {
				if next, err := w.refresh(first.Refresh, true, false); err == nil {
					got[name] = next.Refresh
				}
			}
		}
		w.run(map[string]func(){"owner": holder("owner"), "thief": holder("thief")})
		w.now = w.now.Add(40 * time.Second)
		if _, err := w.refresh(got["owner"], true, false); err != nil {
			w.t.Fatalf("path %v: the owner was refused: %v", w.path.taken, err)
		}
		w.now = w.now.Add(31 * time.Second)
		if _, err := w.refresh(got["thief"], true, false); err == nil || w.alive() {
			w.t.Fatalf("path %v: the thief was not caught", w.path.taken)
		}
	})
}

// A client that proves who it is repeats itself as often as it likes: no repetition, and no failover, ends its grant.
func TestModelAnAuthenticatedClientIsNeverLoggedOut(t *testing.T) {
	explore(t, func(w *world) {
		held := w.issue(false)
		old := held.Refresh
		w.run(map[string]func(){
			"worker 1": func() { w.refresh(old, false, true, 1) },
			"worker 2": func() { w.refresh(old, false, false) },
			"failover": func() { w.yield(); w.failover(2) },
		})
		w.now = w.now.Add(time.Duration(w.path.pick(2)) * time.Hour)
		if _, err := w.refresh(old, false, false); err != nil || !w.alive() {
			w.t.Fatalf("path %v: an authenticated client was logged out: %v", w.path.taken, err)
		}
	})
}

// Several redemptions of one code, with writes sent twice: exactly one gets tokens, and losers within the double-send
// time do not end the winner's grant. A replay after it does.
func TestModelACodeIsRedeemedOnce(t *testing.T) {
	verifier := string(bytes.Repeat([]byte("v"), 43))
	challenge := sha256.Sum256([]byte(verifier))
	explore(t, func(w *world) {
		w.resend = w.chance()
		terms := w.terms(true)
		issued, _, err := w.service.IssueCode(context.Background(), Delegation{
			Client: modelClient, Scopes: []uint32{1}, Resources: []uint32{1}, Refreshable: true, Terms: terms,
		}, Code{Challenge: challenge[:], Life: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		var winners []Tokens
		redeem := func() {
			if tokens, err := w.service.Redeem(context.Background(), issued, "", verifier, Presenter{modelClient, terms}, Ask{}); err == nil {
				winners = append(winners, tokens)
			}
		}
		actors := map[string]func(){"1": redeem, "2": redeem}
		if !w.resend {
			actors["3"] = redeem
		}
		w.run(actors)
		if len(winners) != 1 {
			w.t.Fatalf("path %v: %d redemptions of one code won", w.path.taken, len(winners))
		}
		if _, err := w.service.Check(context.Background(), winners[0].Access); err != nil {
			w.t.Fatalf("path %v: a double send ended the grant", w.path.taken)
		}
		w.now = w.now.Add(3 * time.Second)
		redeem()
		if _, err := w.service.Check(context.Background(), winners[0].Access); len(winners) != 1 || err == nil {
			w.t.Fatalf("path %v: a replayed code did not end the grant", w.path.taken)
		}
	})
}

// modelStore is the store contract over the world's map, with a stop before every call.
type modelStore struct{ w *world }

func (s modelStore) step() { s.w.yield() }

func (s modelStore) write(key string, r store.Record) {
	before, had := s.w.records[key]
	s.w.undo = append(s.w.undo, func() {
		if had {
			s.w.records[key] = before
		} else {
			delete(s.w.records, key)
		}
	})
	s.w.records[key] = r
}

func newRecord(value []byte) store.Record {
	id := uuid.New()
	return store.Record{Value: bytes.Clone(value), ID: store.WriteID(id[8:])}
}

func (s modelStore) Get(_ context.Context, key string) (store.Record, error) {
	s.step()
	if r, ok := s.w.records[key]; ok {
		return r, nil
	}
	return store.Record{}, store.ErrNotFound
}

func (s modelStore) Set(_ context.Context, key string, value []byte, _ time.Time) error {
	s.step()
	s.write(key, newRecord(value))
	return nil
}

func (s modelStore) Swap(_ context.Context, key string, old store.Record, value []byte, _ time.Time) error {
	s.step()
	next := newRecord(value)
	now, ok := s.w.records[key]
	if !ok || now.ID != old.ID {
		return store.ErrConflict
	}
	s.write(key, next)
	if s.w.resend {
		// The reply was lost after the write; the client library sends the command again, and other actors may come
		// between. The second execution must not undo what they did.
		s.w.resend = false
		s.step()
		now, ok := s.w.records[key]
		switch {
		case ok && now.ID == next.ID: // it finds its own write id and has succeeded
		case ok && now.ID == old.ID:
			s.write(key, next)
		default:
			return store.ErrConflict
		}
	}
	return nil
}

func (s modelStore) Delete(_ context.Context, key string) error {
	s.step()
	delete(s.w.records, key)
	s.w.undo = slices.DeleteFunc(s.w.undo, func(func()) bool { return true })
	return nil
}

func (s modelStore) Now() time.Time { return s.w.now }

func (s modelStore) Add(_ context.Context, key string, value []byte, _ time.Time) error {
	s.step()
	next := newRecord(value)
	if _, ok := s.w.records[key]; ok {
		return store.ErrExists
	}
	s.write(key, next)
	if s.w.resend {
		// As in Swap; and what was deleted meanwhile is written again.
		s.w.resend = false
		s.step()
		if now, ok := s.w.records[key]; ok && now.ID != next.ID {
			return store.ErrExists
		}
		s.write(key, next)
	}
	return nil
}

func (s modelStore) Enroll(_ context.Context, _, name string, _ time.Time) (int, error) {
	s.step()
	s.w.names[name] = true
	return len(s.w.names), nil
}

func (s modelStore) Withdraw(_ context.Context, _, name string) error {
	s.step()
	delete(s.w.names, name)
	return nil
}

func (s modelStore) Members(_ context.Context, _, after string, _ int) ([]store.Member, error) {
	s.step()
	s.w.listed = slices.Sorted(maps.Keys(s.w.names))
	var members []store.Member
	for _, name := range s.w.listed {
		if name > after {
			members = append(members, store.Member{Name: name})
		}
	}
	return members, nil
}

// What follows is not used by grants.
func (modelStore) Append(context.Context, string, []byte, time.Time) (uint64, error) {
	return 0, errUnused
}
func (modelStore) Since(context.Context, string, uint64, int) ([]store.Entry, error) {
	return nil, errUnused
}
func (modelStore) Increment(context.Context, string, time.Time) (int64, error) { return 0, errUnused }
func (modelStore) Publish(context.Context, string) error                       { return errUnused }
func (modelStore) Subscribe(context.Context, string) (<-chan struct{}, error) {
	return nil, errUnused
}
func (modelStore) Ping(context.Context) error { return nil }
func (modelStore) Close() error               { return nil }

var errUnused = fmt.Errorf("the model does not use this call")
