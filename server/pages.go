package server

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/templates"
)

// The paths of the pages that people see.
const (
	authorizePath      = "/oauth/authorize"
	continuePath       = "/oauth/continue"
	cancelPath         = "/oauth/cancel"
	logoutPath         = "/oauth/logout"
	loginPath          = "/login"
	selectPath         = "/select"
	consentPath        = "/consent"
	accountPath        = "/account"
	passwordPath       = "/account/password"
	sessionsPath       = "/account/sessions"
	appsPath           = "/account/apps"
	keysPath           = "/account/tokens"
	changePasswordPath = "/.well-known/change-password"
	assetsPath         = "/assets/"
)

// pageRoute is a page, or what a form of a page is sent to. Unlike the routes of the API its errors are pages too.
type pageRoute struct {
	method, path string
	handler      func(*gin.Context) error
	// fromApps says that other sites may send people here by a form, as OpenID Connect wants it. Everything else that
	// is posted must come from a page of ours.
	fromApps bool
}

func (s *Server) pageRoutes() []pageRoute {
	const get, post = http.MethodGet, http.MethodPost
	return []pageRoute{
		{get, authorizePath, s.authorize, true},
		{post, authorizePath, s.authorize, true},
		{get, continuePath, s.carryOn, false},
		{post, cancelPath, s.cancel, false},
		{get, logoutPath, s.logout, true},
		{post, logoutPath, s.logout, true},
		{post, logoutPath + "/confirm", s.confirmLogout, false},
		{get, loginPath, s.showLogin, false},
		{post, loginPath, s.login, false},
		{get, selectPath, s.showSelect, false},
		{post, selectPath, s.selectAccount, false},
		{get, consentPath, s.showConsent, false},
		{post, consentPath, s.consent, false},
		{get, "/signed-out", s.showSignedOut, false},

		{get, "/", s.goToAccount, false},
		{get, changePasswordPath, s.goToPassword, false},
		{get, accountPath, s.withVisitor(s.showAccount), false},
		{post, accountPath, s.withVisitor(s.changeProfile), false},
		{post, accountPath + "/logout", s.withVisitor(s.logoutHere), false},
		{post, accountPath + "/logout-everywhere", s.withVisitor(s.logoutEverywhere), false},
		{get, passwordPath, s.withVisitor(s.showPassword), false},
		{post, passwordPath, s.withVisitor(s.changePassword), false},
		{get, sessionsPath, s.withVisitor(s.showSessions), false},
		{post, sessionsPath + "/end", s.withVisitor(s.endSession), false},
		{post, sessionsPath + "/end-others", s.withVisitor(s.endOtherSessions), false},
		{post, sessionsPath + "/name", s.withVisitor(s.nameSession), false},
		{get, appsPath, s.withVisitor(s.showApps), false},
		{post, appsPath + "/revoke", s.withVisitor(s.revokeApp), false},
		{get, keysPath, s.withVisitor(s.showKeys), false},
		{post, keysPath, s.withVisitor(s.createKey), false},
		{post, keysPath + "/revoke", s.withVisitor(s.revokeKey), false},
	}
}

// mountPages adds the pages and what they are made of.
func (s *Server) mountPages(engine *gin.Engine) {
	for _, r := range s.pageRoutes() {
		engine.Handle(r.method, r.path, s.page(r))
	}
	engine.GET(assetsPath+":name", s.asset)
}

// page makes a handler of a page route: it keeps forged forms out and turns errors into pages.
func (s *Server) page(r pageRoute) gin.HandlerFunc {
	return func(c *gin.Context) {
		noteOf(c.Request.Context()).page = true
		if !r.fromApps {
			// Of two guards against forged forms this is the first; the second is the token in each form.
			if err := s.crossOrigin.Check(c.Request); err != nil {
				s.fail(c, &failure{status: http.StatusForbidden, code: codeAccessDenied, problem: templates.ProblemForged,
					description: "the form did not come from a page of this server", cause: err})
				return
			}
		}
		if err := r.handler(c); err != nil {
			s.fail(c, err)
		}
	}
}

// show answers with a page. Its forms may lead to ourselves and to targets, which are CSP sources.
func (s *Server) show(c *gin.Context, status int, page templates.Page, targets ...string) error {
	var body bytes.Buffer
	if err := s.pages.Render(&body, s.language(c), page); err != nil {
		return err
	}
	s.answerPage(c, status, body.Bytes(), targets...)
	return nil
}

// answerPage answers with a page that has been rendered.
func (s *Server) answerPage(c *gin.Context, status int, body []byte, targets ...string) {
	h := c.Writer.Header()
	s.pageHeader.copyTo(h)
	if len(targets) > 0 {
		h.Set("Content-Security-Policy", contentSecurityPolicy(targets))
	}
	// Without it a page of more than 2 KB would be sent in chunks.
	h.Set("Content-Length", strconv.Itoa(len(body)))
	respond(c, status, htmlMedia, body)
}

// pageHeader are the headers of a page whose forms lead to ourselves.
func pageHeader() sharedHeader {
	var h sharedHeader
	h.add("Content-Security-Policy", contentSecurityPolicy(nil))
	h.add("X-Frame-Options", "DENY")
	// Nothing of our URLs reaches another site. no-referrer would do the same, but browsers then send forms with
	// "Origin: null" (Fetch Standard §3.2), which cannot be told from a forged one.
	h.add("Referrer-Policy", "same-origin")
	h.add("Permissions-Policy", "accelerometer=(), camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.add("Vary", "Accept-Language, Cookie")
	return h
}

// contentSecurityPolicy lets a page load what is ours and nothing else. Chromium applies form-action to the redirects
// that follow a form, so the page must name where its form will end.
func contentSecurityPolicy(targets []string) string {
	return "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; " +
		"frame-ancestors 'none'; form-action 'self'" + strings.Join(append([]string{""}, targets...), " ")
}

// formTarget is a redirect URI as a CSP source: its origin, or its scheme where that has no origin.
func formTarget(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return ""
	case u.Scheme != "http" && u.Scheme != "https":
		return u.Scheme + ":"
	case strings.Contains(u.Host, "["):
		return u.Scheme + ":" // CSP has no spelling for IPv6 addresses
	}
	return u.Scheme + "://" + u.Host
}

// shownTarget is where the browser will be sent to, as a person reads it.
func shownTarget(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		scheme, _, _ := strings.Cut(uri, ":")
		return scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// seeOther leads the browser on. 303, because 307 would send a password on with it (RFC 9700 §4.12).
func seeOther(c *gin.Context, to string) error {
	c.Header("Location", to)
	c.Status(http.StatusSeeOther)
	c.Writer.WriteHeaderNow()
	return nil
}

// language is the language of a request's page: that which the app asked for, else the browser's.
func (s *Server) language(c *gin.Context) string {
	return s.pages.Language(c.GetHeader("Accept-Language"), noteOf(c.Request.Context()).languages...)
}

// asset answers with a style sheet, a script or a picture. Their names change with their content.
func (s *Server) asset(c *gin.Context) {
	found, ok := s.pages.Asset(c.Param("name"))
	if !ok {
		s.fail(c, notFound("this file"))
		return
	}
	c.Header("Cache-Control", "public, max-age=31536000, immutable")
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") // a logo in SVG runs nothing
	c.Data(http.StatusOK, found.Type, found.Body)
}

// wantsPage reports whether a failure is better told by a page: to who came by a page's route, and to a browser that
// asked for what does not exist, or under a name that is not ours.
func wantsPage(c *gin.Context, f *failure) bool {
	if noteOf(c.Request.Context()).page {
		return true
	}
	astray := c.FullPath() == "" || f.status == http.StatusMisdirectedRequest
	return astray && c.Request.Method == http.MethodGet && !strings.HasPrefix(c.Request.URL.Path, apiPath) &&
		wantsMediaType(c.Request, "text/html")
}

// failPage answers with the page of a failure.
func (s *Server) failPage(c *gin.Context, f *failure) {
	n := noteOf(c.Request.Context())
	page := templates.ProblemPage{Kind: f.problemKind(), Detail: f.description, RequestID: n.id, Time: s.store.Now().UTC(), Back: f.back, RetryAfter: f.retryAfter}
	if err := s.show(c, f.status, page); err != nil {
		s.logFailure(c.Request.Context(), f.status, err)
		c.String(f.status, "%s (request %s)\n", http.StatusText(f.status), n.id)
	}
}

// problemKind is which page tells of a failure.
func (f *failure) problemKind() templates.Problem {
	switch {
	case f.problem != "":
		return f.problem
	case f.status == http.StatusServiceUnavailable || f.status == http.StatusTooManyRequests:
		return templates.ProblemUnavailable
	case f.status >= http.StatusInternalServerError:
		return templates.ProblemServer
	case f.status == http.StatusNotFound:
		return templates.ProblemNotFound
	case f.status == http.StatusMisdirectedRequest:
		return templates.ProblemHost
	}
	return templates.ProblemRequest
}

// readPageForm reads what a form of ours sends. The names in several may come more than once, for boxes.
func readPageForm(r *http.Request, several ...string) (form, error) {
	if !isForm(r) {
		return nil, invalidRequest("the body must be " + formMediaType)
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return parseForm(string(body), several...)
}

// query reads the parameters of a page's own URL. A broken query is one without them.
func query(c *gin.Context) form {
	f, err := parseForm(c.Request.URL.RawQuery)
	if err != nil {
		return form{}
	}
	return f
}

// isOneOf returns value if it is among the known ones, and nothing otherwise.
func isOneOf[T ~string](value string, known ...T) T {
	if slices.Contains(known, T(value)) {
		return T(value)
	}
	return ""
}
