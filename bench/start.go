package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// start is how long a server took from its exec to its first listening, on a data file with so many grants.
type start struct {
	how    string // warm or cold
	grants int
	size   int64 // of the file
	took   time.Duration
}

// The goals are for a million grants.
var startGoals = map[string]time.Duration{"warm": time.Second, "cold": 8 * time.Second}

func (s start) row(out *strings.Builder) {
	goal := ""
	if s.grants == 1_000_000 {
		goal = fmt.Sprintf("≤ %.0f", startGoals[s.how].Seconds())
	}
	fmt.Fprintf(out, "| %s | %d | %.0f | %.2f | %s |\n", s.how, s.grants, float64(s.size)/1e6, s.took.Seconds(), goal)
}

// measureStart starts the server on bolt's data file: while the system has it in memory, and when it must be read from
// the disk.
func (b *bench) measureStart(r *report) error {
	for _, p := range b.places {
		if p.engine != engineBolt {
			continue
		}
		for _, how := range []string{"warm", "cold"} {
			p.stop()
			if err := settle(p.at, how == "cold"); err != nil {
				return err
			}
			info, err := os.Stat(p.at)
			if err != nil {
				return err
			}
			began := time.Now()
			if err := p.serve(b, false); err != nil {
				return err
			}
			r.starts = append(r.starts, start{how, p.fixture.total, info.Size(), time.Since(began)})
			b.note("start, %s: %v", how, time.Since(began).Round(time.Millisecond))
		}
	}
	return nil
}

// settle brings all of a file into the system's memory, or out of it: what is dirty cannot go, so it is written first.
func settle(path string, out bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if !out {
		_, err := file.WriteTo(discard{})
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// discard takes what it is given piece by piece, unlike io.Discard, which might let a file skip the reading.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
