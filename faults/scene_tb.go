package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// errAborted ends a scene that cannot go on.
var errAborted = errors.New("aborted")

// What follows makes a testing.TB of a scene.

func (s *scene) Helper()      {}
func (s *scene) Name() string { return s.name }

func (s *scene) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// TempDir is short: the path of a unix socket must be.
func (s *scene) TempDir() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "scf")
		if err != nil {
			panic(err)
		}
		s.dir = dir
	}
	s.folders++
	path := filepath.Join(s.dir, fmt.Sprint(s.folders))
	if err := os.Mkdir(path, 0o700); err != nil {
		panic(err)
	}
	return path
}

func (s *scene) Error(args ...any) { s.Errorf("%s", fmt.Sprint(args...)) }

func (s *scene) Errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 8 // the ninth says nothing that the first does not
	if len(s.broken) < most {
		s.broken = append(s.broken, fmt.Sprintf(format, args...))
	}
}

func (s *scene) Fatal(args ...any) { s.Fatalf("%s", fmt.Sprint(args...)) }

func (s *scene) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	runtime.Goexit()
}

func (s *scene) Fail() { s.Errorf("%v", errAborted) }

func (s *scene) FailNow() { s.Fatalf("%v", errAborted) }

func (s *scene) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.broken) > 0
}

func (s *scene) Log(args ...any) { s.Logf("%s", fmt.Sprint(args...)) }

func (s *scene) Logf(format string, args ...any) {
	fmt.Fprintf(s.progress, "  "+format+"\n", args...)
}

// Skip is refused: a failure that cannot be played here has not been survived.
func (s *scene) Skip(args ...any) { s.Fatal(args...) }

// Skipf is refused too.
func (s *scene) Skipf(format string, args ...any) { s.Fatalf(format, args...) }

// SkipNow is refused too.
func (s *scene) SkipNow() { s.FailNow() }
