package scopes

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// readObject reads one JSON object and nothing after it. Names are exact and occur once: two readers must not find
// different answers in the same bytes. The values are parts of text.
func readObject(text []byte) (map[string]json.RawMessage, error) {
	text = bytes.Trim(text, " \t\r\n")
	if len(text) == 0 || text[0] != '{' || !json.Valid(text) {
		return nil, errors.New("it is not one JSON object")
	}
	members := make(map[string]json.RawMessage)
	// What is valid needs no further care: only strings and depth are told apart to find where a value ends.
	for rest := skipSpace(text[1:]); rest[0] != '}'; {
		name := rest[:endOfString(rest)]
		rest = skipSpace(rest[len(name):])
		rest = skipSpace(rest[1:]) // the colon
		end := endOfValue(rest)
		value := rest[:end:end]
		if rest = skipSpace(rest[end:]); rest[0] == ',' {
			rest = skipSpace(rest[1:])
		}
		key, plain := plainString(name)
		if !plain {
			if err := json.Unmarshal(name, &key); err != nil {
				return nil, err
			}
		}
		if _, twice := members[key]; twice {
			return nil, errors.New("it has a member twice")
		}
		members[key] = value
	}
	return members, nil
}

func skipSpace(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

// endOfString returns the length of the string that text begins with.
func endOfString(text []byte) int {
	for i := 1; ; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// endOfValue returns the length of the value that text begins with.
func endOfValue(text []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch text[i] {
		case '"':
			i += endOfString(text[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return i
			}
			if text[i] != ',' {
				depth--
			}
		case ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
}

// plainString returns the value of a valid JSON string that means just what it shows. It reports false for every other value.
func plainString(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || bytes.IndexByte(raw, '\\') >= 0 || !utf8.Valid(raw) {
		return "", false
	}
	return string(raw[1 : len(raw)-1]), true
}
