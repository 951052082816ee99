package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
)

// note is what is remembered of a request until its log line is written.
type note struct {
	id       string
	route    string // our own pattern, never the path
	clientID string
	userID   string
	failure  *failure
	// page says that errors are answered by a page, and languages are what the app wants it in (ui_locales).
	page      bool
	languages []string
}

type noteKey struct{}

func withNote(ctx context.Context, n *note) context.Context {
	return context.WithValue(ctx, noteKey{}, n)
}

// noteOf returns the request's note; a context that is not a request's has an empty one.
func noteOf(ctx context.Context) *note {
	if n, ok := ctx.Value(noteKey{}).(*note); ok {
		return n
	}
	return &note{}
}

func newRequestID() string {
	var id [8]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}
