package main

import (
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// roomMost is how much is left free at a point, at most: from nothing to some commits.
const roomMost = 64 << 10

// diskFull is F14: the disk of the data file fills up, again and again, and has room again.
func diskFull(s *scene) {
	points := pick(s, 4, 300)
	in := s.install("")
	n := in.addNode()
	data := filepath.Join(n.dir, "data")
	s.must(os.Mkdir(data, 0o700))
	if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=64m,mode=0700"); err != nil {
		s.Fatalf("a small disk cannot be mounted, which needs root: %v", err)
	}
	s.Cleanup(func() {
		if n.process != nil {
			n.process.kill()
		}
		_ = unix.Unmount(data, unix.MNT_DETACH)
	})
	n.mustStart()
	in.furnish(8)
	l := in.newLoad()
	l.begin(12, func(int) func() string { return n.to })
	l.warmUp()
	random := rand.New(rand.NewPCG(14, 14))
	ballast := filepath.Join(data, "ballast")
	asker := in.newParty(l.ledger, "", credential{}, n.to)
	for range points {
		l.ledger.mark(markTrouble)
		var disk unix.Statfs_t
		s.must(unix.Statfs(data, &disk))
		if room := int64(disk.Bavail)*int64(disk.Bsize) - int64(random.IntN(roomMost)); room > 0 {
			// What does not fit is as good: then there is no room at all.
			_ = os.WriteFile(ballast, make([]byte, room), 0o600)
		}
		s.await(startPatience, "the disk is full", func() bool { return l.issue(asker).Status == http.StatusServiceUnavailable })
		s.sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		s.must(os.Remove(ballast))
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
	s.done("a disk of 64 MB filled %d times with 0 to 64 kB left, then kill -9, %d requests", points, f.requests)
	s.figure("%d delegations, %d × 503, last failure %v after there was room; opened again undamaged", f.delegations, f.unavailable, f.recovery.Round(time.Millisecond))
	if f.unavailable == 0 {
		s.Errorf("the disk was never full: nothing was shown")
	}
}
