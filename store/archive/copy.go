package archive

import (
	"context"
	"fmt"

	"github.com/safeconduct/safeconduct/store"
)

// Copy loads everything of from into to, and brings its clock and numbers up to what it holds. start is how far from has
// come already: a target whose clock is behind that is refused before anything is written. told is called with what was
// loaded so far. The caller finishes to.
func Copy(ctx context.Context, from Source, start store.Mark, to store.Filler, told func(*Tally)) (*Tally, error) {
	if err := to.Advance(ctx, start); err != nil {
		return nil, err
	}
	tally := &Tally{}
	var pending batch
	var scratch []byte
	flush := func() error {
		items := pending.take()
		if len(items) == 0 {
			return nil
		}
		if err := to.Load(ctx, items); err != nil {
			return fmt.Errorf("write the copy: %w", err)
		}
		told(tally)
		return nil
	}
	mark, err := from.Walk(ctx, func(i store.Item) error {
		scratch = appendItem(scratch[:0], i)
		tally.add(i.Kind, scratch)
		if pending.add(i) {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = to.Advance(ctx, mark)
	}
	if err != nil {
		return nil, err
	}
	return tally, nil
}
