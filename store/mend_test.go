package store_test

import (
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// A backup of a store that goes on may hold a user but not the name that was claimed for it a moment before: nobody could
// log in by it, and somebody else could take it.
func TestMendingPointsNamesToWhoHoldsThem(t *testing.T) {
	s, _ := bolttest.Open(t, time.Now())
	table := tableOn(s)
	add(t, table, "a", "lost", "kept")
	add(t, table, "b", "astray")
	add(t, table, "c", "other")
	for name, points := range map[string]string{"lost": "", "astray": "nobody"} {
		if err := s.Delete(t.Context(), "thing:name/"+name); err != nil {
			t.Fatal(err)
		}
		if points == "" {
			continue
		}
		if err := s.Set(t.Context(), "thing:name/"+name, []byte(points), store.Forever); err != nil {
			t.Fatal(err)
		}
	}
	fresh := tableOn(s)
	for _, name := range []string{"lost", "astray"} {
		if got := holder(t, fresh, name); got != "" {
			t.Fatalf("%q is held by %q: nothing was tried", name, got)
		}
	}
	if err := fresh.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh = tableOn(s)
	for name, want := range map[string]string{"lost": "a", "kept": "a", "astray": "b", "other": "c"} {
		if got := holder(t, fresh, name); got != want {
			t.Errorf("%q is held by %q, want %q", name, got, want)
		}
	}
	sound(t, fresh)
}
