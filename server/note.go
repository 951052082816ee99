package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
)

// note is what is remembered of a request until its log line is written. It is the request's context too: one value for
// each request is cheaper than one that holds another.
type note struct {
	context.Context
	id       string
	idHeader [1]string // the id as a header's values
	route    string    // our own pattern, never the path
	clientID string
	userID   string
	failure  *failure
	// page says that errors are answered by a page, and languages are what the app wants it in (ui_locales).
	page      bool
	languages []string
}

type noteKey struct{}

// Value finds the note under its key, and everything else in the context below.
func (n *note) Value(key any) any {
	if key == (noteKey{}) {
		return n
	}
	return n.Context.Value(key)
}

// noteOf returns the request's note; a context that is not a request's has an empty one.
func noteOf(ctx context.Context) *note {
	if n, ok := ctx.Value(noteKey{}).(*note); ok {
		return n
	}
	return &note{Context: ctx}
}

func newRequestID() string {
	var id [8]byte
	var text [2 * len(id)]byte
	rand.Read(id[:])
	hex.Encode(text[:], id[:])
	return string(text[:])
}
