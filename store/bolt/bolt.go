// Package bolt is the default engine of the store: one file on the local disk, for one process, on bbolt. A write that
// was acknowledged is on the disk (readers may see it a moment before); concurrent writes share one fsync. Everything in
// the file carries a checksum, and opening reads the whole file once: a file that is damaged, foreign or newer than this
// release is refused with the reason, and is never changed, replaced or taken for empty.
//
// Only cmd names it; the packages of rules see store.Store.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/safeconduct/safeconduct/store"
)

// ErrInUse is what Open's error wraps when another process has the data file open. The error names that process.
var ErrInUse = errors.New("in use")

var errClosed = fmt.Errorf("the data file has been closed: %w", store.ErrUnavailable)

// Options are the settings of Open. The zero value is good.
type Options struct {
	// Clock is the local clock; nil is time.Now.
	Clock func() time.Time
	// Logger is told what no caller can be told, such as trouble while sweeping; nil discards it.
	Logger *slog.Logger
}

// Store is an open data file. Make one with Open.
type Store struct {
	path  string
	log   *slog.Logger
	clock *clock
	lock  *lock
	db    *bbolt.DB
	file  *os.File // bbolt's own handle on the data file
	queue queue
	room  room
	sums  sums        // what the last commit wrote; owned by the leader of the queue
	used  atomic.Bool // whether anything was ever written

	broken  atomic.Pointer[error] // set once the disk has failed, for good
	topics  topics
	sweeper sync.WaitGroup
	closing chan struct{}
	close   func() error
	settle  func() error // what is done with the closed file while the lock still holds; nil for nothing
}

var _ store.Store = (*Store)(nil)

// Open opens the data file at path, and makes an empty one where there is none or one of no length. The folder is made
// with it, for the owner's eyes only. Open waits a moment for a process that is about to end, and returns an error
// that wraps ErrInUse when another one keeps the file.
func Open(path string, o Options) (*Store, error) {
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
	if _, err := os.Stat(path + UnfinishedSuffix); err == nil {
		return nil, errors.Join(fmt.Errorf("data file %s was to be filled, and that was cut short: repeat the copy or the restoration, or remove %s: %w",
			path, path+UnfinishedSuffix, store.ErrUnfinished), held.release())
	}
	s := &Store{path: path, log: o.Logger, lock: held, closing: make(chan struct{})}
	s.close = sync.OnceValue(s.shut)
	if err := s.load(o.Clock); err != nil {
		return nil, errors.Join(err, held.release())
	}
	s.sweeper.Go(s.sweepAlways)
	return s, nil
}

// claim makes the folder of a data file and takes the lock of the file. It returns the file's one path: it must not be had
// twice by two names.
func claim(path string) (string, *lock, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", nil, fmt.Errorf("find data file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", nil, fmt.Errorf("make folder of data file: %w", err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	held, err := acquire(path)
	return path, held, err
}

// load makes, inspects and opens the data file, in this order: bbolt trusts what it reads, so it must not read first.
func (s *Store) load(local func() time.Time) error {
	if err := createMissing(s.path); err != nil {
		return err
	}
	sums, err := inspect(s.path)
	if err != nil {
		return err
	}
	s.sums = sums
	s.used.Store(sums.written > 0)
	s.clock = newClock(local, sums.now)
	if ahead := time.Duration(sums.now - local().UnixNano()); ahead > time.Second {
		s.log.Warn("the data file's time is ahead of this machine's clock; it goes at half speed until they agree",
			"file", s.path, "ahead", ahead.Round(time.Second))
	}
	s.db, s.file, err = openBolt(s.path)
	s.room.file = s.file
	return err
}

// Path returns the absolute path of the data file.
func (s *Store) Path() string { return s.path }

// Empty reports whether nothing was ever written to the data file. A file that has been emptied is not Empty.
func (s *Store) Empty() bool { return !s.used.Load() }

// Now is the local clock, but never earlier than the last time in the file.
func (s *Store) Now() time.Time { return s.clock.Now() }

// Ping reports whether the data file can be used, and is still the one at its path.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	opened, err := s.file.Stat()
	if err != nil {
		return s.unavailable("look at", err)
	}
	if there, err := os.Stat(s.path); err != nil || !os.SameFile(opened, there) {
		return s.unavailable("look at", errors.New("it was moved, removed or replaced while in use"))
	}
	return nil
}

// Close finishes the writes that have begun, stores the time and gives the file free.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	close(s.closing)
	s.queue.close()
	s.sweeper.Wait()
	s.topics.close()
	var errs []error
	if s.broken.Load() == nil {
		// The last time that anyone was told must be in the file, or a clock that goes back could revive what has ended.
		last := &write{ctx: context.Background(), frees: true, run: func(t *tx) error { t.dirty = true; return nil }}
		s.commit([]*write{last})
		errs = append(errs, last.err)
	}
	if s.broken.Load() == nil {
		errs = append(errs, s.db.Close())
	} else {
		// bbolt might wait for ever for a transaction that was left open. Its memory map stays, and would keep the lock.
		errs = append(errs, syscall.Flock(int(s.file.Fd()), syscall.LOCK_UN), s.file.Close())
	}
	if s.settle != nil && errors.Join(errs...) == nil {
		errs = append(errs, s.settle())
	}
	return errors.Join(append(errs, s.lock.release())...)
}

// usable reports why a call cannot be served: its context has ended, the file was closed, or the disk has failed.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if failure := s.broken.Load(); failure != nil {
		return *failure
	}
	select {
	case <-s.closing:
		return errClosed
	default:
		return nil
	}
}

// unavailable says what could not be done with the data file, and why.
func (s *Store) unavailable(doing string, cause error) error {
	if errors.Is(cause, berrors.ErrDatabaseNotOpen) {
		return errClosed
	}
	return fmt.Errorf("%s data file %s: %w: %w", doing, s.path, store.ErrUnavailable, cause)
}

// fail ends the use of the data file for good. After a failed fsync nobody knows what the disk holds, and a write that
// seems to succeed later may rest on one that was lost; only opening the file anew tells.
func (s *Store) fail(doing string, cause error) error {
	err := s.unavailable(doing, fmt.Errorf("%w; nothing is read or written any more, restart when the disk is sound", cause))
	if s.broken.CompareAndSwap(nil, &err) {
		s.log.Error("data file failed", "err", err)
	}
	return err
}
