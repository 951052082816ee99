package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// Signing out here leaves other browsers alone; signing out everywhere does not.
func TestChromiumSignsOutHereAndEverywhere(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	here, there := d.tab(t), d.tab(t)
	for _, b := range []*tab{here, there} {
		b.open("/account")
		b.login("ada")
		b.wants("/account", "Your account")
	}
	here.click(`form[action="/account/logout"] button`)
	here.wants("/signed-out", "You are signed out")
	if here.cookie("sc-session") != nil {
		t.Error("the session's cookie is still there")
	}
	ask[chromedp.Void](here, `history.back()`)
	here.wants("/login", "Sign in")
	there.open("/account/sessions")
	there.wants("/account/sessions", "this browser")

	here.login("ada")
	here.wants("/account", "Your account")
	here.open("/account/sessions")
	here.click(`form[action="/account/logout-everywhere"] button`)
	here.wants("/signed-out", "All browsers are signed out")
	there.open("/account")
	there.wants("/login", "Sign in")
}

// A personal access token is shown once: not on the page that is opened again, not when the form is sent again. What the
// button copies is the token.
func TestChromiumShowsAPersonalTokenOnce(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	b := d.tab(t)
	command(b, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "clipboard-read"}, Setting: browser.PermissionSettingGranted,
		BrowserContextID: chromedp.FromContext(b.life).BrowserContextID,
	})
	b.open("/account/tokens")
	b.login("ada")
	b.wants("/account/tokens", "You have none.")
	token := b.makeToken("Backup script")
	if !strings.HasPrefix(token, "sck_") {
		t.Fatalf("the token is %q", token)
	}
	wantStatus(t, d.call(http.MethodGet, "/demo/orders", token), http.StatusOK)
	wantError(t, d.call(http.MethodPost, "/demo/orders", token), http.StatusForbidden, "insufficient_scope")
	b.click(`button[data-copy="token"]`)
	b.wants("/account/tokens", "Copied.")
	if got := ask[string](b, `navigator.clipboard.readText()`); got != token {
		t.Errorf("copied is %q, want the token", got)
	}

	secret := strings.TrimPrefix(token, "sck_")
	b.do("send the form again", chromedp.Reload())
	b.wants("/account/tokens", "That form was sent twice")
	if ask[bool](b, `document.documentElement.outerHTML.includes("`+secret+`")`) {
		t.Error("the token is shown again")
	}
	if got := ask[int](b, `document.querySelectorAll('form[action="/account/tokens/revoke"]').length`); got != 1 {
		t.Errorf("there are %d tokens, want 1", got)
	}
	b.open("/account/tokens")
	b.wants("/account/tokens", "Backup script")
	if ask[bool](b, `document.documentElement.outerHTML.includes("`+secret+`")`) {
		t.Error("the token is shown again")
	}
	b.click(`form[action="/account/tokens/revoke"] button`)
	b.wants("/account/tokens", "The access token works no more.")
	wantError(t, d.call(http.MethodGet, "/demo/orders", token), http.StatusUnauthorized, "invalid_token")
}
