package bolt

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// A write changes a handful of pages, and bbolt writes changed pages anew before it gives the old ones free.
	roomPerBatch = 512 << 10
	roomPerWrite = 32 << 10
	// roomStep is the least by which the file grows.
	roomStep = 1 << 20
	// fullFor is how long a full disk is not asked again: that takes time, which those who delete must not wait for.
	fullFor = time.Second
)

var errFull = errors.New("no room left on the disk")

// room keeps disk space for the data file ahead of need. It makes a full disk show before a commit and not in the middle
// of one, and leaves enough to delete with: revoking must work when nothing else does.
type room struct {
	file *os.File
	have int64 // how many bytes of the file have disk space
	full time.Time
}

// reserve makes sure of the space for a batch.
func (r *room) reserve(db *bbolt.Tx, batch []*write) error {
	want := int64(roomPerBatch)
	for _, w := range batch {
		want += roomPerWrite + 2*int64(w.size)
	}
	need := db.Size() + want
	if need <= r.have {
		return nil
	}
	if time.Since(r.full) < fullFor {
		return errFull
	}
	err := r.grow(need + max(roomStep, db.Size()/16))
	if isFull(err) {
		err = r.grow(need)
	}
	if !isFull(err) {
		return err
	}
	if enoughFree(db, want) {
		return nil
	}
	r.full = time.Now()
	return fmt.Errorf("%w: %w", errFull, err)
}

// grow gives the file disk space up to a length.
func (r *room) grow(to int64) error {
	err := allocate(r.file, r.have, to-r.have)
	if errors.Is(err, errors.ErrUnsupported) {
		r.have = math.MaxInt64 // a full disk then shows when a commit fails
		return nil
	}
	if err != nil {
		return err
	}
	// The new length must be on the disk before anything is written beyond the old one.
	if err := r.file.Sync(); err != nil {
		return err
	}
	r.have = to
	return nil
}

// enoughFree reports whether the file has room within: pages that nothing uses any more.
func enoughFree(db *bbolt.Tx, want int64) bool {
	size := int64(db.DB().Info().PageSize)
	for id := 2; want > 0; id++ {
		page, err := db.Page(id)
		if err != nil || page == nil {
			return false
		}
		if page.Type == "free" {
			want -= size
		}
	}
	return true
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
