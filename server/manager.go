package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/models"
	oauth2server "github.com/go-oauth2/oauth2/v4/server"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/users"
)

// newLibrary sets up go-oauth2's server as the shell of the token endpoint. Every default that matters is replaced: its
// own client authentication, its redirect rules, its storage and its error answers are not used.
func (s *Server) newLibrary() *oauth2server.Server {
	library := oauth2server.NewServer(&oauth2server.Config{
		TokenType:                   "Bearer",
		AllowedResponseTypes:        []oauth2.ResponseType{oauth2.Code},
		AllowedGrantTypes:           []oauth2.GrantType{oauth2.AuthorizationCode, oauth2.PasswordCredentials, oauth2.ClientCredentials, oauth2.Refreshing},
		AllowedCodeChallengeMethods: []oauth2.CodeChallengeMethod{oauth2.CodeChallengeS256},
	}, &manager{s})
	library.ClientInfoHandler = s.authenticateClient
	library.PasswordAuthorizationHandler = s.authenticateUser
	library.RefreshTokenResolveHandler = func(r *http.Request) (string, error) { return callOf(r.Context()).form.get("refresh_token"), nil }
	// Our /oauth/authorize never goes through the library; should anybody make it, nothing is redirected.
	library.PreRedirectErrorHandler = func(http.ResponseWriter, *oauth2server.AuthorizeRequest, error) error { return errNotServed }
	library.UserAuthorizationHandler = func(http.ResponseWriter, *http.Request) (string, error) { return "", errNotServed }
	return library
}

var errNotServed = errors.New("this part of go-oauth2 is not used")

// authenticateClient is the library's first question. It runs for every grant, before any password is looked at, so
// nobody guesses passwords or buys hashes without being a client that may use the grant.
func (s *Server) authenticateClient(r *http.Request) (clientID, clientSecret string, err error) {
	call := callOf(r.Context())
	client, err := s.clientOf(r.Context(), call.credentials, call.network)
	if err != nil {
		return "", "", err
	}
	if !client.Allows(call.form.get("grant_type")) {
		return "", "", &failure{status: http.StatusBadRequest, code: codeUnauthorizedClient, description: "the client is not registered for this grant type"}
	}
	call.client = client
	return client.ID, "", nil
}

// authenticateUser is the library's question for the password grant (RFC 6749 §4.3).
func (s *Server) authenticateUser(ctx context.Context, _, username, password string) (string, error) {
	call := callOf(ctx)
	user, err := s.users.Authenticate(ctx, users.Attempt{Username: username, Password: password, Network: call.network, SharedNetwork: call.client.Confidential()})
	if err != nil {
		s.auditLogin(ctx, call.client.ID, call.network, err)
		return "", err
	}
	noteOf(ctx).userID = user.ID.String()
	call.user = user
	return user.ID.String(), nil
}

// manager is go-oauth2's view of our grants: all that its server.Server ever asks for.
type manager struct{ s *Server }

var _ oauth2.Manager = (*manager)(nil)

// tokenInfo is an answer in the library's terms, with ours inside.
type tokenInfo struct {
	models.Token
	tokens  grants.Tokens
	idToken string
}

// GenerateAccessToken issues for the grants that make a new grant or redeem a code.
func (m *manager) GenerateAccessToken(ctx context.Context, gt oauth2.GrantType, _ *oauth2.TokenGenerateRequest) (oauth2.TokenInfo, error) {
	call := callOf(ctx)
	switch gt {
	case oauth2.AuthorizationCode:
		return m.redeem(ctx, call)
	case oauth2.PasswordCredentials, oauth2.ClientCredentials:
		return m.issue(ctx, call)
	}
	return nil, errNotServed
}

func (m *manager) issue(ctx context.Context, call *tokenCall) (oauth2.TokenInfo, error) {
	catalogue, err := m.s.resources.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	wanted, err := resolve(catalogue, call)
	if err != nil {
		return nil, err
	}
	m.s.logDeprecated(ctx, catalogue, wanted.scopes)
	if err := m.prepareSigner(ctx, catalogue, call); err != nil {
		return nil, err
	}
	d := grants.Delegation{
		Client: call.client.Number, ClientEpoch: call.client.Epoch, Scopes: wanted.scopes, Resources: wanted.resources,
		Terms: m.s.terms(catalogue, call.client, call.signer),
	}
	if call.user != nil {
		d.User, d.UserEpoch = call.user.ID, call.user.Epoch
		d.Method, d.AuthTime = grants.MethodPassword, m.s.store.Now()
		d.Refreshable = call.client.Allows(string(oauth2.Refreshing))
	}
	tokens, err := m.s.grants.Issue(ctx, d)
	if errors.Is(err, grants.ErrInvalid) {
		return nil, &failure{status: http.StatusBadRequest, code: codeInvalidGrant, cause: err,
			description: "the user or the client was changed in this very moment; try again"}
	}
	info, err := issued(catalogue, call.client, tokens, err)
	if err != nil {
		return nil, err
	}
	return info, nil
}

func (m *manager) redeem(ctx context.Context, call *tokenCall) (oauth2.TokenInfo, error) {
	catalogue, err := m.s.resources.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	redirectURI := call.form.get("redirect_uri")
	if redirectURI == absentRedirectURI {
		redirectURI = ""
	}
	// RFC 8707 §2.2: the first access token may be for less than the code.
	ask := grants.Ask{}
	if ask.Resources, err = targetsOf(catalogue, call.form["resource"]); err != nil {
		return nil, err
	}
	if err := m.prepareSigner(ctx, catalogue, call); err != nil {
		return nil, err
	}
	by := grants.Presenter{Client: call.client.Number, Terms: m.s.terms(catalogue, call.client, call.signer)}
	tokens, err := m.s.grants.Redeem(ctx, call.form.get("code"), redirectURI, call.form.get("code_verifier"), by, ask)
	return m.withIDToken(catalogue, call, tokens, err)
}

// RefreshAccessToken answers a refresh token (RFC 6749 §6).
func (m *manager) RefreshAccessToken(ctx context.Context, _ *oauth2.TokenGenerateRequest) (oauth2.TokenInfo, error) {
	call := callOf(ctx)
	catalogue, err := m.s.resources.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	ask, err := resolveAsk(catalogue, call)
	if err != nil {
		return nil, err
	}
	m.s.logDeprecated(ctx, catalogue, ask.Scopes)
	if err := m.prepareSigner(ctx, catalogue, call); err != nil {
		return nil, err
	}
	by := grants.Presenter{Client: call.client.Number, Terms: m.s.terms(catalogue, call.client, call.signer)}
	tokens, err := m.s.grants.Refresh(ctx, call.form.get("refresh_token"), by, ask)
	return m.withIDToken(catalogue, call, tokens, err)
}

// prepareSigner gets what an ID token or a signed access token will need before anything is spent.
func (m *manager) prepareSigner(ctx context.Context, catalogue *resources.Catalogue, call *tokenCall) (err error) {
	if call.client.AllowsScope(scopeOpenID) || signsAny(catalogue, call.client) {
		call.signer, err = m.s.signing.Signer(ctx)
	}
	return err
}

// withIDToken puts an ID token beside tokens that came of a login in the browser (OpenID Connect Core §3.1.3.3, §12.2).
func (m *manager) withIDToken(catalogue *resources.Catalogue, call *tokenCall, tokens grants.Tokens, err error) (oauth2.TokenInfo, error) {
	info, err := issued(catalogue, call.client, tokens, err)
	if err != nil || tokens.Grant.Session == uuid.Nil {
		return info, err
	}
	if info.idToken, err = m.s.signIDToken(catalogue, call, tokens); err != nil {
		return nil, err
	}
	return info, nil
}

// issued puts tokens, or the error in their place, into the library's terms.
func issued(catalogue *resources.Catalogue, client *clients.Client, tokens grants.Tokens, err error) (*tokenInfo, error) {
	if err != nil {
		return nil, err
	}
	info := &tokenInfo{tokens: tokens}
	info.SetAccess(tokens.Access)
	info.SetAccessExpiresIn(tokens.Life)
	info.SetRefresh(tokens.Refresh)
	info.SetScope(describe(catalogue, client, tokens.Grant).granted.String())
	return info, nil
}

// approval is what a person has allowed, on its way through the library to GenerateAuthToken.
type approval struct {
	request *authorization
	client  *clients.Client
	who     *visitor
	names   []string
	// consent is what the person has answered just now, nil if he was not asked; remembered says that an earlier answer
	// was good for it.
	consent    *grants.Consent
	remembered bool
	// grant is set to the grant that was made.
	grant uuid.UUID
}

type approvalKey struct{}

// GenerateAuthToken makes the grant whose tokens wait for the redemption of the code.
func (m *manager) GenerateAuthToken(ctx context.Context, _ oauth2.ResponseType, _ *oauth2.TokenGenerateRequest) (oauth2.TokenInfo, error) {
	approved, is := ctx.Value(approvalKey{}).(*approval)
	if !is {
		return nil, errNotServed
	}
	a, client, who := approved.request, approved.client, approved.who
	catalogue, err := m.s.resources.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	call := &tokenCall{client: client, user: who.user, form: form{"scope": {strings.Join(approved.names, " ")}, "resource": a.Targets}}
	wanted, err := resolve(catalogue, call)
	if err != nil {
		return nil, err
	}
	d := grants.Delegation{
		User: who.user.ID, UserEpoch: who.user.Epoch, Client: client.Number, ClientEpoch: client.Epoch, Scopes: wanted.scopes, Resources: wanted.resources,
		Refreshable: client.Allows(clients.RefreshToken), Method: grants.MethodPassword, AuthTime: who.session.AuthTime,
		Session: who.session.ID, Offline: offline(approved.names), Remembered: approved.remembered, Terms: m.s.terms(catalogue, client, nil),
	}
	if !d.Offline {
		// Without offline_access the grant is a part of the login (OpenID Connect Core §11): it ends when the person logs
		// out, and with the session's last moment. An app in use does not lose it because the person does not come to
		// our pages for an hour.
		d.Terms.Absolute = min(d.Terms.Absolute, who.session.Ends.Sub(m.s.store.Now()))
	}
	note, err := json.Marshal(codeNote{Nonce: []byte(a.Nonce)})
	if err != nil {
		return nil, fmt.Errorf("encode the note of a code: %w", err)
	}
	c := grants.Code{Challenge: a.Challenge, Life: m.s.lifetimes.Code, Note: note}
	if a.RedirectGiven {
		c.RedirectURI = a.RedirectURI
	}
	if client.BackchannelLogoutURI != "" && slices.Contains(approved.names, scopeOpenID) {
		// Before the code: who is to be told of the logout must be known before there is anything to log out of.
		if err := m.s.sessions.Join(ctx, who.session, client.Number); err != nil {
			return nil, err
		}
	}
	code, grant, err := m.s.grants.IssueCode(ctx, d, c)
	if errors.Is(err, grants.ErrInvalid) {
		return nil, lapsed("the login ended, or the account or the app was changed, in this very moment", a.Home)
	}
	if err != nil {
		return nil, err
	}
	approved.grant = grant
	info := &tokenInfo{}
	info.SetCode(code)
	return info, nil
}

// offline reports whether a grant outlives the login that it was given in: where that was asked for by name, and where
// the app does not speak OpenID Connect, whose word for it is.
func offline(names []string) bool {
	return !slices.Contains(names, scopeOpenID) || slices.Contains(names, scopeOffline)
}

// GetClient and the four that follow serve parts of the library that we do not call.
func (m *manager) GetClient(context.Context, string) (oauth2.ClientInfo, error) {
	return nil, errNotServed
}

// RemoveAccessToken is not called: our revocation endpoint knows the client, which this call does not.
func (m *manager) RemoveAccessToken(context.Context, string) error { return errNotServed }

// RemoveRefreshToken is not called, for the same reason.
func (m *manager) RemoveRefreshToken(context.Context, string) error { return errNotServed }

// LoadAccessToken is not called: checks go through grants.
func (m *manager) LoadAccessToken(context.Context, string) (oauth2.TokenInfo, error) {
	return nil, errNotServed
}

// LoadRefreshToken is not called: it is the library's way of loading one token three times for a refresh.
func (m *manager) LoadRefreshToken(context.Context, string) (oauth2.TokenInfo, error) {
	return nil, errNotServed
}
