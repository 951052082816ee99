package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
)

// The ways in which an app can be answered (OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode).
const (
	modeQuery    = "query"
	modeFormPost = "form_post"
)

// authorization is a request for authorization that has passed every check (RFC 6749 §4.1.1, OpenID Connect Core
// §3.1.2.1).
type authorization struct {
	returnAddress
	ClientEpoch uint32   `json:"client_epoch"`
	Nonce       string   `json:"nonce,omitempty"`
	Challenge   []byte   `json:"challenge,omitempty"`
	Scopes      []string `json:"scopes"`
	// Targets are the identifiers of the resources that the request names (RFC 8707).
	Targets []string `json:"targets,omitempty"`
	// AuthAfter is the time before which a login is too old, zero if any will do.
	AuthAfter time.Time `json:"auth_after,omitzero"`
	// Asked is when the request came, Expected the subject of whom the app expects, empty if it does not say.
	Asked      time.Time `json:"asked"`
	Expected   string    `json:"expected,omitempty"`
	AskConsent bool      `json:"ask_consent,omitempty"`
	Select     bool      `json:"select,omitempty"`
	// Silent says that nobody may be asked anything (prompt=none).
	Silent    bool     `json:"silent,omitempty"`
	LoginHint string   `json:"login_hint,omitempty"`
	Languages []string `json:"languages,omitempty"`
}

// returnAddress is where and how the app gets its answer. It is made of checked parts alone: before there is one,
// nothing is redirected.
type returnAddress struct {
	ClientID string `json:"client_id"`
	// Home is the app's own page, for the way back from a page that explains.
	Home        string `json:"home,omitempty"`
	RedirectURI string `json:"redirect_uri"`
	// RedirectGiven says that the request named it, so the token request must too (RFC 6749 §4.1.3).
	RedirectGiven bool   `json:"redirect_given,omitempty"`
	Mode          string `json:"mode"`
	State         string `json:"state,omitempty"`
}

// authorize is the authorization endpoint (RFC 6749 §3.1). Until it is known which app asks and where its answer goes,
// every failure is a page and nothing is redirected; from then on failures go to the app.
func (s *Server) authorize(c *gin.Context) error {
	ctx := c.Request.Context()
	// A page that loads us as a picture, or by a script, is not a person on the way to us: nothing is begun for it, and no
	// code is made.
	if !isNavigation(c.Request) {
		return invalidRequest("this is a page to go to, not one to load")
	}
	// 1. Who asks, and where does the answer go?
	f, err := readAuthorization(c.Request)
	if err != nil {
		return err
	}
	client, to, err := s.returnAddressOf(ctx, f)
	if err != nil {
		return err
	}
	noteOf(ctx).clientID = client.ID
	// 2. What is asked for?
	a, err := s.readRequest(ctx, f, client, to)
	if err != nil {
		return s.refuse(c, to, err)
	}
	noteOf(ctx).languages = a.Languages
	// 3. Another site's form comes without our cookies (SameSite=Lax). A redirect to ourselves brings them.
	if c.Request.Method == http.MethodPost {
		in, err := s.park(c, a)
		if err != nil {
			return err
		}
		return seeOther(c, in.at(continuePath))
	}
	// 4. Whatever nobody needs to be asked for is answered at once.
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	next, err := s.nextStep(ctx, &a, client, who, uuid.Nil)
	if err != nil {
		return s.refuse(c, to, err)
	}
	if next.page == "" {
		return s.allow(c, nil, &approval{request: &a, client: client, who: who, names: next.scopes, remembered: next.remembered})
	}
	in, err := s.park(c, a)
	if err != nil {
		return err
	}
	return seeOther(c, in.at(next.page))
}

// carryOn leads an open interaction to its next step.
func (s *Server) carryOn(c *gin.Context) error {
	in, err := s.open(c)
	if err != nil {
		return err
	}
	return s.proceed(c, in)
}

// proceed answers the app if nobody needs to be asked any more, and leads to the next page otherwise.
func (s *Server) proceed(c *gin.Context, in *interaction) error {
	ctx := c.Request.Context()
	a := &in.Authorization
	client, err := s.stillAsks(ctx, a)
	if err != nil {
		return err
	}
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	next, err := s.nextStep(ctx, a, client, who, in.Chosen)
	if err != nil {
		return s.refuse(c, a.returnAddress, err)
	}
	if next.page == "" {
		return s.allow(c, in, &approval{request: a, client: client, who: who, names: next.scopes, remembered: next.remembered})
	}
	return seeOther(c, in.at(next.page))
}

// stillAsks returns the client of a parked request, if it stands as it did when it asked.
func (s *Server) stillAsks(ctx context.Context, a *authorization) (*clients.Client, error) {
	client, err := s.clients.Get(ctx, a.ClientID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err != nil || client.Disabled || client.Epoch != a.ClientEpoch || !client.AllowsRedirect(a.RedirectURI) {
		return nil, appFault("the client was changed, disabled or deleted meanwhile")
	}
	noteOf(ctx).clientID = client.ID
	return client, nil
}

// step is what is to come next: a page, or nothing but the answer, with these scopes.
type step struct {
	page   string
	scopes []string
	// remembered says that nobody is asked because of what was allowed before.
	remembered bool
}

// nextStep decides what must still be asked before the app is answered. It returns an error for the app where nothing
// may be asked, or where the person cannot give what is asked for.
func (s *Server) nextStep(ctx context.Context, a *authorization, client *clients.Client, who *visitor, chosen uuid.UUID) (step, error) {
	hasJustLoggedIn := who != nil && who.session.AuthTime.After(a.Asked)
	switch {
	case who == nil || who.session.AuthTime.Before(a.AuthAfter) || a.expectsAnother(who) && !hasJustLoggedIn:
		return a.ask(loginPath, "login_required")
	case a.expectsAnother(who):
		// OpenID Connect Core §3.1.2.2: the app gets nothing of another person, even of one who logged in for it.
		return step{}, &failure{status: http.StatusForbidden, code: "login_required", description: "another user has logged in than the one that id_token_hint is about"}
	case a.Select && chosen != who.session.ID && !hasJustLoggedIn: // a login is a choice
		return a.ask(selectPath, "account_selection_required")
	}
	if !who.user.Admin && slices.ContainsFunc(a.Scopes, func(name string) bool { return strings.HasPrefix(name, adminPrefix) }) {
		return step{}, &failure{status: http.StatusForbidden, code: codeAccessDenied, description: "the user is no administrator"}
	}
	granted, err := s.withoutAsking(ctx, a, client, who.user)
	if err != nil {
		return step{}, err
	}
	if len(granted) == 0 {
		return a.ask(consentPath, "consent_required")
	}
	return step{scopes: granted, remembered: !client.FirstParty}, nil
}

// expectsAnother reports whether the app expects somebody else than who is here.
func (a *authorization) expectsAnother(who *visitor) bool {
	return a.Expected != "" && a.Expected != who.user.ID.String()
}

// ask is the step to a page, or the error that stands in its place (OpenID Connect Core §3.1.2.6).
func (a *authorization) ask(page, code string) (step, error) {
	if a.Silent {
		return step{}, &failure{status: http.StatusBadRequest, code: code, description: "the user would have to be asked, and prompt=none forbids it"}
	}
	return step{page: page}, nil
}

// appFault is a failure that is the app's and that cannot be told to it.
func appFault(description string) *failure {
	return &failure{status: http.StatusBadRequest, code: codeInvalidRequest, problem: templates.ProblemApp, description: description}
}
