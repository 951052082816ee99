package clients_test

import (
	"testing"

	"github.com/safeconduct/safeconduct/clients"
)

// A family allows every scope that begins like it, whenever that was defined, and nothing else. It is no scope itself.
func TestFamiliesAllowWhatBeginsLikeThem(t *testing.T) {
	r, _ := open(t)
	n := confidential()
	n.Scopes = []string{"stock:read", "orders:*"}
	n.RequiredScopes = []string{"orders:read"}
	c, _ := create(t, r, n)
	for scope, want := range map[string]bool{
		"orders:read": true, "orders:write": true, "orders:items:read": true, "orders:defined-next-year": true, "stock:read": true,
		"orders:": false, "orders": false, "orders:*": false, "orders:items:*": false, "orders-old:read": false, "ORDERS:read": false,
		"stock:write": false, "stock:*": false, "my:orders:read": false, "admin:users": false, "": false, "*": false, ":*": false,
	} {
		if got := c.AllowsScope(scope); got != want {
			t.Errorf("%q is allowed: %v, want %v", scope, got, want)
		}
	}
}

// The family of administration is for our own clients, like each of its scopes. People agree to scopes, not to families.
func TestFamiliesAreRefusedWhereTheirScopesAre(t *testing.T) {
	r, _ := open(t)
	for name, test := range map[string]struct {
		scopes, required []string
		field            string
	}{
		"administration by others": {[]string{"admin:*"}, nil, "scopes[0]"},
		"a part of administration": {[]string{"admin:users:*"}, nil, "scopes[0]"},
		"a family of everything":   {[]string{":*"}, nil, "scopes[0]"},
		"twice":                    {[]string{"orders:*", "orders:*"}, nil, "scopes[1]"},
		"required as a family":     {[]string{"orders:*"}, []string{"orders:*"}, "required_scopes[0]"},
		"required outside":         {[]string{"orders:*"}, []string{"stock:read"}, "required_scopes[0]"},
	} {
		n := confidential()
		n.Scopes, n.RequiredScopes = test.scopes, test.required
		_, _, err := r.Create(t.Context(), n)
		wantInvalid(t, name, err, test.field)
	}
	own := service()
	own.FirstParty, own.Scopes = true, []string{"admin:*"}
	c, _ := create(t, r, own)
	if !c.AllowsScope("admin:users") || c.AllowsScope("account:read") {
		t.Error("a first-party client has not what its family says")
	}
	_, err := r.Update(t.Context(), c.ID, func(c *clients.Client) error {
		c.FirstParty = false
		return nil
	})
	wantInvalid(t, "administration of a client that is ours no more", err, "scopes[0]")
}
