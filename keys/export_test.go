package keys

import (
	"context"
	"crypto"
	"time"
)

// Private returns the private half of a signing key, for tests that forge with it and that search for it.
func (s *Signing) Private(ctx context.Context, id string) crypto.Signer {
	set, err := s.current(ctx)
	if err != nil {
		return nil
	}
	for i, k := range set.stages {
		if k.ID == id {
			return set.private[i]
		}
	}
	return nil
}

// Schedule is the arithmetic of rotation, for tests that live through many years of it.
type Schedule struct{ schedule }

func NewSchedule(lifetime, ahead, keep time.Duration, algorithms ...string) Schedule {
	return Schedule{schedule{lifetime, ahead, keep, algorithms}}
}

// Signer returns the key that signs at now.
func (s Schedule) Signer(keys []SigningKey, algorithm string, now time.Time) SigningKey {
	return keys[s.signer(keys, algorithm, now)]
}

// Maintain is what Signing.Maintain does to the list of keys: id names the keys that are made.
func (s Schedule) Maintain(keys []SigningKey, now time.Time, id func() string) []SigningKey {
	s.place(keys)
	var kept []SigningKey
	for _, k := range keys {
		if k.Published(now) {
			kept = append(kept, k)
		}
	}
	for _, algorithm := range s.due(kept, now) {
		kept = append(kept, SigningKey{ID: id(), Algorithm: algorithm, Created: now, SignsFrom: s.begin(kept, algorithm, now)})
	}
	s.place(kept)
	return kept
}
