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
)

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
	page.Groups = groupScopes(catalogue, keyScopes(catalogue, keyOwner{user: who.user}), func(scope resources.Scope) templates.ConsentScope {
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
				ID: g.ID.String(), Name: g.Label, Scopes: means.granted.Names(), Created: g.Created, Expires: g.Ends, LastUsed: g.LastUsed,
			})
		}
	}
	return s.show(c, status, page)
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
	err = s.spendOnce(c, f.get("once"), who.secret, keysPath)
	switch {
	case errors.Is(err, errFormStale):
		return refuse(templates.AccountStale)
	case errors.Is(err, errFormSpent):
		return refuse(templates.AccountTwice)
	case err != nil:
		return err
	}
	token, grant, err := s.makeKey(ctx, keyOwner{user: who.user}, newKey{
		name: page.Name, scopes: f["scope"], life: time.Duration(days) * 24 * time.Hour, login: who.session.AuthTime,
	})
	var invalid *store.InvalidError
	switch {
	case errors.As(err, &invalid) && strings.HasPrefix(invalid.Field, scopesField):
		return refuse(templates.AccountNoScope)
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
		if _, err := s.grants.EndKey(c.Request.Context(), grants.Owner{User: who.user.ID}, id); err != nil {
			return err
		}
		s.auditPerson(c.Request.Context(), "token.revoke", who.user.ID)
	}
	return doneAt(c, keysPath, templates.DoneKey)
}
