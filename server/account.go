package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/templates"
	"github.com/safeconduct/safeconduct/users"
)

// accountForms is what the forms of the account pages are for.
const accountForms = "account"

func (s *Server) goToAccount(c *gin.Context) error { return seeOther(c, accountPath) }

// goToPassword is where password managers look (W3C: A Well-Known URL for Changing Passwords).
func (s *Server) goToPassword(c *gin.Context) error { return seeOther(c, passwordPath) }

// account is what all account pages share.
func (s *Server) account(c *gin.Context, who *visitor) templates.Account {
	done := isOneOf(query(c).get("done"), templates.DoneProfile, templates.DonePassword, templates.DoneSession, templates.DoneSessions,
		templates.DoneNamed, templates.DoneApp, templates.DoneKey)
	return templates.Account{Person: person(who.user), Token: s.forms.make(who.secret, accountForms), Done: done}
}

// accountForm reads a form of an account page that is bound to the session.
func (s *Server) accountForm(c *gin.Context, who *visitor) (form, error) {
	f, err := readPageForm(c.Request)
	if err != nil {
		return nil, err
	}
	if !s.forms.good(f.get("form_token"), who.secret, accountForms) {
		return nil, staleForm()
	}
	return f, nil
}

// doneAt leads back to a page, which then says what was done.
func doneAt(c *gin.Context, path string, what templates.Done) error {
	return seeOther(c, path+"?"+url.Values{"done": {string(what)}}.Encode())
}

func (s *Server) showAccount(c *gin.Context, who *visitor) error {
	return s.answerAccount(c, who, http.StatusOK, "")
}

func (s *Server) answerAccount(c *gin.Context, who *visitor, status int, problem templates.AccountProblem) error {
	ctx := c.Request.Context()
	sessions, err := s.sessions.List(ctx, who.user.ID)
	if err != nil {
		return err
	}
	held, err := s.grantsOf(ctx, who.user.ID)
	if err != nil {
		return err
	}
	apps, keys := make(map[uint32]bool), 0
	for _, g := range held {
		if g.Key {
			keys++
		} else {
			apps[g.Client] = true
		}
	}
	page := templates.AccountPage{
		Account: s.account(c, who), Email: who.user.Email, Created: who.user.Created, PasswordChanged: who.user.PasswordChanged,
		Sessions: len(sessions), Apps: len(apps), Keys: keys,
	}
	page.Problem = problem
	return s.show(c, status, page)
}

// changeProfile changes what a person may change of himself without asking anybody.
func (s *Server) changeProfile(c *gin.Context, who *visitor) error {
	f, err := s.accountForm(c, who)
	if err != nil {
		return err
	}
	err = s.users.Rename(c.Request.Context(), who.user.ID, f.get("name"))
	var invalid *users.InvalidError
	if errors.As(err, &invalid) {
		return s.answerAccount(c, who, http.StatusBadRequest, templates.AccountBadName)
	}
	if err != nil {
		return err
	}
	s.auditPerson(c.Request.Context(), "user.rename", who.user.ID)
	return doneAt(c, accountPath, templates.DoneProfile)
}

func (s *Server) showPassword(c *gin.Context, who *visitor) error {
	return s.show(c, http.StatusOK, templates.PasswordPage{Account: s.account(c, who), MinLength: users.PasswordMin})
}

// changePassword asks for the current one, with the same limits on guessing as a login. Everything that was granted in
// the person's name ends, all sessions included; this browser gets a new one.
func (s *Server) changePassword(c *gin.Context, who *visitor) error {
	f, err := s.accountForm(c, who)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	refuse := func(status int, problem templates.AccountProblem) error {
		page := templates.PasswordPage{Account: s.account(c, who), MinLength: users.PasswordMin}
		page.Problem = problem
		return s.show(c, status, page)
	}
	if f.get("new_password") != f.get("repeat_password") {
		return refuse(http.StatusBadRequest, templates.AccountMismatch)
	}
	// Looked at before the current one: nobody should have to type both again because of a rule.
	if err := users.CheckPassword(f.get("new_password")); err != nil {
		return refuse(http.StatusBadRequest, templates.AccountBadPassword)
	}
	err = s.endingSessions(ctx, who.user.ID, func(ctx context.Context, id uuid.UUID) error {
		return s.users.ChangePassword(ctx, id, users.Attempt{
			Password: f.get("current_password"), Network: s.clientAddr(c.Request),
			// Strangers who guess must not keep him from changing it.
			KnownBrowser: func(uuid.UUID) string { return who.session.ID.String() },
		}, f.get("new_password"))
	})
	var limited *users.LimitedError
	switch {
	case errors.As(err, &limited):
		c.Header("Retry-After", seconds(limited.RetryAfter))
		return refuse(http.StatusTooManyRequests, templates.AccountLimited)
	case errors.Is(err, users.ErrBusy):
		c.Header("Retry-After", seconds(unavailableRetry))
		return refuse(http.StatusServiceUnavailable, templates.AccountBusy)
	case errors.Is(err, users.ErrCredentials):
		return refuse(http.StatusForbidden, templates.AccountWrongPassword)
	case err != nil:
		return err
	}
	s.auditPerson(ctx, "user.password.change", who.user.ID)
	user, err := s.users.Fresh(ctx, who.user.ID)
	if err != nil {
		return err
	}
	err = s.beginSession(c, user, who.session.Remember)
	if errors.Is(err, users.ErrNoSession) {
		return seeOther(c, loginPath) // disabled, or logged out everywhere, in this very moment
	}
	if err != nil {
		return err
	}
	return doneAt(c, passwordPath, templates.DonePassword)
}

// grantsOf lists all live grants of a user. There are at most a few dozen for each client.
func (s *Server) grantsOf(ctx context.Context, user uuid.UUID) ([]grants.Grant, error) {
	var all []grants.Grant
	after := grants.Cursor{}
	for {
		found, err := s.grants.List(ctx, user, after, listMost)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if len(found) < listMost {
			return all, nil
		}
		if after, err = grants.ParseCursor(found[len(found)-1].Cursor()); err != nil {
			return nil, err
		}
	}
}
