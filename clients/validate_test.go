package clients_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/keys"
)

func TestRegistrationRefusesBadMetadata(t *testing.T) {
	r, _ := open(t)
	with := func(n clients.Registration, change func(*clients.Registration)) clients.Registration {
		change(&n)
		return n
	}
	window := func(seconds int) *int { return &seconds }
	for _, test := range []struct {
		name  string
		n     clients.Registration
		field string
	}{
		{"no name", with(confidential(), func(n *clients.Registration) { n.Name = "" }), "name"},
		{"name with line break", with(confidential(), func(n *clients.Registration) { n.Name = "A\nB" }), "name"},
		{"name with bidi override", with(confidential(), func(n *clients.Registration) { n.Name = "A\u202eB" }), "name"},
		{"name of invalid UTF-8", with(confidential(), func(n *clients.Registration) { n.Name = "A\xff" }), "name"},
		{"endless name", with(confidential(), func(n *clients.Registration) { n.Name = strings.Repeat("n", 101) }), "name"},
		{"no type", with(confidential(), func(n *clients.Registration) { n.Type = "" }), "type"},
		{"unknown type", with(confidential(), func(n *clients.Registration) { n.Type = "admin" }), "type"},
		{"unknown method", with(confidential(), func(n *clients.Registration) { n.AuthMethod = "private_key_jwt" }), "auth_method"},
		{"confidential by nothing", with(confidential(), func(n *clients.Registration) { n.AuthMethod = clients.None }), "auth_method"},
		{"service by nothing", with(service(), func(n *clients.Registration) { n.AuthMethod = clients.None }), "auth_method"},
		{"public with a secret", with(public(), func(n *clients.Registration) { n.AuthMethod = clients.SecretPost }), "auth_method"},
		{"no grant types", with(confidential(), func(n *clients.Registration) { n.GrantTypes = nil }), "grant_types"},
		{"implicit", with(confidential(), func(n *clients.Registration) { n.GrantTypes = []string{"implicit"} }), "grant_types[0]"},
		{"grant type twice", with(confidential(), func(n *clients.Registration) { n.GrantTypes = append(n.GrantTypes, clients.RefreshToken) }), "grant_types[2]"},
		{"refresh alone", with(confidential(), func(n *clients.Registration) {
			n.GrantTypes = []string{clients.RefreshToken, clients.ClientCredentials}
		}), "grant_types"},
		{"public client credentials", with(public(), func(n *clients.Registration) { n.GrantTypes = append(n.GrantTypes, clients.ClientCredentials) }), "grant_types[2]"},
		{"password for a public client of others", with(public(), func(n *clients.Registration) { n.GrantTypes = append(n.GrantTypes, clients.Password) }), "grant_types[2]"},
		{"service for users", with(service(), func(n *clients.Registration) { n.GrantTypes = []string{clients.Password} }), "grant_types[0]"},
		{"service with redirect", with(service(), func(n *clients.Registration) { n.RedirectURIs = []string{callback} }), "redirect_uris"},
		{"code without redirect", with(confidential(), func(n *clients.Registration) { n.RedirectURIs = nil }), "redirect_uris"},
		{"empty scope", with(confidential(), func(n *clients.Registration) { n.Scopes = []string{""} }), "scopes[0]"},
		{"scope with blank", with(confidential(), func(n *clients.Registration) { n.Scopes = []string{"a b"} }), "scopes[0]"},
		{"scope with quote", with(confidential(), func(n *clients.Registration) { n.Scopes = []string{`a"b`} }), "scopes[0]"},
		{"scope outside ASCII", with(confidential(), func(n *clients.Registration) { n.Scopes = []string{"é"} }), "scopes[0]"},
		{"scope twice", with(confidential(), func(n *clients.Registration) { n.Scopes = []string{"a", "b", "a"} }), "scopes[2]"},
		{"endless scopes", with(confidential(), func(n *clients.Registration) { n.Scopes = []string{strings.Repeat("s", 2049)} }), "scopes"},
		{"administration by others", with(confidential(), func(n *clients.Registration) { n.Scopes = []string{"admin:users"} }), "scopes[0]"},
		{"unknown rotation", with(confidential(), func(n *clients.Registration) { n.Rotation = "sometimes" }), "rotation"},
		{"public without rotation", with(public(), func(n *clients.Registration) { n.Rotation = clients.RotateNever }), "rotation"},
		{"negative window", with(public(), func(n *clients.Registration) { n.RefreshWindow = window(-1) }), "refresh_window"},
		{"endless window", with(public(), func(n *clients.Registration) { n.RefreshWindow = window(301) }), "refresh_window"},
		{"lifetime of nothing", with(service(), func(n *clients.Registration) { n.SecretLifetime = time.Millisecond }), "lifetime"},
	} {
		_, secret, err := r.Create(t.Context(), test.n)
		wantInvalid(t, test.name, err, test.field)
		if secret != "" {
			t.Errorf("%s: a secret was handed out", test.name)
		}
	}
	many := confidential()
	many.Scopes = nil
	for i := range 201 {
		many.Scopes = append(many.Scopes, fmt.Sprint(i))
	}
	_, _, err := r.Create(t.Context(), many)
	wantInvalid(t, "201 scopes", err, "scopes")
	if list, err := r.List(t.Context(), "", 10); err != nil || len(list) != 0 {
		t.Errorf("%d refused clients are listed: %v", len(list), err)
	}
}

// The operator's own clients may do what those of others may not.
func TestFirstPartyClients(t *testing.T) {
	r, _ := open(t)
	n := public()
	n.FirstParty = true
	n.GrantTypes = append(n.GrantTypes, clients.Password)
	n.Scopes = []string{"admin:users"}
	c, _ := create(t, r, n)
	if !c.Allows(clients.Password) || !c.AllowsScope("admin:users") || c.AllowsScope("admin:") || c.AllowsScope("orders:read") || c.Allows("") {
		t.Errorf("got %+v", c)
	}
}

// CVE-2026-44476: what is public has no secret and what is not has one, in the answer and in the record.
func TestPublicMeansNoSecret(t *testing.T) {
	r, _ := open(t)
	for _, n := range []clients.Registration{confidential(), public(), service()} {
		c, secret := create(t, r, n)
		stored, err := r.Fresh(t.Context(), c.Number)
		if err != nil {
			t.Fatal(err)
		}
		isPublic := n.Type == clients.Public
		if (secret == "") != isPublic || (len(stored.Secrets) == 0) != isPublic || (stored.AuthMethod == clients.None) != isPublic || stored.Confidential() == isPublic {
			t.Errorf("%s: secret %v, stored %+v", n.Type, secret != "", stored)
		}
	}
}

// RFC 9700 §4.14.2: public clients rotate, always; those that authenticate themselves only when they want it.
func TestRotationFollowsTheType(t *testing.T) {
	seconds := 0
	for _, test := range []struct {
		client  clients.Client
		rotates bool
		window  time.Duration
	}{
		{clients.Client{Type: clients.Public}, true, 30 * time.Second},
		{clients.Client{Type: clients.Public, Rotation: clients.RotateNever}, true, 30 * time.Second},
		{clients.Client{Type: clients.Confidential}, false, 30 * time.Second},
		{clients.Client{Type: clients.Confidential, Rotation: clients.RotateNever}, false, 30 * time.Second},
		{clients.Client{Type: clients.Confidential, Rotation: clients.RotateAlways, RefreshWindow: &seconds}, true, 0},
	} {
		if got := test.client.Rotates(); got != test.rotates {
			t.Errorf("%+v: rotates %v", test.client, got)
		}
		if got := test.client.Window(); got != test.window {
			t.Errorf("%+v: window %v", test.client, got)
		}
	}
}

// CVE-2026-15572: an update validates everything again, also what it does not change.
func TestUpdateValidatesEverything(t *testing.T) {
	r, _ := open(t)
	c, secret := create(t, r, confidential())
	for name, test := range map[string]struct {
		change func(*clients.Client)
		field  string
	}{
		"another type":         {func(c *clients.Client) { c.Type, c.AuthMethod, c.Secrets = clients.Public, clients.None, nil }, "type"},
		"by nothing":           {func(c *clients.Client) { c.AuthMethod = clients.None }, "auth_method"},
		"a script as redirect": {func(c *clients.Client) { c.RedirectURIs[0] = "javascript:alert(1)" }, "redirect_uris[0]"},
		"no redirect":          {func(c *clients.Client) { c.RedirectURIs = nil }, "redirect_uris"},
		"administration":       {func(c *clients.Client) { c.Scopes = append(c.Scopes, "admin:users") }, "scopes[2]"},
		"no name":              {func(c *clients.Client) { c.Name = "" }, "name"},
		"no grants":            {func(c *clients.Client) { c.GrantTypes = nil }, "grant_types"},
		"number":               {func(c *clients.Client) { c.Number++ }, "number"},
		"ID":                   {func(c *clients.Client) { c.ID = "other" }, "client_id"},
		"epoch":                {func(c *clients.Client) { c.Epoch = 0 }, "epoch"},
		"disabled":             {func(c *clients.Client) { c.Disabled = true }, "disabled"},
		"dates":                {func(c *clients.Client) { c.Created = c.Created.Add(1) }, "created"},
		"no secrets":           {func(c *clients.Client) { c.Secrets = nil }, "secrets"},
		"a secret's hash":      {func(c *clients.Client) { c.Secrets[0].Hash[0]++ }, "secrets"},
		"a secret's end":       {func(c *clients.Client) { c.Secrets[0].Expires = time.Now() }, "secrets"},
		"a secret of its own making": {func(c *clients.Client) {
			_, credential := keys.NewCredential(keys.ClientSecretPrefix, noon, time.Time{})
			c.Secrets = append(c.Secrets, credential)
		}, "secrets"},
	} {
		_, err := r.Update(t.Context(), c.ID, func(c *clients.Client) error {
			test.change(c)
			return nil
		})
		wantInvalid(t, name, err, test.field)
	}
	now, err := r.Authenticate(t.Context(), clients.Presented{ID: c.ID, Secret: secret, Method: clients.SecretBasic})
	if err != nil || now.Epoch != c.Epoch || now.Name != c.Name {
		t.Errorf("got %+v and %v", now, err)
	}
}

func TestUpdateChanges(t *testing.T) {
	r, clock := open(t)
	c, secret := create(t, r, confidential())
	clock.Advance(time.Hour)
	now, err := r.Update(t.Context(), c.ID, func(c *clients.Client) error {
		c.Name, c.AuthMethod, c.Rotation = "Orders", clients.SecretPost, clients.RotateAlways
		c.RedirectURIs = append(c.RedirectURIs, "https://new.example.org/")
		return nil
	})
	if err != nil || now.Name != "Orders" || !now.Rotates() || !now.AllowsRedirect("https://new.example.org/") || now.Epoch != c.Epoch || !now.Updated.Equal(noon.Add(time.Hour)) {
		t.Fatalf("got %+v and %v", now, err)
	}
	_, err = r.Authenticate(t.Context(), clients.Presented{ID: c.ID, Secret: secret, Method: clients.SecretPost})
	wantErr(t, "by the new method", err, nil)
	refusal := errors.New("no")
	_, err = r.Update(t.Context(), c.ID, func(*clients.Client) error { return refusal })
	wantErr(t, "a refusing change", err, refusal)
}
