package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	verifier  = "a-verifier-of-the-harness-as-long-as-it-must-be"
	challenge = "ElrcUiYPRu5pA8H9pFCODb00QI9IA3aOg5FMcm4v0NA" // its SHA-256 (RFC 7636 §4.2)
	formType  = "application/x-www-form-urlencoded"
)

// party is one virtual client: an app, and the browser of the person in front of it. Everything it asks stands in the
// ledger.
type party struct {
	in     *installation
	ledger *ledger
	http   *http.Client
	person string
	app    credential
	walks  int // how often its person was sent to the server
}

// walksEach is how often a person goes to the server from one address: below the limit of sign-ins begun there.
const walksEach = 1000

// newParty makes a party that reaches the server where target says, in the name of a person.
func (in *installation) newParty(l *ledger, person string, app credential, target func() string) *party {
	return &party{in: in, ledger: l, http: in.newClient(target), person: person, app: app}
}

// reply is what became of one HTTP request.
type reply struct {
	status   int
	location string
	header   http.Header
	body     []byte
}

// send sends one request. An error means that no complete answer came.
func (p *party) send(ctx context.Context, method, path string, form url.Values, by *credential) (reply, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	if strings.HasPrefix(path, "/") {
		path = issuer + path
	}
	r, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		return reply{}, err
	}
	if form != nil {
		r.Header.Set("Content-Type", formType)
		r.Header.Set("Origin", issuer)
	}
	if by != nil && by.secret != "" {
		r.SetBasicAuth(by.id, by.secret)
	}
	response, err := p.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	return reply{response.StatusCode, response.Header.Get("Location"), response.Header, got}, nil
}

// asApp adds what tells who asks.
func (p *party) asApp(form url.Values) url.Values {
	if p.app.secret == "" {
		form.Set("client_id", p.app.id)
	}
	return form
}

// post is a request of the protocol that stands in the ledger.
func (p *party) post(a act, delegation int64, presented, path string, form url.Values, by credential) entry {
	e := p.ledger.intend(a, delegation, presented)
	got, err := p.send(context.Background(), http.MethodPost, path, form, &by)
	e.read(got, err)
	p.ledger.conclude(e)
	return e
}

// read takes over what the client could see of an answer.
func (e *entry) read(got reply, err error) {
	if err != nil {
		e.Unknown = true
		return
	}
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Active  bool   `json:"active"`
		Error   string `json:"error"`
	}
	_ = json.Unmarshal(got.body, &answer) // pages are no JSON, and are told apart by their status
	e.Status, e.RetryAfter = got.status, got.header.Get("Retry-After") != ""
	e.Access, e.Refresh, e.Active, e.Error = answer.Access, answer.Refresh, answer.Active, answer.Error
}

func (p *party) redeem(delegation int64, code string) entry {
	return p.post(redeem, delegation, code, "/oauth/token", p.asApp(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}), p.app)
}

func (p *party) refresh(a act, delegation int64, token string) entry {
	return p.post(a, delegation, token, "/oauth/token", p.asApp(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}), p.app)
}

func (p *party) revoke(delegation int64, token string) entry {
	return p.post(revoke, delegation, token, "/oauth/revoke", p.asApp(url.Values{"token": {token}}), p.app)
}

func (p *party) introspect(delegation int64, token string) entry {
	return p.post(introspect, delegation, token, "/oauth/introspect", url.Values{"token": {token}}, p.in.api)
}

func (p *party) issue(delegation int64) entry {
	return p.post(issue, delegation, "", "/oauth/token", url.Values{"grant_type": {"client_credentials"}}, p.in.machine)
}

// authorize sends the person to the server and brings back the code. Whoever is not signed in signs in, and allows the
// app what it asks for, on the pages.
func (p *party) authorize(delegation int64) entry {
	if p.walks++; p.walks%walksEach == 0 {
		p.http.CloseIdleConnections()
	}
	e := p.ledger.intend(authorize, delegation, "")
	got, err := p.walk(context.Background())
	e.read(got, err)
	if to, parseErr := url.Parse(got.location); err == nil && parseErr == nil && strings.HasPrefix(got.location, callback) {
		e.Code, e.Error = to.Query().Get("code"), to.Query().Get("error")
		if e.Error == "temporarily_unavailable" {
			// The app is told by its redirect URI (RFC 6749 §4.1.2.1), which has no Retry-After.
			e.Status, e.RetryAfter = http.StatusServiceUnavailable, true
		}
	}
	p.ledger.conclude(e)
	return e
}

// walk follows the person from the app to the server and back.
func (p *party) walk(ctx context.Context) (reply, error) {
	path := "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {p.app.id}, "redirect_uri": {callback}, "scope": {"orders:read orders:write"}, "state": {"state"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}.Encode()
	for range 8 {
		got, err := p.send(ctx, http.MethodGet, path, nil, nil)
		if err != nil {
			return got, err
		}
		if got.status == http.StatusOK { // a page: the login or the question
			if got, err = p.fillIn(ctx, path, got.body); err != nil {
				return got, err
			}
		}
		if got.status != http.StatusSeeOther || strings.HasPrefix(got.location, callback) {
			return got, nil
		}
		path = got.location
	}
	return reply{}, fmt.Errorf("the pages lead in a circle")
}
