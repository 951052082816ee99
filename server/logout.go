package server

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
)

const signedOutPath = "/signed-out"

// logoutRequest is what an app may say with a logout (OpenID Connect RP-Initiated Logout §2).
type logoutRequest struct {
	hint   *idToken        // nil if none came
	client *clients.Client // nil if nobody says which app it is
	then   string          // the checked address to go back to, with the state; empty for none
}

// logout is the end_session_endpoint. An app that shows an ID token of this very session has the person logged out at
// once; for everybody else the person is asked, since anything on the web can lead a browser here.
func (s *Server) logout(c *gin.Context) error {
	f, err := readAuthorization(c.Request)
	if err != nil {
		return err
	}
	noteOf(c.Request.Context()).languages = strings.Fields(f.get("ui_locales"))
	if c.Request.Method == http.MethodPost {
		// Another site's form comes without our cookies (SameSite=Lax); the redirect to ourselves brings them.
		encoded := url.Values(f).Encode()
		if len(encoded) > maxURL {
			return tooLong()
		}
		return seeOther(c, logoutPath+"?"+encoded)
	}
	asked, err := s.readLogout(c, f)
	if err != nil {
		return err
	}
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	if who == nil {
		if asked.then != "" {
			return seeOther(c, asked.then)
		}
		return seeOther(c, signedOutPath)
	}
	if asked.hint != nil && asked.hint.Session == who.session.ID.String() && isNavigation(c.Request) {
		return s.endHere(c, who, asked.then)
	}
	page := templates.LogoutPage{
		Form:   templates.Form{Action: logoutPath + "/confirm", Token: s.forms.make(who.secret, logoutPath)},
		Person: person(who.user),
	}
	if asked.client == nil {
		return s.show(c, http.StatusOK, page)
	}
	app := shownApp(asked.client, asked.then)
	page.App = &app
	page.Hidden = []templates.Field{{Name: "client_id", Value: asked.client.ID}}
	if asked.then == "" {
		return s.show(c, http.StatusOK, page)
	}
	for _, name := range []string{"post_logout_redirect_uri", "state"} {
		page.Hidden = append(page.Hidden, templates.Field{Name: name, Value: f.get(name)})
	}
	return s.show(c, http.StatusOK, page, formTarget(asked.then))
}

// readLogout checks what an app says. An address to go back to counts only if the app that registered it is known: from
// a good ID token, or by its id.
func (s *Server) readLogout(c *gin.Context, f form) (logoutRequest, error) {
	var out logoutRequest
	ctx := c.Request.Context()
	id := f.get("client_id")
	if text := f.get("id_token_hint"); text != "" {
		hint, err := s.readIDToken(ctx, text)
		switch {
		case errors.Is(err, errNotOurIDToken):
			return out, appFault("id_token_hint is not an ID token of this server")
		case err != nil:
			return out, err
		case id != "" && id != hint.Audience:
			return out, appFault("client_id is another app than id_token_hint was issued to")
		}
		out.hint, id = hint, hint.Audience
	}
	if id != "" {
		client, err := s.clients.Get(ctx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return out, err
		}
		if err == nil && !client.Disabled {
			out.client = client
			noteOf(ctx).clientID = client.ID
		}
	}
	back := f.get("post_logout_redirect_uri")
	if back == "" {
		return out, nil
	}
	if out.client == nil || !out.client.AllowsPostLogout(back) {
		return out, appFault("post_logout_redirect_uri is not one of those that the client registered, or nobody says which client it is")
	}
	if state := f.get("state"); len(state) > maxState {
		return out, appFault("state is longer than 2 KB")
	} else if state != "" {
		back = withQuery(back, []templates.Field{{Name: "state", Value: state}})
	}
	out.then = back
	return out, nil
}

// isNavigation reports whether a person's browser goes to a page, in contrast to a page that loads a picture. Browsers
// that do not say so are believed.
func isNavigation(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode == "" || mode == "navigate"
}

// confirmLogout takes the answer to the question whether to log out.
func (s *Server) confirmLogout(c *gin.Context) error {
	f, err := readPageForm(c.Request)
	if err != nil {
		return err
	}
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	if who == nil {
		return seeOther(c, signedOutPath)
	}
	if !s.forms.good(f.get("form_token"), who.secret, logoutPath) {
		return staleForm()
	}
	if f.get("decision") != "logout" {
		return seeOther(c, accountPath)
	}
	asked, err := s.readLogout(c, f) // checked anew: the form went through a browser
	if err != nil {
		return err
	}
	return s.endHere(c, who, asked.then)
}

func (s *Server) showSignedOut(c *gin.Context) error {
	return s.show(c, http.StatusOK, templates.SignedOutPage{Everywhere: query(c).get("everywhere") == "yes"})
}
