package grants

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/safeconduct/safeconduct/keys"
)

// A bit that two grants share would take the one's tokens away with the other's.
func TestNoTwoGrantsShareAPlaceInAStatusList(t *testing.T) {
	t.Parallel()
	var processes [2]statusLists // on one store, and ignorant of each other
	var mu sync.Mutex
	seen := make(map[StatusPlace]bool)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			mine := make([]StatusPlace, 0, StatusListSize/4)
			for n := range StatusListSize/4 + 1 {
				mine = append(mine, *processes[i%2].place(uint32(n%2), 1))
			}
			mu.Lock()
			defer mu.Unlock()
			for _, place := range mine {
				if seen[place] || place.Index >= StatusListSize {
					t.Errorf("place %v was given out twice or lies outside of its list", place)
				}
				seen[place] = true
			}
		})
	}
	wait.Wait()
}

// Whatever ends all grants of a client begins a new epoch, and ends its lists with it: a new epoch has lists of its own.
func TestEachEpochOfAClientHasItsOwnStatusLists(t *testing.T) {
	t.Parallel()
	var lists statusLists
	before, after := lists.place(7, 1), lists.place(7, 2)
	if before.List == after.List {
		t.Errorf("the list %d is of two epochs", before.List)
	}
}

// The memory for lists is bounded, however many clients there are.
func TestAProcessFillsABoundedNumberOfStatusLists(t *testing.T) {
	t.Parallel()
	var lists statusLists
	for client := range uint32(3 * openListsMax) {
		lists.place(client, 1)
		if len(lists.open) > openListsMax {
			t.Fatalf("%d lists are open", len(lists.open))
		}
	}
}

// clientStands is a client that may or may not stand; there is nobody else.
type clientStands struct {
	Parties
	Standing
}

func (c clientStands) Client(context.Context, uint32) (Standing, error) { return c.Standing, nil }

func newStatusService(t *testing.T, client Standing) *Service {
	t.Helper()
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Keys: ring, Parties: clientStands{Standing: client}})
}

// draft-ietf-oauth-status-list §4.1: index 0 is the lowest bit of the first byte. Entries of other lists are not told here.
func TestStatusBits(t *testing.T) {
	t.Parallel()
	s := newStatusService(t, Standing{Enabled: true, Epoch: 3})
	list := StatusList{ClientEpoch{7, 3}, 99}
	told := slices.Values([]Revocation{
		{Places: []StatusPlace{{List: 99, Index: 0}, {List: 98, Index: 1}}},
		{Epoch: ClientEpoch{7, 2}},
		{Places: []StatusPlace{{List: 99, Index: 9}, {List: 99, Index: StatusListSize - 1}, {List: 99, Index: StatusListSize}}},
	})
	bits, err := s.StatusBits(t.Context(), list, told)
	if err != nil || len(bits) != StatusListSize/8 {
		t.Fatalf("%d bytes: %v", len(bits), err)
	}
	want := make([]byte, StatusListSize/8)
	want[0], want[1], want[len(want)-1] = 1, 2, 0x80
	if !slices.Equal(bits, want) {
		t.Errorf("bytes %x, %x … %x; want 1, 2 … 80 and nothing else", bits[0], bits[1], bits[len(bits)-1])
	}
}

// Machines' grants are in no index: with the client, whole lists end.
func TestTheListsOfAClientEndWithIt(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]Standing{"deleted": {}, "disabled": {Epoch: 3}, "of another epoch": {Enabled: true, Epoch: 4}} {
		bits, err := newStatusService(t, client).StatusBits(t.Context(), StatusList{ClientEpoch{7, 3}, 99}, slices.Values([]Revocation(nil)))
		if err != nil || slices.ContainsFunc(bits, func(b byte) bool { return b != 0xff }) {
			t.Errorf("%s: a place is left that says valid (%v)", name, err)
		}
	}
}

// One list has one name, and no other text names any: the lists are everybody's to read, and garbage must cost nothing.
func TestOnlyGivenNamesNameAStatusList(t *testing.T) {
	t.Parallel()
	s := newStatusService(t, Standing{})
	list := StatusList{ClientEpoch{7, 3}, 1 << 60}
	name := s.mint.spellList(list)
	if got, ok := s.ParseStatusList(name); !ok || got != list {
		t.Fatalf("%s: got %v %v, want %v", name, got, ok, list)
	}
	if _, ok := newStatusService(t, Standing{}).ParseStatusList(name); ok {
		t.Error("a server with another secret knows the name")
	}
	for i := range name {
		for _, c := range []byte("AZaz09-_=\n") {
			changed := []byte(name)
			changed[i] = c
			if _, ok := s.ParseStatusList(string(changed)); ok && string(changed) != name {
				t.Fatalf("%q names a list too", changed)
			}
		}
		if _, ok := s.ParseStatusList(name[:i]); ok {
			t.Fatalf("the first %d characters name a list too", i)
		}
	}
}

func FuzzParseStatusList(f *testing.F) {
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		f.Fatal(err)
	}
	s := New(Config{Keys: ring})
	f.Add(s.mint.spellList(StatusList{ClientEpoch{1, 2}, 3}))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if list, ok := s.ParseStatusList(text); ok && s.mint.spellList(list) != text {
			t.Errorf("%q and %q name the same list", text, s.mint.spellList(list))
		}
	})
}
