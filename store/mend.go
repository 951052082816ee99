package store

import (
	"context"
	"errors"
	"fmt"
)

// mendPage is how many records are mended at once.
const mendPage = 200

// Mend points every name to the record that holds it, where it points elsewhere or nowhere. Nothing but a backup that does not
// show one moment leaves it so: it may hold a record, but not the name that was claimed for it just before. A name
// that another record holds stays with that.
func (t *Table[T]) Mend(ctx context.Context) error {
	after := ""
	for {
		members, err := t.store.Members(ctx, t.index(), after, mendPage)
		if err != nil {
			return fmt.Errorf("mend the names of %ss: %w", t.kind, err)
		}
		for _, member := range members {
			after = member.Name
			if err := t.mend(ctx, member.Name); err != nil {
				return fmt.Errorf("mend the names of %s %q: %w", t.kind, member.Name, err)
			}
		}
		if len(members) < mendPage {
			return nil
		}
	}
}

// mend points the names of one record to it.
func (t *Table[T]) mend(ctx context.Context, id string) error {
	return t.again(ctx, func(p patience) error {
		row, err := t.read(ctx, id)
		if errors.Is(err, ErrNotFound) || err == nil && row.Draft {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range t.namesOf(row.value) {
			pointer, err := t.store.Get(ctx, t.nameKey(name))
			if err == nil && string(pointer.Value) == id {
				continue
			}
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			if err := t.claim(ctx, id, name, p); err != nil && !errors.Is(err, ErrExists) {
				return err
			}
		}
		return nil
	})
}
