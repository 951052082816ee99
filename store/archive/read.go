package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// ErrDamaged is wrapped by the error about a file that is no backup, is cut short or was changed.
var ErrDamaged = errors.New("the backup is damaged")

// ErrNewer is wrapped by the error about a backup that a newer release made.
var ErrNewer = errors.New("the backup was made by a newer release of Safeconduct")

// lineMost is more than the first line of any backup has.
const lineMost = 4 << 10

func damaged(format string, a ...any) error {
	return fmt.Errorf("%w: %s; nothing was changed: take another one", ErrDamaged, fmt.Sprintf(format, a...))
}

// Contents is what a backup that was read to its end holds.
type Contents struct {
	About About
	Mark  store.Mark
	Tally Tally
	// Gone are keys of records that had ended when the backup was done: they do not count.
	Gone map[string]bool
}

// Read reads a backup to its end and calls see, unless it is nil, for each item. Only when it returns no error was all of
// it good. What see is given is good until see returns.
func Read(ctx context.Context, from io.Reader, see func(store.Item) error) (*Contents, error) {
	r := newReader(from)
	found := &Contents{Gone: map[string]bool{}}
	var err error
	if found.About, err = r.begin(); err != nil {
		return nil, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		i, raw, err := r.next()
		if errors.Is(err, errEnd) {
			break
		}
		if err != nil {
			return nil, err
		}
		if i.Kind == kindGone {
			found.Gone[i.Name] = true
			continue
		}
		found.Tally.add(i.Kind, raw)
		if see != nil {
			if err := see(i); err != nil {
				return nil, err
			}
		}
	}
	found.Mark, err = r.end(found.Tally, int64(len(found.Gone)))
	if err != nil {
		return nil, err
	}
	return found, nil
}

// reader reads frames.
type reader struct {
	from  *bufio.Reader
	sum   hash.Hash
	size  [frameSize]byte
	frame []byte
}

func newReader(from io.Reader) *reader {
	return &reader{from: bufio.NewReaderSize(from, 64<<10), sum: sha256.New()}
}

// begin reads the first line.
func (r *reader) begin() (About, error) {
	line, err := r.from.ReadSlice('\n')
	r.sum.Write(line)
	rest, ours := bytes.CutPrefix(line, []byte(magic+" "))
	if err != nil || !ours || len(line) > lineMost {
		return About{}, damaged("it does not begin like a backup of Safeconduct")
	}
	number, text, _ := strings.Cut(strings.TrimSuffix(string(rest), "\n"), " ")
	version, err := strconv.Atoi(number)
	switch {
	case err != nil || version < 1:
		return About{}, damaged("its version cannot be read")
	case version > formatVersion:
		return About{}, fmt.Errorf("%w: it has version %d, and this release reads up to %d", ErrNewer, version, formatVersion)
	}
	var about About
	if err := json.Unmarshal([]byte(text), &about); err != nil {
		return About{}, damaged("its first line cannot be read")
	}
	return about, nil
}

// errEnd says that the frames are at their end.
var errEnd = errors.New("no more items")

// next reads a frame. What it returns is good until the next call.
func (r *reader) next() (store.Item, []byte, error) {
	if _, err := io.ReadFull(r.from, r.size[:]); err != nil {
		return store.Item{}, nil, cut(err)
	}
	r.sum.Write(r.size[:])
	size := binary.BigEndian.Uint32(r.size[:])
	switch {
	case size == 0:
		return store.Item{}, nil, errEnd
	case size > frameMost:
		return store.Item{}, nil, damaged("an item in it is larger than any can be")
	}
	var err error
	if r.frame, err = readUpTo(r.from, r.frame[:0], int(size)); err != nil {
		return store.Item{}, nil, cut(err)
	}
	r.sum.Write(r.frame)
	i, err := parseItem(r.frame)
	if err != nil {
		return store.Item{}, nil, damaged("%v", err)
	}
	return i, r.frame, nil
}

// readUpTo reads size bytes. The memory for them grows with what comes: a size may be a lie.
func readUpTo(from io.Reader, into []byte, size int) ([]byte, error) {
	for len(into) < size {
		step := min(size-len(into), 64<<10)
		at := len(into)
		into = append(into, make([]byte, step)...)
		if _, err := io.ReadFull(from, into[at:]); err != nil {
			return into, err
		}
	}
	return into, nil
}

// end reads the trailer, and checks that it tells what was read and that nothing follows.
func (r *reader) end(tally Tally, gone int64) (store.Mark, error) {
	raw := make([]byte, trailerSize+sha256.Size)
	if _, err := io.ReadFull(r.from, raw); err != nil {
		return store.Mark{}, cut(err)
	}
	told, want := raw[:trailerSize], raw[trailerSize:]
	r.sum.Write(told)
	if !bytes.Equal(r.sum.Sum(nil), want) {
		return store.Mark{}, damaged("it does not match its checksum")
	}
	mark := store.Mark{Now: time.Unix(0, int64(binary.BigEndian.Uint64(told))).UTC(), Seq: binary.BigEndian.Uint64(told[8:])}
	if !bytes.Equal(trailer{mark, tally, gone}.encode(), told) {
		return store.Mark{}, damaged("it does not hold as many items as it says")
	}
	if _, err := r.from.ReadByte(); !errors.Is(err, io.EOF) {
		return store.Mark{}, damaged("something follows its end")
	}
	return mark, nil
}

// cut says what a file that ends too early is.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("it is cut short")
	}
	return fmt.Errorf("read the backup: %w", err)
}
