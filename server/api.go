package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/scopes"
)

const (
	// listDefault and listMost bound a page of a list.
	listDefault = 50
	listMost    = 200
	// jsonDepth bounds how deep a JSON body may nest. What we read is flat.
	jsonDepth = 8
)

// list is a page of a list. Next is the value of after for the next page; it is absent on the last one.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// page reads after and limit, the query of every list.
func page(c *gin.Context) (after string, limit int, err error) {
	limit = listDefault
	if text := c.Query("limit"); text != "" {
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 || limit > listMost {
			return "", 0, invalidRequest(fmt.Sprintf("limit must be a number from 1 to %d", listMost))
		}
	}
	return c.Query("after"), limit, nil
}

// paged makes a page of items of which one more than limit was asked for.
func paged[T, U any](items []T, limit int, show func(T) U, key func(T) string) list[U] {
	out := list[U]{Items: make([]U, 0, min(len(items), limit))}
	for _, item := range items[:min(len(items), limit)] {
		out.Items = append(out.Items, show(item))
	}
	if len(items) > limit {
		out.Next = key(items[limit-1])
	}
	return out
}

// readJSON reads a JSON body strictly: one object, no unknown and no repeated members, nothing behind it.
func readJSON(r *http.Request, into any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return invalidRequest("the body must be application/json")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return bodyFailure(err)
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

// checkJSON walks a JSON text before anything is made of it: encoding/json would let the last of two equal members
// win, which is how a checked value is replaced by an unchecked one.
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
		if name, ok := token.(string); ok && expectName {
			if open[len(open)-1][name] {
				return invalidRequest("a member is there twice")
			}
			open[len(open)-1][name] = true
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

// jsonFailure says what is wrong with a JSON body without repeating any of its values.
func jsonFailure(err error) *failure {
	f := invalidRequest("the body is not well-formed JSON")
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		f.field = wrongType.Field
		f.description = fmt.Sprintf("%s must be %s", wrongType.Field, jsonName(wrongType.Type.Kind().String()))
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		f.field = strings.Trim(strings.TrimPrefix(err.Error(), "json: unknown field "), `"`)
		f.description = "there is no such member"
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

// duration is a length of time in JSON: "90d", "12h", "15m".
type duration time.Duration

// MarshalJSON writes days where it can: nobody reads 2160h.
func (d duration) MarshalJSON() ([]byte, error) {
	const day = 24 * time.Hour
	text := time.Duration(d).String()
	if time.Duration(d) >= day && time.Duration(d)%day == 0 {
		text = strconv.FormatInt(int64(time.Duration(d)/day), 10) + "d"
	}
	return json.Marshal(text)
}

// UnmarshalJSON reads what MarshalJSON writes and Go's durations. A bare number is refused: of what?
func (d *duration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return invalidRequest(`a duration must be a string such as "90d", "12h" or "15m"`)
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 36500 {
			return invalidRequest(`a duration must be a string such as "90d", "12h" or "15m"`)
		}
		*d = duration(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	parsed, err := time.ParseDuration(s)
	if err != nil || parsed < 0 {
		return invalidRequest(`a duration must be a string such as "90d", "12h" or "15m"`)
	}
	*d = duration(parsed)
	return nil
}

// me is the user whom the request's token speaks for.
func me(c *gin.Context) (uuid.UUID, error) {
	token, _ := scopes.TokenFrom(c.Request.Context())
	id, err := uuid.Parse(token.Subject)
	if err != nil || token.Subject == token.ClientID {
		return uuid.Nil, &failure{status: http.StatusForbidden, code: codeAccessDenied, description: "this token speaks for no user"}
	}
	noteOf(c.Request.Context()).userID = id.String()
	return id, nil
}

// done is the answer to an act that has nothing to show.
func done(c *gin.Context) { c.Status(http.StatusNoContent); c.Writer.WriteHeaderNow() }
