package redis

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// An index is a sorted set whose scores are all zero, so that Redis orders its members by their bytes. A member is
// the name, a zero byte and the stamp of its expiry: one key for names and expiries of an index of any size.

// memberTail is the size of a member beyond its name.
const memberTail = 1 + stampSize

// pageSize bounds what one script looks at, so that it does not hold Redis up.
const pageSize = 500

// Enroll puts name into index until expires. It returns how many names the index holds.
func (s *Store) Enroll(ctx context.Context, index, name string, expires time.Time) (int, error) {
	until, err := expiryOf(expires)
	if err != nil {
		return 0, err
	}
	// Where the script looks for expired members is left to chance: names need not be in order of time.
	id := store.NewWriteID()
	anywhere := binary.BigEndian.Uint32(id[:])
	c := s.scripts.enroll.call(ctx, s.key(kindIndex, index), name, until.stamp(), until.keyArg(), anywhere)
	c.creates = true
	if err := s.do(ctx, "enroll in an index", c); err != nil {
		return 0, err
	}
	return int(c.integer()), nil
}

// Withdraw takes name out of index. It works when the memory is full.
func (s *Store) Withdraw(ctx context.Context, index, name string) error {
	return s.do(ctx, "withdraw from an index", s.scripts.withdraw.call(ctx, s.key(kindIndex, index), name))
}

// Members returns up to limit live names of index that sort after the given one.
func (s *Store) Members(ctx context.Context, index, after string, limit int) ([]store.Member, error) {
	var members []store.Member
	from := "-"
	if after != "" {
		from = "[" + after
	}
	for len(members) < limit {
		count := min(limit-len(members)+1, pageSize) // one more: after itself may be among them
		c := s.scripts.members.call(ctx, s.key(kindIndex, index), from, count)
		if err := s.do(ctx, "list an index", c); err != nil {
			return nil, err
		}
		seen, last, page := c.page()
		for _, member := range page {
			m := memberFrom(member)
			if (after == "" || m.Name > after) && len(members) < limit {
				members = append(members, m)
			}
		}
		if seen < count {
			break
		}
		from = "(" + last
	}
	return members, nil
}

func memberFrom(member string) store.Member {
	name := len(member) - memberTail
	return store.Member{Name: member[:name], Expires: expiryFrom(member[name+1:]).time()}
}
