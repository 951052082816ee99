package server

import (
	"encoding/json"
	"fmt"
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
)

// list is a page of a list. Next is the value of after for the next page; it is absent on the last one.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// page reads after and limit, the query of every list, as strictly as a form.
func page(c *gin.Context) (after string, limit int, err error) {
	query, err := parseForm(c.Request.URL.RawQuery)
	if err != nil {
		return "", 0, err
	}
	for name := range query {
		if name != "after" && name != "limit" {
			return "", 0, invalidRequest("a list knows after and limit, and no other parameter")
		}
	}
	limit = listDefault
	if text := query.get("limit"); text != "" {
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 || limit > listMost {
			return "", 0, invalidRequest(fmt.Sprintf("limit must be a number from 1 to %d", listMost))
		}
	}
	return query.get("after"), limit, nil
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
