package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/scopes"
)

// accessTokenType is the type of a signed access token (RFC 9068 §2.1).
const accessTokenType = "at+jwt"

// signedToken is an access token that a resource verifies without asking us (RFC 9068 §2.2).
type signedToken struct {
	Issuer   string    `json:"iss"`
	Audience audiences `json:"aud"`
	Subject  string    `json:"sub"`
	ClientID string    `json:"client_id"`
	Scope    string    `json:"scope"`
	Issued   int64     `json:"iat"`
	Expires  int64     `json:"exp"`
	ID       string    `json:"jti"`
	// Grant and Epoch, that of the client, are what the revocation feed speaks of.
	Grant string `json:"sc_grant"`
	Epoch string `json:"sc_epoch"`
	// Status is what verifiers of other makes look at.
	Status tokenStatus `json:"status"`
}

// audiences is one audience as a string or several as a list (RFC 7519 §4.1.3): many libraries know only the first.
type audiences []string

// MarshalJSON writes one audience as a string.
func (a audiences) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON reads both forms.
func (a *audiences) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*a = make(audiences, 1)
		return json.Unmarshal(text, &(*a)[0])
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// signingOf is the algorithm by which a client's access token for these resources is signed, empty if it is not: one of
// them that wants signed tokens suffices, since the others ask us and we know both.
func signingOf(catalogue *resources.Catalogue, client *clients.Client, numbers []uint32) string {
	alg := ""
	for _, number := range numbers {
		resource, known := catalogue.Resource(number)
		if !known || !signsFor(resource, client) {
			continue
		}
		wanted := resource.Alg
		if wanted == "" {
			wanted = keys.ES256
		}
		if alg != "" && alg != wanted {
			return keys.ES256 // two that want different ones: every verifier of RFC 9068 should know this
		}
		alg = wanted
	}
	return alg
}

// signsAny reports whether a client may get a signed token at all.
func signsAny(catalogue *resources.Catalogue, client *clients.Client) bool {
	return slices.ContainsFunc(catalogue.All(), func(r *resources.Resource) bool { return signsFor(r, client) })
}

// signsFor reports whether a resource wants the client's tokens signed. One that is disabled, or of which the client has no
// scope any more, wants nothing, though there are grants that name it.
func signsFor(r *resources.Resource, client *clients.Client) bool {
	return r.Format == resources.FormatJWT && !r.Disabled &&
		slices.ContainsFunc(r.Scopes, func(s resources.Scope) bool { return client.AllowsScope(s.Name) })
}

// spell makes a signed access token. What its scopes imply stands in it: who verifies it does not know what implies what.
func (s *Server) spell(catalogue *resources.Catalogue, client *clients.Client, signer *keys.Signer, t *grants.Token) (string, error) {
	if signer == nil {
		return "", errors.New("there is no signer, though the client may get signed tokens")
	}
	means := describe(catalogue, client, t.Grant)
	subject := client.ID
	if t.User != uuid.Nil {
		subject = t.User.String()
	}
	// Who is no audience of this token, because it is narrowed, does not choose how it is signed.
	reached := slices.DeleteFunc(slices.Clone(t.Resources), func(number uint32) bool {
		resource, known := catalogue.Resource(number)
		return !known || !slices.Contains(means.audiences, resource.ID)
	})
	alg := cmp.Or(signingOf(catalogue, client, reached), keys.ES256)
	return signer.Sign(alg, accessTokenType, signedToken{
		Issuer: s.issuer, Audience: means.audiences, Subject: subject, ClientID: client.ID, Scope: means.scopes.String(),
		Issued: t.Issued.Unix(), Expires: t.Expires.Unix(), ID: tokenID(t), Grant: t.ID.String(), Epoch: t.Epoch.String(), Status: s.statusOf(t, alg),
	})
}

// looksSigned tells signed tokens from our own, which have no dots.
func looksSigned(text string) bool { return strings.Count(text, ".") == 2 }

// readSigned reads a signed access token of this server: its claims and its place in its grant. For whatever else it
// returns scopes.ErrInactive.
func (s *Server) readSigned(ctx context.Context, text string) (*signedToken, grants.Signed, error) {
	payload, err := s.signing.Verify(ctx, text, accessTokenType)
	if errors.Is(err, keys.ErrNotOurs) {
		return nil, grants.Signed{}, scopes.ErrInactive
	}
	if err != nil {
		return nil, grants.Signed{}, err
	}
	var t signedToken
	if err := json.Unmarshal(payload, &t); err != nil || t.Issuer != s.issuer {
		return nil, grants.Signed{}, scopes.ErrInactive
	}
	if t.Issued <= 0 || t.Issued > t.Expires {
		return nil, grants.Signed{}, scopes.ErrInactive // RFC 9068 §2.2: both are there
	}
	place, ok := parseTokenID(t.ID)
	if !ok || place.Grant.String() != t.Grant || place.Expires.Unix() != t.Expires {
		return nil, grants.Signed{}, scopes.ErrInactive
	}
	return &t, place, nil
}

// parseTokenID reads what tokenID wrote.
func parseTokenID(id string) (grants.Signed, bool) {
	parts := strings.Split(id, ".")
	narrowed := len(parts) == 4 && parts[3] == "n"
	if len(parts) != 3 && !narrowed {
		return grants.Signed{}, false
	}
	grant, err := uuid.Parse(parts[0])
	serial, serialErr := strconv.ParseUint(parts[1], 10, 32)
	expires, expiresErr := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || serialErr != nil || expiresErr != nil {
		return grants.Signed{}, false
	}
	return grants.Signed{Grant: grant, Serial: uint32(serial), Expires: time.Unix(expires, 0), Narrowed: narrowed}, true
}

// checkSigned is check for a signed access token.
func (s *Server) checkSigned(ctx context.Context, resource uint32, text string) (*scopes.Token, error) {
	claims, place, err := s.readSigned(ctx, text)
	if err != nil {
		return nil, err
	}
	token, err := s.grants.CheckSigned(ctx, place)
	if errors.Is(err, grants.ErrInvalid) {
		return nil, scopes.ErrInactive
	}
	if err != nil {
		return nil, err
	}
	facts, err := s.facts(ctx, resource, token)
	if err != nil {
		return nil, err
	}
	// It is good for no more than it says, whatever its grant may have come to cover.
	said, err := scopes.ParseSet(claims.Scope)
	if err != nil {
		return nil, scopes.ErrInactive
	}
	names := slices.DeleteFunc(facts.Scopes.Names(), func(name string) bool { return !said.Has(name) })
	if len(names) == 0 {
		return nil, scopes.ErrInactive
	}
	facts.Scopes, err = scopes.NewSet(names...)
	return facts, err
}
