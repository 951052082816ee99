package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"
)

// scene is the run of one failure: its folder, its processes, and what came of it. It is a testing.TB, so that what
// starts real Redis servers for the tests starts them here too; what a test would call a failure of the test is one of
// the failure's promise here.
type scene struct {
	testing.TB // for its unexported method alone

	name     string
	long     bool
	ctx      context.Context
	programs *programs
	progress io.Writer

	mu       sync.Mutex
	dir      string
	folders  int
	cleanups []func()
	broken   []string
	did      string
	figures  []string
}

// play runs one failure to its end, within its time, and cleans up.
func play(ctx context.Context, f failure, long bool, p *programs, progress io.Writer) *scene {
	limit := shortLimit
	if long {
		limit = longLimit
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("did not end within %v", limit))
	defer cancel()
	s := &scene{name: f.name, long: long, ctx: ctx, programs: p, progress: progress}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer s.cleanUp()
		f.run(s)
		if ctx.Err() != nil {
			s.Errorf("%v", context.Cause(ctx))
		}
	}()
	<-done
	return s
}

// shortLimit and longLimit bound one failure. All that waits in a scene looks at its context.
const (
	shortLimit = 3 * time.Minute
	longLimit  = 40 * time.Minute
)

func (s *scene) cleanUp() {
	for {
		s.mu.Lock()
		n := len(s.cleanups)
		if n == 0 {
			s.mu.Unlock()
			break
		}
		last := s.cleanups[n-1]
		s.cleanups = s.cleanups[:n-1]
		s.mu.Unlock()
		s.guarded(last)
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// guarded runs a cleanup on a goroutine of its own: one that gives up must not keep the others from running.
func (s *scene) guarded(cleanup func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		cleanup()
	}()
	<-done
}

// pick is the short form's number, or the long one's.
func pick[T any](s *scene, short, long T) T {
	if s.long {
		return long
	}
	return short
}

// done says what was done to the server, with its counts.
func (s *scene) done(format string, args ...any) { s.did = fmt.Sprintf(format, args...) }

// figure adds to what was measured.
func (s *scene) figure(format string, args ...any) {
	s.figures = append(s.figures, fmt.Sprintf(format, args...))
}

// goal is a promise about speed. It binds in the long form alone, which is run on a machine that has nothing else to do;
// the short form tells it.
func (s *scene) goal(reached bool, format string, args ...any) {
	switch {
	case reached:
	case s.long:
		s.Errorf(format, args...)
	default:
		s.figure("goal missed: "+format, args...)
	}
}

// sleep waits, and ends the scene when its time is over.
func (s *scene) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
		s.FailNow()
	}
}

// await polls until a condition holds, and returns how long that took.
func (s *scene) await(within time.Duration, what string, holds func() bool) time.Duration {
	began := time.Now()
	for !holds() {
		if time.Since(began) > within || s.ctx.Err() != nil {
			s.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}

// must ends the scene on an error.
func (s *scene) must(err error) {
	if err != nil {
		s.Fatalf("%v", err)
	}
}
