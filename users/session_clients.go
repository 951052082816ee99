package users

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
)

const clientSize = 4

func clientsOf(session uuid.UUID) string { return "session:clients/" + session.String() }

// Join notes that a client is given an ID token of a session, and so wants to know when it ends. It comes before the
// last look at the session: a client that joins after the end of the session has read the list must get nothing.
func (s *Sessions) Join(ctx context.Context, session *Session, client uint32) error {
	name := string(binary.BigEndian.AppendUint32(nil, client))
	if _, err := s.store.Enroll(ctx, clientsOf(session.ID), name, session.Ends); err != nil {
		return fmt.Errorf("note a client of session %s: %w", session.ID, err)
	}
	return nil
}

// Joined returns the clients that were given an ID token of a session, also when the session is over, until the day on
// which it would have ended at the latest.
func (s *Sessions) Joined(ctx context.Context, id uuid.UUID) ([]uint32, error) {
	var joined []uint32
	after := ""
	for {
		page, err := s.store.Members(ctx, clientsOf(id), after, namesPage)
		if err != nil {
			return nil, fmt.Errorf("list the clients of session %s: %w", id, err)
		}
		for _, m := range page {
			after = m.Name
			if len(after) == clientSize {
				joined = append(joined, binary.BigEndian.Uint32([]byte(after)))
			}
		}
		if len(page) < namesPage {
			return joined, nil
		}
	}
}
