// Package archive moves whole stores: from one engine to another, and into a file and back. It is called by the commands
// that copy, back up and restore, and by the server that is asked for a backup of the store that it has open. It knows what
// a store is and nothing of what is in it.
//
// It holds a bounded piece of a store in memory, whatever the size of the store. A backup is read to its end and found
// whole before anything of it is used.
package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/safeconduct/safeconduct/store"
)

const (
	// batchItems and batchBytes are what is handled at once.
	batchItems = 4096
	batchBytes = 4 << 20
)

// Source is what can be copied: a store, or a backup.
type Source interface {
	// Walk is that of store.Walker.
	Walk(ctx context.Context, see func(store.Item) error) (store.Mark, error)
}

// Sum is how many items of a kind there are, and a digest of them all that does not depend on their order.
type Sum struct {
	Count  int64  `json:"count"`
	Digest Digest `json:"digest"`
}

// Digest is the sum of the hashes of items.
type Digest uint64

// String is the digest as people compare it.
func (d Digest) String() string { return fmt.Sprintf("%016x", uint64(d)) }

// MarshalText is String: JSON numbers are not exact.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (d *Digest) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	*d = Digest(n)
	return err
}

// Tally is what was seen of a store, by kind.
type Tally struct {
	Records  Sum `json:"records"`
	Counters Sum `json:"counters"`
	Members  Sum `json:"index_entries"`
	Entries  Sum `json:"log_entries"`
}

// Of is the sum of a kind, nil for an unknown one.
func (t *Tally) Of(k store.Kind) *Sum {
	switch k {
	case store.KindRecord:
		return &t.Records
	case store.KindCounter:
		return &t.Counters
	case store.KindMember:
		return &t.Members
	case store.KindEntry:
		return &t.Entries
	}
	return nil
}

// Count is how many items were seen.
func (t *Tally) Count() int64 {
	return t.Records.Count + t.Counters.Count + t.Members.Count + t.Entries.Count
}

// add counts an item, given as it is encoded.
func (t *Tally) add(k store.Kind, encoded []byte) {
	hash := sha256.Sum256(encoded)
	sum := t.Of(k)
	sum.Count++
	sum.Digest += Digest(binary.BigEndian.Uint64(hash[:]))
}

// Measure walks a store and returns what it holds.
func Measure(ctx context.Context, from Source) (*Tally, store.Mark, error) {
	tally := &Tally{}
	var scratch []byte
	mark, err := from.Walk(ctx, func(i store.Item) error {
		scratch = appendItem(scratch[:0], i)
		tally.add(i.Kind, scratch)
		return nil
	})
	return tally, mark, err
}

// batch gathers items, which are only lent, up to what is handled at once.
type batch struct {
	items []store.Item
	size  int
}

func (b *batch) add(i store.Item) (full bool) {
	i.Value = bytes.Clone(i.Value)
	b.items = append(b.items, i)
	b.size += len(i.Value) + len(i.Name) + len(i.Member)
	return len(b.items) >= batchItems || b.size >= batchBytes
}

// take empties the batch. Its items are good until the next add.
func (b *batch) take() []store.Item {
	items := b.items
	b.items, b.size = b.items[:0], 0
	return items
}
