// Package store is the contract between Safeconduct and what keeps its records. Every engine below this folder fulfils
// it, and store/storetest holds every engine to it. It is called by the packages of rules (grants, clients, users,
// resources, keys); it knows nothing of OAuth.
//
// The promises that every engine makes:
//
//   - Each call touches one key, one index or one log, and is atomic there. There are no transactions over several.
//   - A call that returned nil is done and visible to every handle on the same store; the durability of it is the
//     engine's own promise. A call that returned ErrUnavailable, or the error of its context, may or may not have
//     been done; it may be repeated, and the repetition gives a definite answer.
//   - Every stored value carries a WriteID, drawn once per call before its first attempt. An engine may send one call
//     several times: a re-sent call that finds its own id has succeeded. Swap compares write ids and never values, so
//     of two callers that computed the same value only one wins.
//   - A record, member, entry or counter past its expiry is never returned, swept or not. Expiry is counted by the
//     store's clock, to the millisecond. Expired data needs no janitor.
//   - Keys, index names, log names and values are arbitrary bytes; the first three are at most 1 KiB, and the name of a
//     member is not empty. Values are copies: neither side sees the other's later changes to a slice.
//   - An expiry in the past is allowed and means "ended". A call whose context has ended does nothing and returns the
//     context's error. A limit of 0 or less lists nothing.
//   - A call re-sent after its reply was lost may fall behind a later Delete or Add of the same key by another caller,
//     within the engine's time-out. Who creates and deletes records under one key at once must look again.
//   - Delete and Append are how rights are taken away, so where the data are copied to further servers they return nil
//     only when a copy has them; the same holds for Set, Add and Swap under a context of Lasting. Who gets
//     ErrUnavailable repeats the call. No engine can promise that a copy without the write is never chosen in the
//     place of the original, but it says what it does about it.
//   - A name is used for one kind of thing only: a record, a counter, an index or a log. Reading it as another kind is
//     an error, or finds nothing; never a wrong value.
//   - A Store is safe for use by any number of goroutines.
package store

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNotFound says that there is no live record under the key.
	ErrNotFound = errors.New("store: not found")
	// ErrExists is Add's answer when a live record holds the key.
	ErrExists = errors.New("store: exists")
	// ErrConflict is Swap's answer when the record is not the one that the caller read, is absent or has expired.
	// The caller reads again and decides again.
	ErrConflict = errors.New("store: conflict")
	// ErrUnavailable says that the store cannot be reached or cannot do its work now. It is never the fault of the
	// caller's data, and must never be told to a client as a failed credential.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrNoExpiry is the answer to a write whose expiry is the zero time: forgetting an expiry must not mean "forever".
	ErrNoExpiry = errors.New("store: no expiry given; use store.Forever for what must not expire")
)

// Forever is the expiry of records that live until they are deleted: users, clients, resources and keys.
var Forever = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// WriteID names one writing call. It is random, so two calls never share one.
type WriteID [8]byte

// Record is a value as it was read, with the id of the write that put it there.
type Record struct {
	Value []byte
	ID    WriteID
}

// Member is one entry of an index.
type Member struct {
	Name    string
	Expires time.Time
}

// Entry is one entry of a log.
type Entry struct {
	Seq   uint64
	Value []byte
}

// Store keeps records, indexes, logs and counters. See the package comment for what every call promises.
type Store interface {
	// Get returns the live record under key, or ErrNotFound.
	Get(ctx context.Context, key string) (Record, error)

	// Set writes value under key, whatever was there. It is only for records that one actor owns: of two
	// callers at once the last one wins.
	Set(ctx context.Context, key string, value []byte, expires time.Time) error

	// Add writes value under key only if no live record holds it, else it returns ErrExists.
	// Of any number of callers at once, exactly one succeeds.
	Add(ctx context.Context, key string, value []byte, expires time.Time) error

	// Swap replaces the record under key only while it is still old, the one that Get returned. Else it returns
	// ErrConflict: also when the record is absent or has expired, so a deleted record is never brought back.
	// Of any number of callers that hold the same old, exactly one succeeds.
	Swap(ctx context.Context, key string, old Record, value []byte, expires time.Time) error

	// Delete ends the record or counter under key. Deleting what is absent is no error. It works when the store
	// has no room left.
	Delete(ctx context.Context, key string) error

	// Enroll puts name into index until expires; a name that is there gets the new expiry. It returns how many
	// names the index holds, some of which may have expired. Names of one index are either all of one length or
	// free of zero bytes.
	Enroll(ctx context.Context, index, name string, expires time.Time) (int, error)

	// Withdraw takes name out of index. Withdrawing what is absent is no error.
	Withdraw(ctx context.Context, index, name string) error

	// Members returns up to limit live names of index that sort after the given one, in byte order.
	// An empty after starts at the beginning; fewer than limit names means that the end was reached.
	Members(ctx context.Context, index, after string, limit int) ([]Member, error)

	// Append writes entry at the end of log and returns its number. Numbers only grow, over restarts and losses of
	// the store too, and need not be consecutive. Once a reader has seen number n, no entry with a smaller number
	// appears any more. An entry whose call was re-sent may be there twice.
	Append(ctx context.Context, log string, entry []byte, expires time.Time) (uint64, error)

	// Since returns up to limit live entries of log with a number greater than seq, in order.
	Since(ctx context.Context, log string, seq uint64, limit int) ([]Entry, error)

	// Increment adds one to the counter under key, which starts at zero, sets its expiry and returns the new
	// count. A re-sent call may count twice, never too little: counters are for limits.
	Increment(ctx context.Context, key string, expires time.Time) (int64, error)

	// Publish wakes the subscribers of topic on every handle. It is a hint and may be lost: nothing may depend on it.
	Publish(ctx context.Context, topic string) error

	// Subscribe returns a channel that receives after each Publish of topic; several may become one. The channel
	// is closed when ctx ends or the store is closed.
	Subscribe(ctx context.Context, topic string) (<-chan struct{}, error)

	// Now is the time by the store's clock. All handles of one store agree about it to within a few milliseconds,
	// whatever the clocks of their machines say, and it does not run backwards on one handle. An engine that talks to
	// a server tells the local time until it has first reached it.
	Now() time.Time

	// Ping reports whether the store can serve: nil, or an error that wraps ErrUnavailable.
	Ping(ctx context.Context) error

	// Close ends the handle. Later calls return ErrUnavailable.
	Close() error
}
