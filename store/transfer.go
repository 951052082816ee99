package store

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrUnfinished says that the filling of a store was cut short: what is there is a part, and no server may use it.
	ErrUnfinished = errors.New("store: unfinished")
	// ErrNotEmpty is the answer to who wants to fill a store that holds something.
	ErrNotEmpty = errors.New("store: not empty")
	// ErrBehind says that the clock of a store is behind the times that it would hold: what has ended would live again.
	ErrBehind = errors.New("store: its clock is behind")
)

// Kind says what an Item is.
type Kind byte

// The kinds of items.
const (
	KindRecord  Kind = 'r'
	KindCounter Kind = 'c'
	KindMember  Kind = 'i'
	KindEntry   Kind = 'l'
)

// Kinds lists the kinds.
func Kinds() []Kind { return []Kind{KindRecord, KindCounter, KindMember, KindEntry} }

// String is the kind in the plural, as people are told of it.
func (k Kind) String() string {
	switch k {
	case KindRecord:
		return "records"
	case KindCounter:
		return "counters"
	case KindMember:
		return "index entries"
	case KindEntry:
		return "log entries"
	}
	return "things of no known kind"
}

// Item is one thing that a store keeps, in terms that all engines share: a record, a counter, a member of an index or an
// entry of a log.
type Item struct {
	Kind    Kind
	Name    string // the key of a record or counter, the name of an index or log
	Member  string // of an index
	Seq     uint64 // of an entry
	Count   int64  // of a counter
	ID      WriteID
	Value   []byte // of a record or an entry
	Expires time.Time
}

// Mark is how far a store has come: no time in it is later than Now, and no entry has a greater number than Seq.
type Mark struct {
	Now time.Time
	Seq uint64
}

// Walker is a store that can tell everything that it holds, for copies and backups. Every engine is one.
type Walker interface {
	// Walk calls see for everything live, and returns the mark of what it told. What see is given is good until see
	// returns. An error of see ends the walk and is returned as it is.
	//
	// The walk of an engine whose Snapshot is true tells the state of one moment, each item once. Another one tells each
	// item as it is when its turn comes, some perhaps twice, of which the later one counts; what is there from
	// the beginning to the end is not left out. It keeps an order, so that what was written first to be found is told
	// after what it finds: the records that expire, the records that stay, then counters, members and entries.
	Walk(ctx context.Context, see func(Item) error) (Mark, error)

	// Find returns, for each of items, the live item of the same name (and member or number) as it is now, or one of no
	// kind when there is none.
	Find(ctx context.Context, items []Item) ([]Item, error)

	// Extent is about how many items a Walk tells.
	Extent(ctx context.Context) (int64, error)

	// Snapshot reports whether a Walk tells the state of one moment also while others write.
	Snapshot() bool
}

// Filler is a store that is being filled. Nobody can open it as a store before Finish: who dies in between leaves one that
// says ErrUnfinished, until it is filled anew from the beginning.
type Filler interface {
	Store

	// Load writes items as they are, with their write ids, numbers and expiries, over what is there. The entries of one
	// log must come in their order.
	Load(ctx context.Context, items []Item) error

	// Advance brings the clock and the numbers to the mark: Now is not earlier from here on, and no later entry has a
	// number up to Seq. It returns ErrBehind when the clock is another's and too far behind.
	Advance(ctx context.Context, m Mark) error

	// Finish makes it a store like any other, and ends the handle. Close without it leaves the store unfinished.
	Finish(ctx context.Context) error
}
