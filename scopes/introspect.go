package scopes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxAnswerBytes is the size of the longest answer that is read.
const maxAnswerBytes = 64 << 10

// Introspector is a Checker that asks the authorization server about each token (RFC 7662). A revoked token is refused
// from the next request on, or with a cache from the end of CacheFor on.
//
// Whatever is not a plain answer gives ErrUnavailable: no connection, time-out, a status other than 200, a redirect, a
// body that is not an introspection answer or is over 64 KB. So does 401, by which the authorization server refuses
// the credential of the API itself; the error says so.
//
// A token that is bound to a key (RFC 7800), such as one for DPoP, is refused: it must not pass without a proof, and no
// proof is looked at here.
type Introspector struct {
	config       IntrospectorConfig
	authenticate func(*http.Request)
	cache        *cache // nil when off
}

var _ Checker = (*Introspector)(nil)

// NewIntrospector returns an Introspector, or says what is wrong with the configuration. It sends nothing yet.
func NewIntrospector(config IntrospectorConfig) (*Introspector, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	i := &Introspector{config: config, authenticate: basicAuth(config.ID, config.Secret)}
	i.config.Secret = "" // so that printing an Introspector does not print it
	if config.CacheFor > 0 {
		i.cache = newCache(config.CacheSize)
	}
	return i, nil
}

// basicAuth returns what puts the credential of an API into a request.
func basicAuth(id, secret string) func(*http.Request) {
	// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
	id, secret = url.QueryEscape(id), url.QueryEscape(secret)
	return func(r *http.Request) { r.SetBasicAuth(id, secret) }
}

// Check asks about token, unless a recent answer is in the cache.
func (i *Introspector) Check(ctx context.Context, token string) (*Token, error) {
	if !validToken(token) {
		return nil, fmt.Errorf("%w: it is malformed", ErrInactive)
	}
	// Taken before the question is sent: the cache time counts from the last moment at which the answer was surely true.
	asked := i.config.Clock()
	if t, found := i.cache.get(token, asked); found {
		return t, nil
	}
	body, err := i.ask(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("%w: introspect: %w", ErrUnavailable, err)
	}
	t, err := readAnswer(body)
	if err != nil {
		return nil, err
	}
	if err := i.accept(t); err != nil {
		return nil, err
	}
	i.cache.put(token, t, asked, i.config.CacheFor)
	return t, nil
}

// accept refuses a token that is not for this API, or no longer good by the local clock.
func (i *Introspector) accept(t *Token) error {
	if !t.Expires.IsZero() && !i.config.Clock().Before(t.Expires) {
		return fmt.Errorf("%w: it expired at %s by the clock of this machine", ErrInactive, t.Expires.Format(time.RFC3339))
	}
	if i.config.Audience != "" && !slices.Contains(t.Audience, i.config.Audience) {
		return fmt.Errorf("%w: its audience is not %q", ErrInactive, i.config.Audience)
	}
	return nil
}

// ask sends the question and returns the body of the answer.
func (i *Introspector) ask(ctx context.Context, token string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, i.config.Timeout)
	defer cancel()
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.config.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	i.authenticate(request)
	// The question changes nothing, so net/http may send it again when a kept connection turns out to be dead, such as
	// after a restart of the server. An empty list says that to http.Transport and is not sent.
	request.Header["Idempotency-Key"] = nil

	response, err := i.config.HTTPClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if response.StatusCode != http.StatusOK {
		return nil, refusedBy(response.StatusCode)
	}
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxAnswerBytes {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswerBytes)
	}
	if media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, errors.New("the answer is not application/json: is this the introspection endpoint?")
	}
	return body, nil
}

// refusedBy explains a status other than 200 to the operator.
func refusedBy(status int) error {
	switch {
	case status == http.StatusUnauthorized:
		return errors.New("the authorization server refused the ID and secret of this API (401): they are wrong, expired or disabled")
	case status >= 300 && status < 400:
		return fmt.Errorf("the authorization server answered with a redirect (%d), which is not followed: correct the URL", status)
	}
	return fmt.Errorf("the authorization server answered %d %s", status, http.StatusText(status))
}
