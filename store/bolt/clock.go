package bolt

import (
	"sync"
	"time"
)

// clock is the store's time: the local clock, but never earlier than it was before, over restarts too. While it is ahead
// of the local clock (which was set back) it goes at half speed. Standing still instead would let nothing expire for as
// long as the local clock was wrong.
type clock struct {
	local func() time.Time

	mu   sync.Mutex
	last int64 // the last time told, Unix nanoseconds
	seen int64 // what the local clock was then
}

// newClock makes a clock that starts at mark, or now if that is later.
func newClock(local func() time.Time, mark int64) *clock {
	return &clock{local: local, last: mark, seen: local().UnixNano()}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	local := c.local().UnixNano()
	passed := max(local-c.seen, 0)
	c.seen = local
	c.last = max(local, c.last+passed/2)
	return time.Unix(0, c.last).UTC()
}

// advance makes the time at least t.
func (c *clock) advance(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, t.UnixNano())
}
