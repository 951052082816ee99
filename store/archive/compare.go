package archive

import (
	"context"
	"fmt"

	"github.com/safeconduct/safeconduct/store"
)

// namesMost is how many differences are named; more are only counted.
const namesMost = 1000

// Difference is an item that is not the same in two stores.
type Difference struct {
	Kind store.Kind
	Name string
	What string // is missing, differs, should not be there
}

// String names the item.
func (d Difference) String() string { return fmt.Sprintf("%s: %s %s", d.Kind, d.Name, d.What) }

// Comparison is what came of comparing two stores.
type Comparison struct {
	From, To    Tally
	Differences []Difference
	More        int // differences that are not named
}

// Same reports whether there are no differences.
func (c *Comparison) Same() bool { return len(c.Differences) == 0 && c.More == 0 }

// Compare reads two stores that nobody writes to, and looks up everything of each in the other. What expires meanwhile is
// no difference. told is called with how many items were looked at.
func Compare(ctx context.Context, from, to store.Walker, told func(seen int64)) (*Comparison, error) {
	c := &Comparison{}
	seen := int64(0)
	count := func(n int) {
		seen += int64(n)
		told(seen)
	}
	missing, err := unlike(ctx, from, to, &c.From, count)
	if err != nil {
		return nil, err
	}
	extra, err := unlike(ctx, to, from, &c.To, count)
	if err != nil {
		return nil, err
	}
	c.More = missing.more + extra.more
	for _, i := range missing.items {
		there, err := to.Find(ctx, []store.Item{i})
		if err != nil {
			return nil, err
		}
		what := "is missing"
		if there[0].Kind != 0 {
			what = "differs"
		}
		c.Differences = append(c.Differences, Difference{i.Kind, nameOf(i), what})
	}
	for _, i := range extra.items {
		there, err := from.Find(ctx, []store.Item{i})
		if err != nil {
			return nil, err
		}
		if there[0].Kind == 0 { // else it was named already
			c.Differences = append(c.Differences, Difference{i.Kind, nameOf(i), "should not be there"})
		}
	}
	return c, nil
}

// suspects are items that the other store does not have like that.
type suspects struct {
	items []store.Item
	more  int
}

// unlike walks one store and returns what the other does not have like that.
func unlike(ctx context.Context, walked, other store.Walker, tally *Tally, count func(int)) (*suspects, error) {
	found := &suspects{}
	var pending batch
	var scratch []byte
	check := func() error {
		items := pending.take()
		there, err := other.Find(ctx, items)
		if err != nil {
			return err
		}
		for n, i := range items {
			if equal(i, there[n]) {
				continue
			}
			if len(found.items) == namesMost {
				found.more++
				continue
			}
			found.items = append(found.items, i)
		}
		count(len(items))
		return nil
	}
	_, err := walked.Walk(ctx, func(i store.Item) error {
		scratch = appendItem(scratch[:0], i)
		tally.add(i.Kind, scratch)
		if pending.add(i) {
			return check()
		}
		return nil
	})
	if err == nil {
		err = check()
	}
	if err != nil {
		return nil, err
	}
	// Only now, when no transaction is open any more: what is no longer there has expired since.
	now, err := walked.Find(ctx, found.items)
	if err != nil {
		return nil, err
	}
	lasting := found.items[:0]
	for n, i := range found.items {
		if equal(i, now[n]) {
			lasting = append(lasting, i)
		}
	}
	found.items = lasting
	return found, nil
}

func equal(x, y store.Item) bool {
	return string(appendItem(nil, x)) == string(appendItem(nil, y))
}

// nameOf is what an item is called.
func nameOf(i store.Item) string {
	switch i.Kind {
	case store.KindMember:
		return fmt.Sprintf("%q of index %q", i.Member, i.Name)
	case store.KindEntry:
		return fmt.Sprintf("number %d of log %q", i.Seq, i.Name)
	}
	return fmt.Sprintf("%q", i.Name)
}
