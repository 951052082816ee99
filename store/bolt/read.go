package bolt

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// read runs look in a read transaction. A disk that cannot be read shows as a fault in the memory map, which becomes
// an error here and not the end of the process.
func (s *Store) read(ctx context.Context, look func(*bbolt.Tx) error) (err error) {
	if err := s.usable(ctx); err != nil {
		return err
	}
	begun := false
	defer func() {
		if p := recover(); p != nil {
			failure := fmt.Errorf("%v", p)
			if begun {
				err = s.unavailable("read", failure)
			} else {
				err = s.fail("read", failure) // bbolt holds a lock now that nobody will give free
			}
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))

	db, err := s.db.Begin(false)
	if err != nil {
		return s.unavailable("read", err)
	}
	begun = true
	defer db.Rollback()
	return s.explain(look(db))
}

// each calls see for the items that are live at now and whose keys begin with prefix and sort after the given key, until
// see has had enough.
func each(db *bbolt.Tx, prefix, after []byte, now int64, see func(key []byte, it *item) (more bool)) error {
	name, _ := kind(prefix[0]).bucket()
	cursor := db.Bucket([]byte(name)).Cursor()
	for key, raw := cursor.Seek(after); bytes.HasPrefix(key, prefix); key, raw = cursor.Next() {
		if bytes.Equal(key, after) {
			continue
		}
		it, err := decodeItem(key, raw)
		if err != nil {
			return err
		}
		if it.live(now) && !see(key, &it) {
			return nil
		}
	}
	return nil
}
