package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Session fixation (OWASP ASVS 3.2.1): what was in the session's cookie before a login, planted or not, is worth nothing
// after it.
func TestChromiumLoginReplacesAPlantedSession(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("mallory")
	mallory := d.person()
	mallory.login(mallory.open("/account"), "mallory").wants(t, http.StatusOK, "Your account")
	planted := mallory.cookie("sc-session")

	b := d.tab(t)
	for name, value := range map[string]string{"a live one": planted, "one that is none": strings.Repeat("A", len(planted))} {
		command(b, network.SetCookie, network.SetCookieParams{Name: "sc-session", Value: value, URL: d.url})
		b.open("/login?as=other")
		b.login("ada")
		b.wants("/account", "Your account")
		got := b.cookie("sc-session")
		if got == nil || got.Value == value {
			t.Fatalf("%s is still there after the login", name)
		}
		if !got.HTTPOnly || got.SameSite != network.CookieSameSiteLax || got.Path != "/" || !got.Session {
			t.Errorf("the cookie is %+v", got)
		}
		command(b, network.ClearBrowserCookies, cdp.Empty{})
	}
	mallory.open("/account").wants(t, http.StatusOK, "Sign in")
}

// RFC 9700 §4.16, RFC 6819 §4.4.1.9: no page shows in a frame of another site.
func TestChromiumShowsNoPageInAFrame(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme := d.webApp()
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		showShop(w, http.StatusOK, fmt.Sprintf(`<iframe title="trap" src="%s"></iframe>`, d.url+r.URL.RequestURI()))
	}))
	t.Cleanup(trap.Close)
	b := d.tab(t)
	b.expected = []string{"frame-ancestors", "X-Frame-Options", "chrome-error"}
	for _, path := range []string{"/login", "/account", acme.ask(), "/oauth/authorize", "/signed-out"} {
		before := len(b.allFaults())
		b.open(strings.Replace(trap.URL, "127.0.0.1", "localhost", 1) + path)
		eventually(t, browserWaitMax, "Chromium refuses to frame "+path, func() bool {
			return strings.Contains(strings.Join(b.allFaults()[before:], "\n"), "frame-ancestors")
		})
	}
}

// People who cannot use a mouse get through login and consent by Tab, Space and Enter, and see where they are
// (WCAG 2.2 SC 2.1.1 and 2.4.7).
func TestChromiumNeedsNoMouse(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	s, b := d.shop(t, "confidential"), d.tab(t)
	s.oauth.Scopes = append(s.oauth.Scopes, "orders:write")
	b.open(s.url + "/sign-in")
	b.wants("/login", "Sign in")
	if !ask[bool](b, `document.activeElement.id === "username"`) {
		t.Error("the login page does not begin in its first field")
	}
	b.press("ada")
	b.tabTo("#password")
	b.press(password + kb.Enter)
	b.wants("/consent", "Corner Shop")
	b.tabTo(`input[value="orders:write"]`)
	b.press(" ")
	b.tabTo(strings.TrimPrefix(allowButton, `form[action^="/consent"] `))
	b.press(kb.Enter)
	b.wants(s.url+"/callback", "The shop got a code for order-1.")
	answer := s.all()[0]
	tokens := d.redeem(client{s.oauth.ClientID, s.oauth.ClientSecret}, answer.Get("code"), "redirect_uri", s.oauth.RedirectURL)
	if got := tokens.str("scope"); got != "openid profile orders:read" {
		t.Errorf("the scope is %q, want it without orders:write", got)
	}
}

// press types keys wherever the keyboard is.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.do("press keys", chromedp.KeyEvent(keys))
}

// tabTo presses Tab until it reaches an element. Wherever it stops on the way must be seen.
func (b *tab) tabTo(element string) {
	b.t.Helper()
	for range 30 {
		b.press(kb.Tab)
		if seen := ask[string](b, `getComputedStyle(document.activeElement).outlineStyle`); seen == "none" {
			b.t.Errorf("nobody sees that the keyboard is at %s", ask[string](b, `document.activeElement.outerHTML`))
		}
		if ask[bool](b, fmt.Sprintf(`document.activeElement.matches(%q)`, element)) {
			return
		}
	}
	b.t.Fatalf("Tab does not reach %s", element)
}

// Who likes it dark gets it dark.
func TestChromiumFollowsTheColourScheme(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	b := d.tab(t)
	b.open("/login")
	light := func(scheme string) float64 {
		b.screen(390, scheme)
		return ask[float64](b, `getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765`)
	}
	if day, night := light("light"), light("dark"); day < 0.8 || night > 0.2 {
		t.Errorf("the background is %.2f by day and %.2f by night, of 1", day, night)
	}
}

// Password managers find their fields, and the page to change a password (HTML §4.10.18.7, W3C change-password-url).
func TestChromiumShowsPasswordManagersTheirFields(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	b := d.tab(t)
	fields := func() string {
		return ask[string](b, `[...document.querySelectorAll("form input[autocomplete]")].map(i => i.type + ":" + i.autocomplete).join(" ")`)
	}
	b.open("/.well-known/change-password")
	b.wants("/login", "Sign in")
	if got, want := fields(), "text:username password:current-password"; got != want {
		t.Errorf("the login has %q, want %q", got, want)
	}
	b.login("ada")
	b.wants("/account/password", "Change your password")
	if got, want := fields(), "text:username password:current-password password:new-password password:new-password"; got != want {
		t.Errorf("the change of a password has %q, want %q", got, want)
	}
	if got := ask[string](b, `document.querySelector("input[autocomplete=username]").value`); got != "ada" {
		t.Errorf("the password is that of %q, want ada", got)
	}
}
