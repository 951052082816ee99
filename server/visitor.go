package server

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/mileusna/useragent"

	"github.com/safeconduct/safeconduct/users"
)

// visitor is a person who is logged in with this browser.
type visitor struct {
	session *users.Session
	user    *users.User
	secret  string // the session's cookie, which binds the forms of the account pages
}

// visitor returns who is logged in with the browser of a request, nil if nobody is.
func (s *Server) visitor(c *gin.Context) (*visitor, error) {
	secret := s.cookie(c.Request, sessionCookie)
	if secret == "" {
		return nil, nil
	}
	session, user, err := s.sessions.Resume(c.Request.Context(), secret)
	if errors.Is(err, users.ErrNoSession) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	noteOf(c.Request.Context()).userID = user.ID.String()
	return &visitor{session, user, secret}, nil
}

// withVisitor makes a handler of one that needs somebody who is logged in. Others are asked to log in first, and come to
// the page then; a form that they sent is lost.
func (s *Server) withVisitor(handle func(*gin.Context, *visitor) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		who, err := s.visitor(c)
		if err != nil {
			return err
		}
		if who == nil {
			return seeOther(c, loginPath+"?"+url.Values{"to": {pageBehindLogin(c)}}.Encode())
		}
		return handle(c, who)
	}
}

// afterLogin are the pages that a login without an app can lead to. They are named, never given as a URL: a login must
// lead nobody away.
var afterLogin = map[string]string{
	"account": accountPath, "password": passwordPath, "sessions": sessionsPath, "apps": appsPath, "tokens": keysPath,
}

// pageBehindLogin names the page that a request was for.
func pageBehindLogin(c *gin.Context) string {
	for name, path := range afterLogin {
		if c.Request.Method == http.MethodGet && c.FullPath() == path {
			return name
		}
	}
	return "account"
}

// beginSession logs a user in with this browser who has just shown who he is. What opens the session is always new: what
// the browser brought may have been planted (session fixation). A session of somebody else in it ends.
func (s *Server) beginSession(c *gin.Context, user *users.User, remember bool) error {
	before, err := s.visitor(c)
	if err != nil {
		return err
	}
	secret, session, err := s.sessions.Start(c.Request.Context(), users.NewSession{
		User: user, Remember: remember, Device: device(c.Request), Network: s.clientAddr(c.Request).String(),
		Replaces: s.cookie(c.Request, sessionCookie),
	})
	if err != nil {
		return err
	}
	life := time.Duration(0) // until the browser is closed
	if remember {
		life = session.Ends.Sub(s.store.Now())
	}
	s.setCookie(c.Writer, sessionCookie, secret, life)
	s.dropCookie(c.Writer, visitCookie)
	s.rememberBrowser(c.Writer, c.Request, user.ID)
	noteOf(c.Request.Context()).userID = user.ID.String()
	if before != nil && before.user.ID != user.ID {
		s.tellAfter(c.Request.Context(), before.user.ID, []uuid.UUID{before.session.ID})
	}
	return nil
}

// device is the browser of a request in words, such as "Firefox on Linux".
func device(r *http.Request) string {
	agent := useragent.Parse(r.UserAgent())
	switch {
	case agent.Name != "" && agent.OS != "":
		return agent.Name + " on " + agent.OS
	case agent.Name != "":
		return agent.Name
	}
	return ""
}
