package server_test

import (
	"errors"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// What others import to verify signed tokens by themselves hears of a revocation as it happens: the package scopes against
// a real server, for both forms of tokens.
func TestLocalVerifiersHearOfRevocations(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	stock := d.signedAPI("stock")
	app := d.client("confidential", obj{"scopes": []string{"stock:read", "stock:write"}})
	d.user("ada")
	checker, err := scopes.NewChecker(scopes.Config{Issuer: d.url, Audience: "https://stock.example", ID: stock.id, Secret: stock.secret, Clock: d.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checker.Close() })
	for range 3 {
		token := d.mustLogin(app, "ada", "scope", "stock:write").str("access_token")
		good, err := checker.Check(t.Context(), token)
		if err != nil || !good.Scopes.Has("stock:read") || good.ClientID != app.id {
			t.Fatalf("got %v: %v", good, err)
		}
		wantStatus(t, d.revoke(app, token), 200)
		eventually(t, 10*time.Second, "the revoked token is refused", func() bool {
			_, err := checker.Check(t.Context(), token)
			return errors.Is(err, scopes.ErrInactive)
		})
	}
}
