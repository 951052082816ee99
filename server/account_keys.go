package server

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
	"github.com/safeconduct/safeconduct/users"
)

const keyDays = 30 // how long a personal access token lives unless the person chooses otherwise

// keyLives are the lives to choose from, in days.
var keyLives = []int{7, 30, 90, 180, 365}

func (s *Server) showKeys(c *gin.Context, who *visitor) error {
	return s.answerKeys(c, who, http.StatusOK, templates.KeysPage{Days: keyDays}, nil)
}

// answerKeys shows the personal access tokens, by everything but themselves, and the form for a new one.
func (s *Server) answerKeys(c *gin.Context, who *visitor, status int, page templates.KeysPage, ticked []string) error {
	ctx := c.Request.Context()
	problem := page.Problem
	page.Account = s.account(c, who)
	page.Problem = problem
	page.Once = s.forms.makeOnce(who.secret, keysPath)
	page.Choices = keyLives
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return err
	}
	page.Groups = groupScopes(catalogue, keyScopes(catalogue, who.user), func(scope resources.Scope) templates.ConsentScope {
		return templates.ConsentScope{Sensitive: scope.Sensitive, Ticked: slices.Contains(ticked, scope.Name)}
	})
	held, err := s.grantsOf(ctx, who.user.ID)
	if err != nil {
		return err
	}
	for _, g := range slices.Backward(held) {
		if g.Key {
			means := describe(catalogue, ownKeys, g)
			page.Keys = append(page.Keys, templates.KeyRow{
				ID: g.ID.String(), Name: g.Label, Scopes: means.scopes.Names(), Created: g.Created, Expires: g.Ends, LastUsed: g.LastUsed,
			})
		}
	}
	return s.show(c, status, page)
}

// keyScopes are the scopes that a person may give to a token of his own: those of all APIs, and administration only if
// he has it. OpenID Connect is about logins at apps.
func keyScopes(catalogue *resources.Catalogue, user *users.User) []string {
	var names []string
	for _, resource := range catalogue.All() {
		if resource.Disabled || isIdentity(resource) {
			continue
		}
		for _, scope := range resource.Scopes {
			if user.Admin || !strings.HasPrefix(scope.Name, adminPrefix) {
				names = append(names, scope.Name)
			}
		}
	}
	return names
}

func (s *Server) createKey(c *gin.Context, who *visitor) error {
	f, err := readPageForm(c.Request, "scope")
	if err != nil {
		return err
	}
	if !s.forms.good(f.get("form_token"), who.secret, accountForms) {
		return staleForm()
	}
	ctx := c.Request.Context()
	days, err := strconv.Atoi(f.get("days"))
	page := templates.KeysPage{Name: f.get("name"), Days: days}
	refuse := func(problem templates.AccountProblem) error {
		page.Problem = problem
		return s.answerKeys(c, who, http.StatusBadRequest, page, f["scope"])
	}
	switch {
	case err != nil || !slices.Contains(keyLives, days):
		page.Days = keyDays
		return refuse(templates.AccountBadExpiry)
	case page.Name == "":
		return refuse(templates.AccountNoName)
	case len(f["scope"]) == 0:
		return refuse(templates.AccountNoScope)
	}
	// The answer shows the token, so the form cannot lead elsewhere, and sent again it would make another one.
	first, err := s.spendOnce(c, f.get("once"), who.secret, keysPath)
	if err != nil {
		return err
	}
	if !first {
		return refuse(templates.AccountStale)
	}
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return err
	}
	offered := keyScopes(catalogue, who.user)
	var access grantAccess
	for _, name := range f["scope"] {
		if !slices.Contains(offered, name) {
			return refuse(templates.AccountNoScope)
		}
		scope, resource, _ := catalogue.Scope(name)
		access.add(scope.Number, resource)
	}
	token, grant, err := s.grants.IssueKey(ctx, grants.Delegation{
		User: who.user.ID, UserEpoch: who.user.Epoch, Scopes: access.scopes, Resources: access.resources,
		Method: grants.MethodPassword, AuthTime: who.session.AuthTime,
	}, grants.Key{Label: page.Name, Life: time.Duration(days) * 24 * time.Hour})
	var invalid *store.InvalidError
	switch {
	case errors.As(err, &invalid):
		return refuse(templates.AccountBadName)
	case errors.Is(err, grants.ErrTooMany):
		return refuse(templates.AccountTooMany)
	case err != nil:
		return err
	}
	s.auditPerson(ctx, "token.create", who.user.ID)
	return s.answerKeys(c, who, http.StatusOK, templates.KeysPage{New: token, NewName: grant.Label, Days: keyDays}, nil)
}

func (s *Server) revokeKey(c *gin.Context, who *visitor) error {
	f, err := s.accountForm(c, who)
	if err != nil {
		return err
	}
	if id, err := uuid.Parse(f.get("token")); err == nil {
		if _, err := s.grants.End(c.Request.Context(), who.user.ID, id); err != nil {
			return err
		}
		s.auditPerson(c.Request.Context(), "token.revoke", who.user.ID)
	}
	return doneAt(c, keysPath, templates.DoneKey)
}
