package users

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

const (
	sessionVersion = 1
	// sessionTries bounds how often a change starts again because others write the same session.
	sessionTries = 32
	namesPage    = 256
	// startTakes is longer than any login, from the session's name in the index to its record.
	startTakes = time.Minute
)

// sessionRecord is how a session is stored: with the hash of what opens it, which is never stored itself.
type sessionRecord struct {
	Version int    `json:"v"`
	Hash    []byte `json:"hash"`
	Session
	stored store.Record
}

func sessionKey(id uuid.UUID) string { return "session/" + id.String() }

// sessionSecret is what a browser holds: which session, and the proof that it is its own.
type sessionSecret struct {
	id    uuid.UUID
	proof [32]byte
}

// secretCoding has one spelling for each value. A secret is a whole number of its groups, so none is padded.
var secretCoding = base64.RawURLEncoding.Strict()

func newSessionSecret() sessionSecret { return newProof(uuid.New()) }

// newProof is a new secret for a session.
func newProof(id uuid.UUID) sessionSecret {
	s := sessionSecret{id: id}
	_, _ = rand.Read(s.proof[:]) // never fails
	return s
}

func (s sessionSecret) String() string {
	return secretCoding.EncodeToString(append(s.id[:], s.proof[:]...))
}

func (s sessionSecret) hash() []byte {
	sum := sha256.Sum256(s.proof[:])
	return sum[:]
}

// parseSessionSecret reads what String wrote, and nothing else.
func parseSessionSecret(text string) (s sessionSecret, ok bool) {
	size := len(s.id) + len(s.proof)
	if len(text) != secretCoding.EncodedLen(size) {
		return s, false
	}
	// The decoder skips line breaks: what has some is too short in the end.
	raw, err := secretCoding.DecodeString(text)
	if err != nil || len(raw) != size {
		return s, false
	}
	copy(s.proof[:], raw[copy(s.id[:], raw):])
	return s, true
}

// opens reports whether a secret is that of a session. It takes as long when there is no session.
func (r *sessionRecord) opens(secret sessionSecret) bool {
	hash := make([]byte, sha256.Size)
	if r != nil {
		hash = r.Hash
	}
	return subtle.ConstantTimeCompare(hash, secret.hash()) == 1 && r != nil
}

func (r *sessionRecord) encode() ([]byte, error) {
	value, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode a session: %w", err)
	}
	return value, nil
}

// read returns the record of a session, nil if there is none.
func (s *Sessions) read(ctx context.Context, id uuid.UUID) (*sessionRecord, error) {
	stored, err := s.store.Get(ctx, sessionKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a session: %w", err)
	}
	r := &sessionRecord{stored: stored}
	if err := json.Unmarshal(stored.Value, r); err != nil {
		return nil, fmt.Errorf("damaged session %s: %w", id, err)
	}
	if r.Version != sessionVersion || r.ID != id {
		return nil, fmt.Errorf("session %s has version %d, this release reads version %d", id, r.Version, sessionVersion)
	}
	return r, nil
}

// swap writes a record back while it is still the one that was read.
func (s *Sessions) swap(ctx context.Context, r *sessionRecord) error {
	value, err := r.encode()
	if err != nil {
		return err
	}
	if r.Ending {
		ctx = store.Lasting(ctx)
	}
	return s.store.Swap(ctx, sessionKey(r.ID), r.stored, value, s.limits.expiry(&r.Session))
}

// update changes a session of a user, again if somebody else wrote it in between. An error of change ends it.
func (s *Sessions) update(ctx context.Context, user, id uuid.UUID, change func(*Session) error) (*Session, error) {
	for range sessionTries {
		r, err := s.read(ctx, id)
		if err != nil {
			return nil, err
		}
		if r == nil || r.User != user {
			return nil, store.ErrNotFound
		}
		before := r.Session
		if err := change(&r.Session); err != nil {
			return nil, err
		}
		if r.Session == before {
			return &r.Session, nil
		}
		if err := s.swap(ctx, r); !errors.Is(err, store.ErrConflict) {
			return &r.Session, err
		}
	}
	return nil, fmt.Errorf("too many others write session %s at once: %w", id, store.ErrUnavailable)
}

// A sessionName is how the index of a user's sessions lists one. Names sort by age.
type sessionName struct {
	created time.Time
	id      uuid.UUID
}

const createdSize = 8

func nameOf(s *Session) sessionName { return sessionName{s.Created, s.ID} }

func (n sessionName) String() string {
	name := binary.BigEndian.AppendUint64(nil, uint64(n.created.UnixMilli()))
	return string(append(name, n.id[:]...))
}

// settled reports that a name without a session is not that of a login under way. Only then may it be withdrawn.
func (n sessionName) settled(now time.Time) bool { return now.Sub(n.created) >= startTakes }

func sessionsOf(user uuid.UUID) string { return "session:user/" + user.String() }

// names lists the sessions of a user. Some may be over.
func (s *Sessions) names(ctx context.Context, user uuid.UUID) ([]sessionName, error) {
	var names []sessionName
	after := ""
	for {
		page, err := s.store.Members(ctx, sessionsOf(user), after, namesPage)
		if err != nil {
			return nil, fmt.Errorf("list the sessions of user %s: %w", user, err)
		}
		for _, m := range page {
			after = m.Name
			n := sessionName{}
			if len(after) == createdSize+len(n.id) {
				n.created = time.UnixMilli(int64(binary.BigEndian.Uint64([]byte(after)))).UTC()
				copy(n.id[:], after[createdSize:])
				names = append(names, n)
			}
		}
		if len(page) < namesPage {
			return names, nil
		}
	}
}

func (s *Sessions) withdraw(ctx context.Context, user uuid.UUID, name sessionName) error {
	if err := s.store.Withdraw(ctx, sessionsOf(user), name.String()); err != nil {
		return fmt.Errorf("take a session off the list of user %s: %w", user, err)
	}
	return nil
}
