package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// act is what a virtual client does.
type act string

const (
	authorize  act = "authorize"  // a person sends an app on its way: a code
	redeem     act = "redeem"     // a code for tokens
	refresh    act = "refresh"    // a refresh token for the next answer
	introspect act = "introspect" // is this access token active?
	revoke     act = "revoke"     // the end of a delegation, by any of its tokens
	issue      act = "issue"      // a machine's own token, without a person
	reuse      act = "reuse"      // a rotated token of a public client after its window: a thief, which ends the delegation
)

// The marks say what was done to the server, and when.
const (
	markTrouble = "trouble" // from here on a request may fail
	markDown    = "down"    // from here on nothing can be acknowledged
	markCalm    = "calm"    // the fault has ended
	markSettled = "settled" // from here on everything that was acknowledged is looked up
)

// entry is one line of the ledger: before a request is sent, or after its end.
type entry struct {
	// Request ties the two lines of a request together.
	Request int64         `json:"request,omitempty"`
	At      time.Duration `json:"at"`
	// Mark is set on the lines that are about the server; they have nothing else.
	Mark string `json:"mark,omitempty"`

	// Intent marks the line before the request. The line after it has a Status, or Unknown: no complete answer came.
	Intent  bool `json:"intent,omitempty"`
	Unknown bool `json:"unknown,omitempty"`

	Act act `json:"act,omitempty"`
	// Delegation is the client's own name for what one person allowed it then and there, and for all tokens of that.
	Delegation int64 `json:"delegation,omitempty"`
	// Presented is the code or token in the request.
	Presented string `json:"presented,omitempty"`

	Status     int    `json:"status,omitempty"`
	Error      string `json:"error,omitempty"`
	RetryAfter bool   `json:"retry_after,omitempty"`
	Code       string `json:"code,omitempty"`
	Access     string `json:"access,omitempty"`
	Refresh    string `json:"refresh,omitempty"`
	Active     bool   `json:"active,omitempty"`
}

// ledger is the file that the virtual clients write. What is in it is all that the checker believes.
type ledger struct {
	mu     sync.Mutex
	file   *os.File
	out    *bufio.Writer
	lines  *json.Encoder
	began  time.Time
	last   int64 // the last request's number
	failed error
}

func newLedger(path string) (*ledger, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	l := &ledger{file: file, out: bufio.NewWriterSize(file, 1<<16), began: time.Now()}
	l.lines = json.NewEncoder(l.out)
	return l, nil
}

func (l *ledger) write(e entry) {
	e.At = time.Since(l.began)
	if err := l.lines.Encode(e); err != nil && l.failed == nil {
		l.failed = err
	}
}

// intend notes that a request is about to be sent, and returns its line.
func (l *ledger) intend(a act, delegation int64, presented string) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e := entry{Request: l.last, Act: a, Delegation: delegation, Presented: presented}
	l.write(entry{Request: e.Request, Intent: true, Act: a, Delegation: delegation, Presented: presented})
	return e
}

// conclude notes how a request ended.
func (l *ledger) conclude(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(e)
}

// mark notes what was done to the server.
func (l *ledger) mark(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(entry{Mark: what})
}

// close ends the file and reads it again from its beginning.
func (l *ledger) close() ([]entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return nil, fmt.Errorf("write the ledger: %w", l.failed)
	}
	if err := l.out.Flush(); err != nil {
		return nil, fmt.Errorf("write the ledger: %w", err)
	}
	if err := l.file.Close(); err != nil {
		return nil, fmt.Errorf("write the ledger: %w", err)
	}
	return readLedger(l.file.Name())
}

func readLedger(path string) ([]entry, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var entries []entry
	for lines := json.NewDecoder(bufio.NewReaderSize(file, 1<<16)); lines.More(); {
		var e entry
		if err := lines.Decode(&e); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}
