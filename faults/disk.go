package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// roomMost is how much is left free at a point, at most: from nothing to some commits.
const roomMost = 64 << 10

// smallDisk is the disk of a data file, which can be filled up to some bytes and freed again.
type smallDisk struct {
	what string
	fill func(room int64) error
	free func() error
}

// smallDiskFor makes a small disk for the data of a node that was not started yet. Who may not mount one limits the size
// of the server's files instead, which is a full disk to it.
func (s *scene) smallDiskFor(n *node) smallDisk {
	data := filepath.Join(n.dir, "data")
	s.must(os.Mkdir(data, 0o700))
	err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=64m,mode=0700")
	if errors.Is(err, unix.EPERM) {
		return n.limited()
	}
	s.must(err)
	s.Cleanup(func() {
		if n.process != nil {
			n.process.kill()
		}
		_ = unix.Unmount(data, unix.MNT_DETACH)
	})
	ballast := filepath.Join(data, "ballast")
	return smallDisk{
		what: "a disk of 64 MB",
		fill: func(room int64) error {
			var disk unix.Statfs_t
			if err := unix.Statfs(data, &disk); err != nil {
				return err
			}
			// What does not fit is as good: then there is no room at all.
			_ = os.WriteFile(ballast, make([]byte, max(int64(disk.Bavail)*disk.Bsize-room, 0)), 0o600)
			return nil
		},
		free: func() error { return os.Remove(ballast) },
	}
}

// limited is the disk of whom may mount none.
func (n *node) limited() smallDisk {
	limit := func(bytes uint64) error {
		return unix.Prlimit(n.process.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil)
	}
	return smallDisk{
		what: "a limit on the size of the file (for want of the right to mount a disk)",
		fill: func(room int64) error {
			info, err := os.Stat(n.dataFile())
			if err != nil {
				return err
			}
			return limit(uint64(info.Size() + room))
		},
		free: func() error { return limit(unix.RLIM_INFINITY) },
	}
}

// diskFull is F14: the disk of the data file fills up, again and again, and has room again.
func diskFull(s *scene) {
	points := pick(s, 4, 300)
	in := s.install("")
	n := in.addNode()
	disk := s.smallDiskFor(n)
	n.mustStart()
	in.furnish(8)
	l := in.newLoad()
	l.begin(12, func(int) func() string { return n.to })
	l.warmUp()
	random := rand.New(rand.NewPCG(14, 14))
	asker := in.newParty(l.ledger, "", credential{}, n.to)
	for range points {
		l.ledger.mark(markTrouble)
		s.must(disk.fill(random.Int64N(roomMost)))
		s.await(startPatience, "the disk is full", func() bool { return l.issue(asker).Status == http.StatusServiceUnavailable })
		s.sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		s.must(disk.free())
		l.ledger.mark(markCalm)
		// Room again: the server notices by itself.
		s.await(5*time.Second, "there is room again", func() bool { return l.issue(asker).Status == http.StatusOK })
	}
	s.sleep(time.Second)
	// What was acknowledged is on the disk, not only in the process.
	l.stop()
	n.process.kill()
	s.must(n.start())
	f := l.judge(promise{recovery: 5 * time.Second})
	s.done("%s filled %d times with 0 to 64 kB left, then kill -9, %d requests", disk.what, points, f.requests)
	s.figure("%d delegations, %s; %d × 503, last failure %v after there was room; opened again undamaged", f.delegations, f.verdict(), f.unavailable,
		f.recovery.Round(time.Millisecond))
}
