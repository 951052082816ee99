package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// draftLife is how long a half-made record may lie about after a crash before it lapses.
	draftLife = 10 * time.Minute
	// maxTries bounds how often one call starts again because others write the same record.
	maxTries = 256
	// firstPatience is how long the claim of somebody else is left to end by itself; later tries wait longer.
	firstPatience   = 25 * time.Millisecond
	patienceDoubles = 6
)

// Table keeps the records of one kind as JSON, each under an id, with further names that are unique within the kind,
// and a listing. It is the ground of the registries of users, clients and resources.
//
// An act of several store calls has one call that decides, the swap of the record, and a crash anywhere leaves
// either the whole act or nothing that counts. Before it the record is a draft, or carries the names that it
// claims. Whoever meets the claim of somebody else gives it a moment to end, then breaks it and takes the name; the
// other, if he lives, then fails to swap and starts again. So of many callers that want one name exactly one gets it,
// and a dead one is in nobody's way.
type Table[T any] struct {
	store   Store
	changes *Changes
	kind    string
	namesOf func(T) []string
	records *Cache[*held[T]]
	names   *Cache[string]
}

// held is a record as it is remembered: shared by all readers, with the names that it holds.
type held[T any] struct {
	value T
	names []string
}

// NewTable makes a table for the records of kind. namesOf lists the names that a record holds besides its id;
// cacheLimit is how many records are remembered. A kind must not contain a slash, nor an id a zero byte.
func NewTable[T any](s Store, c *Changes, kind string, namesOf func(T) []string, cacheLimit int) *Table[T] {
	return &Table[T]{
		store:   s,
		changes: c,
		kind:    kind,
		namesOf: namesOf,
		records: NewCache[*held[T]](c, kind+"/", cacheLimit),
		names:   NewCache[string](c, kind+":name/", cacheLimit),
	}
}

// Get returns the record of id as it was within the last second, or ErrNotFound. It is shared: do not modify it or what
// it refers to.
func (t *Table[T]) Get(ctx context.Context, id string) (*T, error) {
	h, err := t.remembered(ctx, id)
	if err != nil {
		return nil, err
	}
	return &h.value, nil
}

func (t *Table[T]) remembered(ctx context.Context, id string) (*held[T], error) {
	if h, found := t.records.Lookup(id); found {
		return h, nil
	}
	return t.records.Load(ctx, id, func(ctx context.Context) (*held[T], error) {
		value, err := t.Fresh(ctx, id)
		if err != nil {
			return nil, err
		}
		return &held[T]{value, t.namesOf(value)}, nil
	})
}

// Fresh returns the record of id as it is now, or ErrNotFound.
func (t *Table[T]) Fresh(ctx context.Context, id string) (T, error) {
	row, err := t.read(ctx, id)
	if err == nil && row.Draft {
		err = ErrNotFound
	}
	if err != nil {
		var none T
		return none, fmt.Errorf("%s %q: %w", t.kind, id, err)
	}
	return row.value, nil
}

// Add writes a new record. It returns an error that is ErrExists, and a *TakenError, if the id or one of the names is
// taken. Of any number of callers that want the same one, exactly one succeeds.
func (t *Table[T]) Add(ctx context.Context, id string, value T) error {
	err := t.again(ctx, func(p patience) error { return t.add(ctx, id, value, p) })
	if err != nil {
		return fmt.Errorf("add %s: %w", t.kind, err)
	}
	// Nobody remembers what was not there, so nobody is misled if this fails; it only spares others the wait.
	_ = t.changes.Announce(ctx, t.subject(id))
	return nil
}

func (t *Table[T]) add(ctx context.Context, id string, value T, p patience) error {
	// 1. A draft, so that the names have something to belong to.
	draft, err := t.encode(envelope{Draft: true}, value)
	if err != nil {
		return err
	}
	if err := t.putDraft(ctx, id, draft, p); err != nil {
		return err
	}
	own, err := t.reread(ctx, id, draft)
	if err != nil {
		return err
	}
	// 2. The names.
	names := t.namesOf(value)
	if err := t.claimAll(ctx, id, names, p); err != nil {
		if errors.Is(err, ErrExists) {
			t.discard(ctx, id, own, names)
		}
		return err
	}
	// 3. The listing, which may list what is not there.
	if _, err := t.store.Enroll(ctx, t.index(), id, Forever); err != nil {
		return err
	}
	// 4. From here on the record counts.
	final, err := t.encode(envelope{}, value)
	if err != nil {
		return err
	}
	return t.store.Swap(ctx, t.key(id), own, final, Forever)
}

// putDraft writes a draft under id, in the end also over the draft of somebody else, who then fails to finish his.
func (t *Table[T]) putDraft(ctx context.Context, id string, draft []byte, p patience) error {
	lapses := func() time.Time { return t.store.Now().Add(draftLife) }
	err := t.store.Add(ctx, t.key(id), draft, lapses())
	if !errors.Is(err, ErrExists) {
		return err
	}
	row, err := t.read(ctx, id)
	if errors.Is(err, ErrNotFound) && !row.withdrawn() {
		return ErrConflict // it has just lapsed
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && !row.Draft {
		return &TakenError{Name: id}
	}
	if err == nil {
		if err := t.outlast(ctx, id, row, p); err != nil {
			return err
		}
	}
	return t.store.Swap(ctx, t.key(id), row.record, draft, lapses())
}

// discard takes back a draft that cannot be finished. Whatever of it fails leaves what a crash would leave.
func (t *Table[T]) discard(ctx context.Context, id string, own Record, names []string) {
	if t.withdraw(ctx, t.key(id), own) != nil {
		return
	}
	t.release(ctx, id, names)
}

// Update reads the record, changes it and writes it back, again if somebody else wrote it in between: change may run
// several times, on a copy of its own. An error of change ends it and is returned as it is. The change has been
// announced when Update returns nil, also if there was nothing to change, so that the repetition of an update whose
// announcement was lost makes up for it.
func (t *Table[T]) Update(ctx context.Context, id string, change func(*T) error) (T, error) {
	var value T
	var refused error
	err := t.again(ctx, func(p patience) error {
		var err error
		value, err = t.update(ctx, id, p, func(v *T) error {
			refused = change(v)
			return refused
		})
		if refused != nil {
			return nil
		}
		return err
	})
	if refused != nil {
		return value, refused
	}
	if err == nil {
		ctx, cancel := Finish(ctx)
		defer cancel()
		err = t.changes.Announce(ctx, t.subject(id))
	}
	if err != nil {
		return value, fmt.Errorf("update %s %q: %w", t.kind, id, err)
	}
	return value, nil
}

func (t *Table[T]) update(ctx context.Context, id string, p patience, change func(*T) error) (T, error) {
	row, err := t.read(ctx, id)
	if err == nil && row.Draft {
		err = ErrNotFound
	}
	var value T
	if err != nil {
		return value, err
	}
	before := t.namesOf(row.value)
	if err := json.Unmarshal(row.Value, &value); err != nil {
		return value, fmt.Errorf("damaged record: %w", err)
	}
	if err := change(&value); err != nil {
		return value, err
	}
	after := t.namesOf(value)
	final, err := t.encode(envelope{}, value)
	if err != nil {
		return value, err
	}

	own := row.record
	if gained := without(after, before); len(gained) > 0 {
		if own, err = t.claimFor(ctx, id, row, gained, p); err != nil {
			return value, err
		}
	}
	// It is written even when it is the same: an attempt of which the store has lost track is made to last.
	if err := t.store.Swap(Lasting(ctx), t.key(id), own, final, Forever); err != nil {
		return value, err
	}
	t.release(ctx, id, without(before, after))
	return value, nil
}

// Delete ends the record of id, then its names and its place in the listing. Deleting what is absent is no error, and
// finishes a deletion that was cut short.
func (t *Table[T]) Delete(ctx context.Context, id string) error {
	ctx, cancel := Finish(ctx)
	defer cancel()
	row, err := t.read(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete %s %q: %w", t.kind, id, err)
	}
	found := err == nil
	if err := t.store.Delete(ctx, t.key(id)); err != nil {
		return fmt.Errorf("delete %s %q: %w", t.kind, id, err)
	}
	if err := t.changes.Announce(ctx, t.subject(id)); err != nil {
		return err
	}
	if found {
		t.release(ctx, id, t.namesOf(row.value))
	}
	if err := t.unlist(ctx, id); err != nil {
		return fmt.Errorf("delete %s %q from the listing: %w", t.kind, id, err)
	}
	return nil
}

// unlist takes id off the listing, and puts it back if the same id is being added again meanwhile.
func (t *Table[T]) unlist(ctx context.Context, id string) error {
	if err := t.store.Withdraw(ctx, t.index(), id); err != nil {
		return err
	}
	_, err := t.read(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	_, err = t.store.Enroll(ctx, t.index(), id, Forever)
	return err
}

// List returns up to limit records whose ids sort after the given one, in the order of their ids. Fewer than limit
// means that the end was reached.
func (t *Table[T]) List(ctx context.Context, after string, limit int) ([]T, error) {
	var values []T
	for len(values) < limit {
		want := limit - len(values)
		members, err := t.store.Members(ctx, t.index(), after, want)
		if err != nil {
			return nil, fmt.Errorf("list %ss: %w", t.kind, err)
		}
		for _, member := range members {
			after = member.Name
			row, err := t.read(ctx, member.Name)
			switch {
			case errors.Is(err, ErrNotFound):
				_ = t.unlist(ctx, member.Name) // left by a crash
			case err != nil:
				return nil, fmt.Errorf("list %ss: %q: %w", t.kind, member.Name, err)
			case !row.Draft:
				values = append(values, row.value)
			}
		}
		if len(members) < want {
			break
		}
	}
	return values, nil
}

// NextNumber returns a number that it never returned before. There are gaps.
func (t *Table[T]) NextNumber(ctx context.Context) (uint32, error) {
	n, err := t.store.Increment(ctx, t.kind+":number", Forever)
	if err != nil {
		return 0, fmt.Errorf("number a %s: %w", t.kind, err)
	}
	if n <= 0 || n > 1<<32-1 {
		return 0, fmt.Errorf("number a %s: %d is out of range", t.kind, n)
	}
	return uint32(n), nil
}
