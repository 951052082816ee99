package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// The demo app plays the part of somebody else's app, for `safeconduct dev`: it knows this server by its URL alone, and
// talks to it as any app does.
const (
	demoAppID       = "demo-web"
	demoAppPath     = "/demo/app"
	demoStartPath   = "/demo/app/start"
	demoReturnPath  = "/demo/app/callback"
	demoAppCookie   = "demo-app"
	demoAppScope    = "openid profile orders:read orders:write"
	demoAppPatience = 10 * time.Minute
	demoAnswerMost  = 64 << 10
)

// demoView is what the demo app shows.
type demoView struct {
	Start   string
	Problem string
	Done    bool
	Name    string
	Scope   string
	Calls   []demoCall
	Account string
}

// demoCall is a call of the demo API with the app's token, and what came back.
type demoCall struct{ What, Answer string }

var demoTemplate = template.Must(template.New("demo").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Parchment Orders, a demo app</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}
a.go{display:inline-block;padding:.75rem 1.25rem;border:2px solid;border-radius:8px;font-weight:600}pre{white-space:pre-wrap;overflow-wrap:anywhere;border-left:3px solid;padding-left:1rem}</style></head>
<body><main><h1>Parchment Orders</h1>
<p>A demo app. It plays the part of somebody else's: it never sees your password, and gets what you allow it.</p>
{{if .Problem}}<p role="alert"><strong>{{.Problem}}</strong></p>{{end}}
{{if .Done}}<p>Hello <strong>{{.Name}}</strong>. You allowed this app: <code>{{.Scope}}</code></p>
{{range .Calls}}<h2>{{.What}}</h2><pre>{{.Answer}}</pre>{{end}}
<p>Now take it back: open <a href="{{.Account}}">your account</a>, choose this app and remove its access. Or <a href="{{.Start}}">ask again</a>, and untick something.</p>
{{else}}<p><a class="go" href="{{.Start}}">Sign in with Safeconduct</a></p>{{end}}
</main></body></html>
`))

// mountDemoApp adds the pages of the demo app.
func (s *Server) mountDemoApp(engine *gin.Engine) {
	for _, r := range []pageRoute{
		{http.MethodGet, demoAppPath, s.showDemoApp, false},
		{http.MethodGet, demoStartPath, s.startDemoApp, false},
		{http.MethodGet, demoReturnPath, s.returnToDemoApp, true},
	} {
		engine.Handle(r.method, r.path, s.page(r))
	}
}

func (s *Server) showDemoApp(c *gin.Context) error {
	if hostName(c.Request.Host, s.issuer) != hostName(strings.TrimPrefix(s.issuer, "http://"), s.issuer) {
		return seeOther(c, s.issuer+demoAppPath) // its cookie must be where the answer comes to
	}
	return s.answerDemoApp(c, demoView{})
}

func (s *Server) answerDemoApp(c *gin.Context, view demoView) error {
	view.Start, view.Account = demoStartPath, appsPath
	var body bytes.Buffer
	if err := demoTemplate.Execute(&body, view); err != nil {
		return fmt.Errorf("show the demo app: %w", err)
	}
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	respond(c, http.StatusOK, htmlMedia, body.Bytes())
	return nil
}

// startDemoApp sends the browser to the authorization endpoint (RFC 6749 §4.1.1, RFC 7636 §4.3).
func (s *Server) startDemoApp(c *gin.Context) error {
	state, verifier := rand.Text(), rand.Text()+rand.Text()
	s.setCookie(c.Writer, demoAppCookie, state+"."+verifier, demoAppPatience)
	sum := sha256.Sum256([]byte(verifier))
	return seeOther(c, s.issuer+authorizePath+"?"+url.Values{
		"response_type": {"code"}, "client_id": {demoAppID}, "redirect_uri": {s.issuer + demoReturnPath}, "scope": {demoAppScope}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode())
}

// returnToDemoApp takes the answer, redeems the code and uses the token.
func (s *Server) returnToDemoApp(c *gin.Context) error {
	answer := query(c)
	state, verifier, _ := strings.Cut(s.cookie(c.Request, demoAppCookie), ".")
	s.dropCookie(c.Writer, demoAppCookie)
	switch {
	case state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(answer.get("state"))) != 1 || answer.get("iss") != s.issuer:
		return s.answerDemoApp(c, demoView{Problem: "This answer is not for a question of mine, or was used already. Please begin again."})
	case answer.get("error") == codeAccessDenied:
		return s.answerDemoApp(c, demoView{Problem: "You did not allow it. Nothing was given to this app."})
	case answer.get("error") != "":
		return s.answerDemoApp(c, demoView{Problem: "The server refused: " + answer.get("error")})
	}
	ctx := c.Request.Context()
	body, err := s.demoRequest(ctx, http.MethodPost, tokenPath, "", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {demoAppID}, "code": {answer.get("code")},
		"redirect_uri": {s.issuer + demoReturnPath}, "code_verifier": {verifier},
	})
	if err != nil {
		return err
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
		Scope       string `json:"scope"`
	}
	if err := json.Unmarshal(body, &tokens); err != nil || tokens.AccessToken == "" {
		return s.answerDemoApp(c, demoView{Problem: "The code was not accepted. Please begin again."})
	}
	view := demoView{Done: true, Scope: tokens.Scope}
	var who claims
	if body, err = s.demoRequest(ctx, http.MethodGet, userinfoPath, tokens.AccessToken, nil); err != nil {
		return err
	}
	if err := json.Unmarshal(body, &who); err == nil {
		view.Name = who.Name
	}
	if view.Name == "" {
		view.Name = "whoever you are"
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if body, err = s.demoRequest(ctx, method, "/demo/orders", tokens.AccessToken, nil); err != nil {
			return err
		}
		view.Calls = append(view.Calls, demoCall{method + " /demo/orders", string(body)})
	}
	return s.answerDemoApp(c, view)
}

// demoRequest is a request of the demo app to this server, over the network like that of any app.
func (s *Server) demoRequest(ctx context.Context, method, path, token string, form url.Values) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("demo app: %w", err)
	}
	if form != nil {
		r.Header.Set("Content-Type", formMediaType)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("demo app: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, demoAnswerMost))
	if err != nil {
		return nil, fmt.Errorf("demo app: %w", err)
	}
	return body, nil
}
