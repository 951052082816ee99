package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// One act is interrupted before each of its store calls by the whole of another one, over everything that a dead
// process may have left: of two who want one name never both are told that they have it.
func TestTableIsSoundWhateverComesInBetween(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		kinds := 0
		for name, leave := range leftovers {
			for _, pair := range encounters {
				for call, reached := 1, true; reached; call++ {
					kinds++
					reached = intrude(t, s, fmt.Sprint("kind", kinds), leave, pair.act, pair.intruder, call)
					if t.Failed() {
						t.Fatalf("%s; %s before call %d of %s", name, pair.intruder.name, call, pair.act.name)
					}
				}
			}
		}
	})
}

var encounters = []struct{ act, intruder deed }{
	{addX("n2"), addX("n2")},
	{addX("n2"), renameToX("a")},
	{renameToX("b"), addX("n1")},
	{renameToX("b"), renameToX("a")},
}

func addX(id string) deed { return deed{name: "add " + id, owner: id, do: addDeed(id, "x")} }

func renameToX(id string) deed { return deed{name: "rename " + id, owner: id, do: renameDeed(id, "x")} }

// leftovers are what dead processes leave.
var leftovers = map[string]func(t *testing.T, s store.Store, kind string){
	"nothing is left": func(*testing.T, store.Store, string) {},
	"a draft of n2 is left": func(t *testing.T, s store.Store, kind string) {
		left := &interrupted{Store: s, at: 4, then: func() error { return errDead }}
		_ = addDeed("n2", "x", "y")(t.Context(), tableOf(left, kind))
	},
	"a claim of a is left": func(t *testing.T, s store.Store, kind string) {
		left := &interrupted{Store: s, at: 5, then: func() error { return errDead }}
		_ = renameDeed("a", "x")(t.Context(), tableOf(left, kind))
	},
	"a name of a is left, and no claim": func(t *testing.T, s store.Store, kind string) {
		if err := s.Set(t.Context(), kind+":name/x", []byte("a"), store.Forever); err != nil {
			t.Fatal(err)
		}
	},
}

// intrude runs intruder before the given call of act, and reports whether act came so far.
func intrude(t *testing.T, s store.Store, kind string, leave func(*testing.T, store.Store, string), act, intruder deed, call int) bool {
	t.Helper()
	table := tableOf(s, kind)
	add(t, table, "a", "ant")
	add(t, table, "b", "bee")
	leave(t, s, kind)
	between := &interrupted{Store: s, at: call}
	var second error
	between.then = func() error {
		second = intruder.do(t.Context(), table)
		return nil
	}
	first := act.do(t.Context(), tableOf(between, kind))
	sound(t, table)
	for _, err := range []error{first, second} {
		if err != nil && !errors.Is(err, store.ErrExists) {
			t.Error(err)
		}
	}
	reached := between.calls >= call
	owner := holder(t, table, "x")
	if first == nil && owner != act.owner || reached && second == nil && owner != intruder.owner || first == nil && second == nil && reached {
		t.Errorf("the first was told %v, the second %v, and %q has it", first, second, owner)
	}
	return reached
}

var errDead = errors.New("the process is dead")

// interrupted is a store on which something happens before one call. If that returns an error, the process is dead.
type interrupted struct {
	store.Store
	at, calls int
	then      func() error
	dead      error
}

func (i *interrupted) call() error {
	if i.calls++; i.calls == i.at {
		i.dead = i.then()
	}
	return i.dead
}

func (i *interrupted) Get(ctx context.Context, key string) (store.Record, error) {
	if err := i.call(); err != nil {
		return store.Record{}, err
	}
	return i.Store.Get(ctx, key)
}

func (i *interrupted) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	if err := i.call(); err != nil {
		return err
	}
	return i.Store.Add(ctx, key, value, expires)
}

func (i *interrupted) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	if err := i.call(); err != nil {
		return err
	}
	return i.Store.Swap(ctx, key, old, value, expires)
}

func (i *interrupted) Enroll(ctx context.Context, index, name string, expires time.Time) (int, error) {
	if err := i.call(); err != nil {
		return 0, err
	}
	return i.Store.Enroll(ctx, index, name, expires)
}
