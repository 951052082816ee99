package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/storetest/crashtest"
)

// Wherever the making of a record is cut short, nothing half-made counts, and a repetition makes it. Only when all of
// it was done, and the reply was lost, is the answer that it exists.
func TestTableAddSurvivesACrashAnywhere(t *testing.T) {
	t.Parallel()
	act := func(s store.Store) error {
		return tableOn(s).Add(t.Context(), "a", thing{ID: "a", Names: []string{"ant", "all"}})
	}
	// A second attempt comes with another id where ids are drawn, as those of users are.
	next := 0
	actWithNewID := func(s store.Store) error {
		next++
		id := fmt.Sprint("new-", next)
		return tableOn(s).Add(t.Context(), id, thing{ID: id, Names: []string{"ant", "all"}})
	}
	for name, act := range map[string]func(store.Store) error{"the same id": act, "a new id": actWithNewID} {
		t.Run(name, func(t *testing.T) {
			crashtest.Every(t, func(t *testing.T) store.Store { return open(t) }, act, func(t *testing.T, s store.Store, repeated error) {
				if repeated != nil && !errors.Is(repeated, store.ErrExists) {
					t.Errorf("repeated: %v", repeated)
				}
				table := tableOn(s)
				if ids := sound(t, table); len(ids) != 1 || holder(t, table, "ant") != ids[0] {
					t.Errorf("listed %q", ids)
				}
			})
		})
	}
}

func TestTableUpdateSurvivesACrashAnywhere(t *testing.T) {
	t.Parallel()
	prepare := func(t *testing.T) store.Store {
		s := open(t)
		add(t, tableOn(s), "a", "ant", "all")
		add(t, tableOn(s), "b", "bee")
		return s
	}
	act := func(s store.Store) error {
		_, err := tableOn(s).Update(t.Context(), "a", rename("all", "emmet"))
		return err
	}
	crashtest.Every(t, prepare, act, func(t *testing.T, s store.Store, repeated error) {
		table := tableOn(s)
		if repeated != nil {
			t.Errorf("repeated: %v", repeated)
		}
		if got := holder(t, table, "emmet"); got != "a" {
			t.Errorf("emmet is %q", got)
		}
		// The old name is free for others, left behind or not.
		if _, err := table.Update(t.Context(), "b", rename("ant")); err != nil {
			t.Error(err)
		}
		sound(t, table)
	})
}

func TestTableDeleteSurvivesACrashAnywhere(t *testing.T) {
	t.Parallel()
	prepare := func(t *testing.T) store.Store {
		s := open(t)
		add(t, tableOn(s), "a", "ant")
		return s
	}
	act := func(s store.Store) error { return tableOn(s).Delete(t.Context(), "a") }
	crashtest.Every(t, prepare, act, func(t *testing.T, s store.Store, repeated error) {
		table := tableOn(s)
		if repeated != nil {
			t.Errorf("repeated: %v", repeated)
		}
		if ids := sound(t, table); len(ids) != 0 || holder(t, table, "ant") != "" {
			t.Errorf("listed %q", ids)
		}
		add(t, table, "b", "ant")
		add(t, table, "a")
		sound(t, table)
	})
}
