package store

import (
	"context"
	"time"
)

// Follow calls read at once, then after each wake-up on topic and once in each interval, until ctx ends. A wake-up may be
// lost, and a subscription may end at any time: then the intervals suffice until there is another.
func Follow(ctx context.Context, s Store, topic string, every time.Duration, read func(context.Context)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var wake <-chan struct{}
	for {
		if wake == nil {
			wake, _ = s.Subscribe(ctx, topic)
		}
		read(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case _, open := <-wake:
			if open {
				continue
			}
			// A store that ends every subscription at once must not be asked for the next without a pause.
			wake = nil
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}
