package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"github.com/gin-gonic/gin"
	"github.com/go-oauth2/oauth2/v4"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/users"
)

// grantTypes are the grant types of the token endpoint with the parameters that each needs.
var grantTypes = map[oauth2.GrantType][]string{
	oauth2.AuthorizationCode:   {"code"},
	oauth2.PasswordCredentials: {"username", "password"},
	oauth2.ClientCredentials:   nil,
	oauth2.Refreshing:          {"refresh_token"},
}

// tokenCall is one request to the token endpoint. go-oauth2 hands it, by the request's context, to our hooks and our
// manager, which find in it what the library has no fields for.
type tokenCall struct {
	form        form
	credentials credentials
	network     netip.Addr
	client      *clients.Client
	user        *users.User // who has logged in by it
	owner       *users.User // of the grant that it refers to
	signer      *keys.Signer
}

type tokenCallKey struct{}

func callOf(ctx context.Context) *tokenCall { return ctx.Value(tokenCallKey{}).(*tokenCall) }

// body is a successful answer of the token endpoint (RFC 6749 §5.1).
func (info *tokenInfo) body() []byte {
	t := info.tokens
	return newObject(len(t.Access)+len(t.Refresh)+len(info.idToken)+len(info.GetScope())+160).
		text("access_token", t.Access).text("token_type", "Bearer").number("expires_in", int64(t.Life.Seconds())).
		textIfAny("refresh_token", t.Refresh).textIfAny("id_token", info.idToken).text("scope", info.GetScope()).end()
}

// token is the token endpoint (RFC 6749 §3.2). Our strict reading of the request comes before go-oauth2 sees any of it;
// the library then leads through the grant, and our manager issues.
func (s *Server) token(c *gin.Context) {
	// 1. Read the form; say what is missing before anybody is authenticated.
	f, err := readForm(c.Request)
	if err != nil {
		s.fail(c, err)
		return
	}
	presented, unread := readCredentials(c.Request, f)
	s.allowNamedOrigin(c, presented.id)
	if err := errors.Join(checkGrantForm(f), unread); err != nil {
		s.fail(c, err)
		return
	}
	// 2. Let the library lead through the grant; its hooks authenticate the client first, then the user.
	call := &tokenCall{form: f, credentials: presented, network: s.clientAddr(c.Request)}
	r := c.Request.WithContext(context.WithValue(c.Request.Context(), tokenCallKey{}, call))
	r.Form, r.PostForm = formValues(f), nil
	grantType, request, err := s.library.ValidationTokenRequest(r)
	if err != nil {
		s.fail(c, err)
		return
	}
	info, err := s.library.GetAccessToken(r.Context(), grantType, request)
	if err != nil {
		s.fail(c, err)
		return
	}
	// 3. Answer from what was issued.
	s.tokenHeader.copyTo(c.Writer.Header())
	respond(c, http.StatusOK, jsonMedia, info.(*tokenInfo).body())
}

// tokenHeader are the headers of an answer that holds tokens, beside those of every answer (RFC 6749 §5.1).
func tokenHeader() sharedHeader {
	var h sharedHeader
	h.add("Pragma", "no-cache")
	return h
}

func checkGrantForm(f form) error {
	grantType := f.get("grant_type")
	if grantType == "" {
		return invalidRequest("grant_type is missing")
	}
	needed, known := grantTypes[oauth2.GrantType(grantType)]
	if !known {
		return &failure{status: http.StatusBadRequest, code: codeUnsupportedGrantType, description: "the grant type is not supported; grant_types_supported in the server's metadata lists those that are"}
	}
	for _, name := range needed {
		if f.get(name) == "" {
			return invalidRequest(name + " is missing")
		}
	}
	return nil
}

// absentRedirectURI stands in the form where the client sent no redirect_uri. go-oauth2 insists on one, RFC 6749
// §4.1.3 only where the authorization request had one. No registered URI can be equal to it.
const absentRedirectURI = "absent:"

func formValues(f form) map[string][]string {
	if f.get("redirect_uri") == "" {
		f["redirect_uri"] = []string{absentRedirectURI}
	}
	return f
}
