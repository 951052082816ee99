package config

import (
	"slices"
	"strings"
	"unicode"

	"github.com/safeconduct/safeconduct/store"
)

// oneOf makes a parser of a word from a list.
func oneOf(words ...string) func(string) (string, *fault) {
	return func(text string) (string, *fault) {
		if slices.Contains(words, text) {
			return text, nil
		}
		fix := "Use " + strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
		if near := Nearest(text, words); near != "" {
			fix = "Did you mean " + near + "?"
		}
		return "", &fault{quote(text) + " is unknown", fix}
	}
}

// parsePath checks that a text can be a path. It does not look whether anything is there.
func parsePath(text string) (string, *fault) {
	switch {
	case text == "":
		return "", &fault{"is empty", "Write a path, or take the line away"}
	case strings.TrimSpace(text) != text || strings.ContainsFunc(text, unicode.IsControl):
		return "", &fault{quote(text) + " has blanks around it or control characters in it", "Write the path alone, on one line"}
	case strings.HasPrefix(text, "~"):
		return "", &fault{quote(text) + " starts with ~, which only a shell understands", "Write the path in full"}
	case strings.Contains(text, "://"):
		return "", &fault{quote(text) + " is a URL", "Write the path of a file or folder"}
	}
	return text, nil
}

// parseSecret checks a secret without ever repeating it.
func parseSecret(text string) (string, *fault) {
	if strings.TrimSpace(text) == "" {
		return "", &fault{"is empty", "Write the secret, or take the line away"}
	}
	if strings.ContainsRune(text, 0) {
		return "", &fault{"contains a NUL character", "Write the secret as text"}
	}
	return text, nil
}

func parsePrefix(text string) (string, *fault) {
	const longest = 32
	visible := func(c rune) bool { return c > 0x20 && c < 0x7f }
	switch {
	case text == "":
		return "", &fault{"is empty", "Write a short name with a colon, such as sc:"}
	case len(text) > longest:
		return "", &fault{quote(text) + " is longer than 32 characters; every key in Redis begins with it", "Write a shorter one, such as sc:"}
	case strings.ContainsFunc(text, func(c rune) bool { return !visible(c) }) || strings.ContainsAny(text, "{}*?[]\\"):
		return "", &fault{quote(text) + " has characters that mean something else to Redis", "Use letters, digits and colons, such as sc:"}
	}
	return text, nil
}

// parseTitle reads a name that people see.
// parseName reads a name of one word.
func parseName(text string) (string, *fault) {
	if text == "" || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return "", &fault{quote(text) + " is not a name", "Write it without spaces"}
	}
	return text, nil
}

func parseTitle(text string) (string, *fault) {
	const longest = 60
	switch {
	case strings.TrimSpace(text) != text || text == "":
		return "", &fault{quote(text) + " is empty or has blanks around it", "Write the name alone, such as Example Login"}
	case len([]rune(text)) > longest:
		return "", &fault{"is longer than 60 characters", "Write a shorter one"}
	case strings.ContainsFunc(text, store.Unseen):
		return "", &fault{quote(text) + " has characters that cannot be seen", "Leave them out"}
	}
	return text, nil
}

// parseColor reads #rrggbb. Whether it can be read on our pages is found out where they are made.
func parseColor(text string) (string, *fault) {
	digits, found := strings.CutPrefix(text, "#")
	if !found || len(digits) != 6 || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return "", &fault{quote(text) + " is not a colour", "Write # and six hexadecimal digits, in quotes because # starts a comment: \"#1d4ed8\""}
	}
	return strings.ToLower(text), nil
}
