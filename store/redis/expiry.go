package redis

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// expiry is a time in milliseconds since 1970. What expires at e is gone from e on.
type expiry int64

// forever is the expiry of what Redis keeps until it is told otherwise.
var forever = expiry(store.Forever.UnixMilli())

// stampSize is the size of an expiry inside a member of an index or an entry of a log. 48 bits reach to the year 10889.
const stampSize = 6

func expiryOf(t time.Time) (expiry, error) {
	if t.IsZero() {
		return 0, store.ErrNoExpiry
	}
	// Redis knows no times before 1970, and refuses zero.
	return min(max(expiry(t.UnixMilli()), 2), forever), nil
}

// keyArg is the argument of SET PXAT and PEXPIREAT, or "" for a key that does not expire. Redis drops a key after
// the millisecond that it is told, so it is told the last one in which the key lives.
func (e expiry) keyArg() string {
	if e == forever {
		return ""
	}
	return strconv.FormatInt(int64(e)-1, 10)
}

// stamp is the expiry as it stands in a member or an entry: six bytes, most significant first.
func (e expiry) stamp() string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(e))
	return string(b[8-stampSize:])
}

// expiryFrom reads a stamp.
func expiryFrom(stamp string) expiry {
	var b [8]byte
	copy(b[8-stampSize:], stamp)
	return expiry(binary.BigEndian.Uint64(b[:]))
}

func (e expiry) time() time.Time {
	if e >= forever {
		return store.Forever
	}
	return time.UnixMilli(int64(e)).UTC()
}

func (e expiry) passed(now time.Time) bool { return int64(e) <= now.UnixMilli() }
