package store_test

import (
	"testing"

	"github.com/safeconduct/safeconduct/store"
)

// CVE-2021-42574: what cannot be seen, or reorders what is around it, is told from what can be read in any script.
func TestUnseenCharacters(t *testing.T) {
	for _, c := range "aZ0 ñßЖ中あع\u05d0!–💥é" {
		if store.Unseen(c) {
			t.Errorf("%q is taken for unseen", c)
		}
	}
	for _, c := range "\x00\t\n\r\x1b\x7f\u0085\u200b\u200e\u200f\u202a\u202e\u2066\u2069\u061c\ufeff\ue000\U000e0041" {
		if !store.Unseen(c) {
			t.Errorf("%q is taken for seen", c)
		}
	}
}
