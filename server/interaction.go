package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
)

const (
	// interactionLife is how long somebody may take to log in and to consent.
	interactionLife = 10 * time.Minute
	// sentTwice is how long after a decision its form may come again and get the same answer: people click twice, and
	// the browser shows the answer to the second click.
	sentTwice = 10 * time.Second
	// parkedPerNetwork is how many requests one network may park within interactionLife. A big office behind one address
	// stays far below it.
	parkedPerNetwork = 2000
)

// outcome is how an interaction ended.
type outcome string

const (
	allowed outcome = "allowed"
	denied  outcome = "denied"
)

// interaction is an authorization request that waits for somebody to log in and to consent. It is kept in the store, and
// nothing of it is ever read from the browser again (CVE-2021-27582): that holds the id, in the URL, and a secret, in a
// cookie, without which the id opens nothing.
type interaction struct {
	id     string
	secret string
	stored store.Record

	SecretHash    []byte        `json:"secret_hash"`
	Authorization authorization `json:"authorization"`
	// Chosen is the session that the person chose to go on with, where the request asks to choose.
	Chosen uuid.UUID `json:"chosen,omitzero"`
	// Outcome is set once; Decided is when, and Grant holds the code if it was allowed.
	Outcome outcome   `json:"outcome,omitempty"`
	Decided time.Time `json:"decided,omitzero"`
	Grant   uuid.UUID `json:"grant,omitzero"`
}

func interactionKey(id string) string { return "tx/" + id }

// park keeps a request for authorization until somebody has answered it, and binds it to this browser. Each has a
// cookie of its own, so two tabs do not disturb each other.
func (s *Server) park(c *gin.Context, a authorization) (*interaction, error) {
	now := s.store.Now()
	if err := s.countParked(c, now); err != nil {
		return nil, err
	}
	random := make([]byte, 32)
	rand.Read(random)
	in := &interaction{id: newInteractionID(now), secret: base64.RawURLEncoding.EncodeToString(random), Authorization: a}
	hash := sha256.Sum256([]byte(in.secret))
	in.SecretHash = hash[:]
	value, err := in.encode()
	if err != nil {
		return nil, err
	}
	if err := s.store.Add(c.Request.Context(), interactionKey(in.id), value, now.Add(interactionLife)); err != nil {
		return nil, fmt.Errorf("park the request: %w", err)
	}
	s.makeRoom(c.Writer, c.Request)
	s.setCookie(c.Writer, parkCookie+in.id, in.secret, interactionLife)
	return in, nil
}

// countParked bounds how many requests one network may park: anybody can make them, and each lies in the store until it
// lapses.
func (s *Server) countParked(c *gin.Context, now time.Time) error {
	end := now.Truncate(interactionLife).Add(interactionLife)
	network := networkOf(s.clientAddr(c.Request))
	count, err := s.store.Increment(c.Request.Context(), fmt.Sprintf("tx-count/%s/%d", network, end.Unix()), end)
	if err != nil {
		return fmt.Errorf("count the parked requests of a network: %w", err)
	}
	if count > parkedPerNetwork {
		return &failure{status: http.StatusTooManyRequests, code: codeUnavailable, retryAfter: end.Sub(now), problem: templates.ProblemUnavailable,
			description: "too many sign-ins were begun from this network"}
	}
	return nil
}

// interactionIDLen is eleven digits of time and 26 characters at random.
const interactionIDLen = 11 + 26

// newInteractionID is random behind the time, so that ids sort by their age.
func newInteractionID(now time.Time) string {
	return fmt.Sprintf("%011x", now.UnixMilli()) + rand.Text()
}

// parked finds the interaction that the URL names, for the browser that began it.
func (s *Server) parked(c *gin.Context) (*interaction, error) {
	id := query(c).get("tx")
	if len(id) != interactionIDLen {
		return nil, lapsed("the link names no request", "")
	}
	stored, err := s.store.Get(c.Request.Context(), interactionKey(id))
	if errors.Is(err, store.ErrNotFound) {
		s.dropCookie(c.Writer, parkCookie+id)
		return nil, lapsed("the request has lapsed: there are ten minutes to answer it", "")
	}
	if err != nil {
		return nil, fmt.Errorf("read interaction: %w", err)
	}
	in := &interaction{id: id, secret: s.cookie(c.Request, parkCookie+id), stored: stored}
	if err := json.Unmarshal(stored.Value, in); err != nil {
		return nil, fmt.Errorf("decode interaction: %w", err)
	}
	// CVE-2022-39222, RFC 9700 §4.7: who was handed the link by somebody else must not answer that one's request.
	hash := sha256.Sum256([]byte(in.secret))
	if in.secret == "" || subtle.ConstantTimeCompare(hash[:], in.SecretHash) != 1 {
		return nil, &failure{status: http.StatusForbidden, code: codeAccessDenied, problem: templates.ProblemBrowser,
			description: "the request was begun in another browser, or cookies are off"}
	}
	noteOf(c.Request.Context()).languages = in.Authorization.Languages
	return in, nil
}

// open is parked for an interaction that was not answered yet.
func (s *Server) open(c *gin.Context) (*interaction, error) {
	in, err := s.parked(c)
	if err == nil && in.Outcome != "" {
		return nil, lapsed("the request was answered before", in.Authorization.Home)
	}
	return in, err
}

func lapsed(why, back string) *failure {
	return &failure{status: http.StatusBadRequest, code: codeInvalidRequest, problem: templates.ProblemExpired, description: why, back: back}
}

// at is the path of a step of the interaction.
func (in *interaction) at(path string) string { return path + "?" + url.Values{"tx": {in.id}}.Encode() }

// encode writes the interaction without the escapes for HTML, which would make it up to six times as long.
func (in *interaction) encode() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(in); err != nil {
		return nil, fmt.Errorf("encode interaction: %w", err)
	}
	return out.Bytes(), nil
}

// write replaces the interaction if nobody else did. It returns store.ErrConflict otherwise.
func (s *Server) write(ctx context.Context, in *interaction) error {
	value, err := in.encode()
	if err != nil {
		return err
	}
	return s.store.Swap(ctx, interactionKey(in.id), in.stored, value, s.store.Now().Add(interactionLife))
}

// fresh reports whether an answered interaction may be answered the same way once more.
func (in *interaction) fresh(now time.Time, same outcome) bool {
	return in.Outcome == same && now.Sub(in.Decided) <= sentTwice
}
