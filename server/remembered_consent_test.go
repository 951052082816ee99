package server_test

import (
	"net/http"
	"testing"
	"time"
)

// answeredSilently is the answer to a request that nobody is asked about.
func (p *person) answeredSilently(a app, changes ...string) (code, failure string) {
	p.t.Helper()
	answer := p.get(a.ask(append(changes, "prompt", "none")...)).answered(p.t, a.callback)
	return answer.Get("code"), answer.Get("error")
}

// RFC 9700 §4.11, OWASP ASVS 10.7.1: what a person allowed an app that proves who it is can be remembered, if the person
// says so. It covers what was asked for then, and parts of it, and nothing else.
func TestRememberedConsentCoversWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("bob")
	acme, other, ada, bob := d.webApp(), d.webApp(obj{"name": "Other Invoices"}), d.person(), d.person()
	ada.allow(ada.consent(acme, "ada")).answered(t, callback)
	ada.consent(acme, "ada") // not remembered unless that was ticked
	ada.allow(ada.consent(acme, "ada"), "remember", "1").answered(t, callback)
	for _, same := range []string{"openid profile orders:read", "orders:read profile openid", "openid orders:read", "orders:read"} {
		code, failure := ada.answeredSilently(acme, "scope", same)
		if code == "" {
			t.Errorf("%s: %s", same, failure)
			continue
		}
		ada.open(acme.ask("scope", same)).answered(t, callback)
	}
	for _, more := range []string{"openid profile orders:read orders:write", "orders:write", "openid profile email orders:read", "openid offline_access"} {
		if _, failure := ada.answeredSilently(acme, "scope", more); failure != "consent_required" {
			t.Errorf("%s: %q, want consent_required", more, failure)
		}
	}
	// Nothing of it holds for another app, another person, or when the app wants people to be asked.
	ada.consent(other, "ada")
	bob.consent(acme, "bob")
	ada.consent(acme, "ada", "prompt", "consent")
}

// OWASP ASVS 10.7.2: when an app wants more than before, the page marks what is new and keeps what was not allowed
// unticked; nothing is widened silently.
func TestNewScopesAreMarked(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	first := ada.consent(acme, "ada", "scope", "openid orders:read orders:write")
	for name, box := range first.boxes() {
		if box.isNew || !box.ticked {
			t.Errorf("the first time, %s is %+v", name, box)
		}
	}
	ada.allow(first, "-scope", "orders:write", "remember", "1").answered(t, callback)
	page := ada.consent(acme, "ada", "scope", "openid profile orders:read orders:write").wants(t, http.StatusOK, "You allowed this app something before.")
	want := map[string]box{
		"openid": {ticked: true, disabled: true}, "orders:read": {ticked: true}, "profile": {ticked: true, isNew: true}, "orders:write": {isNew: true},
	}
	for name, got := range page.boxes() {
		if got != want[name] {
			t.Errorf("%s is %+v, want %+v", name, got, want[name])
		}
	}
	if got := d.got(acme, ada.allow(page).answered(t, callback)); got != "openid profile orders:read" {
		t.Errorf("granted %q", got)
	}
}

// What a person unticked is not granted the next time either, while the app is not asked to do without it.
func TestUntickedScopesStayAway(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	ask := []string{"scope", "openid orders:read orders:write"}
	ada.allow(ada.consent(acme, "ada", ask...), "-scope", "orders:write", "remember", "1").answered(t, callback)
	for range 2 {
		if got := d.got(acme, ada.open(acme.ask(ask...)).answered(t, callback)); got != "openid orders:read" {
			t.Errorf("granted %q", got)
		}
	}
	// Only what was refused: there is nothing to give without asking.
	if _, failure := ada.answeredSilently(acme, "scope", "orders:write"); failure != "consent_required" {
		t.Errorf("refused before: %q, want consent_required", failure)
	}
	// The app has declared since that it cannot do without: the person is asked.
	d.mustAdmin(http.MethodPatch, "/clients/"+acme.id, obj{"required_scopes": []string{"orders:write"}})
	page := ada.consent(acme, "ada", ask...)
	if box := page.boxes()["orders:write"]; !box.disabled || !box.ticked || !box.isNew {
		t.Errorf("orders:write is %+v", box)
	}
}

// RFC 8252 §8.6, CVE-2023-34246: others can pass for an app that cannot prove itself, so people are asked each time, even
// if the form says that it is to be remembered.
func TestDeviceAppsAlwaysAsk(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	pocket, ada := d.deviceApp(), d.person()
	for range 3 {
		page := ada.consent(pocket, "ada")
		if _, values := page.form(t, "/consent"); values.Has("remember") {
			t.Error("the page offers to remember")
		}
		ada.allow(page, "remember", "1").answered(t, callback)
	}
	if _, failure := ada.answeredSilently(pocket); failure != "consent_required" {
		t.Errorf("without asking: %q, want consent_required", failure)
	}
}

// A consent was given to the client as it was: when that is disabled and comes back, or is registered anew, people are
// asked again. A year later they are too.
func TestRememberedConsentEnds(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme := d.webApp(obj{"client_id": "acme"})
	for what, change := range map[string]func(){
		"disabled for a while": func() {
			d.mustAdmin(http.MethodPatch, "/clients/acme", obj{"disabled": true})
			d.mustAdmin(http.MethodPatch, "/clients/acme", obj{"disabled": false})
		},
		"registered anew": func() {
			d.mustAdmin(http.MethodDelete, "/clients/acme", nil)
			acme = d.webApp(obj{"client_id": "acme"})
		},
		"a year later": func() { d.clock.Advance(365 * 24 * time.Hour) },
	} {
		ada := d.person()
		ada.allow(ada.consent(acme, "ada"), "remember", "1").answered(t, callback)
		if code, failure := ada.answeredSilently(acme); code == "" {
			t.Fatalf("%s: not remembered before: %s", what, failure)
		}
		change()
		page := ada.consent(acme, "ada")
		if what != "a year later" && page.boxes()["profile"].isNew {
			t.Errorf("%s: the page knows of before", what)
		}
	}
}

// A scope that the app may not have any more is not granted because somebody allowed it once.
func TestRememberedConsentGivesNoMoreThanTheRegistration(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	ada.allow(ada.consent(acme, "ada", "scope", orderScopes), "remember", "1").answered(t, callback)
	d.mustAdmin(http.MethodPatch, "/clients/"+acme.id, obj{"remove_scopes": []string{"orders:write"}})
	if _, failure := ada.answeredSilently(acme, "scope", orderScopes); failure != "invalid_scope" {
		t.Errorf("a scope that was taken away: %q, want invalid_scope", failure)
	}
	if got := d.got(acme, ada.open(acme.ask("scope", "orders:read")).answered(t, callback)); got != "orders:read" {
		t.Errorf("granted %q", got)
	}
}
