package bolt

import (
	"errors"
	"os"
	"syscall"
)

// allocate gives disk space to a range of file, and grows file to hold it.
func allocate(file *os.File, from, size int64) error {
	for {
		err := syscall.Fallocate(int(file.Fd()), 0, from, size)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return errors.ErrUnsupported
		}
		return err
	}
}
