package server_test

import (
	"fmt"
	"net/http"
	"testing"
)

// What ends a user or a client ends it in every place at once: no grant type gives anything, no token of the past is good,
// also when it is let in again.
func TestTheEndOfAUserOrClientIsSeenEverywhere(t *testing.T) {
	t.Parallel()
	patch := func(path string, change obj) func(*deployment, string, string) {
		return func(d *deployment, user, client string) {
			d.mustAdmin(http.MethodPatch, fmt.Sprintf(path, user, client), change)
		}
	}
	for _, end := range []struct {
		name           string
		end            func(d *deployment, user, client string)
		again          func(d *deployment, user, client string)
		byClient, left bool // left: who may go on with new grants
	}{
		{"user disabled", patch("/users/%[1]s", obj{"disabled": true}), patch("/users/%[1]s", obj{"disabled": false}), false, false},
		{"user deleted", func(d *deployment, user, _ string) { d.mustAdmin(http.MethodDelete, "/users/"+user, nil) }, nil, false, false},
		{"password changed", func(d *deployment, user, _ string) {
			d.mustAdmin(http.MethodPut, "/users/"+user+"/password", obj{"new_password": "another long password"})
		}, nil, false, false},
		{"second factor demanded", patch("/users/%[1]s", obj{"second_factor": true}), patch("/users/%[1]s", obj{"second_factor": false}), false, false},
		{"client disabled", patch("/clients/%[2]s", obj{"disabled": true}), patch("/clients/%[2]s", obj{"disabled": false}), true, false},
		{"client deleted", func(d *deployment, _, client string) { d.mustAdmin(http.MethodDelete, "/clients/"+client, nil) }, nil, true, false},
		{"log-out everywhere", func(d *deployment, user, _ string) {
			d.mustAdmin(http.MethodPost, "/users/"+user+"/logout-everywhere", nil)
		}, nil, false, true},
	} {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			d := deployBolt(t)
			api, user := d.api(), d.user("ada")
			c := d.web(obj{"grant_types": []string{"authorization_code", "refresh_token", "password", "client_credentials"}})
			access, refresh := d.mustLogin(c, "ada").tokens()
			machine := d.token(c, form("grant_type", "client_credentials")).str("access_token")
			code := d.code(c, user)
			d.wantActive(api, access)
			d.wantActive(api, machine)

			check := func() {
				t.Helper()
				d.wantInactive(api, access)
				wantError(t, d.call(http.MethodGet, "/demo/orders", access), http.StatusUnauthorized, "invalid_token")
				if end.byClient {
					d.wantInactive(api, machine)
				} else {
					d.wantActive(api, machine)
				}
			}
			end.end(d, user, c.id)
			check()
			for what, a := range map[string]answer{"refresh": d.refresh(c, refresh), "code": d.redeem(c, code), "password": d.login(c, "ada")} {
				switch {
				case end.byClient:
					wantUnauthenticated(t, a)
				case end.left && what == "password":
					wantStatus(t, a, http.StatusOK)
				default:
					if a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
						t.Errorf("%s: %d %s, want 400 invalid_grant", what, a.status, a.text)
					}
				}
			}
			if end.byClient {
				wantUnauthenticated(t, d.token(c, form("grant_type", "client_credentials")))
				wantUnauthenticated(t, d.revoke(c, machine))
			}
			if end.again != nil {
				end.again(d, user, c.id)
				check()
				wantError(t, d.refresh(c, refresh), http.StatusBadRequest, "invalid_grant")
				d.mustLogin(c, "ada")
			}
		})
	}
}
