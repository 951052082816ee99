package scopes

import (
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// applyStep is how many entries are taken over in one go: requests wait meanwhile.
	applyStep = 1000
	// sweepEvery is how often lapsed entries are looked for.
	sweepEvery = time.Minute
)

// grantID is the UUIDv7 of a grant.
type grantID [16]byte

// parseGrantID reads the text form of RFC 9562 section 4.
func parseGrantID(text string) (grantID, error) {
	var id grantID
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, errors.New("it is no UUID")
	}
	_, err := hex.Decode(id[:], []byte(text[:8]+text[9:13]+text[14:18]+text[19:23]+text[24:]))
	return id, err
}

// grant reads the id of a grant, which may be missing.
func (a *answer) grant(name string) grantID {
	if _, told := a.members[name]; !told {
		return grantID{}
	}
	id, err := parseGrantID(a.text(name))
	if err != nil && a.fault == nil {
		a.wrong(name)
	}
	return id
}

// created is when the grant was made, in milliseconds since 1970.
func (g grantID) created() int64 {
	var ms int64
	for _, b := range g[:6] {
		ms = ms<<8 | int64(b)
	}
	return ms
}

// revocation is an entry of the feed: a grant that was revoked, all grants of a user up to a moment, or all of a client in
// an epoch.
type revocation struct {
	grant  grantID
	user   string
	before int64 // milliseconds since 1970
	epoch  string
	until  int64 // seconds since 1970, from when on it can concern no token
}

// UnmarshalJSON refuses an entry that it does not understand whole: it might revoke something.
func (v *revocation) UnmarshalJSON(text []byte) error {
	members, err := readObject(text)
	if err != nil {
		return err
	}
	e := answer{members: members}
	grant := e.text("grant")
	v.user, v.epoch = e.text("user"), e.text("epoch")
	subjects := 0
	for _, subject := range []string{grant, v.user, v.epoch} {
		if subject != "" {
			subjects++
		}
	}
	if v.user != "" {
		e.needNumber("before", &v.before)
	}
	if grant != "" {
		if v.grant, err = parseGrantID(grant); err != nil {
			e.wrong("grant")
		}
	}
	e.needNumber("until", &v.until)
	if e.fault == nil && subjects != 1 {
		return errors.New("an entry of the feed names no grant, user or epoch, or several")
	}
	return e.fault
}

func (a *answer) needNumber(name string, value *int64) {
	if !a.take(name, value) && a.fault == nil {
		a.fault = errors.New("the member " + name + " is missing")
	}
}

// mark revokes what was granted up to a moment.
type mark struct{ before, until int64 }

// revocations are the entries that can still concern a token. Entries are only ever added: nothing that was revoked
// comes back, so an entry that a later snapshot lacks does no harm until it lapses.
type revocations struct {
	slack time.Duration // how long past its expiry a token may be accepted, and so its entry is needed

	mu     sync.RWMutex
	grants map[grantID]int64 // until
	users  map[string]mark
	epochs map[string]int64 // until
	swept  time.Time
}

func newRevocations(slack time.Duration) *revocations {
	return &revocations{slack: slack, grants: make(map[grantID]int64), users: make(map[string]mark), epochs: make(map[string]int64)}
}

// has reports whether the grant of a token is revoked.
func (r *revocations) has(t *Token) bool {
	grant := t.origin.grant
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, revoked := r.grants[grant]; revoked {
		return true
	}
	user, revoked := r.users[t.Subject]
	if revoked && grant.created() <= user.before {
		return true
	}
	_, revoked = r.epochs[t.origin.epoch]
	return revoked
}

func (r *revocations) add(entries []revocation) {
	for step := range slices.Chunk(entries, applyStep) {
		r.mu.Lock()
		for _, e := range step {
			switch {
			case e.user != "":
				r.users[e.user] = r.users[e.user].with(e)
			case e.epoch != "":
				r.epochs[e.epoch] = max(r.epochs[e.epoch], e.until)
			default:
				r.grants[e.grant] = max(r.grants[e.grant], e.until)
			}
		}
		r.mu.Unlock()
	}
}

func (m mark) with(e revocation) mark {
	return mark{before: max(m.before, e.before), until: max(m.until, e.until)}
}

// sweep forgets what has lapsed, from time to time.
func (r *revocations) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.swept) < sweepEvery {
		return
	}
	r.swept = now
	end := now.Add(-r.slack).Unix()
	maps.DeleteFunc(r.grants, func(_ grantID, until int64) bool { return until < end })
	maps.DeleteFunc(r.users, func(_ string, m mark) bool { return m.until < end })
	maps.DeleteFunc(r.epochs, func(_ string, until int64) bool { return until < end })
}
