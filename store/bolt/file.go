package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// mapAhead is how much of the file's future is mapped at once. bbolt halts all calls while it maps a larger file anew.
const mapAhead = 64 << 20

// createMissing makes an empty data file where there is none. It is built under another name and moved to its place
// when it is whole and on the disk: whatever interrupts that, there is a good file at path or none.
func createMissing(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.Size() > 0:
		return nil
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("data file %s is not a file", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("look for data file: %w", err)
	}
	draft := path + ".new"
	if err := build(draft); err != nil {
		return fmt.Errorf("make data file %s: %w", path, err)
	}
	if err := os.Rename(draft, path); err != nil {
		return fmt.Errorf("make data file: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

// build writes a data file without items.
func build(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, k := range kinds() {
			name, _ := k.bucket()
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		about, err := tx.CreateBucket([]byte(aboutBucket))
		if err != nil {
			return err
		}
		return errors.Join(
			about.Put([]byte(versionKey), fmt.Append(nil, formatVersion)),
			about.Put([]byte(sumsKey), sums{}.encode()),
		)
	})
	return errors.Join(err, db.Close())
}

// syncFolder makes a new name in a folder last.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder of data file: %w", err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("sync folder of data file: %w", err)
	}
	return nil
}

// openBolt opens a file that has been inspected, and returns bbolt's own handle on it too.
func openBolt(path string) (db *bbolt.DB, file *os.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("open data file %s: %v", path, p)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second,
		// With it every commit would write the list of free pages, hundreds of kilobytes after a large clearance.
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapAhead,
		NoStatistics:    true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, nil, fmt.Errorf("data file %s is %w by a program other than Safeconduct", path, ErrInUse)
	case err != nil:
		return nil, nil, fmt.Errorf("open data file %s: %w", path, err)
	}
	return db, file, nil
}
