package server

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
	"github.com/safeconduct/safeconduct/users"
)

// loginScene is what a login is for: an app's request, or the account pages.
type loginScene struct {
	in      *interaction    // nil for the account pages
	client  *clients.Client // of the interaction
	to      string          // the name of an account page
	binding string          // the secret of this browser that its form is bound to
}

// loginScene reads what the URL says. The form's token is bound to the request's cookie, or to one that is made for who
// has not logged in yet: a login that another site has prepared would make people work in somebody else's account.
func (s *Server) loginScene(c *gin.Context) (*loginScene, error) {
	f := query(c)
	if f.get("tx") == "" {
		to := f.get("to")
		if afterLogin[to] == "" {
			to = "account"
		}
		return &loginScene{to: to, binding: s.visit(c)}, nil
	}
	in, err := s.open(c)
	if err != nil {
		return nil, err
	}
	client, err := s.stillAsks(c.Request.Context(), &in.Authorization)
	if err != nil {
		return nil, err
	}
	return &loginScene{in: in, client: client, binding: in.secret}, nil
}

func (l *loginScene) action() string {
	if l.in != nil {
		return l.in.at(loginPath)
	}
	return loginPath + "?" + url.Values{"to": {l.to}}.Encode()
}

func (s *Server) showLogin(c *gin.Context) error {
	scene, err := s.loginScene(c)
	if err != nil {
		return err
	}
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	if who != nil && scene.in == nil && query(c).get("as") != "other" {
		return seeOther(c, afterLogin[scene.to])
	}
	page := templates.LoginPage{}
	if scene.in != nil {
		page.Username = scene.in.Authorization.LoginHint
	}
	if who != nil && query(c).get("as") != "other" && (scene.in == nil || !scene.in.Authorization.expectsAnother(who)) {
		page.Again, page.Username = true, who.user.Username
	}
	return s.answerLogin(c, scene, http.StatusOK, page)
}

// answerLogin shows the login page for a scene.
func (s *Server) answerLogin(c *gin.Context, scene *loginScene, status int, page templates.LoginPage) error {
	token := s.forms.make(scene.binding, loginPath)
	if scene.in == nil && status == http.StatusOK && page == (templates.LoginPage{}) {
		return s.answerPlainLogin(c, scene, token)
	}
	page.Form = templates.Form{Action: scene.action(), Token: token}
	page.RememberFor = s.sessions.Limits().Remember
	if scene.in == nil {
		return s.show(c, status, page)
	}
	to := scene.in.Authorization.RedirectURI
	app := shownApp(scene.client, to)
	page.App, page.Cancel = &app, scene.in.at(cancelPath)
	return s.show(c, status, page, formTarget(to))
}

// login looks at a username and a password. What it answers to a wrong one says neither which of the two was wrong nor
// whether there is such a user.
func (s *Server) login(c *gin.Context) error {
	scene, err := s.loginScene(c)
	if err != nil {
		return err
	}
	f, err := readPageForm(c.Request)
	if err != nil {
		return err
	}
	page := templates.LoginPage{Username: f.get("username"), Remember: f.get("remember") != ""}
	if !s.forms.good(f.get("form_token"), scene.binding, loginPath) {
		page.Problem = templates.LoginStale
		return s.answerLogin(c, scene, http.StatusForbidden, page)
	}
	if f.get("username") == "" || f.get("password") == "" {
		page.Problem = templates.LoginEmpty
		return s.answerLogin(c, scene, http.StatusBadRequest, page)
	}
	ctx := c.Request.Context()
	user, err := s.users.Authenticate(ctx, users.Attempt{
		Username: f.get("username"), Password: f.get("password"), Network: s.clientAddr(c.Request), KnownBrowser: s.knownBrowser(c.Request),
	})
	if err != nil {
		s.auditLogin(ctx, scene.clientID(), s.clientAddr(c.Request), err)
		return s.refuseLogin(c, scene, page, err)
	}
	if err := s.beginSession(c, user, page.Remember); err != nil {
		return s.refuseLogin(c, scene, page, err)
	}
	s.auditPerson(ctx, "login", user.ID)
	if scene.in == nil {
		return seeOther(c, afterLogin[scene.to])
	}
	return seeOther(c, scene.in.at(continuePath))
}

func (l *loginScene) clientID() string {
	if l.client == nil {
		return ""
	}
	return l.client.ID
}

// refuseLogin shows the login page again, with what may be told. The store in trouble is not among it.
func (s *Server) refuseLogin(c *gin.Context, scene *loginScene, page templates.LoginPage, err error) error {
	var limited *users.LimitedError
	status := http.StatusForbidden
	switch {
	case errors.As(err, &limited):
		status, page.Problem, page.RetryAfter = http.StatusTooManyRequests, templates.LoginLimited, limited.RetryAfter
	case errors.Is(err, users.ErrBusy):
		status, page.Problem, page.RetryAfter = http.StatusServiceUnavailable, templates.LoginBusy, unavailableRetry
	case errors.Is(err, users.ErrCredentials), errors.Is(err, users.ErrNoSession):
		page.Problem = templates.LoginWrong
	default:
		return err
	}
	noteOf(c.Request.Context()).failure = failureOf(err)
	if page.RetryAfter > 0 {
		c.Header("Retry-After", seconds(page.RetryAfter))
	}
	return s.answerLogin(c, scene, status, page)
}

// shownApp is a client as people see it.
func shownApp(client *clients.Client, redirectURI string) templates.App {
	app := templates.App{Name: client.Name, Target: shownTarget(redirectURI), Own: client.FirstParty, Unproven: !client.Confidential()}
	if u, err := url.Parse(client.ClientURI); err == nil {
		app.Host = u.Host
	}
	return app
}

// showSelect asks with which account to go on (OpenID Connect Core §3.1.2.1, prompt=select_account).
func (s *Server) showSelect(c *gin.Context) error {
	in, client, who, err := s.openFor(c)
	if err != nil || who == nil {
		return err
	}
	to := in.Authorization.RedirectURI
	return s.show(c, http.StatusOK, templates.SelectPage{
		Form: templates.Form{Action: in.at(selectPath), Token: s.forms.make(in.secret, selectPath)},
		App:  shownApp(client, to), Person: person(who.user),
	}, formTarget(to))
}

func (s *Server) selectAccount(c *gin.Context) error {
	in, _, who, err := s.openFor(c)
	if err != nil || who == nil {
		return err
	}
	f, err := readPageForm(c.Request)
	if err != nil {
		return err
	}
	if !s.forms.good(f.get("form_token"), in.secret, selectPath) {
		return staleForm()
	}
	if f.get("decision") != "continue" {
		return seeOther(c, in.at(loginPath)+"&as=other")
	}
	in.Chosen = who.session.ID
	// Whoever wrote at the same time was a second click, or an answer in another tab: the next step looks again.
	if err := s.write(c.Request.Context(), in); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	return seeOther(c, in.at(continuePath))
}

// openFor is an open interaction with its client and who is logged in. Where nobody is, it has led to the login, and
// the visitor is nil.
func (s *Server) openFor(c *gin.Context) (*interaction, *clients.Client, *visitor, error) {
	in, err := s.open(c)
	if err != nil {
		return nil, nil, nil, err
	}
	client, err := s.stillAsks(c.Request.Context(), &in.Authorization)
	if err != nil {
		return nil, nil, nil, err
	}
	who, err := s.visitor(c)
	if err == nil && who == nil {
		err = seeOther(c, in.at(loginPath))
	}
	return in, client, who, err
}

func person(user *users.User) templates.Person {
	return templates.Person{Username: user.Username, Name: user.Name}
}
