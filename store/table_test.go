package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// thing is a record with names.
type thing struct {
	ID    string   `json:"id"`
	Names []string `json:"names"`
	Count int      `json:"count"`
}

func namesOf(v thing) []string { return v.Names }

func tableOn(s store.Store) *store.Table[thing] { return tableOf(s, "thing") }

func tableOf(s store.Store, kind string) *store.Table[thing] {
	return store.NewTable(s, store.NewChanges(s), kind, namesOf, 100)
}

func add(t *testing.T, table *store.Table[thing], id string, names ...string) {
	t.Helper()
	if err := table.Add(t.Context(), id, thing{ID: id, Names: names}); err != nil {
		t.Fatal(err)
	}
}

func rename(names ...string) func(*thing) error {
	return func(v *thing) error {
		v.Names = names
		return nil
	}
}

// holder is the id of the thing that holds a name, or nothing.
func holder(t *testing.T, table *store.Table[thing], name string) string {
	t.Helper()
	fresh, err := table.FreshByName(t.Context(), name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	cached, err := table.ByName(t.Context(), name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if cached == nil {
		cached = &thing{}
	}
	if fresh.ID != cached.ID {
		t.Errorf("%q is held by %q, or by %q as remembered", name, fresh.ID, cached.ID)
	}
	return fresh.ID
}

// sound checks what must always hold: every thing is listed once and found by its id and names, and no two things share
// a name. It returns the ids.
func sound(t *testing.T, table *store.Table[thing]) []string {
	t.Helper()
	things, err := table.List(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var ids, names []string
	for _, v := range things {
		ids = append(ids, v.ID)
		if got, err := table.Fresh(t.Context(), v.ID); err != nil || got.ID != v.ID {
			t.Errorf("%q is listed and not found: %v", v.ID, err)
		}
		for _, name := range v.Names {
			if slices.Contains(names, name) {
				t.Errorf("two things are named %q", name)
			}
			names = append(names, name)
			if got := holder(t, table, name); got != v.ID {
				t.Errorf("%q is named %q, which leads to %q", v.ID, name, got)
			}
		}
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("the listing is %q", ids)
	}
	return ids
}

func TestTableFindsByIDNameAndListing(t *testing.T) {
	table := tableOn(open(t))
	add(t, table, "b", "bee", "bumble")
	add(t, table, "a", "ant")
	add(t, table, "c")
	if ids := sound(t, table); !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("listed %q", ids)
	}
	if got := holder(t, table, "bumble"); got != "b" {
		t.Errorf("bumble is %q", got)
	}
	if got := holder(t, table, "wasp"); got != "" {
		t.Errorf("wasp is %q", got)
	}
	if _, err := table.Get(t.Context(), "d"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestTableRefusesATakenIDOrName(t *testing.T) {
	table := tableOn(open(t))
	add(t, table, "a", "ant")
	for _, taken := range []thing{{ID: "a"}, {ID: "a", Names: []string{"other"}}, {ID: "b", Names: []string{"new", "ant"}}} {
		err := table.Add(t.Context(), taken.ID, taken)
		var which *store.TakenError
		if !errors.Is(err, store.ErrExists) || !errors.As(err, &which) {
			t.Errorf("%+v: got %v, want ErrExists", taken, err)
		}
	}
	// What was refused leaves nothing that would be in the way.
	add(t, table, "c", "new", "other")
	if _, err := table.Update(t.Context(), "c", rename("new", "ant")); !errors.Is(err, store.ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	add(t, table, "b")
	if ids := sound(t, table); !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("listed %q", ids)
	}
}

func TestTableListsInPages(t *testing.T) {
	table := tableOn(open(t))
	for i := range 25 {
		add(t, table, fmt.Sprintf("%02d", i))
	}
	for _, id := range []string{"00", "09", "10", "24"} {
		if err := table.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	after := ""
	for {
		page, err := table.List(t.Context(), after, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page {
			ids = append(ids, v.ID)
		}
		if len(page) < 10 {
			break
		}
		after = page[9].ID
	}
	if len(ids) != 21 || !slices.IsSorted(ids) || ids[0] != "01" || ids[20] != "23" {
		t.Errorf("listed %q", ids)
	}
}

func TestTableUpdateLosesNothing(t *testing.T) {
	table := tableOn(open(t))
	add(t, table, "a")
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			_, err := table.Update(t.Context(), "a", func(v *thing) error {
				v.Count++
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if v, err := table.Get(t.Context(), "a"); err != nil || v.Count != 64 {
		t.Errorf("counted %d and got %v, want 64", v.Count, err)
	}
}

// Rules run inside an update. What they refuse is not written, and their error comes out as it is: also one that
// the table uses itself.
func TestTableUpdateReturnsTheErrorOfTheChange(t *testing.T) {
	table := tableOn(open(t))
	add(t, table, "a", "ant")
	for _, refusal := range []error{errors.New("no"), store.ErrConflict, store.ErrNotFound} {
		runs := 0
		_, err := table.Update(t.Context(), "a", func(v *thing) error {
			runs++
			v.Count, v.Names[0] = 99, "other"
			return refusal
		})
		if err != refusal || runs != 1 {
			t.Errorf("got %v after %d runs, want %v after one", err, runs, refusal)
		}
	}
	if v, err := table.Fresh(t.Context(), "a"); err != nil || v.Count != 0 || v.Names[0] != "ant" {
		t.Errorf("got %+v and %v", v, err)
	}
	if _, err := table.Update(t.Context(), "b", rename("x")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestTableDeleteFreesEverything(t *testing.T) {
	table := tableOn(open(t))
	add(t, table, "a", "ant")
	for range 2 {
		if err := table.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if got := holder(t, table, "ant"); got != "" {
		t.Errorf("ant is %q", got)
	}
	add(t, table, "a", "ant")
	sound(t, table)
}

// A second process learns within a second what the first one changed.
func TestTableChangesReachOtherProcesses(t *testing.T) {
	s := open(t)
	process := func() *store.Table[thing] {
		changes := store.NewChanges(s)
		table := store.NewTable(s, changes, "thing", namesOf, 100)
		run(t, changes)
		return table
	}
	here, there := process(), process()
	add(t, here, "a", "ant")
	if v, err := there.ByName(t.Context(), "ant"); err != nil || v.Count != 0 {
		t.Fatalf("got %+v and %v", v, err)
	}
	_, err := here.Update(t.Context(), "a", func(v *thing) error {
		v.Count = 7
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	changed := time.Now()
	eventually(t, "the change", func() bool {
		v, err := there.ByName(t.Context(), "ant")
		return err == nil && v.Count == 7
	})
	if took := time.Since(changed); took > time.Second {
		t.Errorf("the change took %v", took)
	}
	if err := here.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	add(t, here, "b", "ant")
	eventually(t, "the name's new holder", func() bool {
		v, err := there.ByName(t.Context(), "ant")
		return err == nil && v.ID == "b"
	})
}

// A record that cannot be read must be an error, and never look as if it were not there.
func TestTableRefusesDamagedAndNewerRecords(t *testing.T) {
	for _, value := range []string{"{", `{"v":2,"value":{}}`, `{"value":{}}`, `{"v":1,"value":[]}`, `{"v":1}`, "null"} {
		s := open(t)
		table := tableOn(s)
		add(t, table, "a")
		if err := s.Set(t.Context(), "thing/a", []byte(value), store.Forever); err != nil {
			t.Fatal(err)
		}
		_, errGet := table.Get(t.Context(), "a")
		_, errList := table.List(t.Context(), "", 10)
		_, errUpdate := table.Update(t.Context(), "a", rename("x"))
		errAdd := table.Add(t.Context(), "a", thing{ID: "a"})
		for _, err := range []error{errGet, errList, errUpdate, errAdd} {
			if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "a") {
				t.Errorf("%s: got %v", value, err)
			}
		}
	}
}
