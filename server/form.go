package server

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxBody bounds every request body.
	maxBody = 64 << 10
	// maxParameters bounds the parameters of one form.
	maxParameters = 64
	formMediaType = "application/x-www-form-urlencoded"
)

// repeatable are the parameters that may come more than once (RFC 8707 §2, RFC 8693 §2.1).
var repeatable = map[string]bool{"resource": true, "audience": true}

// form is a request's parameters. Each is there at most once but the repeatable ones, and none is empty: RFC 6749 §3.2
// treats a parameter without a value as omitted.
type form map[string][]string

func (f form) get(name string) string {
	if values := f[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// readForm reads the body of a protocol request, strictly: one media type, nothing in the query string, where it would
// reach logs and histories, no parameter twice (RFC 6749 §3.2), and well-formed UTF-8. It never guesses.
func readForm(r *http.Request) (form, error) {
	if !isForm(r) {
		return nil, invalidRequest("the body must be " + formMediaType)
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		return nil, invalidRequest("parameters belong in the body, not in the URL; if one was a secret, replace it: URLs end up in logs")
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return parseForm(string(body))
}

func isForm(r *http.Request) bool {
	declared := r.Header.Get("Content-Type")
	if declared == formMediaType { // as nearly everybody spells it
		return true
	}
	mediaType, _, err := mime.ParseMediaType(declared)
	return err == nil && mediaType == formMediaType
}

// readBody reads a body to its end.
func readBody(r *http.Request) (body []byte, err error) {
	if length := r.ContentLength; length > 0 && length <= maxBody {
		body = make([]byte, length)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(r.Body)
	}
	if err != nil {
		return nil, bodyFailure(err)
	}
	return body, nil
}

// bodyFailure tells a body that is too large from one that did not arrive.
func bodyFailure(err error) *failure {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &failure{status: http.StatusRequestEntityTooLarge, code: codeInvalidRequest, description: "the body is larger than 64 KiB"}
	}
	f := invalidRequest("the body could not be read to its end")
	f.cause = err
	return f
}

// parseForm reads parameters. The names in several may come more than once, beside those that always may.
func parseForm(body string, several ...string) (form, error) {
	f := make(form)
	all := make([]string, 0, min(strings.Count(body, "&")+1, maxParameters)) // one array for the values of all names
	for count := 0; body != ""; count++ {
		if count == maxParameters {
			return nil, invalidRequest("there are too many parameters")
		}
		var pair string
		pair, body, _ = strings.Cut(body, "&")
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || !wellFormed(name) {
			return nil, invalidRequest("the parameters are not well-formed: percent-encoding or UTF-8 is broken")
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil || !wellFormed(value) {
			return nil, invalidRequest("the parameters are not well-formed: percent-encoding or UTF-8 is broken")
		}
		if value == "" {
			continue
		}
		if before := f[name]; len(before) > 0 {
			if !repeatable[name] && !slices.Contains(several, name) {
				return nil, invalidRequest("a parameter is there twice")
			}
			f[name] = append(before, value)
			continue
		}
		all = append(all, value)
		f[name] = all[len(all)-1 : len(all) : len(all)]
	}
	return f, nil
}

// wellFormed refuses what no parameter may hold: broken UTF-8 and NUL.
func wellFormed(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}
