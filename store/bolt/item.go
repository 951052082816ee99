package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// item is what stands under a stored key: a record, a counter, a member, an entry, or the head of an index.
//
// Its deadline is where it stands in the bucket of deadlines, so there is exactly one for every item that expires. It may
// lie before the expiry: what is written again and again with an ever later expiry leaves its deadline alone, and the
// sweeper moves it on when it gets there. So a refresh costs no second page.
type item struct {
	expires  int64 // Unix milliseconds
	deadline int64 // Unix milliseconds; 0 when the item never expires
	payload  []byte
	sum      uint32 // the checksum, over the key too
}

const itemHeader = 4 + 8 + 8

// maxName bounds keys, names and topics. bbolt's own bound is twice that, and a stored key has two of them and a number.
const maxName = 8 << 10

var (
	errDamaged  = errors.New("an item does not match its checksum; restart to have the whole file checked")
	foreverUnix = store.Forever.UnixMilli()
)

// encode spells the item out, to be stored under key.
func (it *item) encode(key []byte) []byte {
	raw := make([]byte, itemHeader+len(it.payload))
	binary.BigEndian.PutUint64(raw[4:], uint64(it.expires))
	binary.BigEndian.PutUint64(raw[12:], uint64(it.deadline))
	copy(raw[itemHeader:], it.payload)
	it.sum = checksum(key, raw[4:])
	binary.BigEndian.PutUint32(raw, it.sum)
	return raw
}

// decodeItem reads the item under key. The payload stays part of raw.
func decodeItem(key, raw []byte) (item, error) {
	if len(raw) < itemHeader {
		return item{}, errDamaged
	}
	it := item{
		sum:      binary.BigEndian.Uint32(raw),
		expires:  int64(binary.BigEndian.Uint64(raw[4:])),
		deadline: int64(binary.BigEndian.Uint64(raw[12:])),
		payload:  raw[itemHeader:],
	}
	if it.sum != checksum(key, raw[4:]) {
		return item{}, errDamaged
	}
	return it, nil
}

func checksum(key, content []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, content)
}

// live reports whether the item has not expired at now, in Unix milliseconds.
func (it *item) live(now int64) bool { return now < it.expires }

// unixExpiry is an expiry as it is stored. What lies before 1970 has ended like anything else that has.
func unixExpiry(expires time.Time) (int64, error) {
	if expires.IsZero() {
		return 0, store.ErrNoExpiry
	}
	return min(max(expires.UnixMilli(), 1), foreverUnix), nil
}

// deadlineKey is the key in the bucket of deadlines that leads to the item under key at the time at.
func deadlineKey(at int64, key []byte) []byte {
	raw := make([]byte, 0, 9+len(key))
	raw = append(raw, byte(deadlineKind))
	raw = binary.BigEndian.AppendUint64(raw, uint64(at))
	return append(raw, key...)
}

// splitDeadline is the inverse of deadlineKey.
func splitDeadline(raw []byte) (at int64, key []byte) {
	return int64(binary.BigEndian.Uint64(raw[1:])), raw[9:]
}

// deadlineSum is the checksum of a deadline, which has no content but its key.
func deadlineSum(raw []byte) uint32 { return crc32.Checksum(raw, castagnoli) }

// plainKey is the stored key of a record or counter.
func plainKey(k kind, name string) ([]byte, error) {
	if len(name) > maxName {
		return nil, fmt.Errorf("a key has %d bytes, more than %d", len(name), maxName)
	}
	return append([]byte{byte(k)}, name...), nil
}

// listKey begins the stored keys of what belongs to one list, an index or a log. The length goes first, so no list's keys
// lie among those of another, whatever bytes their names have.
func listKey(k kind, list string) ([]byte, error) {
	if len(list) > maxName {
		return nil, fmt.Errorf("a name has %d bytes, more than %d", len(list), maxName)
	}
	key := make([]byte, 0, 64)
	key = append(key, byte(k))
	key = binary.AppendUvarint(key, uint64(len(list)))
	return append(key, list...), nil
}
