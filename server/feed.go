package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/store"
)

const (
	// feedEvery bounds how long a revocation by another process stays unknown when the wake-up is lost.
	feedEvery = 500 * time.Millisecond
	// feedTrust is for how long the feed is served without a look at the log that succeeded.
	feedTrust = 2 * time.Second
	feedPage  = 1000
)

// feed follows the log of revocations in the store, for all who are connected to this process. It remembers what can
// still bite and nothing else: entries lapse with the tokens that they concern.
type feed struct {
	store store.Store

	mu      sync.Mutex
	entries []feedEntry   // in the order of their numbers
	version uint64        // counts the changes of entries
	last    uint64        // the number up to which the log was read
	read    time.Time     // when a look at the log last succeeded
	changed chan struct{} // closed when something was added, and replaced
	next    *reading      // the look that begins when the present one has ended; nil when nobody waits for it
	looking bool          // somebody carries out looks

	made snapshots
}

// feedEntry is a revocation with its place in the log.
type feedEntry struct {
	grants.Revocation
	seq  uint64
	mark [cursorMark]byte
	json []byte // as it is sent
}

// reading is a look at the log that any number of callers wait for.
type reading struct {
	done chan struct{}
	err  error
}

func newFeed(s store.Store) *feed { return &feed{store: s, changed: make(chan struct{})} }

// run follows the log until ctx ends.
func (f *feed) run(ctx context.Context) {
	store.Follow(ctx, f.store, grants.RevocationsLog, feedEvery, func(ctx context.Context) {
		_ = f.catchUp(ctx) // what fails shows in the age of the feed
	})
}

// catchUp returns when everything is known that was in the log at the time of the call. Of callers that come while a look
// is under way, all wait for one that begins after it: however many ask, the store is asked one question at a time.
func (f *feed) catchUp(ctx context.Context) error {
	f.mu.Lock()
	if f.next == nil {
		f.next = &reading{done: make(chan struct{})}
	}
	awaited := f.next
	if !f.looking {
		f.looking = true
		go f.look()
	}
	f.mu.Unlock()
	select {
	case <-awaited.done:
		return awaited.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look looks at the log for as long as somebody waits for it. It does not run under the context of any of them.
func (f *feed) look() {
	for {
		f.mu.Lock()
		present := f.next
		f.next = nil
		f.looking = present != nil
		f.mu.Unlock()
		if present == nil {
			return
		}
		present.err = f.readLog()
		close(present.done)
	}
}

// readLog reads what was added to the log since the last time.
func (f *feed) readLog() error {
	ctx, cancel := context.WithTimeout(context.Background(), feedTrust)
	defer cancel()
	began := f.store.Now()
	for {
		page, err := f.store.Since(ctx, grants.RevocationsLog, f.last, feedPage)
		if err != nil {
			return fmt.Errorf("read the revocations: %w", err)
		}
		added := make([]feedEntry, 0, len(page))
		for _, e := range page {
			r, err := grants.ParseRevocation(e.Value)
			if err != nil {
				return err // of a later release: who cannot read it must not go on as if there was nothing
			}
			added = append(added, feedEntry{r, e.Seq, markOf(e), showRevocation(r)})
		}
		f.add(added)
		if len(page) < feedPage {
			break
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.entries)
	f.entries = slices.DeleteFunc(f.entries, func(e feedEntry) bool { return !began.Before(e.Until) })
	if len(f.entries) < before {
		f.version++
	}
	f.read = began
	return nil
}

// add takes entries over and wakes who waits for some.
func (f *feed) add(entries []feedEntry) {
	if len(entries) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = entries[len(entries)-1].seq
	f.entries = append(f.entries, entries...)
	f.version++
	close(f.changed)
	f.changed = make(chan struct{})
}

// view is what a resource may know, and the cursor behind it.
type view struct {
	entries []feedEntry
	cursor  string
	// changed is closed when there is more.
	changed <-chan struct{}
}

// fresh is false while the log cannot be read: then nobody may take silence for good news.
func (f *feed) fresh() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.read.IsZero() && f.store.Now().Sub(f.read) < feedTrust
}

// after is what concerns a resource behind a cursor, the empty one standing before everything; false if the cursor cannot be
// placed: because what it names has lapsed, or because the store has lost the end of its log since.
func (f *feed) after(resource uint32, cursor string) (view, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if cursor == "" {
		return f.viewOf(resource, 0), true
	}
	seq, mark, ok := parseCursor(cursor)
	if !ok {
		return view{}, false
	}
	at, found := slices.BinarySearchFunc(f.entries, seq, func(e feedEntry, seq uint64) int {
		switch {
		case e.seq < seq:
			return -1
		case e.seq > seq:
			return 1
		}
		return 0
	})
	if !found || f.entries[at].mark != mark {
		return view{}, false
	}
	return f.viewOf(resource, at+1), true
}

// viewOf is what concerns a resource from the entry at index from on.
func (f *feed) viewOf(resource uint32, from int) view {
	v := view{changed: f.changed}
	for _, e := range f.entries[from:] {
		if len(e.Resources) == 0 || slices.Contains(e.Resources, resource) {
			v.entries = append(v.entries, e)
		}
	}
	if len(f.entries) > 0 {
		v.cursor = f.entries[len(f.entries)-1].cursor()
	}
	return v
}

// told is all that can still bite. The feed is locked while it is gone through: yield must not call the feed.
func (f *feed) told() iter.Seq[grants.Revocation] {
	return func(yield func(grants.Revocation) bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, e := range f.entries {
			if !yield(e.Revocation) {
				return
			}
		}
	}
}

// cursorMark is how much of an entry's hash stands in a cursor: enough to tell two logs apart.
const cursorMark = 8

func markOf(e store.Entry) (mark [cursorMark]byte) {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, e.Seq)
	h.Write(e.Value)
	copy(mark[:], h.Sum(nil))
	return mark
}

// cursor names the entry by its number and what is in it: after a failover another entry may have the number.
func (e feedEntry) cursor() string {
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, e.seq), e.mark[:]...))
}

func parseCursor(text string) (seq uint64, mark [cursorMark]byte, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != 8+cursorMark {
		return 0, mark, false
	}
	copy(mark[:], raw[8:])
	return binary.BigEndian.Uint64(raw), mark, true
}
