package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// patience is how long one try leaves a half-made act of somebody else alone.
type patience time.Duration

// again repeats act while others win, with more patience each time: two callers that break each other's claims must
// part. The pauses are random for the same reason.
func (t *Table[T]) again(ctx context.Context, act func(patience) error) error {
	var err error
	for try := range maxTries {
		doubled := firstPatience << min(try, patienceDoubles)
		if err = act(patience(doubled + rand.N(doubled))); !errors.Is(err, ErrConflict) {
			return err
		}
		if err := pause(ctx, rand.N(time.Millisecond<<min(try, patienceDoubles))); err != nil {
			return err
		}
	}
	return fmt.Errorf("too many others write it at once: %w", err)
}

// finishWithin bounds an act that goes on without its caller.
const finishWithin = 10 * time.Second

// Finish returns a context for the rest of an act that must not stop half way because its caller went away, such as
// ending what a changed user still holds. It ends by itself after ten seconds.
func Finish(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
}

// outlast waits until a half-made act of somebody else may be broken. ErrConflict says that it moved meanwhile: it is
// alive, or done.
func (t *Table[T]) outlast(ctx context.Context, id string, seen row[T], p patience) error {
	const looks = 3
	for range looks {
		if err := pause(ctx, time.Duration(p)/looks); err != nil {
			return err
		}
		now, err := t.store.Get(ctx, t.key(id))
		if errors.Is(err, ErrNotFound) || err == nil && now.ID != seen.record.ID {
			return ErrConflict
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
