package redistest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
)

// Play is for programs that are no tests and need real servers all the same: it calls run with a testing.TB, and
// returns what would have failed a test. What run started has ended when Play returns.
func Play(run func(t testing.TB)) error {
	p := &play{}
	p.guarded(func() { run(p) })
	for _, cleanup := range slices.Backward(p.cleanups) {
		p.guarded(cleanup)
	}
	return errors.Join(p.faults...)
}

// play is a testing.TB outside of a test. Like one, it is for one goroutine.
type play struct {
	testing.TB // for its unexported method alone

	cleanups []func()
	faults   []error
}

// guarded runs f on a goroutine of its own, which FailNow ends.
func (p *play) guarded(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (p *play) Helper() {}

func (p *play) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

func (p *play) TempDir() string {
	dir, err := os.MkdirTemp("", "redis-")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (p *play) Errorf(format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf(format, args...))
}

func (p *play) FailNow() { runtime.Goexit() }

func (p *play) Fatal(args ...any) { p.Fatalf("%s", fmt.Sprint(args...)) }

func (p *play) Fatalf(format string, args ...any) {
	p.Errorf(format, args...)
	p.FailNow()
}

// Skip is refused: what a program needs must be there.
func (p *play) Skip(args ...any) { p.Fatal(args...) }
