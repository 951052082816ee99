package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/safeconduct/safeconduct/store"
)

// An index is a run of items: its head, which counts the members, and the members in the order of their names.
const (
	headMark   = 0
	memberMark = 1
)

var errNoName = errors.New("the name of a member is empty")

// memberKeys returns the stored keys of an index's head and of a member.
func memberKeys(index, name string) (head, member []byte, err error) {
	prefix, err := listKey(indexKind, index)
	if err != nil {
		return nil, nil, err
	}
	if name == "" {
		return nil, nil, errNoName
	}
	if _, err := plainKey(indexKind, name); err != nil {
		return nil, nil, err
	}
	head = append(slices.Clip(prefix), headMark)
	member = append(append(slices.Clip(prefix), memberMark), name...)
	return head, member, nil
}

// Enroll puts name into index and returns how many names are in it.
func (s *Store) Enroll(ctx context.Context, index, name string, expires time.Time) (int, error) {
	head, member, err := memberKeys(index, name)
	if err != nil {
		return 0, err
	}
	until, err := unixExpiry(expires)
	if err != nil {
		return 0, err
	}
	var n int
	err = s.write(&write{ctx: ctx, run: func(t *tx) error {
		there, err := t.find(member)
		if err != nil {
			return err
		}
		by := 0
		if there == nil {
			by = 1
		}
		n, err = t.count(head, by)
		if err != nil {
			return err
		}
		return t.put(member, there, until, nil)
	}})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Withdraw takes name out of index.
func (s *Store) Withdraw(ctx context.Context, index, name string) error {
	head, member, err := memberKeys(index, name)
	if err != nil {
		return err
	}
	return s.write(&write{ctx: ctx, frees: true, run: func(t *tx) error {
		there, err := t.find(member)
		if err != nil || there == nil {
			return err
		}
		if _, err := t.count(head, -1); err != nil {
			return err
		}
		return t.drop(member, there)
	}})
}

// count changes the number of members that the head of an index tells, and returns it. A head without members goes.
func (t *tx) count(head []byte, by int) (int, error) {
	there, err := t.find(head)
	if err != nil {
		return 0, err
	}
	n := by
	if there != nil {
		n += int(binary.BigEndian.Uint64(there.payload))
	}
	switch {
	case by == 0:
		return n, nil
	case n <= 0 && there != nil:
		return 0, t.drop(head, there)
	case n <= 0:
		return 0, nil
	}
	return n, t.put(head, there, foreverUnix, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// headOf returns the key of the head to which a stored key of an index belongs, which may be a head itself.
func headOf(key []byte) []byte {
	size, n := binary.Uvarint(key[1:])
	end := 1 + n + int(size)
	return append(slices.Clip(key[:end]), headMark)
}

// Members returns up to limit live names of index after the given one.
func (s *Store) Members(ctx context.Context, index, after string, limit int) ([]store.Member, error) {
	list, err := listKey(indexKind, index)
	if err != nil || limit <= 0 {
		return nil, err
	}
	prefix := append(list, memberMark)
	var members []store.Member
	err = s.read(ctx, func(db *bbolt.Tx) error {
		from := append(slices.Clip(prefix), after...)
		return each(db, prefix, from, s.Now().UnixMilli(), func(key []byte, it *item) bool {
			members = append(members, store.Member{
				Name:    string(key[len(prefix):]),
				Expires: time.UnixMilli(it.expires).UTC(),
			})
			return len(members) < limit
		})
	})
	if err != nil {
		return nil, err
	}
	return members, nil
}
