package bolt

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	// lockPatience is how long Open waits for the process that has the file. A server that is being restarted needs it.
	lockPatience = 2 * time.Second
	lockRetry    = 20 * time.Millisecond
)

// lock is the exclusive right to a data file: a lock on a file next to it, in which the holder has written its name. The
// system gives the lock free when its holder dies, however it dies. The lock file itself stays: removing it would let
// two processes lock two files of one name.
type lock struct{ file *os.File }

// acquire takes the lock of the data file at path, or says who has it.
func acquire(path string) (*lock, error) {
	file, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of data file: %w", err)
	}
	for start := time.Now(); ; time.Sleep(lockRetry) {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock data file %s: %w", path, err), file.Close())
		}
		if time.Since(start) > lockPatience {
			defer file.Close()
			return nil, fmt.Errorf("data file %s is %w by %s", path, ErrInUse, holder(file))
		}
	}
	l := &lock{file: file}
	if err := l.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock of data file: %w", err), l.release())
	}
	return l, nil
}

// sign writes who holds the lock: the process, and the host or container, since files are shared between those.
func (l *lock) sign() error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	name := fmt.Sprintf("process %d on host %s\n", os.Getpid(), host)
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.WriteAt([]byte(name), 0)
	return err
}

// holder reads who has locked file.
func holder(file *os.File) string {
	name := make([]byte, 512)
	n, _ := file.ReadAt(name, 0)
	if text := strings.TrimSpace(string(name[:n])); text != "" {
		return text
	}
	return "a process that has not given its name"
}

// release gives the data file free.
func (l *lock) release() error {
	return errors.Join(l.file.Truncate(0), l.file.Close())
}
