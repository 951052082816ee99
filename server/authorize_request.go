package server

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-oauth2/oauth2/v4"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/store"
)

const (
	maxURL   = 8 << 10
	maxState = 2 << 10
	maxNonce = 512
	maxHint  = 320
	// maxAgeMost is far more than any session lives, and keeps the sum within what a time can hold.
	maxAgeMost = 10 * 365 * 24 * time.Hour
)

// readAuthorization reads the parameters of an authorization request: from the query of a GET or the body of a POST,
// never from both (RFC 6749 §3.1).
func readAuthorization(r *http.Request) (form, error) {
	if len(r.URL.RawQuery) > maxURL {
		return nil, tooLong()
	}
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || mediaType != formMediaType || text != "" {
			return nil, appFault("a POST must have all parameters in a body of " + formMediaType)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, bodyFailure(err)
		}
		text = string(body)
	}
	f, err := parseForm(text)
	if err != nil {
		return nil, appFault(failureOf(err).description)
	}
	return f, nil
}

func tooLong() *failure {
	f := appFault("the request is longer than 8 KB")
	f.status = http.StatusRequestURITooLong
	return f
}

// returnAddressOf finds out which client asks and where its answer goes. Its failures are pages: who cannot be trusted to
// be the client is sent nothing, and nobody is sent to an address that the client did not register.
func (s *Server) returnAddressOf(ctx context.Context, f form) (*clients.Client, returnAddress, error) {
	id := f.get("client_id")
	if id == "" {
		return nil, returnAddress{}, appFault("client_id is missing")
	}
	client, err := s.clients.Get(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, returnAddress{}, err
	}
	if err != nil || client.Disabled {
		return nil, returnAddress{}, appFault("the client is not registered here or is disabled")
	}
	to := returnAddress{ClientID: client.ID, Home: client.ClientURI, RedirectURI: f.get("redirect_uri"), RedirectGiven: true, State: f.get("state"), Mode: modeQuery}
	switch {
	case to.RedirectURI == "" && len(client.RedirectURIs) == 1 && !slices.Contains(strings.Fields(f.get("scope")), scopeOpenID):
		to.RedirectURI, to.RedirectGiven = client.RedirectURIs[0], false
	case to.RedirectURI == "":
		return nil, returnAddress{}, appFault("redirect_uri is missing")
	case !client.AllowsRedirect(to.RedirectURI):
		return nil, returnAddress{}, appFault("redirect_uri is not one of those that the client registered, letter by letter")
	}
	if len(to.State) > maxState {
		return nil, returnAddress{}, appFault("state is longer than 2 KB")
	}
	if f.get("response_mode") == modeFormPost && takesForms(to.RedirectURI) {
		to.Mode = modeFormPost
	}
	return client, to, nil
}

// takesForms reports whether a form can be sent to a redirect URI. An app behind a private-use scheme gets an address and
// no more (RFC 8252 §7.1).
func takesForms(uri string) bool {
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
}

// readRequest checks what is asked for. Its failures go to the app.
func (s *Server) readRequest(ctx context.Context, f form, client *clients.Client, to returnAddress) (authorization, error) {
	a := authorization{
		returnAddress: to, ClientEpoch: client.Epoch, Asked: s.moment(), Nonce: f.get("nonce"), Targets: distinct(f["resource"]),
		LoginHint: f.get("login_hint"), Languages: strings.Fields(f.get("ui_locales")),
	}
	for _, check := range []func(form, *clients.Client) error{checkResponseType, checkUnserved, checkLengths} {
		if err := check(f, client); err != nil {
			return a, err
		}
	}
	if f.get("response_mode") == modeFormPost && to.Mode != modeFormPost {
		return a, invalidRequest("response_mode form_post needs a redirect_uri of https or http")
	}
	var err error
	if a.Challenge, err = readChallenge(f, client); err != nil {
		return a, err
	}
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return a, err
	}
	if a.Scopes, _, err = asked(catalogue, &tokenCall{form: f, client: client}); err != nil {
		return a, err
	}
	s.logDeprecated(ctx, catalogue, numbersOf(catalogue, a.Scopes))
	if err := s.readPrompt(&a, f); err != nil {
		return a, err
	}
	return a, s.readHint(ctx, &a, f)
}

func checkResponseType(f form, client *clients.Client) error {
	switch responseType := f.get("response_type"); {
	case responseType == "":
		return invalidRequest("response_type is missing")
	case responseType != string(oauth2.Code): // nothing else: RFC 9700 §2.1.2
		return &failure{status: http.StatusBadRequest, code: "unsupported_response_type", description: "response_type must be code"}
	case !client.Allows(clients.AuthorizationCode):
		return &failure{status: http.StatusBadRequest, code: codeUnauthorizedClient, description: "the client is not registered for the grant type authorization_code"}
	}
	if mode := f.get("response_mode"); mode != "" && mode != modeQuery && mode != modeFormPost {
		return invalidRequest("response_mode must be query or form_post")
	}
	return nil
}

// checkUnserved refuses what would change the meaning of the request if it were passed over (OpenID Connect Core §6).
func checkUnserved(f form, _ *clients.Client) error {
	for name, code := range map[string]string{"request": "request_not_supported", "request_uri": "request_uri_not_supported"} {
		if f.get(name) != "" {
			return &failure{status: http.StatusBadRequest, code: code, description: "the parameter " + name + " is not supported"}
		}
	}
	return nil
}

func checkLengths(f form, _ *clients.Client) error {
	switch {
	case len(f.get("nonce")) > maxNonce:
		return invalidRequest("nonce is longer than 512 bytes")
	case len(f.get("login_hint")) > maxHint:
		return invalidRequest("login_hint is longer than 320 bytes")
	case len(f.get("ui_locales")) > maxHint:
		return invalidRequest("ui_locales is longer than 320 bytes")
	}
	return nil
}

// readChallenge reads the PKCE challenge: S256 and nothing else (RFC 9700 §2.1.1, RFC 7636 §4.3).
func readChallenge(f form, client *clients.Client) ([]byte, error) {
	text, method := f.get("code_challenge"), f.get("code_challenge_method")
	if text == "" && method == "" && !client.RequiresPKCE() {
		return nil, nil
	}
	if text == "" {
		return nil, invalidRequest("code_challenge is missing: PKCE is required")
	}
	if method != string(oauth2.CodeChallengeS256) {
		return nil, invalidRequest("code_challenge_method must be S256")
	}
	challenge, ok := grants.ParseChallenge(text)
	if !ok {
		return nil, invalidRequest("code_challenge must be 43 characters of base64url")
	}
	return challenge, nil
}

// readPrompt reads what the app wants people to be asked (OpenID Connect Core §3.1.2.1).
func (s *Server) readPrompt(a *authorization, f form) error {
	prompts := strings.Fields(f.get("prompt"))
	for _, prompt := range prompts {
		switch prompt {
		case "none":
			a.Silent = true
		case "login":
			a.AuthAfter = a.Asked
		case "consent":
			a.AskConsent = true
		case "select_account":
			a.Select = true
		default:
			return invalidRequest("prompt must be none, login, consent or select_account")
		}
	}
	if a.Silent && len(prompts) > 1 {
		return invalidRequest("prompt=none goes with no other")
	}
	text := f.get("max_age")
	if text == "" {
		return nil
	}
	age, ok := parseMaxAge(text)
	if !ok {
		return invalidRequest("max_age must be a number of seconds")
	}
	if after := a.Asked.Add(-age); after.After(a.AuthAfter) {
		a.AuthAfter = after
	}
	return nil
}

func parseMaxAge(text string) (time.Duration, bool) {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return 0, false
	}
	return time.Duration(min(seconds, int64(maxAgeMost/time.Second))) * time.Second, true
}

// readHint reads the ID token by which the app says whom it expects. It logs nobody in: of another person than the one
// who is here, a login is asked for.
func (s *Server) readHint(ctx context.Context, a *authorization, f form) error {
	text := f.get("id_token_hint")
	if text == "" {
		return nil
	}
	hint, err := s.readIDToken(ctx, text)
	if errors.Is(err, errNotOurIDToken) || err == nil && hint.Audience != a.ClientID {
		return invalidRequest("id_token_hint is not an ID token of this server for this client")
	}
	if err != nil {
		return err
	}
	a.Expected = hint.Subject
	return nil
}

// distinct leaves out what is there twice.
func distinct(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// moment is the time as sessions know it, to the millisecond, so that a login that follows is never older.
func (s *Server) moment() time.Time { return s.store.Now().Truncate(time.Millisecond) }
