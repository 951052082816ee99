package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

const (
	// The record of all signing keys, and what its changes are announced as.
	signingKind = "signing/"
	signingID   = "keys"
	signingKey  = signingKind + signingID

	defaultLifetime = 90 * 24 * time.Hour
	defaultAhead    = 24 * time.Hour
	defaultKeep     = 25 * time.Hour

	// maxWaiting bounds how many successors of one key wait at once, so that Rotate cannot fill the key set.
	maxWaiting = 4
	// maxTries bounds how often one change starts again because others change the keys.
	maxTries = 64
)

// SigningConfig says what a Signing works with. Processes that share a store should agree on the spans.
type SigningConfig struct {
	Store   store.Store
	Changes *store.Changes
	Ring    *Ring
	// Lifetime is how long a key signs; 0 means 90 days.
	Lifetime time.Duration
	// Ahead is how long a key is published before it signs; 0 means 24 hours. It must be far longer than verifiers may
	// keep a key set, or they meet keys that they do not know.
	Ahead time.Duration
	// Keep is how long a key that signs no more stays published; 0 means 25 hours. It must be longer than the life of
	// anything signed.
	Keep time.Duration
	// Algorithms are those that there are keys for; nil means RS256, ES256 and EdDSA.
	Algorithms []string
}

// Signing signs, verifies what it signed, and looks after its keys. It is safe for use by any number of goroutines, and
// of processes on one store.
//
// A key is published when it is made, signs after Ahead, is replaced when it has signed for Lifetime, and stays
// published for Keep after that. Which key signs follows from the time alone, so all processes change over at once.
// The first key of an algorithm signs at once: there is nobody who could know another.
type Signing struct {
	schedule
	store    store.Store
	changes  *store.Changes
	ring     *Ring
	cache    *store.Cache[*keySet]
	decoded  atomic.Pointer[keySet] // the last that was read, to decrypt a record only once
	changing sync.Mutex             // many callers on an empty store make the keys once
}

// NewSigning makes a Signing. It calls nothing; the first use makes the first keys.
func NewSigning(c SigningConfig) *Signing {
	s := &Signing{
		schedule: schedule{lifetime: c.Lifetime, ahead: c.Ahead, keep: c.Keep, algorithms: c.Algorithms},
		store:    c.Store,
		changes:  c.Changes,
		ring:     c.Ring,
		cache:    store.NewCache[*keySet](c.Changes, signingKind, 1),
	}
	if s.lifetime == 0 {
		s.lifetime = defaultLifetime
	}
	if s.ahead == 0 {
		s.ahead = defaultAhead
	}
	if s.keep == 0 {
		s.keep = defaultKeep
	}
	if s.algorithms == nil {
		s.algorithms = Algorithms()
	}
	return s
}

// Maintain makes the keys that are missing, publishes successors ahead of their time, drops keys of which nothing can be
// valid any more, and encrypts anew what an older system secret encrypts, so that this one can be given up. Call it at
// the start and a few times within Ahead, on every process: of those that find the same work at once, one does it.
func (s *Signing) Maintain(ctx context.Context) error {
	err := s.change(ctx, func(r *keyRecord) (bool, error) {
		now := s.store.Now()
		dropped := s.drop(r, now)
		resealed, err := s.reseal(r)
		if err != nil {
			return false, err
		}
		due := s.due(r.stages(s.schedule), now)
		return dropped || resealed || len(due) > 0, s.add(r, due)
	})
	if err != nil {
		return fmt.Errorf("maintain the signing keys: %w", err)
	}
	return nil
}

// Rotate makes a successor for the keys of every algorithm now. It is published at once and signs after Ahead, so no
// verifier notices. What the old keys signed stays good.
func (s *Signing) Rotate(ctx context.Context) error {
	err := s.change(ctx, func(r *keyRecord) (bool, error) {
		now, stages := s.store.Now(), r.stages(s.schedule)
		for _, algorithm := range s.algorithms {
			if s.waiting(stages, algorithm, now) >= maxWaiting {
				return false, fmt.Errorf("%d successors of the %s key wait already for their time", maxWaiting, algorithm)
			}
		}
		return true, s.add(r, s.algorithms)
	})
	if err != nil {
		return fmt.Errorf("rotate the signing keys: %w", err)
	}
	return nil
}

// Discard throws every key away, also those that cannot be decrypted any more, and makes new ones that sign at once. It
// is for keys that somebody else has, and for a system secret that is lost. Whatever was signed before is refused from
// then on; verifiers go by the old keys until they fetch the key set again.
func (s *Signing) Discard(ctx context.Context) error {
	err := s.change(ctx, func(r *keyRecord) (bool, error) {
		r.Keys = nil
		return true, s.add(r, s.algorithms)
	})
	if err != nil {
		return fmt.Errorf("discard the signing keys: %w", err)
	}
	return nil
}

// DropSigning removes the signing keys from a store that no server has open. The next server makes new ones, and whatever was
// signed before is refused by everybody who has fetched the key set since.
func DropSigning(ctx context.Context, s store.Store) error {
	if err := s.Delete(ctx, signingKey); err != nil {
		return fmt.Errorf("drop the signing keys: %w", err)
	}
	return nil
}

// List tells of every key that is published, in the order of their making.
func (s *Signing) List(ctx context.Context) ([]SigningKey, error) {
	set, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	now := s.store.Now()
	var list []SigningKey
	for _, k := range set.stages {
		if k.Published(now) {
			list = append(list, k)
		}
	}
	return list, nil
}

// change lets revise work on the record until nobody else wrote it meanwhile. A record that revise leaves as it is, is
// not written.
func (s *Signing) change(ctx context.Context, revise func(*keyRecord) (bool, error)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	for range maxTries {
		changed, err := s.try(ctx, revise)
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) {
			continue // others were first: what is to be done may be another thing now
		}
		if err != nil || !changed {
			return err
		}
		ctx, cancel := store.Finish(ctx)
		defer cancel()
		return s.changes.Announce(ctx, signingKey)
	}
	return errors.New("too many others change them at once")
}

func (s *Signing) try(ctx context.Context, revise func(*keyRecord) (bool, error)) (bool, error) {
	old, err := s.store.Get(ctx, signingKey)
	absent := errors.Is(err, store.ErrNotFound)
	if err != nil && !absent {
		return false, err
	}
	record := keyRecord{Version: recordVersion}
	if !absent {
		if record, err = parseKeyRecord(old.Value); err != nil {
			return false, err
		}
	}
	changed, err := revise(&record)
	if err != nil || !changed {
		return false, err
	}
	value, err := json.Marshal(record)
	if err != nil {
		return false, err
	}
	if absent {
		return true, s.store.Add(ctx, signingKey, value, store.Forever)
	}
	// Keys that were discarded because they leaked must not come back.
	return true, s.store.Swap(store.Lasting(ctx), signingKey, old, value, store.Forever)
}

// drop takes out what is no longer published at now.
func (s *Signing) drop(r *keyRecord, now time.Time) bool {
	kept := make([]sealedKey, 0, len(r.Keys))
	for i, k := range r.stages(s.schedule) {
		if k.Published(now) {
			kept = append(kept, r.Keys[i])
		}
	}
	dropped := len(kept) < len(r.Keys)
	r.Keys = kept
	return dropped
}

// reseal encrypts under the current system secret what another encrypts.
func (s *Signing) reseal(r *keyRecord) (bool, error) {
	changed := false
	for i := range r.Keys {
		k := &r.Keys[i]
		if k.Secret == s.ring.secrets[0].Fingerprint() {
			continue
		}
		plain, err := k.open(s.ring)
		if err != nil {
			return false, err
		}
		if err := k.seal(s.ring, plain); err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
}

// add makes a key for each of the algorithms.
func (s *Signing) add(r *keyRecord, algorithms []string) error {
	made := make([]sealedKey, len(algorithms))
	for i, algorithm := range algorithms {
		var err error
		if made[i], err = newSealedKey(s.ring, algorithm); err != nil {
			return fmt.Errorf("make a key for %s: %w", algorithm, err)
		}
	}
	// The making takes its time: it must not be taken off the time for which the keys are published before they sign.
	now := s.store.Now()
	stages := r.stages(s.schedule)
	for _, k := range made {
		k.Created, k.SignsFrom = now, s.begin(stages, k.Algorithm, now)
		r.Keys = append(r.Keys, k)
	}
	return nil
}
