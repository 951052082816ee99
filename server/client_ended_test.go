package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Machines' grants are in no index: that a client was disabled or deleted is told in one entry, which covers everything
// that it was granted until then, and to no API that it could have no tokens for.
func TestTheEndOfAClientIsTold(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	stock, other := d.signedAPI("stock"), d.signedAPI("other")
	entries := func(api client) string {
		return d.send(http.MethodGet, "/oauth/revocations", "", "", "Authorization", basic(api.id, api.secret)).text
	}
	for name, end := range map[string]func(id string) answer{
		"disabled": func(id string) answer { return d.mustAdmin(http.MethodPatch, "/clients/"+id, obj{"disabled": true}) },
		"deleted":  func(id string) answer { return d.mustAdmin(http.MethodDelete, "/clients/"+id, nil) },
	} {
		machine := d.client("service", obj{"scopes": []string{"stock:read"}})
		token := d.token(machine, form("grant_type", "client_credentials")).str("access_token")
		d.wantActive(stock, token)
		epoch := `"epoch":"` + payload(t, token, 1)["sc_epoch"].(string) + `"`
		before := strings.Count(entries(stock), epoch)
		d.clock.Advance(time.Second)
		end(machine.id)
		d.wantInactive(stock, token)
		if got := entries(stock); before != 0 || strings.Count(got, epoch) != 1 {
			t.Errorf("%s: %s", name, got)
		}
		if got := entries(other); strings.Contains(got, epoch) {
			t.Errorf("%s: told to an API that it had no tokens for: %s", name, got)
		}
	}
	// A client whose tokens are never signed has nobody to tell.
	opaque := d.client("service", obj{"scopes": []string{"orders:read"}})
	told := len(d.entries(stock)) + len(d.entries(other))
	d.mustAdmin(http.MethodPatch, "/clients/"+opaque.id, obj{"disabled": true})
	if got := len(d.entries(stock)) + len(d.entries(other)); got != told {
		t.Errorf("%d entries are told without need", got-told)
	}
}
