package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
)

// tour shows every page that people see, each in a state in which there is something to look at, and stops at each.
func (d *deployment) tour(t testing.TB, b *tab, stop func(name string)) {
	t.Helper()
	acme, pocket := d.furnish()
	b.agent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36")

	b.open(acme.ask("scope", "openid profile orders:read"))
	b.wants("/login", "Sign in")
	stop("login")
	b.fill("#username", "ada")
	b.fill("#password", "wrong horse")
	b.click(loginButton)
	b.wants("/login", "That did not work.")
	stop("login-problem")
	b.login("ada")
	b.wants("/consent", "Acme Invoices")
	stop("consent")
	b.open(acme.ask("scope", "orders:read"))
	b.wants("/consent", "Acme Invoices")
	b.click(`input[value="orders:read"]`)
	b.click(allowButton)
	b.wants("/consent", "Nothing was chosen.")
	stop("consent-problem")
	b.open(pocket.ask("scope", "openid offline_access account:manage"))
	b.wants("/consent", "This app cannot prove who it is.")
	stop("consent-unproven")

	d.useApps(acme)
	b.open(acme.ask("scope", "openid profile email orders:read orders:write"))
	b.wants("/consent", "You allowed this app something before.")
	stop("consent-new")
	b.open(acme.ask("prompt", "select_account"))
	b.wants("/select", "Which account?")
	stop("select")
	b.open(acme.ask("prompt", "login"))
	b.wants("/login", "once more")
	stop("login-again")
	b.open(acme.ask("redirect_uri", "https://evil.example/"))
	b.wants("/oauth/authorize", "The app made a mistake")
	stop("problem")
	b.open("/login?tx=" + strings.Repeat("0", 37))
	b.wants("/login", "This page is no longer good")
	stop("problem-expired")
	b.open("/nowhere")
	b.wants("/nowhere", "There is no such page")
	stop("problem-not-found")

	b.open("/account")
	b.wants("/account", "Your account")
	stop("account")
	b.open("/account/password")
	b.wants("/account/password", "Change your password")
	stop("password")
	b.fill("#current", password)
	b.fill("#new", "a goose with nine lives")
	b.fill("#repeat", "a goose with ten lives")
	b.click(`form[action="/account/password"] button.primary`)
	b.wants("/account/password", "the two new passwords differ")
	stop("password-problem")
	b.open("/account/sessions")
	b.wants("/account/sessions", "Browsers that are signed in")
	stop("sessions")
	b.open("/account/apps")
	b.wants("/account/apps", "Acme Invoices")
	stop("apps")
	b.open("/account/tokens")
	b.wants("/account/tokens", "You have none.")
	b.makeToken("Backup script")
	stop("token-new")
	b.open("/account/tokens")
	b.wants("/account/tokens", "Backup script")
	stop("tokens")

	b.open("/oauth/logout?client_id=" + acme.id)
	b.wants("/oauth/logout", "Sign out?")
	stop("logout")
	b.click(`button[value=logout]`)
	b.wants("/signed-out", "You are signed out")
	stop("signed-out")

	// The page that sends itself must stay to be looked at.
	command(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `HTMLFormElement.prototype.requestSubmit = () => {}`,
	})
	b.open(acme.ask("response_mode", "form_post"))
	b.login("ada")
	b.wants("/oauth/continue", "Back to Acme Invoices")
	stop("form-post")
}

// furnish makes what there is to see: a user and two apps. Nobody ever goes to their addresses.
func (d *deployment) furnish() (acme, pocket app) {
	d.t.Helper()
	d.user("ada", obj{"name": "Ada Lovelace", "email": "ada@example.com"})
	acme = d.webApp(obj{"client_uri": "https://acme.example/", "redirect_uris": []string{"https://invoices.acme.example/callback"}})
	acme.callback = "https://invoices.acme.example/callback"
	pocket = d.deviceApp(obj{"redirect_uris": []string{"example.pocket.app:/callback"}, "scopes": []string{"openid", "offline_access", "account:manage"}})
	pocket.callback = "example.pocket.app:/callback"
	d.clock.Advance(26 * 24 * time.Hour)
	return acme, pocket
}

// useApps lets ada use an app with another browser.
func (d *deployment) useApps(acme app) {
	d.t.Helper()
	d.clock.Advance(5 * time.Minute) // sessions are listed by their age
	ada := d.person()
	s := ada.login(ada.open(acme.ask("scope", "openid profile offline_access orders:read")), "ada", "remember", "1")
	code := ada.allow(s, "remember", "1").answered(d.t, acme.callback).Get("code")
	wantStatus(d.t, d.redeem(acme.client, code, "redirect_uri", acme.callback), http.StatusOK)
	d.clock.Advance(15 * time.Minute)
}

// makeToken makes a personal access token and returns it.
func (b *tab) makeToken(name string) string {
	b.t.Helper()
	b.fill("#name", name)
	b.click(`form[action="/account/tokens"] input[value="orders:read"]`)
	b.click(`form[action="/account/tokens"] button`)
	b.wants("/account/tokens", "It is shown this once and never again.")
	return ask[string](b, `document.querySelector("#token").value`)
}
