package scopes

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// segments decodes the parts of a JWT. It is strict: one token has one spelling.
var segments = base64.RawURLEncoding.Strict()

// jwt is a JSON Web Token taken apart. Nothing in it may be believed before its signature was verified.
type jwt struct {
	algorithm string
	keyID     string
	signed    string // the header and the payload as they were sent
	payload   []byte
	signature []byte
}

// parseJWT takes an access token apart and checks its header. Where the header says how to find a key, by jku, x5u, x5c
// or jwk, it is not listened to: whoever wrote it could have written anything (RFC 8725 section 3.10).
func parseJWT(token string) (*jwt, error) {
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(signature, ".") {
		return nil, errors.New("it is no JWT")
	}
	text, err := segments.DecodeString(header)
	if err != nil {
		return nil, errors.New("its header is not base64url")
	}
	j := &jwt{signed: token[:len(header)+1+len(payload)]}
	if err := j.readHeader(text); err != nil {
		return nil, err
	}
	if j.payload, err = segments.DecodeString(payload); err != nil {
		return nil, errors.New("its payload is not base64url")
	}
	if j.signature, err = segments.DecodeString(signature); err != nil {
		return nil, errors.New("its signature is not base64url")
	}
	return j, nil
}

func (j *jwt) readHeader(text []byte) error {
	members, err := readObject(text)
	if err != nil {
		return fmt.Errorf("its header is no good: %w", err)
	}
	h := answer{members: members}
	// RFC 7515 §4.1.11: what is critical must be understood, and nothing is. RFC 7797 §6: b64 must be critical.
	for _, name := range []string{"crit", "b64"} {
		if _, present := members[name]; present {
			return fmt.Errorf("its header has %s, which is not supported", name)
		}
	}
	// RFC 9068 §4: no other JWT of the same issuer, such as an ID token, may pass for an access token.
	switch strings.ToLower(h.text("typ")) {
	case "at+jwt", "application/at+jwt":
	default:
		return errors.New("its type is not at+jwt")
	}
	j.algorithm, j.keyID = h.text("alg"), h.text("kid")
	if h.fault != nil {
		return fmt.Errorf("its header is no good: %w", h.fault)
	}
	if !slices.Contains([]string{es256, rs256, edDSA}, j.algorithm) {
		return errors.New("its algorithm is not accepted")
	}
	if j.keyID == "" {
		return errors.New("it does not name its key")
	}
	return nil
}

// expected is what the claims of an access token must agree with.
type expected struct {
	issuer, audience string
	leeway           time.Duration
	grant            bool // the grant must be told, or else the feed could never revoke the token
}

// readClaims makes a Token of a payload whose signature was verified (RFC 9068 section 4).
func (x expected) readClaims(payload []byte, now time.Time) (*Token, error) {
	if !utf8.Valid(payload) {
		return nil, errors.New("its payload is not UTF-8")
	}
	members, err := readObject(payload)
	if err != nil {
		return nil, fmt.Errorf("its payload is no good: %w", err)
	}
	c := &answer{members: members}
	grant, epoch := c.grant("sc_grant"), c.text("sc_epoch")
	if _, bound := members["cnf"]; bound {
		// RFC 9449 §7.1: a token for DPoP that came without its proof was perhaps stolen.
		return nil, errors.New("it is bound to a key")
	}
	notBefore := c.seconds("nbf")
	t := &Token{
		Subject:   c.needed("sub"),
		ClientID:  c.needed("client_id"),
		Issuer:    c.needed("iss"),
		ID:        c.needed("jti"),
		Audience:  c.texts("aud"),
		Scopes:    c.scope("scope"),
		Expires:   c.seconds("exp"),
		IssuedAt:  c.seconds("iat"),
		TokenType: "Bearer",
		origin:    &origin{grant: grant, epoch: epoch},
	}
	if c.fault != nil {
		return nil, fmt.Errorf("its claims are not as RFC 9068 says: %w", c.fault)
	}
	delete(c.members, "status") // only says how to check the token, which is no news to a handler
	if len(c.members) > 0 {
		t.Extra = maps.Collect(maps.All(c.members)) // a map of its own size: it is copied for each request
	}
	switch {
	case t.Issuer != x.issuer:
		return nil, errors.New("it is from another issuer")
	case !slices.Contains(t.Audience, x.audience):
		return nil, fmt.Errorf("its audience is not %q", x.audience)
	case t.Expires.IsZero() || t.IssuedAt.IsZero():
		return nil, errors.New("it does not tell when it was issued and when it expires")
	case !now.Before(t.Expires.Add(x.leeway)):
		return nil, fmt.Errorf("it expired at %s", t.Expires.Format(time.RFC3339))
	case t.IssuedAt.After(now.Add(x.leeway)):
		return nil, fmt.Errorf("it was issued in the future by the clock of this machine, at %s", t.IssuedAt.Format(time.RFC3339))
	case notBefore.After(now.Add(x.leeway)):
		return nil, fmt.Errorf("it is not good before %s", notBefore.Format(time.RFC3339))
	case x.grant && (grant == grantID{} || epoch == ""):
		return nil, errors.New("it does not tell its grant and epoch, so it could not be revoked")
	}
	return t, nil
}

// needed reads a text that must be there.
func (a *answer) needed(name string) string {
	text := a.text(name)
	if text == "" && a.fault == nil {
		a.fault = fmt.Errorf("the member %s is missing", name)
	}
	return text
}

// seconds reads whole seconds since 1970. RFC 7519 section 2 allows fractions, but our server writes none, and number
// formats are where readers differ. The zero time means that the member is missing.
func (a *answer) seconds(name string) time.Time {
	raw, present := a.members[name]
	if !present || a.fault != nil {
		return time.Time{}
	}
	delete(a.members, name)
	seconds, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || seconds < 0 || seconds > lastSecond {
		a.wrong(name)
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
