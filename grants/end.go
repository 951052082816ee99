package grants

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

// listPage is how many names of an index are read at a time.
const listPage = 256

// issueTakes is longer than any request that makes a grant, from its name in the index to its record.
const issueTakes = time.Minute

// Ender ends grants. It is apart from Service because those who must end grants, the users registry above all, need
// no keys and are themselves needed to make a Service.
type Ender struct{ store store.Store }

// NewEnder makes an Ender.
func NewEnder(s store.Store) Ender { return Ender{s} }

// indexOf is the index of a user's grants. Its names sort by client and then by age.
func indexOf(user uuid.UUID) string { return "u" + string(user[:]) }

const clientSize = 4

func memberName(client uint32, id uuid.UUID) string {
	name := make([]byte, 0, clientSize+len(id))
	name = binary.BigEndian.AppendUint32(name, client)
	return string(append(name, id[:]...))
}

func splitMember(name string) (client uint32, id uuid.UUID, ok bool) {
	if len(name) != clientSize+len(id) {
		return 0, id, false
	}
	return binary.BigEndian.Uint32([]byte(name[:clientSize])), uuid.UUID([]byte(name[clientSize:])), true
}

// EndUser ends every grant of a user. The caller has raised the user's epoch before: a grant that is being made right
// now is not written yet, but finds the new epoch.
func (e Ender) EndUser(ctx context.Context, user uuid.UUID) error {
	return e.walk(ctx, user, "", func(client uint32, id uuid.UUID) (bool, error) {
		// The name of a grant on the way stays: if its user has logged in again since, the grant is good and must be
		// listed.
		r, err := e.load(ctx, user, client, id)
		if r == nil {
			return true, err
		}
		return true, e.end(ctx, user, client, id)
	})
}

// End ends one grant of a user. It reports whether there was a live one.
func (e Ender) End(ctx context.Context, user, id uuid.UUID) (bool, error) {
	found := false
	err := e.walk(ctx, user, "", func(client uint32, member uuid.UUID) (bool, error) {
		if member != id {
			return true, nil
		}
		r, err := e.load(ctx, user, client, id)
		if r == nil {
			return false, err
		}
		found = true
		return false, e.end(ctx, user, client, id)
	})
	return found, err
}

// walk visits the names in a user's index, in order, until visit says no.
func (e Ender) walk(ctx context.Context, user uuid.UUID, after string, visit func(client uint32, id uuid.UUID) (bool, error)) error {
	for {
		page, err := e.store.Members(ctx, indexOf(user), after, listPage)
		if err != nil {
			return fmt.Errorf("list the user's grants: %w", err)
		}
		for _, m := range page {
			after = m.Name
			client, id, ok := splitMember(m.Name)
			if !ok {
				continue
			}
			more, err := visit(client, id)
			if err != nil || !more {
				return err
			}
		}
		if len(page) < listPage {
			return nil
		}
	}
}

// end deletes the record first: that is what ends the grant. A crash before the name is withdrawn leaves a name without
// a grant, which lapses.
func (e Ender) end(ctx context.Context, user uuid.UUID, client uint32, id uuid.UUID) error {
	if err := e.store.Delete(ctx, recordKey(id)); err != nil {
		return fmt.Errorf("end grant: %w", err)
	}
	if user == uuid.Nil {
		return nil
	}
	if err := e.store.Withdraw(ctx, indexOf(user), memberName(client, id)); err != nil {
		return fmt.Errorf("withdraw grant from the user's index: %w", err)
	}
	return nil
}

// liveFor lists the live grants of a user for one client, the oldest first, and withdraws names whose grants are gone.
func (e Ender) liveFor(ctx context.Context, user uuid.UUID, client uint32) ([]uuid.UUID, error) {
	var live []uuid.UUID
	err := e.walk(ctx, user, beforeClient(client), func(c uint32, id uuid.UUID) (bool, error) {
		if c != client {
			return false, nil
		}
		r, err := e.load(ctx, user, client, id)
		if r != nil {
			live = append(live, id)
		}
		return true, err
	})
	return live, err
}

// load reads a grant that an index names. It returns nil for a name without a grant, and withdraws the name, unless it
// is so young that its grant may still be on the way.
func (e Ender) load(ctx context.Context, user uuid.UUID, client uint32, id uuid.UUID) (*record, error) {
	stored, err := e.store.Get(ctx, recordKey(id))
	if errors.Is(err, store.ErrNotFound) {
		if e.store.Now().Sub(grant{id: id}.created()) < issueTakes {
			return nil, nil
		}
		if err := e.store.Withdraw(ctx, indexOf(user), memberName(client, id)); err != nil {
			return nil, fmt.Errorf("withdraw grant from the user's index: %w", err)
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read grant: %w", err)
	}
	return decode(stored.Value)
}

// beforeClient sorts before every name of the client and after those of the clients before it.
func beforeClient(client uint32) string {
	return string(binary.BigEndian.AppendUint32(nil, client))
}

// Cursor is the grant's place in its user's list, for ParseCursor.
func (g Grant) Cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(memberName(g.Client, g.ID)))
}

// Cursor is a place in a user's list of grants. The zero value is the beginning.
type Cursor struct{ member string }

// ParseCursor reads what Grant.Cursor wrote; an empty text is the beginning. A cursor is no secret and opens nothing.
func ParseCursor(text string) (Cursor, error) {
	member, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Cursor{}, fmt.Errorf("not a cursor: %w", err)
	}
	if _, _, ok := splitMember(string(member)); !ok && text != "" {
		return Cursor{}, errors.New("not a cursor: wrong size")
	}
	return Cursor{string(member)}, nil
}

// List returns up to limit live grants of a user after a place in the list, by client and then by age. Names whose
// grants are gone are withdrawn on the way.
func (e Ender) List(ctx context.Context, user uuid.UUID, after Cursor, limit int) ([]Grant, error) {
	var found []Grant
	err := e.walk(ctx, user, after.member, func(client uint32, id uuid.UUID) (bool, error) {
		r, err := e.load(ctx, user, client, id)
		if r != nil {
			found = append(found, grant{id, r}.seen())
		}
		return len(found) < limit, err
	})
	return found, err
}
