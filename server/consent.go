package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/templates"
	"github.com/safeconduct/safeconduct/users"
)

// withoutAsking returns the scopes that the user gives without being asked: to a client of our own, and to one that
// proves who it is what the user allowed it before and let us remember (RFC 9700 §4.11, RFC 8252 §8.6: others can pass for
// a client that cannot prove itself, so its users are always asked).
func (s *Server) withoutAsking(ctx context.Context, a *authorization, client *clients.Client, user *users.User) ([]string, error) {
	if a.AskConsent || !client.Confidential() {
		return nil, nil
	}
	if client.FirstParty {
		return a.Scopes, nil
	}
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	earlier, err := s.grants.Consent(ctx, user.ID, client.Number, client.Epoch)
	if err != nil {
		return nil, err
	}
	covered := namesOf(catalogue, earlier.Covers(numbersOf(catalogue, a.Scopes), numbersOf(catalogue, required(client, a.Scopes))))
	return slices.DeleteFunc(slices.Clone(a.Scopes), func(name string) bool { return !covered[name] }), nil
}

func namesOf(catalogue *resources.Catalogue, numbers []uint32) map[string]bool {
	names := make(map[string]bool, len(numbers))
	for _, number := range numbers {
		if scope, _, known := catalogue.ScopeByNumber(number); known {
			names[scope.Name] = true
		}
	}
	return names
}

// required are those of the scopes that cannot be refused alone: the identity that OpenID Connect stands on, and what
// the client's registration says.
func required(client *clients.Client, names []string) []string {
	var out []string
	for _, name := range names {
		if name == scopeOpenID || slices.Contains(client.RequiredScopes, name) {
			out = append(out, name)
		}
	}
	return out
}

func (s *Server) showConsent(c *gin.Context) error {
	in, client, who, err := s.openFor(c)
	if err != nil || who == nil {
		return err
	}
	next, err := s.nextStep(c.Request.Context(), &in.Authorization, client, who, in.Chosen)
	if err != nil {
		return s.refuse(c, in.Authorization.returnAddress, err)
	}
	if next.page != consentPath {
		return seeOther(c, in.at(continuePath)) // logged out, or answered in another tab, meanwhile
	}
	return s.answerConsent(c, in, client, who, nil, http.StatusOK)
}

// answerConsent shows the consent page; ticked is nil for the first time, or the boxes of the form that came back.
func (s *Server) answerConsent(c *gin.Context, in *interaction, client *clients.Client, who *visitor, ticked []string, status int) error {
	ctx := c.Request.Context()
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return err
	}
	before, err := s.grants.Consent(ctx, who.user.ID, client.Number, client.Epoch)
	if err != nil {
		return err
	}
	var asked, granted map[string]bool
	if before != nil {
		asked, granted = namesOf(catalogue, before.Asked), namesOf(catalogue, before.Granted)
	}
	a := &in.Authorization
	must := required(client, a.Scopes)
	groups := groupScopes(catalogue, a.Scopes, func(scope resources.Scope) templates.ConsentScope {
		line := templates.ConsentScope{Required: slices.Contains(must, scope.Name), Sensitive: scope.Sensitive}
		line.New = before != nil && !granted[scope.Name]
		switch {
		case ticked != nil:
			line.Ticked = slices.Contains(ticked, scope.Name)
		case asked[scope.Name]:
			line.Ticked = granted[scope.Name]
		default:
			line.Ticked = !scope.Sensitive
		}
		line.Ticked = line.Ticked || line.Required
		return line
	})
	return s.show(c, status, templates.ConsentPage{
		Form: templates.Form{Action: in.at(consentPath), Token: s.forms.make(in.secret, consentPath+who.user.ID.String())},
		App:  shownApp(client, a.RedirectURI), Person: person(who.user), Switch: in.at(loginPath) + "&as=other",
		Groups: groups, Returning: before != nil, MayRemember: client.Confidential(), NothingTicked: ticked != nil,
	}, formTarget(a.RedirectURI))
}

// groupScopes puts scopes in groups by their resource, as people read them.
func groupScopes(catalogue *resources.Catalogue, names []string, line func(resources.Scope) templates.ConsentScope) []templates.ConsentGroup {
	var groups []templates.ConsentGroup
	place := make(map[uint32]int)
	for _, name := range names {
		scope, resource, known := catalogue.Scope(name)
		if !known {
			continue
		}
		at, seen := place[resource.Number]
		if !seen {
			at = len(groups)
			place[resource.Number] = at
			groups = append(groups, templates.ConsentGroup{Resource: resource.Name})
		}
		l := line(scope)
		l.Name, l.Title, l.Description = scope.Name, scope.Title, scope.Description
		for _, number := range catalogue.Expand([]uint32{scope.Number})[1:] {
			included, _, _ := catalogue.ScopeByNumber(number)
			l.Includes = append(l.Includes, cmp.Or(included.Title, included.Name))
		}
		groups[at].Scopes = append(groups[at].Scopes, l)
	}
	return groups
}

// consent takes the person's decision. Its form is bound to the request and to the person, so it decides for nobody
// else and for nothing else; what is asked for comes from our record alone.
func (s *Server) consent(c *gin.Context) error {
	in, err := s.parked(c)
	if err != nil {
		return err
	}
	client, err := s.stillAsks(c.Request.Context(), &in.Authorization)
	if err != nil {
		return err
	}
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	if who == nil {
		return seeOther(c, in.at(loginPath))
	}
	f, err := readPageForm(c.Request, "scope")
	if err != nil {
		return err
	}
	if !s.forms.good(f.get("form_token"), in.secret, consentPath+who.user.ID.String()) {
		return staleForm()
	}
	allows := f.get("decision") == "allow"
	switch {
	case in.Outcome != "" && allows:
		return s.answerAgain(c, allowed)
	case !allows:
		return s.decline(c, in)
	}
	return s.consentTo(c, in, client, who, f)
}

func (s *Server) consentTo(c *gin.Context, in *interaction, client *clients.Client, who *visitor, f form) error {
	ctx := c.Request.Context()
	a := &in.Authorization
	// The login may have become too old, or another one, since the page was shown.
	next, err := s.nextStep(ctx, a, client, who, in.Chosen)
	if err != nil {
		return s.refuse(c, a.returnAddress, err)
	}
	if next.page != consentPath {
		return seeOther(c, in.at(continuePath))
	}
	must := required(client, a.Scopes)
	var granted []string
	for _, name := range a.Scopes { // never more than was asked for, whatever the form says
		if slices.Contains(must, name) || slices.Contains(f["scope"], name) {
			granted = append(granted, name)
		}
	}
	if len(granted) == 0 {
		return s.answerConsent(c, in, client, who, []string{}, http.StatusBadRequest)
	}
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return err
	}
	return s.allow(c, in, &approval{request: a, client: client, who: who, names: granted, consent: &grants.Consent{
		Client: client.Number, ClientEpoch: client.Epoch, Asked: numbersOf(catalogue, a.Scopes), Granted: numbersOf(catalogue, granted),
		Remember: client.Confidential() && f.get("remember") != "", Given: s.store.Now(),
	}})
}

func numbersOf(catalogue *resources.Catalogue, names []string) []uint32 {
	var numbers []uint32
	for _, name := range names {
		if scope, _, known := catalogue.Scope(name); known {
			numbers = append(numbers, scope.Number)
		}
	}
	return numbers
}
