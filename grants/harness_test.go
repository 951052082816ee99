package grants_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

const (
	app      = 7 // the client that most tests use
	otherApp = 8
	access   = 15 * time.Minute
	idle     = 14 * 24 * time.Hour
	absolute = 90 * 24 * time.Hour
	window   = 30 * time.Second
)

var ada = uuid.MustParse("0b4f0f5e-33a4-4d0e-8c57-0d9f0a1b2c3d")

// bench is grants on a store, with parties and time in the test's hands.
type bench struct {
	t       testing.TB
	ctx     context.Context
	grants  *grants.Service
	store   *watched
	parties *parties
	clock   *bolttest.Clock
	events  *events
}

// parties are users and clients that all stand, unless a test says otherwise.
type parties struct {
	mu      sync.Mutex
	users   map[uuid.UUID]grants.Standing
	clients map[uint32]grants.Standing
	ended   map[uuid.UUID]bool // sessions
	// onFresh runs before a fresh look at a user: the moment between writing a grant and answering.
	onFresh func()
}

func (p *parties) User(_ context.Context, id uuid.UUID, fresh bool) (grants.Standing, error) {
	if fresh && p.onFresh != nil {
		p.onFresh()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.users[id]; ok {
		return s, nil
	}
	return grants.Standing{Enabled: true}, nil
}

func (p *parties) Client(_ context.Context, number uint32) (grants.Standing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.clients[number]; ok {
		return s, nil
	}
	return grants.Standing{Enabled: true}, nil
}

func (p *parties) Session(_ context.Context, user, id uuid.UUID) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return user == ada && !p.ended[id], nil
}

func (p *parties) endSession(id uuid.UUID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended[id] = true
}

func (p *parties) setUser(id uuid.UUID, s grants.Standing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[id] = s
}

func (p *parties) setClient(number uint32, s grants.Standing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[number] = s
}

type events struct {
	mu   sync.Mutex
	list []grants.Event
}

func (e *events) add(_ context.Context, event grants.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

func (e *events) has(kind grants.EventKind, ended bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.list {
		if event.Kind == kind && event.Ended == ended {
			return true
		}
	}
	return false
}

// watched counts the calls of a store, can crash before one of them, and can let an act fall in between two.
type watched struct {
	store.Store
	reads, swaps, calls atomic.Int64
	crashAt             atomic.Int64 // the call that fails, and all after it; 0 = none
	onEnroll, onAdd     func()       // run once, before that call
	swapError           error        // the answer to every Swap, if any
}

// once runs a hook and unsets it: what the hook does meets no hook.
func once(hook *func()) {
	if run := *hook; run != nil {
		*hook = nil
		run()
	}
}

var errCrashed = errors.New("the process was killed here")

func (w *watched) alive() error {
	n := w.calls.Add(1)
	if at := w.crashAt.Load(); at > 0 && n >= at {
		return errCrashed
	}
	return nil
}

func (w *watched) Get(ctx context.Context, key string) (store.Record, error) {
	if err := w.alive(); err != nil {
		return store.Record{}, err
	}
	w.reads.Add(1)
	return w.Store.Get(ctx, key)
}

func (w *watched) Set(ctx context.Context, key string, value []byte, expires time.Time) error {
	if err := w.alive(); err != nil {
		return err
	}
	return w.Store.Set(ctx, key, value, expires)
}

func (w *watched) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	once(&w.onAdd)
	if err := w.alive(); err != nil {
		return err
	}
	return w.Store.Add(ctx, key, value, expires)
}

func (w *watched) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	if err := w.alive(); err != nil {
		return err
	}
	if w.swapError != nil {
		return w.swapError
	}
	err := w.Store.Swap(ctx, key, old, value, expires)
	if err == nil {
		w.swaps.Add(1)
	}
	return err
}

func (w *watched) Delete(ctx context.Context, key string) error {
	if err := w.alive(); err != nil {
		return err
	}
	return w.Store.Delete(ctx, key)
}

func (w *watched) Enroll(ctx context.Context, index, name string, expires time.Time) (int, error) {
	once(&w.onEnroll)
	if err := w.alive(); err != nil {
		return 0, err
	}
	return w.Store.Enroll(ctx, index, name, expires)
}

func (w *watched) Withdraw(ctx context.Context, index, name string) error {
	if err := w.alive(); err != nil {
		return err
	}
	return w.Store.Withdraw(ctx, index, name)
}

func (w *watched) Members(ctx context.Context, index, after string, limit int) ([]store.Member, error) {
	if err := w.alive(); err != nil {
		return nil, err
	}
	return w.Store.Members(ctx, index, after, limit)
}

func newRing(t testing.TB, more ...keys.Secret) *keys.Ring {
	t.Helper()
	ring, err := keys.NewRing(append(more, keys.NewSecret())...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// onBolt is a bench on the embedded store, with a clock that the test moves.
func onBolt(t testing.TB) *bench {
	t.Helper()
	s, c := bolttest.Open(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	b := on(t, s, newRing(t))
	b.clock = c
	return b
}

func on(t testing.TB, s store.Store, ring *keys.Ring) *bench {
	t.Helper()
	t.Cleanup(func() { s.Close() })
	b := &bench{
		t: t, ctx: context.Background(), store: &watched{Store: s}, events: &events{},
		parties: &parties{users: map[uuid.UUID]grants.Standing{}, clients: map[uint32]grants.Standing{}, ended: map[uuid.UUID]bool{}},
	}
	b.grants = b.with(ring)
	return b
}

// with is a Service with other keys on the same store.
func (b *bench) with(ring *keys.Ring) *grants.Service {
	return grants.New(grants.Config{Store: b.store, Keys: ring, Parties: b.parties, Audit: b.events.add})
}

// onEngines runs a test on the embedded store and on a real Redis.
func onEngines(t *testing.T, test func(b *bench)) {
	t.Run("bolt", func(t *testing.T) { test(onBolt(t)) })
	t.Run("redis", func(t *testing.T) {
		s, err := redis.Open(context.Background(), redis.Options{URL: redistest.Start(t).URL()})
		if err != nil {
			t.Fatal(err)
		}
		b := on(t, s, newRing(t))
		b.t = t
		test(b)
	})
}

// public are the terms of a public client: rotation. confidential are those of one that authenticates itself.
func public() grants.Terms {
	return grants.Terms{Access: func([]uint32) time.Duration { return access }, Idle: idle, Absolute: absolute, Window: window, Rotate: true}
}

func confidential() grants.Terms {
	terms := public()
	terms.Rotate, terms.Authenticated = false, true
	return terms
}

func (b *bench) issue(terms grants.Terms, user uuid.UUID) grants.Tokens {
	b.t.Helper()
	tokens, err := b.grants.Issue(b.ctx, grants.Delegation{
		User: user, Client: app, Scopes: []uint32{3, 1, 2}, Resources: []uint32{1, 2}, Refreshable: true, Terms: terms,
	})
	if err != nil {
		b.t.Fatalf("issue: %v", err)
	}
	return tokens
}

func (b *bench) refresh(terms grants.Terms, token string, scopes ...uint32) (grants.Tokens, error) {
	return b.grants.Refresh(b.ctx, token, grants.Presenter{Client: app, Terms: terms}, grants.Ask{Scopes: scopes})
}

func (b *bench) mustRefresh(terms grants.Terms, token string, scopes ...uint32) grants.Tokens {
	b.t.Helper()
	tokens, err := b.refresh(terms, token, scopes...)
	if err != nil {
		b.t.Fatalf("refresh: %v", err)
	}
	return tokens
}

func (b *bench) mustRefuse(terms grants.Terms, token string) {
	b.t.Helper()
	if _, err := b.refresh(terms, token); !errors.Is(err, grants.ErrInvalid) {
		b.t.Fatalf("refresh: got %v, want ErrInvalid", err)
	}
}

func (b *bench) good(token string) bool {
	b.t.Helper()
	_, err := b.grants.Check(b.ctx, token)
	if err != nil && !errors.Is(err, grants.ErrInvalid) {
		b.t.Fatalf("check: %v", err)
	}
	return err == nil
}

var verifier = strings.Repeat("v", 43)

const redirectURI = "https://app.example/callback"

func (b *bench) code(user uuid.UUID) string {
	b.t.Helper()
	challenge := sha256.Sum256([]byte(verifier))
	text, _, err := b.grants.IssueCode(b.ctx, grants.Delegation{
		User: user, Client: app, Scopes: []uint32{1, 2}, Resources: []uint32{1}, Refreshable: true, Terms: public(),
	}, grants.Code{Challenge: challenge[:], RedirectURI: redirectURI, Life: time.Minute})
	if err != nil {
		b.t.Fatalf("issue code: %v", err)
	}
	return text
}

func (b *bench) redeem(code string) (grants.Tokens, error) {
	return b.grants.Redeem(b.ctx, code, redirectURI, verifier, grants.Presenter{Client: app, Terms: public()}, grants.Ask{})
}

// respell writes the payload of a token under another prefix, with the checksum that fits.
func respell(token, from, to string) string {
	payload, ok := keys.Unspell(from, token, 51)
	if !ok {
		return token
	}
	return keys.Spell(to, payload)
}
