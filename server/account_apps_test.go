package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// OWASP ASVS 10.7.3: a person takes everything from an app at once: its tokens are dead, its code is worth nothing, and
// it must ask again. Another person's access, and another app's, are not touched.
func TestRevokedAppHasNothingAndAsksAgain(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("bob")
	acme, other, api, ada, bob := d.webApp(), d.webApp(obj{"name": "Other Invoices"}), d.api(), d.person(), d.person()
	const offline = "openid offline_access orders:read"
	bobs := d.redeem(acme.client, bob.goThrough(acme, "bob", "scope", offline))
	others := d.redeem(other.client, ada.goThrough(other, "ada", "scope", offline))
	first := d.redeem(acme.client, ada.allow(ada.consent(acme, "ada", "scope", offline), "remember", "1").answered(t, callback).Get("code"))
	second := d.redeem(acme.client, ada.open(acme.ask("scope", offline)).answered(t, callback).Get("code"))
	pending := ada.open(acme.ask("scope", offline)).answered(t, callback).Get("code")

	page := ada.open("/account/apps").wants(t, http.StatusOK, "Acme Invoices")
	page.wants(t, http.StatusOK, "Does not ask again")
	page.wants(t, http.StatusOK, "Has access also while you are away")
	page.wants(t, http.StatusOK, "See your orders")
	_, values := page.form(t, "/account/apps/revoke") // in the order of their names
	if values.Get("client") != acme.id {
		t.Fatalf("the first app is %s", values.Get("client"))
	}
	ada.submit(page, "/account/apps/revoke").wants(t, http.StatusOK, "The app has no access any more.")

	for _, tokens := range []answer{first, second} {
		d.wantInactive(api, tokens.str("access_token"))
		wantError(t, d.refresh(acme.client, tokens.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	}
	wantError(t, d.redeem(acme.client, pending), http.StatusBadRequest, "invalid_grant")
	if _, failure := ada.answeredSilently(acme, "scope", offline); failure != "consent_required" {
		t.Errorf("without asking: %q, want consent_required", failure)
	}
	if again := ada.consent(acme, "ada", "scope", offline); strings.Contains(again.words(), "You allowed this app something before") {
		t.Error("the page knows of before")
	}
	d.wantActive(api, bobs.str("access_token"))
	d.wantActive(api, others.str("access_token"))
	wantStatus(t, d.refresh(acme.client, bobs.str("refresh_token")), http.StatusOK)
	if words := ada.open("/account/apps").words(); strings.Contains(words, "Acme Invoices") || !strings.Contains(words, "Other Invoices") {
		t.Errorf("the page says %s", words)
	}
	bob.open("/account/apps").wants(t, http.StatusOK, "Acme Invoices")
}

// An app that was never allowed anything, that does not exist, or whose id is nonsense can be revoked, and nothing happens.
func TestRevokingWhatHasNoAccess(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, api, ada := d.webApp(), d.api(), d.person()
	tokens := d.redeem(acme.client, ada.goThrough(acme, "ada", "scope", "orders:read"))
	_, values := ada.open("/account/apps").form(t, "/account/apps/revoke")
	for _, id := range []string{d.webApp().id, "nobody", "", "../" + acme.id, strings.ToUpper(acme.id), strings.Repeat("x", 5000)} {
		values.Set("client", id)
		if s := ada.post("/account/apps/revoke", values); s.status != http.StatusSeeOther {
			t.Errorf("client %.20q: %d", id, s.status)
		}
	}
	d.wantActive(api, tokens.str("access_token"))
}

// The page tells of each app what it may do, and warns of one that cannot prove who it is. Personal access tokens are not
// among them.
func TestAppsPageTellsWhatAppsMayDo(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	pocket, ada := d.deviceApp(obj{"client_uri": "https://pocket.example/"}), d.person()
	ada.enter("ada")
	ada.makeToken("script", "orders:write")
	ada.open("/account/apps").wants(t, http.StatusOK, "No app has access.")
	d.redeem(pocket.client, ada.goThrough(pocket, "ada", "scope", "openid orders:read"))
	page := ada.open("/account/apps").wants(t, http.StatusOK, "Pocket Invoices")
	for _, text := range []string{"pocket.example", "This app cannot prove who it is.", "Know who you are", "See your orders", "Demo orders"} {
		page.wants(t, http.StatusOK, text)
	}
	for _, text := range []string{"Place orders", "Has access also while you are away", "Does not ask again", "script"} {
		if strings.Contains(page.words(), text) {
			t.Errorf("the page says %q: %s", text, page.words())
		}
	}
}
