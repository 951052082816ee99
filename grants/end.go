package grants

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

// Ender ends grants. It is apart from Service because those who must end grants, the users registry above all, need
// no keys and are themselves needed to make a Service.
type Ender struct{ store store.Store }

// NewEnder makes an Ender.
func NewEnder(s store.Store) Ender { return Ender{s} }

// EndUser ends every grant of a user, API keys too. The caller has raised the user's epoch before: a grant that is being
// made right now is not written yet, but finds the new epoch.
func (e Ender) EndUser(ctx context.Context, user uuid.UUID) error {
	var live []grant
	err := e.walk(ctx, user, "", func(client uint32, id uuid.UUID) (bool, error) {
		// The name of a grant on the way stays: if its user has logged in again since, the grant is good and must be
		// listed.
		r, _, err := e.load(ctx, user, client, id)
		if r != nil {
			live = append(live, grant{id, r})
		}
		return true, err
	})
	if err != nil {
		return err
	}
	return e.announced(ctx, userMark(user, live, e.store.Now()), func() error {
		for _, g := range live {
			if err := e.remove(ctx, g); err != nil {
				return err
			}
		}
		return nil
	})
}

// EndSession ends what hangs on a session of a user: grants that are not offline, and codes that wait for their
// redemption, whatever they are for. The caller has ended the session before: of a grant that is being made right now
// nobody can tell yet which session it is of, but it finds its session ended. A code that is redeemed in this very
// moment may be ended with what it was redeemed for.
func (e Ender) EndSession(ctx context.Context, user, session uuid.UUID) error {
	if session == uuid.Nil {
		return nil // the session of those that hang on none
	}
	return e.walk(ctx, user, "", func(client uint32, id uuid.UUID) (bool, error) {
		r, _, err := e.load(ctx, user, client, id)
		if r == nil || r.session() != session || r.State == active && r.Offline {
			return true, err
		}
		return true, e.end(ctx, grant{id, r})
	})
}

// EndClient ends every grant of a user for one client, also one that is being made right now, and returns how many it
// ended. The user's consent is not its business; RemoveClient ends both.
func (e Ender) EndClient(ctx context.Context, user uuid.UUID, client uint32) (int, error) {
	count := 0
	err := e.walkClient(ctx, user, client, func(id uuid.UUID) error {
		ended, err := e.bury(ctx, user, client, id)
		if ended {
			count++
		}
		return err
	})
	return count, err
}

// End ends one grant of a user. It reports whether there was one, live or being made.
func (e Ender) End(ctx context.Context, user, id uuid.UUID) (bool, error) {
	found := false
	err := e.walk(ctx, user, "", func(client uint32, member uuid.UUID) (bool, error) {
		if member != id {
			return true, nil
		}
		var err error
		found, err = e.bury(ctx, user, client, id)
		return false, err
	})
	return found, err
}

// tombstone is what stands under the key of a grant that must not be written any more. It is no record.
var tombstone = []byte{0}

func isTombstone(r store.Record) bool { return bytes.Equal(r.Value, tombstone) }

// bury ends a grant that an index names so that who is just making it cannot write it any more, nor a store bring it
// back that sends the write again because its reply was lost. It reports whether there was one.
//
// The record goes first, then a tombstone lies where it was, then the name is withdrawn. Wherever this is cut short, the
// name is still there and the call can be repeated. Only of a young grant a write can be on its way; a tombstone lives as
// long as any of them, and the writer (enter) meets it, because it writes by Add.
func (e Ender) bury(ctx context.Context, user uuid.UUID, client uint32, id uuid.UUID) (bool, error) {
	ended := false
	for {
		r, coming, err := e.load(ctx, user, client, id)
		if err != nil || r == nil && !coming {
			return ended, err
		}
		if r != nil {
			err := e.announced(ctx, grant{id, r}.revocation(e.store.Now()), func() error { return e.delete(ctx, id) })
			if err != nil {
				return false, err
			}
			ended = true
		}
		if e.young(id) {
			err := e.store.Add(store.Lasting(ctx), recordKey(id), tombstone, e.store.Now().Add(issueTakes))
			if errors.Is(err, store.ErrExists) {
				continue // written, or ended by somebody else, since the look
			}
			// What was written is ended without a tombstone too: rights can be taken back when the store is full, and a
			// store that takes no tombstone takes no late record either.
			if err != nil && r == nil {
				return ended, fmt.Errorf("keep grant from being written: %w", err)
			}
		}
		return true, e.withdraw(ctx, user, client, id)
	}
}

// end ends a grant whose tokens somebody holds, or that looks again at what it hangs on when it has been written; for any
// other there is bury.
func (e Ender) end(ctx context.Context, g grant) error {
	return e.announced(ctx, g.revocation(e.store.Now()), func() error { return e.remove(ctx, g) })
}

// remove deletes the record first: that is what ends the grant. A crash before the name is withdrawn leaves a name without
// a grant, which lapses.
func (e Ender) remove(ctx context.Context, g grant) error {
	if err := e.delete(ctx, g.id); err != nil || !g.listed() {
		return err
	}
	return e.withdraw(ctx, g.user(), g.Client, g.id)
}

func (e Ender) delete(ctx context.Context, id uuid.UUID) error {
	if err := e.store.Delete(ctx, recordKey(id)); err != nil {
		return fmt.Errorf("end grant: %w", err)
	}
	return nil
}
