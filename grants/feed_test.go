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
