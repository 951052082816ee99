package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// jsonDepth bounds how deep a JSON body may nest. What we read is flat.
const jsonDepth = 8

// readJSON reads a JSON body strictly: one object, no unknown and no repeated members, nothing behind it.
func readJSON(r *http.Request, into any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return invalidRequest("the body must be application/json")
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if !wellFormed(string(body)) {
		return invalidRequest("the body is not UTF-8")
	}
	if err := checkJSON(body); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return jsonFailure(err)
	}
	return nil
}

// checkJSON walks a JSON text before anything is made of it. Of two equal members encoding/json would let the last one
// win, it takes "Admin" for "admin", and it replaces broken characters: ways to make two readers see different things.
func checkJSON(body []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var open []map[string]bool // the names seen in each open object; nil for an array
	inName := func() bool { return len(open) > 0 && open[len(open)-1] != nil }
	expectName := false
	for first := true; ; first = false {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && !first && len(open) == 0 {
			return nil
		}
		if err != nil {
			return jsonFailure(err)
		}
		if first && token != json.Delim('{') {
			return invalidRequest("the body must be one JSON object")
		}
		text, isText := token.(string)
		if isText && (!wellFormed(text) || strings.ContainsRune(text, utf8.RuneError)) {
			return invalidRequest("the body holds a broken character")
		}
		if isText && expectName {
			if !memberName(text) {
				return unknownMember(text)
			}
			if open[len(open)-1][text] {
				return invalidRequest("a member is there twice")
			}
			open[len(open)-1][text] = true
			expectName = false
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) > jsonDepth {
			return invalidRequest("the JSON is nested too deep")
		}
		if len(open) == 0 && decoder.More() {
			return invalidRequest("there is something behind the JSON object")
		}
		expectName = inName()
	}
}

// memberName reports whether a member could be one of ours, whose names are all in lower case.
func memberName(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return name != ""
}

func unknownMember(name string) *failure {
	f := invalidRequest("there is no such member")
	f.field = name
	return f
}

// jsonFailure says what is wrong with a JSON body without repeating any of its values.
func jsonFailure(err error) *failure {
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return unknownMember(strings.Trim(name, `"`))
	}
	f := invalidRequest("the body is not well-formed JSON")
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		f.field = wrongType.Field
		f.description = fmt.Sprintf("%s must be %s", wrongType.Field, jsonName(wrongType.Type.Kind().String()))
	}
	return f
}

func jsonName(kind string) string {
	switch kind {
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "slice":
		return "a list"
	case "struct", "map":
		return "an object"
	}
	return "a number"
}
