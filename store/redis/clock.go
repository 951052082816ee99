package redis

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"
)

const (
	// clockSamples is how often the clock of Redis is asked for at a time, to have one good measurement among them.
	clockSamples = 3
	// sampleLife is how long a measurement stands: clocks drift apart.
	sampleLife = 40 * time.Second
	// driftSlack is how far two measurements may contradict each other before a clock must have been set.
	driftSlack = 5 * time.Millisecond
)

// clock tells the time of Redis: the local clock, which never jumps, and the difference to it. In a cluster that is the
// time of the master that holds the marker, for every handle; a replica that takes its place may be a little behind, and
// then the clock stands still until that has caught up. The difference is
// chosen low, by at most the round trip of the best measurement, so that what has expired by this clock has expired in
// Redis too.
type clock struct {
	local  func() time.Time
	offset atomic.Int64 // nanoseconds to add to local
	known  atomic.Bool  // offset was measured
	last   atomic.Int64 // the latest time told

	mu   sync.Mutex
	best sample
}

// sample is one measurement. The true difference lies between offset and offset + trip.
type sample struct {
	offset time.Duration
	trip   time.Duration
	at     time.Time
}

func newClock(local func() time.Time) *clock {
	if local == nil {
		start := time.Now()
		local = func() time.Time { return start.Round(0).Add(time.Since(start)) }
	}
	return &clock{local: local}
}

// told is the time in microseconds, or zero until Redis was first reached.
func (c *clock) told() int64 {
	if !c.known.Load() {
		return 0
	}
	return c.now().UnixMicro()
}

// now is the time of Redis, never earlier than it was told before. Until Redis was first reached it is the local
// time, which binds nothing: no call has worked yet.
func (c *clock) now() time.Time {
	t := c.local().UnixNano() + c.offset.Load()
	for c.known.Load() {
		last := c.last.Load()
		if t <= last {
			return time.Unix(0, last).UTC()
		}
		if c.last.CompareAndSwap(last, t) {
			break
		}
	}
	return time.Unix(0, t).UTC()
}

// measure asks for the time of a server once.
func (c *clock) measure(ask func() *redis.TimeCmd) (sample, error) {
	before := time.Now()
	answer, err := ask().Result()
	local := c.local()
	if err != nil {
		return sample{}, err
	}
	return sample{offset: answer.Sub(local), trip: time.Since(before), at: before}, nil
}

// learn keeps the measurement with the smallest round trip, as long as it is fresh and nobody has set a clock.
func (c *clock) learn(s sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stale := s.at.Sub(c.best.at) > sampleLife
	contradicts := s.offset > c.best.offset+c.best.trip+driftSlack || c.best.offset > s.offset+s.trip+driftSlack
	if stale || contradicts || s.trip <= c.best.trip {
		c.best = s
		c.offset.Store(int64(s.offset))
		c.known.Store(true)
	}
}

// Now is the time by the clock of Redis.
func (s *Store) Now() time.Time { return s.clock.now() }

// measureTime asks for the time of Redis a few times.
func (s *Store) measureTime() {
	for range clockSamples {
		keeper := s.holder(s.markerKey())
		if keeper == nil {
			return
		}
		look, err := s.clock.measure(func() *redis.TimeCmd {
			cmd := redis.NewTimeCmd(s.terms.base, "time")
			_ = keeper.ask(cmd)
			return cmd
		})
		// An error shows in the calls soon enough, and a new connection measures again.
		if err == nil {
			s.clock.learn(look)
		}
	}
}
