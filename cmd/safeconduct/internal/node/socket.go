package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// dialPatience is how long a server has to take a connection on its socket.
const dialPatience = 2 * time.Second

// socket is a listening unix socket with the lock that makes it the only one of its name.
type socket struct {
	net.Listener
	lock *os.File
}

// Close stops listening, removes the socket and gives its name free.
func (s *socket) Close() error { return errors.Join(s.Listener.Close(), s.lock.Close()) }

// ListenSocket listens on a unix socket, for its owner alone. A socket that a dead server left behind is replaced, that
// of a living one never: a lock on a file beside it, which the system takes from a dead process, tells them apart.
func ListenSocket(path string) (net.Listener, error) {
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock socket: %w", err)
	}
	listener, err := listenLocked(path, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &socket{listener, lock}, nil
}

func listenLocked(path string, lock *os.File) (net.Listener, error) {
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, inUse(path)
	}
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is not a socket: move it away", path)
	case err == nil && SocketAnswers(path):
		return nil, inUse(path) // by a server whose lock file was removed
	case err == nil:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove socket of a dead server: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("look at socket: %w", err)
	}
	// Without the mask there would be a moment in which others may connect.
	before := syscall.Umask(0o177)
	listener, err := net.Listen("unix", path)
	syscall.Umask(before)
	if err != nil {
		return nil, fmt.Errorf("listen on socket: %w", err)
	}
	return listener, nil
}

func inUse(path string) error {
	return fmt.Errorf("another server runs on %s: stop it, or give this one a data_dir of its own", path)
}

// SocketAnswers reports whether a server takes connections on a unix socket.
func SocketAnswers(path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), dialPatience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
