package grants

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
)

// consentsOf is the index of the clients to which a user has given an answer.
func consentsOf(user uuid.UUID) string { return "consents/" + string(user[:]) }

// listConsent enters a consent into its user's index. It comes before the consent itself, so that none is unlisted.
func (s *Service) listConsent(ctx context.Context, user uuid.UUID, c Consent) error {
	_, err := s.store.Enroll(ctx, consentsOf(user), consentName(c.Client), c.Given.Add(consentLife))
	if err != nil {
		return fmt.Errorf("enter consent in the user's index: %w", err)
	}
	return nil
}

func consentName(client uint32) string {
	return string(binary.BigEndian.AppendUint32(nil, client))
}

// Consents lists what a user last answered to every client, by the clients' numbers. Those to a client of another epoch
// are among them.
func (s *Service) Consents(ctx context.Context, user uuid.UUID) ([]Consent, error) {
	var found []Consent
	after := ""
	for {
		page, err := s.store.Members(ctx, consentsOf(user), after, listPage)
		if err != nil {
			return nil, fmt.Errorf("list the user's consents: %w", err)
		}
		for _, m := range page {
			after = m.Name
			if len(m.Name) != clientSize {
				continue
			}
			c, err := s.consent(ctx, user, binary.BigEndian.Uint32([]byte(m.Name)))
			if err != nil {
				return nil, err
			}
			if c != nil {
				found = append(found, *c)
			}
		}
		if len(page) < listPage {
			return found, nil
		}
	}
}
