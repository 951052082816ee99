package scopes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// streamAgain is how long a feed that is no stream is polled before a stream is asked for again.
	streamAgain = time.Minute
	pollEvery   = 3 * time.Second
	// The pause before the next attempt, drawn from zero to a bound that doubles: many follow one server.
	leastPause = 500 * time.Millisecond
	mostPause  = 8 * time.Second
)

// feed follows the revocation feed of the issuer.
type feed struct {
	source  feedSource
	entries *revocations
	grace   time.Duration
	loss    FeedLoss
	clock   func() time.Time
	startup time.Duration // how long the first requests wait for the first snapshot
	first   chan struct{} // closed when the first snapshot is there, or was waited for long enough
	opened  sync.Once     // closes first

	mu     sync.Mutex
	cursor string    // of the last entry taken over
	heard  time.Time // when the entries were last known to be complete; zero before the first snapshot
	fault  error     // why the last attempt ended
	warned bool      // of the present loss
}

// begin follows the feed until background is closed.
func (f *feed) begin(b *background) {
	b.start(f.follow)
	started := b.start(func(ctx context.Context) {
		wait(ctx, f.startup)
		f.open()
	})
	if !started {
		f.open() // it is closed, and nobody shall wait
	}
}

func (f *feed) open() { f.opened.Do(func() { close(f.first) }) }

// check refuses a token that is revoked, or of which that cannot be known.
func (f *feed) check(ctx context.Context, t *Token) error {
	select {
	case <-f.first:
	default:
		select {
		case <-f.first:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w while the first revocations were fetched", ErrUnavailable, ctx.Err())
		}
	}
	if f.entries.has(t) {
		return fmt.Errorf("%w: it is revoked", ErrInactive)
	}
	return f.fresh(f.clock())
}

// fresh says that the feed is lost, if it is and that matters.
func (f *feed) fresh(now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.heard.IsZero() && now.Sub(f.heard) <= f.grace {
		return nil
	}
	if f.loss == AcceptWithoutFeed {
		if !f.warned {
			f.warned = true
			slog.Warn("tokens are accepted without the revocation feed", "heard", f.heard, "error", f.fault)
		}
		return nil
	}
	fault := f.fault
	if fault == nil {
		fault = errors.New("nothing came")
	}
	if f.heard.IsZero() {
		return fmt.Errorf("%w: the revocation feed was never heard: %w", ErrUnavailable, fault)
	}
	return fmt.Errorf("%w: the revocation feed was last heard %s ago: %w", ErrUnavailable,
		now.Sub(f.heard).Round(time.Second), fault)
}

// hear notes that the entries were complete at the given time.
func (f *feed) hear(at time.Time) {
	f.mu.Lock()
	f.heard, f.fault = at, nil
	if f.warned {
		f.warned = false
		slog.Info("the revocation feed is heard again")
	}
	f.mu.Unlock()
	f.open()
	f.entries.sweep(at)
}

// take adds entries and notes how far the feed was read.
func (f *feed) take(cursor string, entries ...revocation) {
	f.entries.add(entries)
	if !printable(cursor) || len(cursor) > maxCursorBytes {
		cursor = "" // it could not be sent back; the next connection begins with a snapshot
	}
	f.mu.Lock()
	f.cursor = cursor
	f.mu.Unlock()
}

func (f *feed) position() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cursor
}

// follow reads the stream, again and again, and polls while the stream is refused.
func (f *feed) follow(ctx context.Context) {
	pause := leastPause
	for ctx.Err() == nil {
		heard, err := f.stream(ctx)
		if errors.Is(err, errNoStream) {
			heard, err = f.pollFor(ctx, streamAgain)
		}
		f.mu.Lock()
		f.fault = err
		f.mu.Unlock()
		if heard {
			pause = leastPause
		}
		wait(ctx, rand.N(pause))
		pause = min(2*pause, mostPause)
	}
}

// pollFor asks for the snapshot again and again. It reports whether it got one at least, and what went wrong at last.
func (f *feed) pollFor(ctx context.Context, duration time.Duration) (heard bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	tag := ""
	for ctx.Err() == nil {
		asked := f.clock()
		snapshot, newTag, err := f.source.snapshot(ctx, tag)
		if err != nil {
			return heard, err
		}
		if snapshot != nil {
			// Without its cursor: the next stream shall begin with a snapshot, which shows at once whether it is one.
			f.take("", snapshot.Entries...)
			tag = newTag
		}
		f.hear(asked)
		heard = true
		wait(ctx, pollEvery)
	}
	return heard, nil
}

// wait returns after the given time, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
