package grants

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// A grant that a process made whose clock is ahead is younger than the moment at which it was ended. The mark covers it.
func TestAUsersMarkCoversGrantsOfAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	signed := func(at time.Time) grant {
		return grant{newID(at), &record{SignedLife: 600, Status: &StatusPlace{List: 1, Index: 2}}}
	}
	ahead := signed(now.Add(40 * time.Millisecond))
	mark := userMark(uuid.New(), []grant{signed(now.Add(-time.Hour)), ahead, signed(now.Add(-time.Minute))}, now)
	if mark.Before.Before(ahead.created()) || mark.Before.After(ahead.created()) || len(mark.Places) != 3 {
		t.Errorf("the mark is up to %v with %d places, want %v and 3", mark.Before, len(mark.Places), ahead.created())
	}
	if mark := userMark(uuid.New(), []grant{signed(now.Add(-time.Hour))}, now); !mark.Before.Equal(now) {
		t.Errorf("the mark is up to %v, want now", mark.Before)
	}
}

// A user may have any number of grants. What tells of their end can always be read, and tells of all of them.
func TestAnEndOfManyGrantsCanBeRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	mark := Revocation{User: uuid.New(), Before: now, Until: now.Add(time.Hour)}
	for n := range uint32(10_000) {
		mark.Places = append(mark.Places, StatusPlace{List: uint64(n) << 40, Index: n % StatusListSize})
		mark.Resources = append(mark.Resources, n+1)
	}
	told := map[StatusPlace]bool{}
	for _, part := range mark.parts() {
		read, err := ParseRevocation(part.encode())
		if err != nil {
			t.Fatal(err)
		}
		if read.User != mark.User || !read.Before.Equal(mark.Before) || len(read.Resources) != 0 {
			t.Errorf("read %v %v for %d resources, want the mark for all", read.User, read.Before, len(read.Resources))
		}
		for _, place := range read.Places {
			told[place] = true
		}
	}
	if len(told) != len(mark.Places) {
		t.Errorf("%d places are told, want %d", len(told), len(mark.Places))
	}
}
