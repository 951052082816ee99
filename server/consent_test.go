package server_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// box is a line of a consent page.
type box struct{ ticked, disabled, isNew bool }

// boxes are the scopes of a consent page by name.
func (s sight) boxes() map[string]box {
	out := map[string]box{}
	walk(s.tree, func(n *html.Node) {
		if name, _ := attribute(n, "name"); n.Data != "input" || name != "scope" {
			return
		}
		name, _ := attribute(n, "value")
		_, ticked := attribute(n, "checked")
		_, disabled := attribute(n, "disabled")
		line := n.Parent.Parent
		out[name] = box{ticked, disabled, strings.Contains(strings.Join(strings.Fields(sight{tree: line}.words()), " ")+" ", " new ")}
	})
	return out
}

// consent opens the consent page of a request, logging in on the way.
func (p *person) consent(a app, username string, changes ...string) sight {
	p.t.Helper()
	s := p.open(a.ask(changes...))
	if s.url.Path == "/login" {
		s = p.login(s, username)
	}
	return s.wants(p.t, http.StatusOK, "wants access")
}

// got redeems the code of an answer and returns the scopes that came of it.
func (d *deployment) got(a app, answer url.Values) string {
	d.t.Helper()
	tokens := d.redeem(a.client, answer.Get("code"))
	wantStatus(d.t, tokens, http.StatusOK)
	return tokens.str("scope")
}

// RFC 6749 §3.3: an app gets what was ticked, never more than it asked for, and always what it cannot do without.
func TestOnlyWhatWasTickedIsGranted(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	acme := d.webApp(obj{"required_scopes": []string{"orders:read"}})
	const all = "openid profile email orders:read orders:write"
	for what, test := range map[string]struct {
		scope, want string
		changes     []string
	}{
		"everything":                   {all, all, nil},
		"one unticked":                 {all, "openid profile email orders:read", []string{"-scope", "orders:write"}},
		"all that can be":              {all, "openid orders:read", []string{"-scope", ""}},
		"one that was not asked for":   {"openid orders:read", "openid orders:read", []string{"scope", "orders:write", "scope", "offline_access", "scope", "admin:users"}},
		"the required one named twice": {all, "openid orders:read", []string{"-scope", "", "scope", "openid", "scope", "orders:read"}},
	} {
		name, ada := strings.ReplaceAll(what, " ", "-"), d.person() // somebody else each time: boxes stay as they were left
		d.user(name)
		page := ada.consent(acme, name, "scope", test.scope)
		boxes := page.boxes()
		if len(boxes) != len(strings.Fields(test.scope)) || !boxes["openid"].disabled || !boxes["orders:read"].disabled || boxes["profile"].disabled {
			t.Errorf("%s: the boxes are %v", what, boxes)
		}
		if got := d.got(acme, ada.allow(page, test.changes...).answered(t, callback)); got != test.want {
			t.Errorf("%s: granted %q, want %q", what, got, test.want)
		}
	}
}

// Nobody allows nothing: the page comes back and says so, and the same form still works.
func TestNothingTickedSaysSo(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	page := ada.consent(acme, "ada", "scope", "orders:read orders:write")
	for _, nothing := range [][]string{{"-scope", ""}, {"-scope", "", "scope", "profile"}, {"-scope", "", "scope", "orders:delete"}} {
		page = ada.allow(page, nothing...).wants(t, http.StatusBadRequest, "Nothing was chosen.")
		for name, box := range page.boxes() {
			if box.ticked {
				t.Errorf("%s was ticked again", name)
			}
		}
	}
	if got := d.got(acme, ada.allow(page, "scope", "orders:write").answered(t, callback)); got != "orders:write" {
		t.Errorf("granted %q", got)
	}
}

// RFC 6749 §4.1.2.1: who says no, at the login or at the consent, sends the app away with access_denied and its state.
func TestSayingNo(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	wantDenied := func(s sight) {
		t.Helper()
		answer := s.answered(t, callback)
		if answer.Get("error") != "access_denied" || answer.Get("state") != "state-of-the-app" || answer.Get("iss") != d.url || answer.Has("code") {
			t.Errorf("the answer is %v", answer)
		}
	}
	login := ada.open(acme.ask())
	_, values := login.form(t, "/login")
	cancel := "/oauth/cancel?" + login.url.RawQuery
	wantDenied(ada.post(cancel, values))
	wantDenied(ada.post(cancel, values)) // a double click
	for _, no := range []string{"deny", "", "ALLOW", "allow "} {
		page := ada.consent(acme, "ada")
		wantDenied(ada.allow(page, "decision", no))
		// The other answer does not come after it.
		ada.allow(page).wants(t, http.StatusBadRequest, "This page is no longer good")
	}
	if got := d.got(acme, ada.allow(ada.consent(acme, "ada")).answered(t, callback)); got == "" {
		t.Error("nothing was granted in the end")
	}
}

// CVE-2022-39222, RFC 9700 §4.7: a request for authorization belongs to the browser that began it. Nobody else can log in
// to it, see it, allow it or refuse it.
func TestRequestBelongsToItsBrowser(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("eve")
	acme, ada, eve := d.webApp(), d.person(), d.person()
	eve.enter("eve")
	page := ada.consent(acme, "ada")
	tx := "?" + page.url.RawQuery
	for _, path := range []string{"/login", "/select", "/consent", "/oauth/continue"} {
		eve.get(path+tx).wants(t, http.StatusForbidden, "This did not begin here")
	}
	_, own := page.form(t, "/consent")
	values := form("form_token", own.Get("form_token"), "decision", "allow", "scope", "orders:read", "username", "eve", "password", password)
	for _, path := range []string{"/login", "/select", "/consent", "/oauth/cancel"} {
		eve.post(path+tx, values).wants(t, http.StatusForbidden, "This did not begin here")
	}
	// Neither does the session that it was shown in change hands: whoever logs in instead is asked himself.
	ada.login(ada.open("/login?as=other"), "eve").wants(t, http.StatusOK, "eve")
	ada.allow(page).wants(t, http.StatusForbidden, "not sent from our page")
	again := ada.open("/consent"+tx).wants(t, http.StatusOK, "signed in as eve")
	ada.allow(again).answered(t, callback)
}

// Two tabs do not overwrite each other, and a tab that stayed open for too long says so.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, pocket, ada := d.webApp(), d.deviceApp(), d.person()
	first := ada.open(acme.ask("scope", "orders:read", "state", "first"))
	second := ada.open(pocket.ask("scope", "orders:write", "state", "second"))
	third := ada.open(acme.ask("state", "third"))
	consent := ada.login(second, "ada").wants(t, http.StatusOK, "Pocket Invoices wants access")
	other := ada.open("/oauth/continue?"+first.url.RawQuery).wants(t, http.StatusOK, "Acme Invoices wants access")
	one, two := ada.allow(other).answered(t, callback), ada.allow(consent).answered(t, callback)
	if one.Get("state") != "first" || two.Get("state") != "second" {
		t.Errorf("answers %v and %v", one, two)
	}
	if a, b := d.got(acme, one), d.got(pocket, two); a != "orders:read" || b != "orders:write" {
		t.Errorf("granted %q and %q", a, b)
	}
	d.clock.Advance(10 * time.Minute)
	ada.get("/consent?"+third.url.RawQuery).wants(t, http.StatusBadRequest, "This page is no longer good")
	ada.login(third, "ada").wants(t, http.StatusBadRequest, "This page is no longer good")
}

// RFC 6749 §4.1.2: a double click makes one code. The back button afterwards leads to a page that explains.
func TestAllowingTwiceMakesOneCode(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	page := ada.consent(acme, "ada")
	codes := make([]string, 8)
	crowd(len(codes), func(i int) {
		path, values := page.form(t, "/consent")
		values.Set("decision", "allow")
		codes[i] = ada.post(path, values).answered(t, callback).Get("code")
	})
	if codes[0] == "" || len(slices.Compact(slices.Clone(codes))) != 1 {
		t.Fatalf("the codes are %v", codes)
	}
	wantStatus(t, d.redeem(acme.client, codes[0]), http.StatusOK)
	ada.allow(page).wants(t, http.StatusBadRequest, "This page is no longer good")
	ada.open("/consent?"+page.url.RawQuery).wants(t, http.StatusBadRequest, "This page is no longer good")
	d.clock.Advance(11 * time.Second)
	ada.allow(page).wants(t, http.StatusBadRequest, "This page is no longer good")
}

// A double click on the choice of an account is one choice.
func TestChoosingTwiceIsOneChoice(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	ada.enter("ada")
	page := ada.open(acme.ask("prompt", "select_account"))
	crowd(8, func(int) {
		path, values := page.form(t, "/select")
		values.Set("decision", "continue")
		if s := ada.post(path, values); s.status != http.StatusSeeOther || !strings.HasPrefix(s.location(), "/oauth/continue?") {
			t.Errorf("%d to %q %s", s.status, s.location(), s.words())
		}
	})
	ada.allow(ada.open("/oauth/continue?"+page.url.RawQuery).wants(t, http.StatusOK, "wants access")).answered(t, callback)
}

// RFC 8252 §8.6: the operator's own apps ask nobody, if they can prove who they are. Those that cannot ask every time.
func TestFirstPartyAppsThatProveThemselvesDoNotAsk(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	own, ownDevice, ada := d.webApp(obj{"first_party": true}), d.deviceApp(obj{"first_party": true}), d.person()
	ada.enter("ada")
	if got := d.got(own, ada.open(own.ask("scope", "openid orders:read orders:write")).answered(t, callback)); got != "openid orders:read orders:write" {
		t.Errorf("granted %q", got)
	}
	ada.open(own.ask("prompt", "consent")).wants(t, http.StatusOK, "This app belongs to")
	for range 2 {
		page := ada.consent(ownDevice, "ada").wants(t, http.StatusOK, "This app cannot prove who it is.")
		ada.allow(page, "remember", "1").answered(t, callback)
	}
	if got := ada.open(ownDevice.ask("prompt", "none")).answered(t, callback).Get("error"); got != "consent_required" {
		t.Errorf("a device app without asking: %q", got)
	}
}

// OWASP ASVS 8.2.1: scopes of administration are given by administrators alone, and nobody else is even asked.
func TestScopesOfAdministrationAreForAdministrators(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("root", obj{"admin": true})
	console := d.webApp(obj{"first_party": true, "scopes": []string{"openid", "admin:users", "account:read"}})
	ada, root := d.person(), d.person()
	answer := ada.login(ada.open(console.ask("scope", "openid admin:users")), "ada").answered(t, callback)
	if answer.Get("error") != "access_denied" || answer.Get("state") != "state-of-the-app" {
		t.Errorf("the answer is %v", answer)
	}
	page := ada.open(console.ask("scope", "openid account:read", "prompt", "consent")).wants(t, http.StatusOK, "wants access")
	if got := d.got(console, ada.allow(page, "scope", "admin:users").answered(t, callback)); got != "account:read openid" {
		t.Errorf("granted %q", got)
	}
	if got := d.got(console, root.login(root.open(console.ask("scope", "openid admin:users")), "root").answered(t, callback)); got != "admin:users openid" {
		t.Errorf("granted %q", got)
	}
	// Who stops being an administrator while the page is open gives nothing.
	page = root.open(console.ask("scope", "openid admin:users", "prompt", "consent")).wants(t, http.StatusOK, "wants access")
	d.mustAdmin(http.MethodPatch, "/users/root", obj{"admin": false})
	if s := root.allow(page, "scope", "admin:users"); s.url.Path != "/login" {
		t.Errorf("a page of before: %d %s", s.status, s.url)
	}
}
