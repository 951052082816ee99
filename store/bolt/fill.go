package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// UnfinishedSuffix ends the name of a file that is being filled, beside the one that it will be.
const UnfinishedSuffix = ".unfinished"

// loadRoom is the disk space that an item may need beside its content: what it changes are pages.
const loadRoom = 4 << 10

// Filling is a data file that is being filled. It has another name until it is whole, and the lock of its own one.
type Filling struct {
	*Store
	target string
	aside  string // where the file goes that is there now; empty when there is none
}

var _ store.Filler = (*Filling)(nil)

// Fill begins to fill the data file at path. It returns an error that wraps store.ErrNotEmpty when there is one, unless
// replace is set: then that one stays in its place until Finish, which moves it aside. What an earlier filling left behind
// unfinished is thrown away.
func Fill(path string, replace bool, o Options) (*Filling, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	path, held, err := claim(path)
	if err != nil {
		return nil, err
	}
	f := &Filling{target: path}
	if err := f.begin(replace, held, o); err != nil {
		return nil, errors.Join(err, held.release())
	}
	return f, nil
}

func (f *Filling) begin(replace bool, held *lock, o Options) error {
	info, err := os.Stat(f.target)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0:
	case err != nil:
		return fmt.Errorf("look for data file: %w", err)
	case !replace:
		return fmt.Errorf("there is a data file %s already: %w", f.target, store.ErrNotEmpty)
	default:
		f.aside = f.target + ".replaced-" + o.Clock().UTC().Format("20060102T150405.000Z")
	}
	draft := f.target + UnfinishedSuffix
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove what was left unfinished: %w", err)
	}
	f.Store = &Store{path: draft, log: o.Logger, lock: held, closing: make(chan struct{})}
	f.close = sync.OnceValue(f.shut)
	if err := f.load(o.Clock); err != nil {
		return err
	}
	f.db.NoSync = true // the disk is waited for once, at the end: until then nobody counts on anything
	return nil
}

// Aside is where the file that was there before goes; empty if there was none.
func (f *Filling) Aside() string { return f.aside }

// Load writes items as they are, in one commit.
func (f *Filling) Load(ctx context.Context, items []store.Item) error {
	keyed := make([]keyedItem, len(items))
	size := 0
	for n, i := range items {
		key, err := storedKey(i)
		if err != nil {
			return err
		}
		if _, err := unixExpiry(i.Expires); err != nil {
			return err
		}
		keyed[n] = keyedItem{key, i}
		size += loadRoom + len(i.Value)
	}
	// In the order of the tree each page is looked for once. Of two of one key the later counts.
	slices.SortStableFunc(keyed, func(x, y keyedItem) int { return bytes.Compare(x.key, y.key) })
	return f.write(&write{ctx: ctx, size: size, run: func(t *tx) error {
		for _, k := range keyed {
			if err := t.load(k.key, k.item); err != nil {
				return t.check(err) // a half of it must not be committed
			}
		}
		return nil
	}})
}

// keyedItem is an item with the key that it is stored under.
type keyedItem struct {
	key  []byte
	item store.Item
}

// load writes one item under its stored key.
func (t *tx) load(key []byte, i store.Item) error {
	there, err := t.find(key)
	if err != nil {
		return err
	}
	until, err := unixExpiry(i.Expires)
	if err != nil {
		return err
	}
	var payload []byte
	switch i.Kind {
	case store.KindRecord:
		payload = slices.Concat(i.ID[:], i.Value)
	case store.KindCounter:
		payload = binary.BigEndian.AppendUint64(nil, uint64(i.Count))
	case store.KindEntry:
		payload = i.Value
		t.sums.seq = max(t.sums.seq, i.Seq)
	case store.KindMember:
		if there == nil {
			if _, err := t.count(headOf(key), 1); err != nil {
				return err
			}
		}
	}
	return t.put(key, there, until, payload)
}

// Advance brings the clock and the number of the last entry to the mark.
func (f *Filling) Advance(ctx context.Context, m store.Mark) error {
	f.clock.advance(m.Now)
	return f.write(&write{ctx: ctx, run: func(t *tx) error {
		t.sums.seq = max(t.sums.seq, m.Seq)
		t.dirty = true // the clock goes with every commit
		return nil
	}})
}

// Finish gives the file its name.
func (f *Filling) Finish(ctx context.Context) error {
	if err := f.usable(ctx); err != nil {
		return err
	}
	f.db.NoSync = false // the last commit syncs all that was written before
	f.settle = f.place
	return f.Close()
}

// place moves the file, which is closed and on the disk, to its place.
func (f *Filling) place() error {
	if f.aside != "" {
		if err := os.Rename(f.target, f.aside); err != nil {
			return fmt.Errorf("move the data file that was there aside: %w", err)
		}
	}
	if err := os.Rename(f.path, f.target); err != nil {
		return fmt.Errorf("move data file to its place: %w", err)
	}
	return syncFolder(filepath.Dir(f.target))
}
