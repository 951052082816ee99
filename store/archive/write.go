package archive

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// A backup is a line of text, then frames (a length and an item), a frame of length 0, the trailer, and the SHA-256 of all
// before it.
const (
	magic = "safeconduct-backup"
	// formatVersion is the version of the file that this release reads and writes. It grows with every change of what is in it.
	formatVersion = 1
	// frameSize is the size of a frame's length.
	frameSize = 4
	// toldEvery is how many items are written between two words about it.
	toldEvery = 512
	// frameMost is more than any item of a store needs.
	frameMost = 16 << 20
)

// About says what a backup is of. It stands in its first line.
type About struct {
	Made time.Time `json:"made"`
	// Snapshot says that it shows one moment; else each item is as it was at some moment of the making.
	Snapshot bool `json:"snapshot"`
}

// Write writes a backup of a store that may be in use to a new file, and does not sync it. made is the store's time. told
// is called with what was written so far.
//
// Where a walk does not tell one moment, records that were told and had ended by the time that all else was told are
// marked as gone. Without that a grant could come back whose name in its index is gone, and nobody could find it to end it.
func Write(ctx context.Context, file *os.File, from store.Walker, made time.Time, told func(*Tally)) error {
	about := About{Made: made.UTC(), Snapshot: from.Snapshot()}
	w := newWriter(file)
	if err := w.begin(about); err != nil {
		return err
	}
	mark, err := from.Walk(ctx, func(i store.Item) error {
		if err := w.item(i); err != nil {
			return err
		}
		if w.tally.Count()%toldEvery == 0 {
			told(&w.tally)
		}
		return nil
	})
	if err == nil && !about.Snapshot {
		err = w.markGone(ctx, file, from)
	}
	if err != nil {
		return err
	}
	told(&w.tally)
	return w.finish(mark)
}

// writer writes frames, and sums everything up.
type writer struct {
	to      *bufio.Writer
	sum     hash.Hash
	tally   Tally
	gone    int64
	scratch []byte
}

func newWriter(to io.Writer) *writer {
	sum := sha256.New()
	return &writer{to: bufio.NewWriterSize(io.MultiWriter(to, sum), 64<<10), sum: sum}
}

func (w *writer) begin(about About) error {
	text, err := json.Marshal(about)
	if err == nil {
		_, err = fmt.Fprintf(w.to, "%s %d %s\n", magic, formatVersion, text)
	}
	return writing(err)
}

func (w *writer) item(i store.Item) error {
	w.scratch = appendItem(w.scratch[:0], i)
	if len(w.scratch) > frameMost {
		return fmt.Errorf("write the backup: %s has %d bytes, more than a backup takes", nameOf(i), len(w.scratch))
	}
	if i.Kind == kindGone {
		w.gone++
	} else {
		w.tally.add(i.Kind, w.scratch)
	}
	return w.frame(w.scratch)
}

func (w *writer) frame(content []byte) error {
	var size [frameSize]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(content)))
	if _, err := w.to.Write(size[:]); err != nil {
		return writing(err)
	}
	_, err := w.to.Write(content)
	return writing(err)
}

// markGone reads the records back that were written, and marks those that are no longer there.
func (w *writer) markGone(ctx context.Context, file io.ReaderAt, from store.Walker) error {
	if err := w.to.Flush(); err != nil {
		return writing(err)
	}
	var pending batch
	check := func() error {
		items := pending.take()
		there, err := from.Find(ctx, items)
		if err != nil {
			return err
		}
		for n, i := range items {
			if there[n].Kind == 0 {
				if err := w.item(store.Item{Kind: kindGone, Name: i.Name}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	// What check adds to the file comes behind what was written until now, and is not read.
	written, records := w.tally.Count(), w.tally.Records.Count
	r := newReader(io.NewSectionReader(file, 0, 1<<62))
	if _, err := r.begin(); err != nil {
		return err
	}
	for n := int64(0); n < written && records > 0; n++ {
		i, _, err := r.next()
		if err != nil {
			return err
		}
		if i.Kind != store.KindRecord {
			continue
		}
		records--
		if pending.add(store.Item{Kind: i.Kind, Name: i.Name}) {
			if err := check(); err != nil {
				return err
			}
		}
	}
	return check()
}

// finish writes the trailer.
func (w *writer) finish(mark store.Mark) error {
	if err := w.frame(nil); err != nil {
		return err
	}
	if _, err := w.to.Write(trailer{mark, w.tally, w.gone}.encode()); err != nil {
		return writing(err)
	}
	if err := w.to.Flush(); err != nil {
		return writing(err)
	}
	_, err := w.to.Write(w.sum.Sum(nil))
	if err == nil {
		err = w.to.Flush()
	}
	return writing(err)
}

func writing(err error) error {
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// trailer says what must have been read when it comes.
type trailer struct {
	mark  store.Mark
	tally Tally
	gone  int64
}

const trailerSize = 8 * (2 + 2*4 + 1)

func (t trailer) encode() []byte {
	fields := []uint64{uint64(t.mark.Now.UnixNano()), t.mark.Seq}
	for _, k := range store.Kinds() {
		fields = append(fields, uint64(t.tally.Of(k).Count), uint64(t.tally.Of(k).Digest))
	}
	raw := make([]byte, 0, trailerSize)
	for _, field := range append(fields, uint64(t.gone)) {
		raw = binary.BigEndian.AppendUint64(raw, field)
	}
	return raw
}
