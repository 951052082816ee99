package server_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"
)

// RFC 6749 §4.1 with RFC 7636, in a real browser and with a client of another make: a person goes from the app to the
// server and back, and the app gets its token. The app is on another site, so cookies, form-action and redirects are
// seen as they are on the web (CSP Level 3 §6.4.1 holds for redirects in Chromium).
func TestChromiumLeadsAPersonToTheAppAndBack(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada", obj{"name": "Ada Lovelace"})
	for name, is := range map[string]struct{ kind, mode string }{
		"a confidential client by query": {"confidential", "query"}, "a public client by query": {"public", "query"},
		"a confidential client by form_post": {"confidential", "form_post"}, "a public client by form_post": {"public", "form_post"},
	} {
		t.Run(name, func(t *testing.T) {
			s, b := d.shop(t, is.kind), d.tab(t)
			s.redeem = true
			s.options = []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("response_mode", is.mode)}
			s.visit(b)
			b.login("ada")
			b.wants("/consent", "Corner Shop wants access")
			b.click(allowButton)
			b.wants(s.url+"/callback", "The shop got a token for order-1.")
			wantStatus(t, d.call(http.MethodGet, "/demo/orders", s.token.AccessToken), http.StatusOK)
			if answer := s.all()[0]; answer.Get("iss") != d.url {
				t.Errorf("the answer is %v", answer)
			}
		})
	}
}

// Every page works without scripts; they are a comfort only.
func TestChromiumNeedsNoScripts(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	s, b := d.shop(t, "confidential"), d.tab(t)
	s.options = []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("response_mode", "form_post")}
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	s.visit(b)
	b.login("ada")
	b.wants("/consent", "Corner Shop wants access")
	b.click(allowButton)
	b.wants("/consent", "press the button")
	if len(s.all()) != 0 {
		t.Fatal("the form sent itself: scripts run")
	}
	b.click("main form button")
	b.wants(s.url+"/callback", "The shop got a code for order-1.")

	b.open("/account/tokens")
	b.fill("#name", "backup script")
	b.click(`input[value="orders:read"]`)
	b.click(`form[action="/account/tokens"] button`)
	b.wants("/account/tokens", "Your new token “backup script”")
	b.click(`form[action="/account/logout"] button`)
	b.wants("/signed-out", "You are signed out")
}

// What was wrong is never said (OWASP: user enumeration); what was typed as a name is kept, the password is not.
func TestChromiumKeepsTheUsernameAfterAWrongPassword(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	s, b := d.shop(t, "confidential"), d.tab(t)
	s.visit(b)
	b.wants("/login", "to go on to Corner Shop")
	b.fill("#username", "ada")
	b.fill("#password", "wrong horse")
	b.click(loginButton)
	b.wants("/login", "That did not work.")
	if name, secret := ask[string](b, `username.value`), ask[string](b, `document.getElementById("password").value`); name != "ada" || secret != "" {
		t.Errorf("the fields hold %q and %q", name, secret)
	}
	b.login("ada")
	b.wants("/consent", "Corner Shop")
}

// RFC 6749 §4.1.2.1: an app learns that a person said no, on the consent page or before the login.
func TestChromiumTellsTheAppOfANo(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	s, b := d.shop(t, "confidential"), d.tab(t)
	s.visit(b)
	b.wants("/login", "Sign in")
	b.click(`button[formaction^="/oauth/cancel"]`)
	b.wants(s.url+"/callback", "The shop was told access_denied for order-1.")
	s.visit(b)
	b.login("ada")
	b.wants("/consent", "Corner Shop")
	b.click(denyButton)
	b.wants(s.url+"/callback", "The shop was told access_denied for order-2.")
}

// Who let a consent be remembered is not asked again, until the app wants more: then what is new is shown as new.
func TestChromiumAsksAgainOnlyForWhatIsNew(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	s, b := d.shop(t, "confidential"), d.tab(t)
	s.visit(b)
	b.login("ada")
	b.wants("/consent", "Corner Shop")
	b.click("input[name=remember]")
	b.click(allowButton)
	b.wants(s.url+"/callback", "The shop got a code for order-1.")

	s.visit(b)
	b.wants(s.url+"/callback", "The shop got a code for order-2.")

	s.oauth.Scopes = append(s.oauth.Scopes, "orders:write")
	s.visit(b)
	b.wants("/consent", "You allowed this app something before.")
	const marked = `[...document.querySelectorAll("li:has(.pill) input[name=scope]")].filter(i => /\bnew\b/.test(i.closest("li").innerText)).map(i => i.value).join(" ")`
	if got := ask[string](b, marked); got != "orders:write" {
		t.Errorf("new is %q, want orders:write", got)
	}
}

// Two tabs ask at the same time; neither disturbs the other, in whichever order they are answered.
func TestChromiumTabsDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	s, first := d.shop(t, "confidential"), d.tab(t)
	second := first.another()
	s.visit(first)
	first.wants("/login", "Sign in")
	s.visit(second)
	second.wants("/login", "Sign in")
	second.login("ada")
	second.wants("/consent", "Corner Shop")
	first.login("ada")
	first.wants("/consent", "Corner Shop")
	second.click(denyButton)
	second.wants(s.url+"/callback", "The shop was told access_denied for order-2.")
	first.click(allowButton)
	first.wants(s.url+"/callback", "The shop got a code for order-1.")
}

// RFC 6749 §4.1.2: one consent is one code. Who goes back after it reads what happened.
func TestChromiumBackAfterAllowGivesNoSecondCode(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	s, b := d.shop(t, "confidential"), d.tab(t)
	s.redeem = true
	s.visit(b)
	b.login("ada")
	b.wants("/consent", "Corner Shop")
	b.click(allowButton)
	b.wants(s.url+"/callback", "The shop got a token for order-1.")
	ask[chromedp.Void](b, `history.back()`)
	b.wants("/consent", "it was used already")
	if got := ask[string](b, `document.querySelector("main a.btn").href`); got != "https://shop.example/" {
		t.Errorf("the way back leads to %q", got)
	}
	if codes := s.codes(); len(codes) != 1 {
		t.Errorf("%d codes, want 1", len(codes))
	}
}

// People click twice. With scripts the second click does nothing; without, both reach the server, and the browser shows the
// answer to the second: that must be as good as the first's. Either way there is one code (RFC 6749 §4.1.2).
func TestChromiumDoubleClickOnAllowGivesOneCode(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	for name, is := range map[string]struct {
		without bool
		sent    int
	}{"with scripts": {false, 1}, "without scripts": {true, 2}} {
		t.Run(name, func(t *testing.T) {
			s, b := d.shop(t, "confidential"), d.tab(t)
			command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: is.without})
			s.visit(b)
			b.login("ada")
			b.wants("/consent", "Corner Shop")
			before := d.sent("POST", "/consent")
			s.slow.Store(true) // so that the consent page is still there for the second click
			b.click(allowButton)
			eventually(t, browserWaitMax, "the first click arrives", func() bool { return len(s.all()) == 1 })
			b.clickAgain()
			if !is.without {
				close(s.goOn) // the browser waits for the answer to its first click
			}
			b.wants(s.url+"/callback", "The shop got a code for order-1.")
			if codes := s.codes(); len(codes) != 1 {
				t.Errorf("%d codes, want 1", len(codes))
			}
			if sent := d.sent("POST", "/consent") - before; sent != is.sent {
				t.Errorf("the form was sent %d times, want %d", sent, is.sent)
			}
		})
	}
}
