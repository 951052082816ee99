package store

import "unicode"

// Unseen reports whether a character has no place in a text that people read in a line with others: it cannot be seen, or
// it turns the direction of writing around. Names that hold such can pass for other names.
func Unseen(c rune) bool { return !unicode.IsGraphic(c) || unicode.Is(unicode.Bidi_Control, c) }
