package grants

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

// enter writes a new grant, which lives until ends if nobody refreshes it: name, record, and another look. An act that
// ends grants lists the names and ends what they name. However the two interleave, one of them finds the other:
//
//   - The name is listed and the record is there: the act ends it.
//   - The name is listed and the record is not yet there: the act lays a tombstone under the record's key (bury), and
//     Add finds it.
//   - The name is not yet listed. What the act did before it listed, it did before the look: a user's and a client's new
//     epoch, the end of a session, a consent that was withdrawn. An act that leaves no such trace (EndClient after a new
//     consent) came before this grant.
//
// A crash in between leaves a name without a grant, which lapses, or a grant that is listed and of which nobody holds a
// token.
func (s *Service) enter(ctx context.Context, g grant, d Delegation, ends time.Time) error {
	if !g.listed() {
		// A machine's grant is in no index. The client's epoch, which every check compares, ends it.
		if err := s.store.Set(ctx, recordKey(g.id), g.encode(), g.expires()); err != nil {
			return fmt.Errorf("write grant: %w", err)
		}
		return nil
	}
	// 1. The name.
	if g.Refreshable {
		ends = g.at(g.End)
	}
	enrolled, err := s.store.Enroll(ctx, indexOf(g.user(), g.Client), memberName(g.Client, g.id), ends)
	if err != nil {
		return fmt.Errorf("enter grant in its index: %w", err)
	}
	// It is in the index before the others are counted: of two that come at once, each counts the other.
	switch {
	case g.Key != nil && enrolled > KeysPerOwner:
		err = s.roomForKey(ctx, g)
	case g.Key == nil && enrolled > CapPerClient:
		err = s.endOldest(ctx, g.user(), g.Client)
	}
	if err != nil {
		return err
	}
	// 2. The record.
	err = s.store.Add(ctx, recordKey(g.id), g.encode(), g.expires())
	if errors.Is(err, store.ErrExists) {
		// A tombstone: it stays, should a write of this record still be on its way.
		if err := s.withdraw(ctx, g.user(), g.Client, g.id); err != nil {
			return err
		}
		return ErrInvalid
	}
	if err != nil {
		return fmt.Errorf("write grant: %w", err)
	}
	// 3. The look.
	good, err := s.stillAllowed(ctx, g, d)
	switch {
	case err != nil:
		return s.refuse(ctx, g, err)
	case !good:
		return s.refuse(ctx, g, ErrInvalid)
	case s.store.Now().Sub(g.created()) >= issueTakes/2:
		// In as much time again a tombstone lapses, and the name is withdrawn as one that a crash left.
		return s.refuse(ctx, g, fmt.Errorf("write grant: it took longer than %v: %w", issueTakes/2, store.ErrUnavailable))
	}
	return nil
}

// stillAllowed looks again at whatever allows a new grant and may have ended while it was written.
func (s *Service) stillAllowed(ctx context.Context, g grant, d Delegation) (bool, error) {
	standing, err := s.stands(ctx, g, true)
	if err != nil || !standing {
		return false, err
	}
	if len(g.Session) > 0 {
		lives, err := s.parties.Session(ctx, g.user(), g.session())
		if err != nil {
			return false, fmt.Errorf("read the session: %w", err)
		}
		if !lives {
			return false, nil
		}
	}
	if d.Remembered {
		consent, err := s.Consent(ctx, g.user(), g.Client, g.ClientEpoch)
		return consent != nil && consent.Remember, err
	}
	return true, nil
}

// refuse ends the new grant and returns why.
func (s *Service) refuse(ctx context.Context, g grant, why error) error {
	if err := s.end(ctx, g); err != nil {
		return err
	}
	return why
}

// endOldest keeps the user's live grants for one client below CapPerClient, so that there is room for one more.
func (s *Service) endOldest(ctx context.Context, user uuid.UUID, client uint32) error {
	live, err := s.liveFor(ctx, user, client)
	if err != nil {
		return err
	}
	// Codes that nobody has redeemed go first: whoever can make a browser ask for codes must not end with them what
	// somebody uses.
	slices.SortStableFunc(live, func(a, b grant) int { return cmp.Compare(min(a.State, active), min(b.State, active)) })
	for _, oldest := range live[:max(len(live)-CapPerClient+1, 0)] {
		if err := s.end(ctx, oldest); err != nil {
			return err
		}
	}
	return nil
}
