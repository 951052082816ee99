package grants

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

// consentLife is how long an answer is remembered.
const consentLife = 365 * 24 * time.Hour

// Consent is a user's answer to a client's question. It gives no right by itself: it spares the user the same question,
// and the grant that is then made says that it was (Delegation.Remembered).
type Consent struct {
	Asked, Granted []uint32 // scopes
	// Remember says that the user need not be asked again for what is granted here.
	Remember            bool
	Client, ClientEpoch uint32
	// Given is when the user answered; the zero time is now. A year later the answer is forgotten.
	Given time.Time
}

// Covers returns the scopes of a request that the user gives without being asked again: those that he granted, if he was
// asked for every one of them before, let it be remembered, and granted all that are required now. Something new is never
// granted silently (RFC 9700 §4.11). Without a consent nothing is.
func (c *Consent) Covers(asked, required []uint32) []uint32 {
	if c == nil || !c.Remember {
		return nil
	}
	var granted []uint32
	for _, scope := range asked {
		if !slices.Contains(c.Asked, scope) {
			return nil
		}
		if slices.Contains(c.Granted, scope) {
			granted = append(granted, scope)
		}
	}
	if slices.ContainsFunc(required, func(scope uint32) bool { return !slices.Contains(granted, scope) }) {
		return nil
	}
	return granted
}

// consentRecord is a consent as it is stored: CBOR, one array.
type consentRecord struct {
	_              struct{} `cbor:",toarray"`
	Version        uint8
	Asked, Granted []uint32
	Remember       bool
	ClientEpoch    uint32
	Given          int64 // Unix seconds
}

const consentVersion = 1

func consentKey(user uuid.UUID, client uint32) string {
	return "consent/" + string(binary.BigEndian.AppendUint32(user[:], client))
}

// Consent returns what a user last answered to a client of this epoch, or nil. It is read fresh.
func (s *Service) Consent(ctx context.Context, user uuid.UUID, client, epoch uint32) (*Consent, error) {
	c, err := s.consent(ctx, user, client)
	if c == nil || c.ClientEpoch != epoch {
		return nil, err // of another epoch: it was another client that the user trusted
	}
	return c, nil
}

func (s *Service) consent(ctx context.Context, user uuid.UUID, client uint32) (*Consent, error) {
	stored, err := s.store.Get(ctx, consentKey(user, client))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read consent: %w", err)
	}
	var r consentRecord
	if err := decoding.Unmarshal(stored.Value, &r); err != nil {
		return nil, fmt.Errorf("decode consent: %w", err)
	}
	if r.Version != consentVersion {
		return nil, fmt.Errorf("decode consent: layout %d is not known to this release", r.Version)
	}
	return &Consent{
		Asked: r.Asked, Granted: r.Granted, Remember: r.Remember, Client: client, ClientEpoch: r.ClientEpoch,
		Given: time.Unix(r.Given, 0),
	}, nil
}

// SaveConsent keeps a user's answer in place of the one before.
func (s *Service) SaveConsent(ctx context.Context, user uuid.UUID, c Consent) error {
	if c.Given.IsZero() {
		c.Given = s.store.Now()
	}
	if err := s.listConsent(ctx, user, c); err != nil {
		return err
	}
	value := must(encoding.Marshal(consentRecord{
		Version: consentVersion, Asked: sortedSet(c.Asked), Granted: sortedSet(c.Granted), Remember: c.Remember,
		ClientEpoch: c.ClientEpoch, Given: c.Given.Unix(),
	}))
	if err := s.store.Set(ctx, consentKey(user, c.Client), value, c.Given.Add(consentLife)); err != nil {
		return fmt.Errorf("write consent: %w", err)
	}
	return nil
}

// RemoveClient takes from a client everything that a user gave it: it must ask again, and all its grants end. In the other
// order a request that comes in between, and for which nobody is asked, would make a grant that outlives both.
func (s *Service) RemoveClient(ctx context.Context, user uuid.UUID, client uint32) error {
	if err := s.ForgetConsent(ctx, user, client); err != nil {
		return err
	}
	_, err := s.EndClient(ctx, user, client)
	return err
}

// ForgetConsent makes a client ask again. It ends no grant. The name in the index
// stays and lapses: a consent that is given at this moment has entered it already.
func (s *Service) ForgetConsent(ctx context.Context, user uuid.UUID, client uint32) error {
	if err := s.store.Delete(ctx, consentKey(user, client)); err != nil {
		return fmt.Errorf("forget consent: %w", err)
	}
	return nil
}
