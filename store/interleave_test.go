package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

const schedules = 40

// Several acts on one name, their store calls put into every kind of order, and some of them cut off in the middle:
// afterwards everything is sound, and who was told that he has the name does.
func TestTableIsSoundAfterAnyInterleaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		for seed := range uint64(schedules) {
			interleave(t, s, fmt.Sprint("kind", seed), rand.New(rand.NewPCG(seed, 1)))
			if t.Failed() {
				t.Fatalf("schedule %d", seed)
			}
		}
	})
}

// deed is an act that wants the name "x", except the last one.
type deed struct {
	name  string
	owner string // who holds x if it succeeds
	do    func(context.Context, *store.Table[thing]) error
}

var deeds = []deed{
	{"add n1 x", "n1", addDeed("n1", "x", "y")},
	{"add n2 x", "n2", addDeed("n2", "y", "x")},
	{"add n2 again", "n2", addDeed("n2", "x")},
	{"rename a x", "a", renameDeed("a", "x")},
	{"rename b x", "b", renameDeed("b", "bee", "x")},
	{"delete a", "", func(ctx context.Context, table *store.Table[thing]) error { return table.Delete(ctx, "a") }},
	{"rename b away", "", renameDeed("b", "z")},
}

func addDeed(id string, names ...string) func(context.Context, *store.Table[thing]) error {
	return func(ctx context.Context, table *store.Table[thing]) error {
		return table.Add(ctx, id, thing{ID: id, Names: names})
	}
}

func renameDeed(id string, names ...string) func(context.Context, *store.Table[thing]) error {
	return func(ctx context.Context, table *store.Table[thing]) error {
		_, err := table.Update(ctx, id, rename(names...))
		return err
	}
}

// interleave runs one schedule, on records of a kind of its own.
func interleave(t *testing.T, s store.Store, kind string, dice *rand.Rand) {
	table := tableOf(s, kind)
	add(t, table, "a", "ant")
	add(t, table, "b", "bee")
	asks := make(chan *actor)
	enter := func(dies int) *actor {
		a := &actor{Store: s, asks: asks, turn: make(chan bool), deed: deeds[dice.IntN(len(deeds))], done: make(chan error, 1), dies: dies}
		go func() { a.done <- a.deed.do(t.Context(), tableOf(a, kind)) }()
		return a
	}
	// What dead processes left behind.
	for range dice.IntN(3) {
		conduct(dice, asks, []*actor{enter(1 + dice.IntN(8))})
	}
	had := holder(t, table, "x") != ""
	// Who meets there.
	var actors []*actor
	for range 3 + dice.IntN(2) {
		dies := 0
		if dice.IntN(3) == 0 {
			dies = 1 + dice.IntN(12)
		}
		actors = append(actors, enter(dies))
	}
	conduct(dice, asks, actors)

	var winners []string
	released := had
	for _, a := range actors {
		switch {
		case a.dead:
			released = true // nobody knows how far it came
		case a.err == nil && a.deed.owner != "":
			winners = append(winners, a.deed.owner)
		case a.err == nil:
			released = true
		case !errors.Is(a.err, store.ErrExists) && !errors.Is(a.err, store.ErrNotFound):
			t.Errorf("%s: %v", a.deed.name, a.err)
		}
	}
	sound(t, table)
	if !released {
		// A rename to what it has already succeeds too.
		if slices.Sort(winners); len(slices.Compact(winners)) != 1 || holder(t, table, "x") != winners[0] {
			t.Errorf("%q were told they have the name, %q has it", winners, holder(t, table, "x"))
		}
	}
	// Nothing is left that stands in the way of the next one.
	if holder(t, table, "x") == "" {
		add(t, table, "next", "x")
		sound(t, table)
	}
}

// actor is a store that asks for a turn before each call.
type actor struct {
	store.Store
	asks chan *actor
	turn chan bool
	deed deed
	done chan error
	dies int // at which call, 0 = never

	calls int
	dead  bool
	ended bool
	err   error
}

// conduct gives turns at random until all have ended. The clock stands still while somebody works, so that a pause is
// over only when all others pause or have ended, or wait for a turn that they are not given.
func conduct(dice *rand.Rand, asks chan *actor, actors []*actor) {
	var waiting []*actor
	for ended := 0; ended < len(actors); {
		synctest.Wait()
		for more := true; more; {
			select {
			case a := <-asks:
				waiting = append(waiting, a)
				synctest.Wait()
			default:
				more = false
			}
		}
		for _, a := range actors {
			select {
			case a.err = <-a.done:
				a.ended = true
				ended++
			default:
			}
		}
		// Now and then time passes while somebody could go on.
		if len(waiting) == 0 || dice.IntN(4) == 0 {
			time.Sleep(time.Duration(1+dice.IntN(40)) * time.Millisecond)
			continue
		}
		i := dice.IntN(len(waiting))
		a := waiting[i]
		waiting = append(waiting[:i], waiting[i+1:]...)
		a.turn <- true
	}
}

func (a *actor) call() error {
	a.asks <- a
	<-a.turn
	a.calls++
	if a.dies != 0 && a.calls >= a.dies {
		a.dead = true
		return store.ErrUnavailable
	}
	return nil
}

func (a *actor) Get(ctx context.Context, key string) (store.Record, error) {
	if err := a.call(); err != nil {
		return store.Record{}, err
	}
	return a.Store.Get(ctx, key)
}

func (a *actor) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	if err := a.call(); err != nil {
		return err
	}
	return a.Store.Add(ctx, key, value, expires)
}

func (a *actor) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	if err := a.call(); err != nil {
		return err
	}
	return a.Store.Swap(ctx, key, old, value, expires)
}

func (a *actor) Delete(ctx context.Context, key string) error {
	if err := a.call(); err != nil {
		return err
	}
	return a.Store.Delete(ctx, key)
}

func (a *actor) Enroll(ctx context.Context, index, name string, expires time.Time) (int, error) {
	if err := a.call(); err != nil {
		return 0, err
	}
	return a.Store.Enroll(ctx, index, name, expires)
}

func (a *actor) Withdraw(ctx context.Context, index, name string) error {
	if err := a.call(); err != nil {
		return err
	}
	return a.Store.Withdraw(ctx, index, name)
}
