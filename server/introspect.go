package server

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/scopes"
	"github.com/safeconduct/safeconduct/store"
)

// introspection is the answer about a good token (RFC 7662 §2.2), for a caller that sees one audience.
func introspection(t *scopes.Token, audience string) []byte {
	const usualSize = 512
	return newObject(usualSize).truth("active", true).text("scope", t.Scopes.String()).text("client_id", t.ClientID).
		textIfAny("username", t.Username).text("token_type", t.TokenType).number("exp", t.Expires.Unix()).text("sub", t.Subject).
		text("aud", audience).text("iss", t.Issuer).text("jti", t.ID).end()
}

// inactive is the one answer about everything else. It never says why.
var inactive = []byte(`{"active":false}`)

// introspect is the introspection endpoint (RFC 7662). The caller is a resource with its own credential; it is told
// about tokens for itself, with its own scopes, and every other token is inactive to it.
func (s *Server) introspect(c *gin.Context) {
	ctx := c.Request.Context()
	f, err := readForm(c.Request)
	if err != nil {
		s.fail(c, err)
		return
	}
	caller, err := readCredentials(c.Request, f)
	if err != nil {
		s.fail(c, err)
		return
	}
	resource, err := s.resources.Authenticate(ctx, caller.id, caller.secret)
	if err != nil {
		s.auditResource(ctx, caller.id, s.clientAddr(c.Request), err)
		s.fail(c, err)
		return
	}
	noteOf(ctx).clientID = resource.Slug
	text := f.get("token")
	if text == "" {
		s.fail(c, invalidRequest("token is missing"))
		return
	}
	token, err := s.check(ctx, resource.Number, text)
	if errors.Is(err, scopes.ErrInactive) {
		s.answerIntrospection(c, resource, inactive)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answerIntrospection(c, resource, introspection(token, resource.ID))
}

// signedIntrospectionType is the media type and, without its beginning, the type of a signed answer (RFC 9701 §4, §5).
const (
	signedIntrospectionType  = "token-introspection+jwt"
	signedIntrospectionMedia = "application/" + signedIntrospectionType
)

// signedIntrospection is an answer that its reader can keep as a proof (RFC 9701 §5).
type signedIntrospection struct {
	Issuer        string          `json:"iss"`
	Audience      string          `json:"aud"`
	Issued        int64           `json:"iat"`
	Introspection json.RawMessage `json:"token_introspection"`
}

// answerIntrospection answers in JSON, or signed where that is asked for.
func (s *Server) answerIntrospection(c *gin.Context, resource *resources.Resource, answer []byte) {
	if !wantsMediaType(c.Request, signedIntrospectionMedia) {
		respond(c, http.StatusOK, jsonMedia, answer)
		return
	}
	alg := resource.Alg
	if alg == "" {
		alg = keys.ES256
	}
	signed, err := s.signing.Sign(c.Request.Context(), alg, signedIntrospectionType, signedIntrospection{
		Issuer: s.issuer, Audience: resource.ID, Issued: s.store.Now().Unix(), Introspection: answer,
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Data(http.StatusOK, signedIntrospectionMedia, []byte(signed))
}

// check tells what an access token means to one resource, or scopes.ErrInactive. It is what introspection and the
// guards of our own routes stand on. The resource number 0 stands for the operator, who sees every audience.
func (s *Server) check(ctx context.Context, resource uint32, text string) (*scopes.Token, error) {
	if looksSigned(text) {
		return s.checkSigned(ctx, resource, text)
	}
	token, err := s.grants.Check(ctx, text)
	if errors.Is(err, grants.ErrInvalid) {
		return nil, scopes.ErrInactive
	}
	if err != nil {
		return nil, err
	}
	return s.facts(ctx, resource, token)
}

func (s *Server) facts(ctx context.Context, resource uint32, token *grants.Token) (*scopes.Token, error) {
	client, by, err := s.holderOf(ctx, token)
	if err != nil {
		return nil, err
	}
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	seen := token.Grant
	if resource != everyResource {
		if !slices.Contains(token.Resources, resource) {
			return nil, scopes.ErrInactive
		}
		seen.Resources = []uint32{resource}
	}
	means := describe(catalogue, by, seen)
	if len(means.audiences) == 0 {
		return nil, scopes.ErrInactive
	}
	facts := &scopes.Token{
		Subject: client, ClientID: client, Issuer: s.issuer, TokenType: "Bearer", Scopes: means.scopes,
		Audience: means.audiences, Expires: token.Expires, ID: tokenID(token),
	}
	if token.User != uuid.Nil {
		user, err := s.users.Get(ctx, token.User)
		if err != nil {
			return nil, gone(err)
		}
		facts.Subject, facts.Username = token.User.String(), user.Username
	}
	return facts, nil
}

// ownKey is the client number in a person's own API key, which is no client's.
const ownKey = 0

// ownKeyClient stands in the place of a client_id for it (RFC 7662 §2.2). No client can have this id.
const ownKeyClient = "personal_access_token"

// holderOf is the client of a token, by its id and by what it may have.
func (s *Server) holderOf(ctx context.Context, token *grants.Token) (string, holder, error) {
	if token.Client == ownKey {
		return ownKeyClient, ownKeys, nil
	}
	client, err := s.clients.ByNumber(ctx, token.Client)
	if err != nil {
		return "", nil, gone(err)
	}
	if token.Key && !client.Allows(clients.ClientCredentials) {
		return "", nil, scopes.ErrInactive // its own key is for acting for itself, which it may not do any more
	}
	return client.ID, client, nil
}

// tokenID is the jti of a token: its grant, its serial and its end, because refreshes that write nothing give out further
// tokens under the same serial; and whether it is narrowed, because a plain one may share all of these with it (RFC 7519
// §4.1.7: no two may share an id).
func tokenID(t *grants.Token) string {
	id := make([]byte, 0, 64)
	id = appendUUID(id, t.ID)
	id = strconv.AppendUint(append(id, '.'), uint64(t.Serial), 10)
	id = strconv.AppendInt(append(id, '.'), t.Expires.Unix(), 10)
	if t.Narrowed {
		id = append(id, ".n"...)
	}
	return string(id)
}

// appendUUID appends an id as its String method spells it.
func appendUUID(dst []byte, id uuid.UUID) []byte {
	for i, end := range [...]int{4, 6, 8, 10, 16} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[[...]int{0, 4, 6, 8, 10}[i]:end])
	}
	return dst
}

// everyResource stands for all audiences at once.
const everyResource = 0

// gone makes a token inactive whose client or user was deleted a moment ago.
func gone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return scopes.ErrInactive
	}
	return err
}

// checker is the Checker of one of our own resources: introspection without the detour.
func (s *Server) checker(resource *resources.Resource) scopes.Checker {
	return scopes.CheckerFunc(func(ctx context.Context, token string) (*scopes.Token, error) {
		return s.check(ctx, resource.Number, token)
	})
}
