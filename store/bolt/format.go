package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

// formatVersion is the version of the file's layout that this release reads and writes.
const formatVersion = 1

// aboutBucket marks a file as ours. The other buckets of a file hold items, one bucket for each kind.
const aboutBucket = "safeconduct"

// The keys of aboutBucket.
const (
	versionKey = "version"
	sumsKey    = "sums"
)

// kind is the first byte of every stored key. It says which bucket the key is in.
type kind byte

const (
	recordKind   kind = 'r'
	counterKind  kind = 'c'
	indexKind    kind = 'i'
	logKind      kind = 'l'
	deadlineKind kind = 'd'
)

// bucket is where the items of the kind are, and how full bbolt may make a page before it splits it. Grants have ids that
// grow with time, and entries of logs and deadlines do so too; counters and indexes are written all over.
func (k kind) bucket() (name string, fill float64) {
	switch k {
	case recordKind:
		return "records", 0.9
	case counterKind:
		return "counters", 0.5
	case indexKind:
		return "indexes", 0.5
	case logKind:
		return "logs", 0.9
	default:
		return "deadlines", 0.9
	}
}

// kinds lists all kinds.
func kinds() []kind { return []kind{recordKind, counterKind, indexKind, logKind, deadlineKind} }

// sums are written with every commit. They hold what must survive a restart, and bind the items together: each item
// has a checksum of its own, but only their sum tells that none is missing and none is a stale one.
type sums struct {
	now     int64  // the store's time, Unix nanoseconds
	seq     uint64 // the last number given to an entry of any log
	written uint64 // how many items were ever written
	items   uint64 // how many items there are
	total   uint64 // the sum of their checksums
}

const sumsSize = 4 + 5*8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s sums) encode() []byte {
	raw := make([]byte, 4, sumsSize)
	for _, field := range []uint64{uint64(s.now), s.seq, s.written, s.items, s.total} {
		raw = binary.BigEndian.AppendUint64(raw, field)
	}
	binary.BigEndian.PutUint32(raw, crc32.Checksum(raw[4:], castagnoli))
	return raw
}

func decodeSums(raw []byte) (sums, error) {
	if len(raw) != sumsSize || binary.BigEndian.Uint32(raw) != crc32.Checksum(raw[4:], castagnoli) {
		return sums{}, errors.New("its sums do not match their checksum")
	}
	field := func(i int) uint64 { return binary.BigEndian.Uint64(raw[4+8*i:]) }
	return sums{now: int64(field(0)), seq: field(1), written: field(2), items: field(3), total: field(4)}, nil
}

// checkVersion reports why a file with the given version is not for this release.
func checkVersion(raw []byte) error {
	version, err := strconv.Atoi(string(raw))
	switch {
	case err != nil || version < 1:
		return &refusal{damaged, fmt.Sprintf("its format version is %q", raw)}
	case version > formatVersion:
		return &refusal{newer, fmt.Sprintf("its format version is %d, and this release reads up to %d", version, formatVersion)}
	}
	return nil
}
