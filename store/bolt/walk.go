package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"github.com/safeconduct/safeconduct/store"
)

var _ store.Walker = (*Store)(nil)

// errSeen carries an error of the caller out of a transaction.
type errSeen struct{ error }

// walked are the kinds that a walk tells, each in a bucket of its own.
func walked() []kind { return []kind{recordKind, counterKind, indexKind, logKind} }

// Walk tells the state of one moment. While it lasts, the pages of that moment are kept, and a file that outgrows what is
// mapped of it waits: see must not wait for somebody else.
func (s *Store) Walk(ctx context.Context, see func(store.Item) error) (store.Mark, error) {
	var mark store.Mark
	err := s.read(ctx, func(db *bbolt.Tx) error {
		sums, err := decodeSums(db.Bucket([]byte(aboutBucket)).Get([]byte(sumsKey)))
		if err != nil {
			return errDamaged
		}
		now := s.Now()
		mark = store.Mark{Now: now, Seq: sums.seq}
		for _, k := range walked() {
			err := eachOf(db, k, func(key []byte, it *item) error {
				if !it.live(now.UnixMilli()) {
					return nil
				}
				told, ok := tell(key, it)
				if !ok {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return errSeen{err}
				}
				if err := see(told); err != nil {
					return errSeen{err}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	var seen errSeen
	if errors.As(err, &seen) {
		return mark, seen.error
	}
	return mark, err
}

// eachOf calls see for all items of a kind.
func eachOf(db *bbolt.Tx, k kind, see func(key []byte, it *item) error) error {
	name, _ := k.bucket()
	cursor := db.Bucket([]byte(name)).Cursor()
	for key, raw := cursor.First(); key != nil; key, raw = cursor.Next() {
		it, err := decodeItem(key, raw)
		if err != nil {
			return err
		}
		if err := see(key, &it); err != nil {
			return err
		}
	}
	return nil
}

// tell is the item of the contract under a stored key; false for the head of an index, which is nobody's business.
func tell(key []byte, it *item) (store.Item, bool) {
	out := store.Item{Expires: time.UnixMilli(it.expires).UTC()}
	switch kind(key[0]) {
	case recordKind:
		out.Kind, out.Name, out.ID, out.Value = store.KindRecord, string(key[1:]), it.writeID(), it.payload[idSize:]
	case counterKind:
		out.Kind, out.Name, out.Count = store.KindCounter, string(key[1:]), int64(binary.BigEndian.Uint64(it.payload))
	case indexKind:
		name, rest := splitList(key)
		if rest[0] == headMark {
			return out, false
		}
		out.Kind, out.Name, out.Member = store.KindMember, name, string(rest[1:])
	case logKind:
		name, rest := splitList(key)
		out.Kind, out.Name, out.Seq, out.Value = store.KindEntry, name, binary.BigEndian.Uint64(rest), it.payload
	}
	return out, true
}

// splitList is the inverse of listKey: the name of the list, and what follows it.
func splitList(key []byte) (name string, rest []byte) {
	size, n := binary.Uvarint(key[1:])
	end := 1 + n + int(size)
	return string(key[1+n : end]), key[end:]
}

// storedKey is where an item is.
func storedKey(i store.Item) ([]byte, error) {
	switch i.Kind {
	case store.KindRecord:
		return plainKey(recordKind, i.Name)
	case store.KindCounter:
		return plainKey(counterKind, i.Name)
	case store.KindMember:
		_, member, err := memberKeys(i.Name, i.Member)
		return member, err
	case store.KindEntry:
		prefix, err := listKey(logKind, i.Name)
		return binary.BigEndian.AppendUint64(prefix, i.Seq), err
	}
	return nil, errors.New("an item is of no known kind")
}

// Find looks the items up, all at one moment.
func (s *Store) Find(ctx context.Context, items []store.Item) ([]store.Item, error) {
	found := make([]store.Item, len(items))
	err := s.read(ctx, func(db *bbolt.Tx) error {
		now := s.Now().UnixMilli()
		for n, wanted := range items {
			key, err := storedKey(wanted)
			if err != nil {
				return err
			}
			name, _ := kind(key[0]).bucket()
			raw := db.Bucket([]byte(name)).Get(key)
			if raw == nil {
				continue
			}
			it, err := decodeItem(key, append([]byte(nil), raw...))
			if err != nil {
				return err
			}
			if it.live(now) {
				found[n], _ = tell(key, &it)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Extent counts the keys, which is quick beside reading them.
func (s *Store) Extent(ctx context.Context) (int64, error) {
	var n int64
	err := s.read(ctx, func(db *bbolt.Tx) error {
		for _, k := range walked() {
			name, _ := k.bucket()
			cursor := db.Bucket([]byte(name)).Cursor()
			for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
				n++
			}
		}
		return nil
	})
	return n, err
}

// Snapshot is true: a walk is one transaction.
func (s *Store) Snapshot() bool { return true }
