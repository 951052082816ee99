package scopes

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// lastSecond is the end of the year 9999, the last second that RFC 3339 can write.
const lastSecond = 253402300799

// answer is a JSON object that tells of a token, an introspection answer (RFC 7662 section 2.2) or the claims of a JWT,
// and the first fault found in it. A member that was read is taken out; what is left at the end is extra.
type answer struct {
	members map[string]json.RawMessage
	fault   error
}

// readAnswer makes a Token of an introspection answer. An answer that says the token is not active, or tells of a
// token which must not be used as a bearer token, gives ErrInactive; what is no such answer gives ErrUnavailable.
func readAnswer(body []byte) (*Token, error) {
	members, err := readObject(body)
	for name, value := range members {
		if string(value) == "null" {
			delete(members, name) // many servers write null for what they have nothing to say about
		}
	}
	a := &answer{members: members, fault: err}
	active := a.truth("active")
	if a.fault == nil && !active {
		return nil, ErrInactive
	}
	t := &Token{
		Subject:   a.text("sub"),
		Username:  a.text("username"),
		ClientID:  a.text("client_id"),
		Issuer:    a.text("iss"),
		ID:        a.text("jti"),
		Audience:  a.texts("aud"),
		Scopes:    a.scope("scope"),
		Expires:   a.time("exp"),
		IssuedAt:  a.time("iat"),
		TokenType: a.text("token_type"),
	}
	if a.fault != nil {
		return nil, fmt.Errorf("%w: introspect: the answer is not as RFC 7662 says: %w", ErrUnavailable, a.fault)
	}
	if len(a.members) > 0 {
		t.Extra = a.members
	}
	if _, bound := t.Extra["cnf"]; bound || t.TokenType != "" && !strings.EqualFold(t.TokenType, "Bearer") {
		// RFC 9449 §7.1: a token for DPoP that came without its proof was perhaps stolen.
		return nil, fmt.Errorf("%w: it is bound to a key or is no bearer token", ErrInactive)
	}
	return t, nil
}

// take reads the named member into value and reports whether it is there. After a fault it does nothing.
func (a *answer) take(name string, value any) bool {
	raw, present := a.members[name]
	if !present || a.fault != nil {
		return false
	}
	delete(a.members, name)
	if err := json.Unmarshal(raw, value); err != nil || string(raw) == "null" {
		a.wrong(name)
		return false
	}
	return true
}

// wrong notes a fault. The value is not shown: it is personal data perhaps.
func (a *answer) wrong(name string) {
	a.fault = fmt.Errorf("the member %s has a wrong value", name)
}

func (a *answer) truth(name string) (value bool) {
	if !a.take(name, &value) && a.fault == nil {
		a.fault = fmt.Errorf("the member %s is missing", name)
	}
	return value
}

func (a *answer) text(name string) string {
	if plain, ok := plainString(a.members[name]); ok && a.fault == nil {
		delete(a.members, name)
		return plain
	}
	var value string // is on the heap, so it comes last
	a.take(name, &value)
	return value
}

// texts reads one string or a list of them, as the audience may be either (RFC 7519 section 4.1.3).
func (a *answer) texts(name string) (values []string) {
	if raw := a.members[name]; len(raw) > 0 && raw[0] == '"' {
		return []string{a.text(name)}
	}
	a.take(name, &values)
	return values
}

func (a *answer) scope(name string) Set {
	s, err := ParseSet(a.text(name))
	if err != nil && a.fault == nil {
		a.wrong(name)
	}
	return s
}

// time reads seconds since 1970 (RFC 7519 section 2, NumericDate), cut to whole ones.
func (a *answer) time(name string) time.Time {
	var seconds float64
	if !a.take(name, &seconds) {
		return time.Time{}
	}
	if seconds < 0 || seconds > lastSecond {
		a.wrong(name)
		return time.Time{}
	}
	return time.Unix(int64(math.Floor(seconds)), 0).UTC()
}
