package grants

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

// listPage is how many names of an index are read at a time.
const listPage = 256

// issueTakes is twice as long as a request may take from a grant's name in the index to its record; a slower one
// refuses itself. An older name without a record was left by a crash.
const issueTakes = time.Minute

// indexOf is the index of a user's grants. Its names sort by client and then by age. Without a user it is that of a
// client's own API keys.
func indexOf(user uuid.UUID, client uint32) string {
	if user == uuid.Nil {
		return "ck" + beforeClient(client)
	}
	return "u" + string(user[:])
}

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

// beforeClient sorts before every name of the client and after those of the clients before it.
func beforeClient(client uint32) string {
	return string(binary.BigEndian.AppendUint32(nil, client))
}

// walk visits the names in a user's index, in order, until visit says no.
func (e Ender) walk(ctx context.Context, user uuid.UUID, after string, visit func(client uint32, id uuid.UUID) (bool, error)) error {
	return e.walkIndex(ctx, indexOf(user, 0), after, visit)
}

func (e Ender) walkIndex(ctx context.Context, index, after string, visit func(client uint32, id uuid.UUID) (bool, error)) error {
	for {
		page, err := e.store.Members(ctx, index, after, listPage)
		if err != nil {
			return fmt.Errorf("list grants: %w", err)
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

// walkClient visits those names that are of one client; without a user, the client's own API keys.
func (e Ender) walkClient(ctx context.Context, user uuid.UUID, client uint32, visit func(id uuid.UUID) error) error {
	return e.walkIndex(ctx, indexOf(user, client), beforeClient(client), func(c uint32, id uuid.UUID) (bool, error) {
		if c != client {
			return false, nil
		}
		return true, visit(id)
	})
}

// load reads a grant that an index names. For a name without a grant it returns nil, and coming while the grant may
// still be on its way; if it is not, the name is withdrawn.
func (e Ender) load(ctx context.Context, user uuid.UUID, client uint32, id uuid.UUID) (r *record, coming bool, err error) {
	stored, err := e.store.Get(ctx, recordKey(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		if e.young(id) {
			return nil, true, nil
		}
		// The name goes last: it must not be forgotten that there was a grant while that could come back.
		if err := e.delete(ctx, id); err != nil {
			return nil, false, err
		}
		return nil, false, e.withdraw(ctx, user, client, id)
	case err != nil:
		return nil, false, fmt.Errorf("read grant: %w", err)
	case isTombstone(stored):
		return nil, false, e.withdraw(ctx, user, client, id)
	}
	r, err = decode(stored.Value)
	return r, false, err
}

// young reports whether a write of the grant may still be on its way.
func (e Ender) young(id uuid.UUID) bool {
	return e.store.Now().Sub(grant{id: id}.created()) < issueTakes
}

func (e Ender) withdraw(ctx context.Context, user uuid.UUID, client uint32, id uuid.UUID) error {
	if err := e.store.Withdraw(ctx, indexOf(user, client), memberName(client, id)); err != nil {
		return fmt.Errorf("withdraw grant from its index: %w", err)
	}
	return nil
}

// liveFor lists the live grants of a user for one client, the oldest first, and withdraws names whose grants are gone.
func (e Ender) liveFor(ctx context.Context, user uuid.UUID, client uint32) ([]grant, error) {
	var live []grant
	err := e.walkClient(ctx, user, client, func(id uuid.UUID) error {
		r, _, err := e.load(ctx, user, client, id)
		if r != nil {
			live = append(live, grant{id, r})
		}
		return err
	})
	return live, err
}
