package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/users"
)

// RFC 9207 §2, RFC 9700 §4.4: every answer names the server, letter by letter as the metadata does, so that an app that
// talks to several never takes the answer of one for that of another.
func TestEveryAnswerNamesTheServer(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, own, ada := d.webApp(), d.webApp(obj{"first_party": true}), d.person()
	issuer := d.metadata(t).str("issuer")
	answers := map[string]func(mode string) sight{
		"nobody is there":      func(mode string) sight { return d.person().get(own.ask("prompt", "none", "response_mode", mode)) },
		"a bad request":        func(mode string) sight { return ada.get(acme.ask("scope", "x", "response_mode", mode)) },
		"a bad response type":  func(mode string) sight { return ada.get(acme.ask("response_type", "token", "response_mode", mode)) },
		"a code at once":       func(mode string) sight { return ada.get(own.ask("response_mode", mode)) },
		"a code after consent": func(mode string) sight { return ada.allow(ada.open(acme.ask("response_mode", mode))) },
		"a refusal": func(mode string) sight {
			return ada.allow(ada.open(acme.ask("response_mode", mode)), "decision", "deny")
		},
		"a cancelled login": func(mode string) sight {
			page := ada.open(acme.ask("prompt", "login", "response_mode", mode))
			_, values := page.form(t, "/login")
			return ada.post("/oauth/cancel?"+page.url.RawQuery, values)
		},
		"a request by POST": func(mode string) sight {
			values, _ := url.ParseQuery(strings.TrimPrefix(own.ask("response_mode", mode), "/oauth/authorize?"))
			return ada.follow(ada.post("/oauth/authorize", values))
		},
	}
	ada.enter("ada")
	d.clock.Advance(time.Second)
	for what, answer := range answers {
		if got := answer("query").answered(t, callback); got.Get("iss") != issuer || len(got["iss"]) != 1 || got.Get("state") != "state-of-the-app" || got.Has("code") == got.Has("error") {
			t.Errorf("%s: %v", what, got)
		}
		if _, got := answer("form_post").form(t, callback); got.Get("iss") != issuer || len(got["iss"]) != 1 || got.Get("state") != "state-of-the-app" || got.Has("code") == got.Has("error") {
			t.Errorf("%s, in a form: %v", what, got)
		}
	}
}

// A HEAD that was taken for a GET once let apps be authorized by a picture. Only GET and POST begin anything; nothing is
// written for anything else, whoever is logged in.
func TestOtherMethodsBeginNothing(t *testing.T) {
	t.Parallel()
	d, watched := deployWatched(t)
	d.user("ada")
	own, ada := d.webApp(obj{"first_party": true}), d.person()
	ada.goThrough(own, "ada")
	waiting := ada.open(own.ask("prompt", "consent"))
	_, values := waiting.form(t, "/consent")
	values.Set("decision", "allow")
	for _, path := range []string{own.ask(), own.ask("prompt", "login"), "/consent?" + waiting.url.RawQuery, "/oauth/continue?" + waiting.url.RawQuery, "/login?" + waiting.url.RawQuery} {
		for _, method := range []string{"HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW"} {
			_, writes := watched.during(func() {
				r := d.request(method, path, formType, values.Encode())
				s := ada.send(r)
				if s.status != http.StatusMethodNotAllowed || s.location() != "" || len(s.header.Values("Set-Cookie")) > 0 {
					t.Errorf("%s %s: %d to %q", method, path, s.status, s.location())
				}
			})
			if writes != 0 {
				t.Errorf("%s %s: %d writes", method, path, writes)
			}
		}
	}
	ada.allow(waiting).answered(t, callback)
}

// CVE-2014-8144, OWASP ASVS 3.5.1: nothing but the form of our own page, posted from it, allows anything. What was refused
// has decided nothing.
func TestApprovalIsAFormOfOurs(t *testing.T) {
	t.Parallel()
	d, watched := deployWatched(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	page := ada.consent(acme, "ada")
	action, values := page.form(t, "/consent")
	values.Set("decision", "allow")
	tx := page.url.RawQuery
	other := ada.open(acme.ask("state", "another"))
	_, another := other.form(t, "/consent")
	with := func(token string) url.Values {
		changed := url.Values{"decision": {"allow"}, "scope": {"openid", "orders:read"}}
		if token != "" {
			changed.Set("form_token", token)
		}
		return changed
	}
	_, login := ada.open("/login?as=other").form(t, "/login")
	_, account := ada.open("/account/password").form(t, "/account/password")
	for what, try := range map[string]func() sight{
		"by GET":                        func() sight { return ada.get("/consent?" + tx + "&" + values.Encode()) },
		"by GET at the next step":       func() sight { return ada.get("/oauth/continue?" + tx + "&" + values.Encode()) },
		"without a token":               func() sight { return ada.post(action, with("")) },
		"with a token of another page":  func() sight { return ada.post(action, with(another.Get("form_token"))) },
		"with a token of the login":     func() sight { return ada.post(action, with(login.Get("form_token"))) },
		"with a token of the account":   func() sight { return ada.post(action, with(account.Get("form_token"))) },
		"with the token in the URL":     func() sight { return ada.post(action+"&form_token="+values.Get("form_token"), with("")) },
		"from another site":             func() sight { p := *ada; p.origin = "https://evil.example"; return p.post(action, values) },
		"from a sandbox":                func() sight { p := *ada; p.origin = "null"; return p.post(action, values) },
		"from another port of our host": func() sight { p := *ada; p.origin = "http://127.0.0.1:1"; return p.post(action, values) },
		"with no request":               func() sight { return ada.post("/consent", values) },
		"with another's request":        func() sight { return ada.post("/consent?"+other.url.RawQuery, values) },
		"as JSON": func() sight {
			return ada.send(d.request(http.MethodPost, action, "application/json", `{"decision":"allow"}`))
		},
		"as text": func() sight { return ada.send(d.request(http.MethodPost, action, "text/plain", values.Encode())) },
	} {
		_, writes := watched.during(func() {
			if s := try(); strings.Contains(s.location(), "code=") || s.status == http.StatusSeeOther && !strings.HasPrefix(s.location(), "/consent?") || s.status != http.StatusSeeOther && s.status != http.StatusOK && s.status < 400 {
				t.Errorf("%s: %d to %q", what, s.status, s.location())
			}
		})
		if writes != 0 {
			t.Errorf("%s: %d writes", what, writes)
		}
	}
	if got := ada.post(action, values).answered(t, callback); got.Get("code") == "" {
		t.Errorf("the form itself: %v", got)
	}
}

// CVE-2021-27582, CVE-2026-7571: from the first page on everything comes from our own record. What is added to a form or
// to a link changes nothing.
func TestFormsCannotChangeTheRequest(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	ada := d.person()
	user, eve := d.user("ada"), d.user("eve")
	acme, other := d.webApp(), d.webApp(obj{"redirect_uris": []string{"https://evil.example/cb"}})
	extra := []string{
		"redirect_uri", "https://evil.example/cb", "client_id", other.id, "user_id", eve, "sub", eve, "user", "eve", "response_type", "token", "response_mode", "fragment", "state", "evil", "nonce", "evil",
		"code_challenge", challengeOf(strings.Repeat("e", 43)), "code_challenge_method", "plain", "resource", d.url + "/api/v1", "prompt", "none", "max_age", "0", "tx", "x", "to", "//evil.example", "next", "//evil.example",
		"interaction", "x", "granted", "admin:users", "outcome", "allowed", "session", eve, "epoch", "0",
	}
	page := ada.open(acme.ask("scope", "openid orders:read"))
	consent := ada.login(page, "ada", extra...)
	action, values := consent.wants(t, http.StatusOK, "ada").form(t, "/consent")
	for i := 0; i+1 < len(extra); i += 2 {
		values.Set(extra[i], extra[i+1])
	}
	values["scope"] = append(values["scope"], "orders:write", "admin:users", "offline_access", "openid")
	values.Set("decision", "allow")
	added := form(extra...)
	added.Del("tx")
	answer := ada.post(action+"&"+added.Encode(), values).answered(t, callback)
	if answer.Get("state") != "state-of-the-app" || answer.Get("code") == "" {
		t.Fatalf("the answer is %v", answer)
	}
	tokens := d.redeem(acme.client, answer.Get("code"))
	wantStatus(t, tokens, http.StatusOK)
	_, claims := d.signed(tokens.str("id_token"))
	if tokens.str("scope") != "openid orders:read" || claims["sub"] != user || claims["nonce"] != "nonce-of-the-app" || claims["aud"] != acme.id {
		t.Errorf("granted %q, the ID token is %v", tokens.str("scope"), claims)
	}
}

// RFC 9700 §4.2.4 and §4.12: on the whole way nothing may be kept by a cache, no address reaches another site, and every
// redirect is a 303, which no browser repeats a password to.
func TestTheWayToACodeLeaksNothing(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	check := func(what string, s sight) sight {
		t.Helper()
		wantPageHeaders(t, what, s.header)
		if s.status >= 300 && s.status < 400 && s.status != http.StatusSeeOther || s.location() != "" && s.status != http.StatusSeeOther {
			t.Errorf("%s: %d to %q", what, s.status, s.location())
		}
		if strings.HasPrefix(s.location(), "http") && s.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: the app is told where people come from", what)
		}
		return s
	}
	fill := func(s sight, action string, changes ...string) sight {
		t.Helper()
		to, values := s.form(t, action)
		for i := 0; i+1 < len(changes); i += 2 {
			values.Set(changes[i], changes[i+1])
		}
		return check(action, ada.post(to, values))
	}
	login := check("login", ada.get(check("authorize", ada.get(acme.ask("prompt", "select_account"))).location()))
	fill(login, "/login", "username", "ada", "password", "a wrong password")
	next := fill(login, "/login", "username", "ada", "password", password)
	choice := check("select", ada.get(check("continue", ada.get(next.location())).location()))
	next = fill(choice, "/select", "decision", "continue")
	consent := check("consent", ada.get(check("continue", ada.get(next.location())).location()))
	if !strings.Contains(consent.header.Get("Content-Security-Policy"), "form-action 'self' https://app.example") {
		t.Errorf("the browser cannot follow to the app: %s", consent.header.Get("Content-Security-Policy"))
	}
	fill(consent, "/consent", "decision", "allow", "form_token", "x")
	answer := fill(consent, "/consent", "decision", "allow")
	code := answer.answered(t, callback).Get("code")
	check("answered before", ada.get(consent.url.String()))
	check("an error", ada.get(acme.ask("scope", "x")))
	check("a page of an error", ada.get(acme.ask("client_id", "x")))
	d.clock.Advance(time.Second)
	form := check("a form to the app", ada.allow(ada.open(acme.ask("response_mode", "form_post"))))
	_, values := form.form(t, callback)
	for _, secret := range []string{code, values.Get("code"), password, "state-of-the-app", "nonce-of-the-app", login.url.Query().Get("tx")} {
		if secret == "" || strings.Contains(d.log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// CVE-2026-33544: of hundreds who log in at once each gets an answer of his own: the code is his, for the app that asked,
// with its nonce and state.
func TestAnswersAreNeverMixedUp(t *testing.T) {
	t.Parallel()
	const people, rounds = 24, 10
	d := deployBolt(t, func(c *server.Config) { c.Hasher = users.NewHasher(cheapHash, 0, people) }) // nobody is turned away
	apps := []app{d.webApp(obj{"first_party": true}), d.webApp(obj{"redirect_uris": []string{"https://two.example/cb"}}), d.webApp(obj{"redirect_uris": []string{"https://three.example/cb"}})}
	apps[1].callback, apps[2].callback = "https://two.example/cb", "https://three.example/cb"
	ids := make([]string, people)
	for i := range ids {
		ids[i] = d.user(fmt.Sprintf("user%d", i))
	}
	var seen sync.Map
	crowd(people, func(i int) {
		who := d.person()
		for round := range rounds {
			a := apps[(i+round)%len(apps)]
			mark := fmt.Sprintf("%d-%d", i, round)
			s := who.open(a.ask("state", "state"+mark, "nonce", "nonce"+mark, "scope", "openid orders:read"))
			if s.url.Path == "/login" {
				s = who.login(s, fmt.Sprintf("user%d", i))
			}
			if s.url.Path == "/consent" {
				s = who.allow(s)
			}
			answer, err := url.Parse(s.location())
			if err != nil || !strings.HasPrefix(s.location(), a.callback) || answer.Query().Get("state") != "state"+mark {
				t.Errorf("%s: the answer is %d %q", mark, s.status, s.location())
				return
			}
			code := answer.Query().Get("code")
			if _, twice := seen.LoadOrStore(code, mark); twice || code == "" {
				t.Errorf("%s: the code %q is not new", mark, code)
			}
			tokens := d.redeem(a.client, code, "redirect_uri", a.callback)
			if tokens.status != http.StatusOK {
				t.Errorf("%s: %d %s", mark, tokens.status, tokens.text)
				return
			}
			_, claims := d.signed(tokens.str("id_token"))
			if claims["sub"] != ids[i] || claims["aud"] != a.id || claims["nonce"] != "nonce"+mark {
				t.Errorf("%s: the ID token is %v", mark, claims)
			}
		}
	})
}
