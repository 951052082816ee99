package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// TakenError says which id or name of a record another one holds. It is ErrExists.
type TakenError struct {
	Name string
	// Means says the same in the words of the registry, for whoever asked for the name.
	Means string
}

// Error says which name it is.
func (e *TakenError) Error() string {
	if e.Means != "" {
		return e.Means
	}
	return fmt.Sprintf("%q is taken", e.Name)
}

// Is makes it ErrExists.
func (e *TakenError) Is(target error) bool { return target == ErrExists }

// ByName returns the record that holds name, as it was within the last second, or ErrNotFound. It is shared: do not
// modify it or what it refers to.
func (t *Table[T]) ByName(ctx context.Context, name string) (*T, error) {
	id, found := t.names.Lookup(name)
	if !found {
		var err error
		if id, err = t.names.Load(ctx, name, func(ctx context.Context) (string, error) { return t.holder(ctx, name) }); err != nil {
			return nil, err
		}
	}
	h, err := t.remembered(ctx, id)
	if err == nil && slices.Contains(h.names, name) {
		return &h.value, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	// The name has gone elsewhere since it was read.
	t.names.forget(name)
	value, err := t.FreshByName(ctx, name)
	if err != nil {
		return nil, err
	}
	return &value, nil
}

// FreshByName returns the record that holds name now, or ErrNotFound.
func (t *Table[T]) FreshByName(ctx context.Context, name string) (T, error) {
	var none T
	id, err := t.holder(ctx, name)
	if err != nil {
		return none, err
	}
	value, err := t.Fresh(ctx, id)
	if err != nil {
		return none, err
	}
	if !slices.Contains(t.namesOf(value), name) {
		return none, fmt.Errorf("%s named %q: %w", t.kind, name, ErrNotFound)
	}
	return value, nil
}

// holder returns the id that the record of a name points to. It counts only if the record of the id names it back.
func (t *Table[T]) holder(ctx context.Context, name string) (string, error) {
	record, err := t.store.Get(ctx, t.nameKey(name))
	if err == nil && len(record.Value) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("%s named %q: %w", t.kind, name, err)
	}
	return string(record.Value), nil
}

// claimFor writes into the record which names it is about to take, and takes them. It returns the record to swap.
func (t *Table[T]) claimFor(ctx context.Context, id string, row row[T], names []string, p patience) (Record, error) {
	claim, err := t.encode(envelope{Claims: names}, row.value)
	if err != nil {
		return Record{}, err
	}
	if err := t.store.Swap(ctx, t.key(id), row.record, claim, Forever); err != nil {
		return Record{}, err
	}
	own, err := t.reread(ctx, id, claim)
	if err != nil {
		return Record{}, err
	}
	return own, t.claimAll(ctx, id, names, p)
}

func (t *Table[T]) claimAll(ctx context.Context, id string, names []string, p patience) error {
	for _, name := range names {
		if err := t.claim(ctx, id, name, p); err != nil {
			return err
		}
	}
	return nil
}

// claim points name to id, whose record says already that it wants the name. It returns a *TakenError if another
// record holds it. The point is not the end: the name is held when the record that wants it was swapped.
func (t *Table[T]) claim(ctx context.Context, id, name string, p patience) error {
	err := t.store.Add(ctx, t.nameKey(name), []byte(id), Forever)
	if !errors.Is(err, ErrExists) {
		return err
	}
	pointer, err := t.store.Get(ctx, t.nameKey(name))
	if errors.Is(err, ErrNotFound) {
		return ErrConflict
	}
	if err != nil {
		return err
	}
	if holder := string(pointer.Value); holder != id && holder != "" {
		if err := t.unseat(ctx, holder, name, p); err != nil {
			return err
		}
	}
	// Also where it points to id already: whoever saw it as a leftover of an earlier attempt must not win now.
	return t.store.Swap(ctx, t.nameKey(name), pointer, []byte(id), Forever)
}

// unseat makes sure that holder, which name points to, neither holds it nor can come to hold it. A claim may belong to
// a dead process, and nobody can tell: one that does not move is broken, and a living owner starts again.
func (t *Table[T]) unseat(ctx context.Context, holder, name string, p patience) error {
	row, err := t.read(ctx, holder)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	named := slices.Contains(t.namesOf(row.value), name)
	if named && !row.Draft {
		return &TakenError{Name: name}
	}
	if !named && !slices.Contains(row.Claims, name) {
		return nil
	}
	if err := t.outlast(ctx, holder, row, p); err != nil {
		return err
	}
	if row.Draft {
		return t.withdraw(ctx, t.key(holder), row.record)
	}
	unclaimed, err := t.encode(envelope{}, row.value)
	if err != nil {
		return err
	}
	return t.store.Swap(ctx, t.key(holder), row.record, unclaimed, Forever)
}

// release ends those of names that still point to id. What it leaves behind by a failure is in nobody's way: a name
// that its record does not name back is free.
func (t *Table[T]) release(ctx context.Context, id string, names []string) {
	for _, name := range names {
		pointer, err := t.store.Get(ctx, t.nameKey(name))
		if err == nil && string(pointer.Value) == id {
			_ = t.withdraw(ctx, t.nameKey(name), pointer)
		}
	}
}

// withdraw ends exactly the record that was read. A Delete would also end one that somebody wrote since.
func (t *Table[T]) withdraw(ctx context.Context, key string, old Record) error {
	return t.store.Swap(ctx, key, old, nil, t.store.Now().Add(time.Second))
}

// without returns what of names is not among others.
func without(names, others []string) []string {
	var rest []string
	for _, name := range names {
		if !slices.Contains(others, name) {
			rest = append(rest, name)
		}
	}
	return rest
}
