package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/safeconduct/safeconduct/store"
)

// File is a backup that has been read to its end and was found whole.
type File struct {
	file *os.File
	Contents
}

var _ Source = (*File)(nil)

// Open opens a backup and reads all of it. told is called with how many bytes were read. Close the file.
func Open(ctx context.Context, path string, told func(read int64)) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the backup: %w", err)
	}
	contents, err := Read(ctx, &counted{from: file, told: told}, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return &File{file, *contents}, nil
}

// Walk tells what the backup holds. It reads all of the file again, and fails at its end if it was changed meanwhile.
func (f *File) Walk(ctx context.Context, see func(store.Item) error) (store.Mark, error) {
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return store.Mark{}, fmt.Errorf("read the backup again: %w", err)
	}
	again, err := Read(ctx, f.file, func(i store.Item) error {
		if i.Kind == store.KindRecord && f.Gone[i.Name] {
			return nil
		}
		return see(i)
	})
	if err != nil {
		return store.Mark{}, err
	}
	return again.Mark, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// counted counts what is read through it.
type counted struct {
	from io.Reader
	read int64
	told func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.read += int64(n)
	c.told(c.read)
	return n, err
}

// Save makes a backup at path out of what write writes. It reads it back before it gives it the name, and never
// replaces a file: whatever interrupts it, there is a whole backup at path or none.
func Save(ctx context.Context, path string, write func(*os.File) error) (*Contents, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is a file %s already: %w", path, fs.ErrExist)
	}
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, "."+filepath.Base(path)+".unfinished-*") // with the mode 0600
	if err != nil {
		return nil, fmt.Errorf("make the backup: %w", err)
	}
	defer os.Remove(file.Name())
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	whole, err := Open(ctx, file.Name(), func(int64) {})
	if err != nil {
		return nil, err
	}
	if err := whole.Close(); err != nil {
		return nil, err
	}
	// A link fails where a renaming would replace a file that somebody made meanwhile. Some file systems have no links.
	err = os.Link(file.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return nil, fmt.Errorf("give the backup its name: %w", err)
	}
	return &whole.Contents, syncFolder(folder)
}

// syncFolder makes a new name in a folder last.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync the backup's folder: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
