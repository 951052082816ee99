package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"
)

const (
	// clockInterval is how often the clock of Redis is asked for, besides at each connect.
	clockInterval = 10 * time.Second
	// clockSamples is how often it is asked for then, to have one good measurement among them.
	clockSamples = 3
	// sampleLife is how long a measurement stands: clocks drift apart.
	sampleLife = 40 * time.Second
	// driftSlack is how far two measurements may contradict each other before a clock must have been set.
	driftSlack = 5 * time.Millisecond
)

// clock tells the time of Redis: the local clock, which never jumps, and the difference to it. The difference is
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

// measure asks for the time of Redis once and learns from it.
func (c *clock) measure(ask func() *redis.TimeCmd) error {
	before := time.Now()
	answer, err := ask().Result()
	local := c.local()
	if err != nil {
		return err
	}
	c.learn(sample{offset: answer.Sub(local), trip: time.Since(before), at: before})
	return nil
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

// keepTime measures the clock of Redis until ctx ends.
func (s *Store) keepTime(ctx context.Context) {
	ticker := time.NewTicker(clockInterval)
	defer ticker.Stop()
	for {
		for range clockSamples {
			// An error shows in the calls soon enough, and a new connection measures again.
			_ = s.clock.measure(func() *redis.TimeCmd {
				cmd := redis.NewTimeCmd(s.node.base, "time")
				s.node.run([]*call{{cmd: cmd}}, time.Now())
				return cmd
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
