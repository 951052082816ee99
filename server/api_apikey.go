package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/scopes"
)

// apiKeyJSON is an API key by everything but itself. Token is the key, once, when it was made.
type apiKeyJSON struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Scopes   []string  `json:"scopes"`
	Audience []string  `json:"audience"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	LastUsed time.Time `json:"last_used,omitzero"`
	Token    string    `json:"token,omitempty"`
}

// apiKeyInput asks for a key.
type apiKeyInput struct {
	Name     string    `json:"name"`
	Scopes   []string  `json:"scopes"`
	Lifetime *duration `json:"lifetime"`
}

// key is what is asked for, with the usual life if none is given.
func (in apiKeyInput) key() newKey {
	k := newKey{name: in.Name, scopes: in.Scopes, life: keyDays * 24 * time.Hour}
	if in.Lifetime != nil {
		k.life = time.Duration(*in.Lifetime)
	}
	return k
}

// ownerOf finds whose keys a request is about.
type ownerOf func(*gin.Context) (keyOwner, error)

func (s *Server) myself(c *gin.Context) (keyOwner, error) {
	id, err := me(c)
	if err != nil {
		return keyOwner{}, err
	}
	user, err := s.users.Fresh(c.Request.Context(), id)
	return keyOwner{user: user}, err
}

func (s *Server) thatUser(c *gin.Context) (keyOwner, error) {
	user, err := s.userOf(c)
	return keyOwner{user: user}, err
}

func (s *Server) thatClient(c *gin.Context) (keyOwner, error) {
	client, err := s.clients.Get(c.Request.Context(), c.Param("client"))
	return keyOwner{client: client}, err
}

func (s *Server) listMyTokens(c *gin.Context)   { s.listKeys(c, s.myself) }
func (s *Server) listUserTokens(c *gin.Context) { s.listKeys(c, s.thatUser) }
func (s *Server) listClientKeys(c *gin.Context) { s.listKeys(c, s.thatClient) }

func (s *Server) listKeys(c *gin.Context, of ownerOf) {
	ctx := c.Request.Context()
	cursor, limit, err := grantsPage(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	owner, err := of(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		s.fail(c, err)
		return
	}
	found, err := s.grants.Keys(ctx, owner.inGrants(), cursor, limit+1)
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, paged(found, limit,
		func(g grants.Grant) apiKeyJSON { return showAPIKey(g, describe(catalogue, owner.holds(), g)) },
		func(g grants.Grant) string { return g.Cursor() }))
}

func showAPIKey(g grants.Grant, means access) apiKeyJSON {
	return apiKeyJSON{ID: g.ID.String(), Name: g.Label, Scopes: notNil(means.granted.Names()), Audience: notNil(means.audiences),
		Created: g.Created, Expires: g.Ends, LastUsed: g.LastUsed}
}

// createMyToken makes a key by the right of the caller's token, which may not give more than it has.
func (s *Server) createMyToken(c *gin.Context) {
	s.createKeyFor(c, "token.create", s.myself, s.mayPassOn)
}

// createUserToken makes a key for a user, who could be given a password as well.
func (s *Server) createUserToken(c *gin.Context) {
	s.createKeyFor(c, "user.token.create", s.thatUser, s.mayGive)
}

func (s *Server) createClientKey(c *gin.Context) {
	s.createKeyFor(c, "client.key.create", s.thatClient, s.mayGive)
}

// createKeyFor makes a key if its maker may give what is asked for, and shows it once.
func (s *Server) createKeyFor(c *gin.Context, event string, of ownerOf, may func(*gin.Context, *keyOwner, []string) error) {
	ctx := c.Request.Context()
	var in apiKeyInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	owner, err := of(c)
	if err == nil {
		err = may(c, &owner, in.Scopes)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	text, grant, err := s.makeKey(ctx, owner, in.key())
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, event, owner.id()+"/"+grant.ID.String())
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		s.fail(c, err)
		return
	}
	out := showAPIKey(grant, describe(catalogue, owner.holds(), grant))
	out.Token = text
	writeJSON(c, http.StatusCreated, out)
}

// mayPassOn refuses to put into a person's own key what the calling token has not: what an app was lent for a while must
// not become more, nor outlive what ends the token.
func (s *Server) mayPassOn(c *gin.Context, owner *keyOwner, names []string) error {
	ctx := c.Request.Context()
	if err := noKeyMakesKeys(c); err != nil {
		return err
	}
	text, err := scopes.Bearer(c.Request)
	if err != nil {
		return tokenEnded(err)
	}
	// The guard has seen it as a token for our own API alone.
	token, err := s.check(ctx, everyResource, text)
	if errors.Is(err, scopes.ErrInactive) {
		return tokenEnded(err)
	}
	if err != nil {
		return err
	}
	if missing := token.Scopes.Missing(names...); len(missing) > 0 {
		return &failure{status: http.StatusForbidden, code: codeAccessDenied, description: "a token makes no key that can do more than itself; it has not",
			detail: strings.Join(missing, " "), field: scopesField}
	}
	place, _ := parseTokenID(token.ID)
	epoch, err := s.grants.UserEpoch(ctx, place.Grant)
	if errors.Is(err, grants.ErrInvalid) {
		return tokenEnded(err)
	}
	user := *owner.user
	user.Epoch, owner.user = epoch, &user
	return err
}

func tokenEnded(cause error) *failure {
	return &failure{status: http.StatusForbidden, code: codeAccessDenied, description: "the token has ended in this very moment", cause: cause}
}

// mayGive refuses administration to callers who have it not themselves.
func (s *Server) mayGive(c *gin.Context, _ *keyOwner, names []string) error {
	if err := noKeyMakesKeys(c); err != nil {
		return err
	}
	return s.mayHandOut(c.Request.Context(), names)
}

// noKeyMakesKeys refuses callers with an API key: one that was stolen must not multiply, nor live on in another.
func noKeyMakesKeys(c *gin.Context) error {
	if isLocal(c.Request.Context()) {
		return nil
	}
	if text, _ := scopes.Bearer(c.Request); strings.HasPrefix(text, keys.KeyPrefix) {
		return &failure{status: http.StatusForbidden, code: codeAccessDenied, description: "an API key makes no API keys"}
	}
	return nil
}

func (s *Server) endMyToken(c *gin.Context)   { s.endKey(c, "token.revoke", s.myself, "token") }
func (s *Server) endUserToken(c *gin.Context) { s.endKey(c, "user.token.revoke", s.thatUser, "token") }
func (s *Server) endClientKey(c *gin.Context) { s.endKey(c, "client.key.revoke", s.thatClient, "key") }

// endKey ends the key that a part of the path names, if it is the owner's.
func (s *Server) endKey(c *gin.Context, event string, of ownerOf, part string) {
	owner, err := of(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	id, err := uuid.Parse(c.Param(part))
	if err != nil {
		s.fail(c, notFound("this API key"))
		return
	}
	found, err := s.grants.EndKey(c.Request.Context(), owner.inGrants(), id)
	if err == nil && !found {
		err = notFound("this API key")
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, event, owner.id()+"/"+id.String())
	done(c)
}
