package store

import (
	"crypto/rand"
	"slices"
)

// NewWriteID draws the id of a write. It is never zero, so that a zero Record matches nothing, and never spelled in
// digits alone, so that an engine can tell a record, which begins with its id, from a counter.
func NewWriteID() (id WriteID) {
	for !slices.ContainsFunc(id[:], func(b byte) bool { return b != 0 && (b < '0' || b > '9') }) {
		rand.Read(id[:])
	}
	return id
}
