package server

import (
	"io"
	"sync"
	"time"
)

const (
	// logDelay is how long a log line waits for company. A process that is killed loses at most this much of its log.
	logDelay = 100 * time.Millisecond
	logLimit = 64 << 10
)

// LogBuffer joins log lines, so that a request does not pay for a system call of its own. What was written is on its way
// 100 ms later; Flush hurries it, and must be called at the end.
type LogBuffer struct {
	mu    sync.Mutex
	out   io.Writer
	lines []byte
	armed bool
}

// NewLogBuffer makes a LogBuffer in front of out.
func NewLogBuffer(out io.Writer) *LogBuffer { return &LogBuffer{out: out} }

// Write takes one or more whole lines. Errors of the writer behind it are lost: there is nobody to log them to.
func (b *LogBuffer) Write(lines []byte) (int, error) {
	b.append(func(before []byte) ([]byte, bool) { return append(before, lines...), true })
	return len(lines), nil
}

// append lets add append whole lines, and drops them again if it returns false.
func (b *LogBuffer) append(add func(lines []byte) ([]byte, bool)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.lines)
	lines, good := add(b.lines)
	if !good {
		b.lines = lines[:before]
		return false
	}
	b.lines = lines
	switch {
	case len(b.lines) >= logLimit:
		b.flush()
	case !b.armed:
		b.armed = true
		time.AfterFunc(logDelay, b.Flush)
	}
	return true
}

// Flush writes out what waits.
func (b *LogBuffer) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	b.flush()
}

func (b *LogBuffer) flush() {
	if len(b.lines) > 0 {
		_, _ = b.out.Write(b.lines)
		b.lines = b.lines[:0]
	}
}
