package keys

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/safeconduct/safeconduct/store"
)

// etagSize is how many bytes of the hash of a key set stand in its ETag.
const etagSize = 16

// keySet is the record of the signing keys, decrypted. It is shared and does not change.
type keySet struct {
	record  store.WriteID
	stages  []SigningKey
	private []crypto.Signer             // in the order of stages
	public  []json.RawMessage           // the same keys as JWKs
	spelled atomic.Pointer[publication] // as it was last asked for
}

// publication is a key set as verifiers fetch it. It is the same until one of its keys lapses.
type publication struct {
	body  []byte
	etag  string
	until time.Time // zero for always
}

// JWKS returns the key set that verifiers fetch (RFC 7517 §5), with the public halves of every key that signs, will sign
// or has signed something that may still be valid, and its entity tag.
func (s *Signing) JWKS(ctx context.Context) (body []byte, etag string, err error) {
	set, err := s.current(ctx)
	if err != nil {
		return nil, "", err
	}
	now := s.store.Now()
	p := set.spelled.Load()
	if p == nil || !p.until.IsZero() && !now.Before(p.until) {
		if p, err = set.publish(now); err != nil {
			return nil, "", err
		}
		set.spelled.Store(p)
	}
	return p.body, p.etag, nil
}

func (set *keySet) publish(now time.Time) (*publication, error) {
	var p publication
	var published struct {
		Keys []json.RawMessage `json:"keys"`
	}
	for i, k := range set.stages {
		if !k.Published(now) {
			continue
		}
		published.Keys = append(published.Keys, set.public[i])
		if until := k.PublishedUntil; p.until.IsZero() || !until.IsZero() && until.Before(p.until) {
			p.until = until
		}
	}
	var err error
	if p.body, err = json.Marshal(published); err != nil {
		return nil, fmt.Errorf("encode the key set: %w", err)
	}
	hash := sha256.Sum256(p.body)
	p.etag = `"` + base64.RawURLEncoding.EncodeToString(hash[:etagSize]) + `"`
	return &p, nil
}

// current returns the keys as they were within the last second, and makes those that are missing.
func (s *Signing) current(ctx context.Context) (*keySet, error) {
	set, err := s.cache.Load(ctx, signingID, s.read)
	if err == nil && s.complete(set) {
		return set, nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	if err := s.Maintain(ctx); err != nil {
		return nil, err
	}
	if set, err = s.read(ctx); err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	return set, nil
}

// complete reports whether every algorithm in use has a key.
func (s *Signing) complete(set *keySet) bool {
	return !slices.ContainsFunc(s.algorithms, func(algorithm string) bool { return s.newest(set.stages, algorithm) < 0 })
}

// read returns the keys as they are now. A record that was decrypted before is not decrypted again.
func (s *Signing) read(ctx context.Context) (*keySet, error) {
	record, err := s.store.Get(ctx, signingKey)
	if err != nil {
		return nil, err
	}
	if last := s.decoded.Load(); last != nil && last.record == record.ID {
		return last, nil
	}
	set, err := s.decode(record)
	if err != nil {
		return nil, err
	}
	s.decoded.Store(set)
	return set, nil
}

func (s *Signing) decode(record store.Record) (*keySet, error) {
	r, err := parseKeyRecord(record.Value)
	if err != nil {
		return nil, err
	}
	set := &keySet{record: record.ID, stages: r.stages(s.schedule)}
	for i := range r.Keys {
		k := &r.Keys[i]
		private, err := k.private(s.ring)
		if err != nil {
			return nil, err
		}
		public, err := json.Marshal(jose.JSONWebKey{Key: private.Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"})
		if err != nil {
			return nil, fmt.Errorf("encode the public half of signing key %s: %w", k.ID, err)
		}
		set.private, set.public = append(set.private, private), append(set.public, public)
	}
	return set, nil
}

// find returns the place of the key that an id names while it is published, or -1.
func (set *keySet) find(id string, now time.Time) int {
	return slices.IndexFunc(set.stages, func(k SigningKey) bool { return k.ID == id && k.Published(now) })
}
