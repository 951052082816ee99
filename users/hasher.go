package users

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrBusy says that more passwords wait for their hash than can be served soon. The caller tries again later.
var ErrBusy = errors.New("users: too many logins at once")

const (
	// PasswordMin is how many characters a password has at least.
	PasswordMin = 8
	passwordMax = 1024 // bytes: a hash must not be kept busy by a megabyte
	saltSize    = 16
	tagSize     = 32
)

// Params is the cost of a hash. A zero field stands for the default.
type Params struct {
	MemoryKiB uint32 // 19456, OWASP's first choice
	Passes    uint32 // 2
	Threads   uint8  // 1
}

func (p Params) orDefaults() Params {
	if p.MemoryKiB == 0 {
		p.MemoryKiB = 19 * 1024
	}
	if p.Passes == 0 {
		p.Passes = 2
	}
	if p.Threads == 0 {
		p.Threads = 1
	}
	return p
}

// Hasher computes argon2id hashes, few at a time: each takes 20 ms of a core and 19 MiB, so without a bound a flood
// of logins would take the whole machine. The hashes of other systems wait in the same queue.
type Hasher struct {
	params   Params
	slots    chan struct{}
	room     int64
	inside   atomic.Int64 // callers that compute or wait
	computed atomic.Uint64

	mu       sync.Mutex
	underway int
	busy     func(bool)
}

// NewHasher makes a hasher that computes workers hashes at once and lets queue callers wait. Zero workers stands for
// the number of cores, zero queue for four times the workers, a negative queue for none.
func NewHasher(p Params, workers, queue int) *Hasher {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if queue == 0 {
		queue = 4 * workers
	}
	return &Hasher{
		params: p.orDefaults(),
		slots:  make(chan struct{}, workers),
		room:   int64(workers + max(queue, 0)),
	}
}

// TellBusy sets what is told, with true, when the first of the hashes under way begins, and with false when the last has
// ended. Call it before the hasher is used.
func (h *Hasher) TellBusy(tell func(busy bool)) { h.busy = tell }

// Workers is how many hashes are computed at once.
func (h *Hasher) Workers() int { return cap(h.slots) }

// Hash returns the PHC string for a password. It returns an *InvalidError for a password that breaks the rules,
// ErrBusy when the queue is full, and the error of ctx when that ends before its turn.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	password, err := prepare(password)
	if err != nil {
		return "", err
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	made := phc{params: h.params, salt: salt, tag: make([]byte, tagSize)}
	if made.tag, err = h.compute(ctx, password, made.digest()); err != nil {
		return "", err
	}
	return made.String(), nil
}

// Verify reports whether password belongs to a stored hash: a PHC string of ours, or what another system made (see
// NewUser). Stale says that it was made elsewhere, or with other parameters than today's. An empty hash belongs to
// nobody: the work of one of ours is done and the answer is no. A password that breaks the rules belongs to nobody
// either, and costs nothing.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (matches, stale bool, err error) {
	prepared, err := prepare(password)
	if err != nil {
		return false, false, nil
	}
	want := phc{params: h.params, salt: make([]byte, saltSize), tag: make([]byte, tagSize)}
	switch {
	case encoded == "":
	case isForeign(encoded):
		// Made of the password as it was typed: others bring no characters into one form.
		d, err := parseForeign(encoded)
		if err != nil {
			return false, false, err
		}
		matches, err = h.matches(ctx, password, d)
		return matches, true, err
	default:
		if want, err = parsePHC(encoded); err != nil {
			return false, false, err
		}
	}
	stale = want.params != h.params || len(want.salt) != saltSize || len(want.tag) != tagSize
	matches, err = h.matches(ctx, prepared, want.digest())
	return matches && encoded != "", stale, err
}

func (h *Hasher) matches(ctx context.Context, password string, d digest) (bool, error) {
	got, err := h.compute(ctx, password, d)
	return err == nil && subtle.ConstantTimeCompare(got, d.tag) == 1, err
}

// full reports whether a password would be turned away now.
func (h *Hasher) full() bool { return h.inside.Load() >= h.room }

// Computed is how many hashes were computed, for metrics.
func (h *Hasher) Computed() uint64 { return h.computed.Load() }

// compute waits for its turn and computes what password comes to by d. Once begun it is finished: an attempt whose hash
// was computed counts, whether its caller waited for it or not.
func (h *Hasher) compute(ctx context.Context, password string, d digest) ([]byte, error) {
	defer h.inside.Add(-1)
	if h.inside.Add(1) > h.room {
		return nil, ErrBusy
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	h.computed.Add(1)
	h.count(1)
	defer h.count(-1)
	return d.compute(password), nil
}

func (h *Hasher) count(change int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.underway
	h.underway += change
	if idle := h.underway == 0; h.busy != nil && idle != (before == 0) {
		h.busy(!idle)
	}
}

// CheckPassword returns an *InvalidError for a password that breaks the rules.
func CheckPassword(password string) error {
	_, err := prepare(password)
	return err
}

// prepare checks a password against the rules and brings it into the one form that is hashed: the same characters
// typed on different systems come in different bytes.
func prepare(password string) (string, error) {
	refuse := func(problem, fix string) (string, error) {
		return "", &InvalidError{Field: "password", Problem: problem, Fix: fix}
	}
	if len(password) > passwordMax {
		return refuse("is longer than 1024 bytes", "choose a shorter one")
	}
	if !utf8.ValidString(password) {
		return refuse("is not valid UTF-8", "send it in UTF-8")
	}
	if strings.ContainsRune(password, 0) {
		return refuse("contains a NUL character", "leave it out")
	}
	password = norm.NFC.String(password)
	if utf8.RuneCountInString(password) < PasswordMin {
		return refuse("is shorter than 8 characters", "choose a longer one")
	}
	return password, nil
}
