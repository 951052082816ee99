package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/safeconduct/safeconduct/store"
)

// Of many who want one id or one name, exactly one gets it, and the others are told so.
func TestTableNamesHaveOneWinner(t *testing.T) {
	t.Parallel()
	const callers = 64
	for _, test := range []struct {
		name    string
		renames bool
		act     func(*testing.T, *store.Table[thing], int) error
	}{
		{"new records with one name", false, func(t *testing.T, table *store.Table[thing], i int) error {
			id := fmt.Sprint("new-", i)
			return table.Add(t.Context(), id, thing{ID: id, Names: []string{fmt.Sprint("own-", i), "wanted"}})
		}},
		{"new records with one id", false, func(t *testing.T, table *store.Table[thing], i int) error {
			return table.Add(t.Context(), "wanted", thing{ID: "wanted", Names: []string{fmt.Sprint("own-", i)}})
		}},
		{"the same new record", false, func(t *testing.T, table *store.Table[thing], i int) error {
			return table.Add(t.Context(), "wanted", thing{ID: "wanted", Names: []string{"one", "two"}})
		}},
		{"renamed records and new ones", true, func(t *testing.T, table *store.Table[thing], i int) error {
			if i%2 == 0 {
				id := fmt.Sprint("new-", i)
				return table.Add(t.Context(), id, thing{ID: id, Names: []string{"wanted"}})
			}
			_, err := table.Update(t.Context(), fmt.Sprint("old-", i), rename("wanted"))
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			table := tableOn(open(t))
			for i := 1; test.renames && i < callers; i += 2 {
				add(t, table, fmt.Sprint("old-", i), fmt.Sprint("old-", i))
			}
			var wins atomic.Int64
			var wait sync.WaitGroup
			for i := range callers {
				wait.Go(func() {
					err := test.act(t, table, i)
					if err == nil {
						wins.Add(1)
					} else if !errors.Is(err, store.ErrExists) {
						t.Errorf("caller %d: %v", i, err)
					}
				})
			}
			wait.Wait()
			if n := wins.Load(); n != 1 {
				t.Errorf("%d won, want 1", n)
			}
			sound(t, table)
		})
	}
}

// A name moves with the record: the old one is free at once, the new one is found at once.
func TestTableRenames(t *testing.T) {
	table := tableOn(open(t))
	add(t, table, "a", "ant", "all")
	add(t, table, "b", "bee")
	if holder(t, table, "ant") != "a" {
		t.Fatal("ant is not a")
	}
	if _, err := table.Update(t.Context(), "a", rename("all", "emmet")); err != nil {
		t.Fatal(err)
	}
	if got := holder(t, table, "ant"); got != "" {
		t.Errorf("ant is still %q", got)
	}
	if _, err := table.Update(t.Context(), "b", rename("ant")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"all": "a", "emmet": "a", "ant": "b", "bee": ""} {
		if got := holder(t, table, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	sound(t, table)
}

// Numbers stand in grants for years: one that came back would open an old grant to somebody else.
func TestTableNumbersNeverRepeat(t *testing.T) {
	table := tableOn(open(t))
	var mu sync.Mutex
	seen := make(map[uint32]bool)
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for range 10 {
				n, err := table.NextNumber(t.Context())
				mu.Lock()
				if err != nil || n == 0 || seen[n] {
					t.Errorf("got %d and %v", n, err)
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	wait.Wait()
}
