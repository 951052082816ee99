package scopes

import (
	"fmt"
	"slices"
	"strings"
)

// The caps of a Set. Scopes arrive in requests that nobody has authenticated yet, so the work that they can cause is
// bounded before any is done.
const (
	MaxSetBytes = 2 << 10 // of the text form
	MaxSetNames = 200     // different names
)

// indexFrom is the number of names from which on a Set looks names up in a map: a short list is faster to walk.
const indexFrom = 9

// Set is a list of different scopes, in the order in which they were given. It does not change: its methods return new
// sets, so it may be copied and shared. The zero Set is empty.
type Set struct {
	names []string
	index map[string]struct{} // nil while names is shorter than indexFrom
}

// ParseSet reads the text form that the scope parameter of OAuth 2 has: names of visible ASCII characters except
// quotation mark and backslash, each two of them separated by one space (RFC 6749 section 3.3). A name that occurs
// again is dropped. An empty text is the empty set. Anything else is an error: other blanks, a space at either end,
// and what exceeds MaxSetBytes or MaxSetNames.
//
// The error tells the place of the fault and shows none of the text, so it may be shown to the sender.
func ParseSet(text string) (Set, error) {
	if len(text) > MaxSetBytes {
		return Set{}, fmt.Errorf("scope is longer than %d bytes", MaxSetBytes)
	}
	var s Set
	for start := 0; start < len(text); {
		end := len(text)
		if length := strings.IndexByte(text[start:], ' '); length >= 0 {
			end = start + length
		}
		name := text[start:end]
		if at := invalidByte(name); at >= 0 {
			return Set{}, fmt.Errorf("scope has a character that is not allowed at byte %d", start+at)
		}
		if name == "" || end == len(text)-1 {
			return Set{}, fmt.Errorf("scope has a space without a name beside it at byte %d", end)
		}
		if s.add(name); len(s.names) > MaxSetNames {
			return Set{}, fmt.Errorf("scope has more than %d names", MaxSetNames)
		}
		start = end + 1
	}
	return s, nil
}

// NewSet makes a Set of single names, under the rules of ParseSet.
func NewSet(names ...string) (Set, error) {
	var s Set
	size := 0
	for i, name := range names {
		if !ValidName(name) {
			return Set{}, fmt.Errorf("scope name %d is not one or more visible ASCII characters other than quotation mark and backslash", i+1)
		}
		if !s.add(name) {
			continue
		}
		if len(s.names) > 1 {
			size++ // the space before it
		}
		size += len(name)
		if size > MaxSetBytes || len(s.names) > MaxSetNames {
			return Set{}, fmt.Errorf("scope is longer than %d bytes or has more than %d names", MaxSetBytes, MaxSetNames)
		}
	}
	return s, nil
}

// ValidName reports whether name is a scope-token of RFC 6749 section 3.3, no longer than a Set can hold.
func ValidName(name string) bool {
	return name != "" && len(name) <= MaxSetBytes && invalidByte(name) < 0
}

// invalidByte returns the place of the first byte that a scope-token must not have, or -1.
func invalidByte(name string) int {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == '"' || c == '\\' || c > '~' {
			return i
		}
	}
	return -1
}

// add appends name unless it is there. Only constructors call it, on a Set that nobody else has seen.
func (s *Set) add(name string) bool {
	if s.Has(name) {
		return false
	}
	s.names = append(s.names, name)
	switch {
	case s.index != nil:
		s.index[name] = struct{}{}
	case len(s.names) == indexFrom:
		s.index = make(map[string]struct{}, 2*indexFrom)
		for _, each := range s.names {
			s.index[each] = struct{}{}
		}
	}
	return true
}

// String returns the text form, which ParseSet reads back.
func (s Set) String() string { return strings.Join(s.names, " ") }

// Names returns the names in order. The slice is the caller's own.
func (s Set) Names() []string { return slices.Clone(s.names) }

// Len returns the number of names.
func (s Set) Len() int { return len(s.names) }

// Has reports whether name is in the set. Names are compared byte for byte: none implies another, and there are no
// patterns.
func (s Set) Has(name string) bool {
	if s.index != nil {
		_, found := s.index[name]
		return found
	}
	return slices.Contains(s.names, name)
}

// Contains reports whether every name of other is in s. Every set contains the empty one.
func (s Set) Contains(other Set) bool {
	for _, name := range other.names {
		if !s.Has(name) {
			return false
		}
	}
	return true
}

// Equal reports whether both sets have the same names, in whatever order.
func (s Set) Equal(other Set) bool {
	return len(s.names) == len(other.names) && s.Contains(other)
}

// Missing returns those of the required names that are not in the set, in their order; nil when none is missing.
func (s Set) Missing(required ...string) []string {
	var missing []string
	for _, name := range required {
		if !s.Has(name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// Intersect returns the names that are in both sets, in the order of s.
func (s Set) Intersect(other Set) Set {
	var both Set
	for _, name := range s.names {
		if other.Has(name) {
			both.add(name)
		}
	}
	return both
}
