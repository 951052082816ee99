package templates_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/safeconduct/safeconduct/templates"
)

// fields are the names that a form sends, buttons as name=value, in the order of the page.
func fields(form *html.Node) string {
	var names []string
	for _, n := range elements(form, "input", "select", "button") {
		name, _ := attribute(n, "name")
		if value, _ := attribute(n, "value"); n.Data == "button" && name != "" {
			name += "=" + value
		}
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// The server reads these fields.
func TestFormsSendWhatTheServerReads(t *testing.T) {
	s := newSet(t, templates.Options{})
	const out = "/account/logout form_token"
	for _, test := range []struct {
		page templates.Page
		want []string
	}{
		{templates.LoginPage{}, []string{"xAction form_token username password remember"}},
		{templates.SelectPage{}, []string{"xAction form_token decision=continue decision=other"}},
		{templates.ConsentPage{}, []string{"xAction form_token scope remember decision=deny decision=allow"}},
		{templates.FormPostPage{}, []string{"xAction xName"}},
		{templates.ProblemPage{}, nil},
		{templates.LogoutPage{}, []string{"xAction form_token xName decision=stay decision=logout"}},
		{templates.SignedOutPage{}, nil},
		{templates.AccountPage{}, []string{out, "/account form_token name"}},
		{templates.PasswordPage{}, []string{out, "/account/password form_token username current_password new_password repeat_password"}},
		{templates.SessionsPage{}, []string{out, "/account/sessions/name form_token session name", "/account/sessions/end form_token session",
			"/account/sessions/end-others form_token", "/account/logout-everywhere form_token"}},
		{templates.AppsPage{}, []string{out, "/account/apps/revoke form_token client"}},
		{templates.KeysPage{}, []string{out, "/account/tokens/revoke form_token token", "/account/tokens form_token once name scope days"}},
	} {
		var got []string
		for _, form := range elements(parse(t, render(t, s, "en", filled(test.page, func(field string) string { return "x" + field }))), "form") {
			action, _ := attribute(form, "action")
			if method, _ := attribute(form, "method"); method != "post" {
				t.Errorf("%s: the form of %s is sent by %q", nameOf(test.page), action, method)
			}
			if line := action + " " + fields(form); !slices.Contains(got, line) {
				got = append(got, line)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s sends\n%q, want\n%q", nameOf(test.page), got, test.want)
		}
	}
}

// Enter presses the first button of a form: to sign in, never to cancel. On the consent page it denies.
func TestEnterDoesTheExpected(t *testing.T) {
	s := newSet(t, templates.Options{})
	login := elements(parse(t, render(t, s, "en", templates.LoginPage{Cancel: "/cancel"})), "form")[0]
	var submits []*html.Node
	for _, button := range elements(login, "button") {
		if kind, _ := attribute(button, "type"); kind != "button" {
			submits = append(submits, button)
		}
	}
	if _, cancels := attribute(submits[0], "formaction"); cancels || len(submits) != 2 {
		t.Error("Enter does not sign in")
	}
	if target, _ := attribute(submits[1], "formaction"); target != "/cancel" {
		t.Errorf("the other button leads to %q", target)
	}
	if _, skips := attribute(submits[1], "formnovalidate"); !skips {
		t.Error("who cancels must fill in the form first")
	}
	consent := parse(t, render(t, s, "en", templates.ConsentPage{}))
	if value, _ := attribute(elements(consent, "button")[0], "value"); value != "deny" {
		t.Errorf("Enter does %q on the consent page", value)
	}
	for _, n := range elements(consent) {
		if _, focused := attribute(n, "autofocus"); focused {
			t.Error("something has the focus before the page was read")
		}
	}
}

// Password managers know the fields of a login by these (HTML §4.10.18.7), and the message never says which was wrong.
func TestLoginHelpsPasswordManagersAndNobodyElse(t *testing.T) {
	s := newSet(t, templates.Options{})
	page := parse(t, render(t, s, "en", templates.LoginPage{Username: "ada", Problem: templates.LoginWrong}))
	for _, n := range elements(page, "input") {
		name, _ := attribute(n, "name")
		completes, _ := attribute(n, "autocomplete")
		if want := map[string]string{"username": "username", "password": "current-password"}[name]; completes != want {
			t.Errorf("%s has autocomplete %q, want %q", name, completes, want)
		}
		if invalid, _ := attribute(n, "aria-invalid"); (name == "username" || name == "password") && invalid != "true" {
			t.Errorf("%s alone is not marked", name)
		}
		if value, _ := attribute(n, "value"); name == "username" && value != "ada" || name == "password" && value != "" {
			t.Errorf("%s comes back as %q", name, value)
		}
		if _, focused := attribute(n, "autofocus"); focused {
			t.Errorf("%s takes the focus from the message", name)
		}
	}
}

// Required scopes cannot be unticked, and what is ticked is what the server ticked.
func TestConsentTicks(t *testing.T) {
	s := newSet(t, templates.Options{})
	page := render(t, s, "en", templates.ConsentPage{
		App: templates.App{Name: "Acme", Target: "com.example.app:", Unproven: true}, Returning: true,
		Groups: []templates.ConsentGroup{{Resource: "Your identity", Scopes: []templates.ConsentScope{
			{Name: "openid", Required: true, Ticked: true}, {Name: "email", Ticked: true, New: true}, {Name: "orders:all", Sensitive: true},
		}}},
	})
	document := parse(t, page)
	var got []string
	for _, n := range elements(document, "input") {
		if name, _ := attribute(n, "name"); name == "scope" {
			value, _ := attribute(n, "value")
			_, checked := attribute(n, "checked")
			_, disabled := attribute(n, "disabled")
			got = append(got, value+map[bool]string{true: " ticked"}[checked]+map[bool]string{true: " fixed"}[disabled])
		}
	}
	if want := []string{"openid ticked fixed", "email ticked", "orders:all"}; !slices.Equal(got, want) {
		t.Errorf("the boxes are %q, want %q", got, want)
	}
	shown := textOf(document)
	for _, wanted := range []string{"Know who you are required", "See your email address new", "orders:all sensitive", "com.example.app:", "cannot prove who it is"} {
		if !strings.Contains(shown, wanted) {
			t.Errorf("the page does not say %q:\n%s", wanted, shown)
		}
	}
}
