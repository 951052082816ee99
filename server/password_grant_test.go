package server_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/users"
)

// hashes lets a test see how many passwords were hashed.
func hashes(into **users.Hasher) func(*server.Config) {
	return func(c *server.Config) { *into = c.Hasher }
}

// RFC 9700 §2.4: the password grant is for clients that were registered for it by name, and never for the apps of others
// that cannot even prove who they are.
func TestPasswordGrantIsOffUnlessRegistered(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	c := d.client("confidential", obj{"grant_types": []string{"authorization_code", "refresh_token"}, "redirect_uris": []string{"https://a.example/cb"}})
	wantError(t, d.login(c, "ada"), http.StatusBadRequest, "unauthorized_client")
	wantError(t, d.admin(http.MethodPost, "/clients", obj{"name": "a", "type": "public", "grant_types": []string{"password"}}), http.StatusBadRequest, "invalid_request")
	wantError(t, d.admin(http.MethodPost, "/clients", obj{"name": "a", "type": "confidential"}), http.StatusBadRequest, "invalid_request")
}

// RFC 6749 §5.2 and OWASP ASVS 6.3.8: who fails is told nothing but that. Unknown, wrong, disabled, without a password,
// and right but in need of a second factor: one answer, and one hash.
func TestFailedLoginsLookAlike(t *testing.T) {
	t.Parallel()
	var hasher *users.Hasher
	d := deployBolt(t, hashes(&hasher))
	c := d.client("confidential")
	d.user("ada")
	d.mustAdmin(http.MethodPatch, "/users/"+d.user("disabled"), obj{"disabled": true})
	d.mustAdmin(http.MethodPatch, "/users/"+d.user("careful"), obj{"second_factor": true})
	d.user("passwordless", obj{"password": ""})
	want := ""
	for _, attempt := range [][2]string{
		{"ada", "a wrong password"}, {"nobody", password}, {"disabled", password}, {"careful", password}, {"passwordless", password}, {"a name with blanks", password},
	} {
		before := hasher.Computed()
		a := d.login(c, attempt[0], "password", attempt[1])
		wantError(t, a, http.StatusBadRequest, "invalid_grant")
		if got := hasher.Computed() - before; got != 1 {
			t.Errorf("%s: %d hashes, want 1", attempt[0], got)
		}
		got := strings.ReplaceAll(a.text, a.str("request_id"), "")
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s: %s, want %s", attempt[0], got, want)
		}
	}
	wantStatus(t, d.login(c, "ada"), http.StatusOK)
}

// A password that nobody can have is refused before anything is computed: a megabyte must not keep a hash busy.
func TestImpossiblePasswordsCostNothing(t *testing.T) {
	t.Parallel()
	var hasher *users.Hasher
	d := deployBolt(t, hashes(&hasher))
	c := d.client("confidential")
	d.user("ada")
	before := hasher.Computed()
	wantError(t, d.login(c, "ada", "password", strings.Repeat("x", 1<<20)), http.StatusRequestEntityTooLarge, "invalid_request")
	for range 40 { // they are no guesses either
		wantError(t, d.login(c, "ada", "password", strings.Repeat("x", 60_000)), http.StatusBadRequest, "invalid_grant")
	}
	wantError(t, d.login(c, "ada", "password", "short"), http.StatusBadRequest, "invalid_grant")
	wantError(t, d.login(c, strings.Repeat("x", 60_000)), http.StatusBadRequest, "invalid_grant")
	if got := hasher.Computed() - before; got > 1 {
		t.Errorf("%d hashes for passwords that nobody can have", got)
	}
	d.mustLogin(c, "ada")
}

// Usernames are compared after NFKC and case folding, and stand in one form in every answer (RFC 8265 §3.3).
func TestUsernamesHaveOneForm(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential"), d.api()
	d.user("Ada")
	for _, spelling := range []string{"ada", "ADA", "Ａda", "ᴬda"} {
		token := d.mustLogin(c, spelling).str("access_token")
		if got := d.introspect(api, token).str("username"); got != "ada" {
			t.Errorf("%s is introspected as %q", spelling, got)
		}
		wantError(t, d.admin(http.MethodPost, "/users", obj{"username": spelling}), http.StatusConflict, "conflict")
	}
	for _, lookAlike := range []string{"аda", "ada ", "a\u200bda", "ada\n"} { // the first letter of the first is Cyrillic
		wantError(t, d.login(c, lookAlike), http.StatusBadRequest, "invalid_grant")
	}
}

// OWASP ASVS 6.3.1: after a few failures an account must rest, longer each time, and the right password does not help
// meanwhile. Afterwards it does, and ends the count.
func TestGuessingAtAnAccountIsSlowedDown(t *testing.T) {
	t.Parallel()
	var hasher *users.Hasher
	d := deployBolt(t, hashes(&hasher))
	c := d.client("confidential")
	d.user("ada")
	fail := func(status int) answer {
		t.Helper()
		a := d.login(c, "ada", "password", "a wrong password")
		wantStatus(t, a, status)
		return a
	}
	for range 5 {
		fail(http.StatusBadRequest)
	}
	before := hasher.Computed()
	limited := d.login(c, "ada")
	wantError(t, limited, http.StatusTooManyRequests, "temporarily_unavailable")
	wait, err := strconv.Atoi(limited.header.Get("Retry-After"))
	if err != nil || wait != 1 {
		t.Errorf("Retry-After %q, want 1", limited.header.Get("Retry-After"))
	}
	if hasher.Computed() != before {
		t.Error("a password was looked at that should have waited")
	}
	for _, want := range []time.Duration{1, 2, 4, 8} {
		d.clock.Advance(want * time.Second)
		fail(http.StatusBadRequest)
		fail(http.StatusTooManyRequests)
	}
	d.clock.Advance(time.Minute)
	d.mustLogin(c, "ada")
	for range 5 {
		fail(http.StatusBadRequest)
	}
}

// RFC 9700 §2.4: a stolen token is no way around the limit. Asking for the current password is a guess like a login.
func TestPasswordChangeSharesTheLimit(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential", obj{"first_party": true, "scopes": []string{"account:manage"}})
	d.user("ada")
	token := d.mustLogin(c, "ada", "scope", "account:manage").str("access_token")
	change := func(current string) answer {
		return d.send(http.MethodPut, "/api/v1/me/password", "application/json",
			fmt.Sprintf(`{"current_password":%q,"new_password":"another long password"}`, current), "Authorization", "Bearer "+token)
	}
	for range 5 {
		wantError(t, change("a wrong password"), http.StatusForbidden, "access_denied")
	}
	wantError(t, change(password), http.StatusTooManyRequests, "temporarily_unavailable")
	wantError(t, d.login(c, "ada"), http.StatusTooManyRequests, "temporarily_unavailable")
	d.clock.Advance(time.Minute)
	wantStatus(t, change(password), http.StatusNoContent)
	wantError(t, d.call(http.MethodGet, "/api/v1/me", token), http.StatusUnauthorized, "invalid_token")
	wantError(t, d.login(c, "ada", "scope", "account:manage"), http.StatusBadRequest, "invalid_grant")
	d.mustLogin(c, "ada", "scope", "account:manage", "password", "another long password")
}

// guessEverywhere fails once for each of n names, so that only the network is limited. It returns how many were looked at.
func guessEverywhere(d *deployment, c client, n int, headers ...string) (looked int) {
	for i := range n {
		body := form("grant_type", "password", "client_id", c.id, "username", fmt.Sprintf("nobody-%d-%d", n, i), "password", "a wrong password").Encode()
		a := d.send(http.MethodPost, "/oauth/token", formType, body, headers...)
		if a.status == http.StatusBadRequest {
			looked++
		} else {
			wantError(d.t, a, http.StatusTooManyRequests, "temporarily_unavailable")
		}
	}
	return looked
}

// A back end sends the logins of all its users from one address. A visitor who mistypes there shuts nobody out but the
// accounts that he names.
func TestGuessesThroughABackEndDoNotShutOutItsUsers(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	d.user("ada")
	for i := range 40 {
		wantError(t, d.login(c, fmt.Sprintf("nobody-%d", i)), http.StatusBadRequest, "invalid_grant")
	}
	d.mustLogin(c, "ada")
	limited := false
	for range 10 {
		limited = limited || d.login(c, "ada", "password", "a wrong password").status == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("ten guesses at one account through a back end were not limited")
	}
}

// OWASP ASVS 4.1.3: what a client says about its address is not believed, so it cannot escape the limit of its network.
func TestForwardedHeadersAreNotBelieved(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("public")
	if got := guessEverywhere(d, c, 35); got != 30 {
		t.Fatalf("%d guesses from one network were looked at, want 30", got)
	}
	for _, header := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "X_Forwarded_For", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip", "X-Appengine-Remote-Addr"} {
		value := "203.0.113.7"
		if header == "Forwarded" {
			value = "for=203.0.113.7"
		}
		if got := guessEverywhere(d, c, 1, header, value); got != 0 {
			t.Errorf("%s made the server forget where the request came from", header)
		}
	}
	d.clock.Advance(15 * time.Minute)
	if got := guessEverywhere(d, c, 1); got != 1 {
		t.Error("the network is still limited after its time")
	}
}

// Behind a trusted proxy the client is the last address that no proxy of ours wrote; what stands left of it is made up.
func TestForwardedHeadersOfATrustedProxy(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	c := d.client("public")
	if got := guessEverywhere(d, c, 31, "X-Forwarded-For", "203.0.113.7"); got != 30 {
		t.Fatalf("%d guesses of one client were looked at, want 30", got)
	}
	for _, same := range [][]string{
		{"X-Forwarded-For", "198.51.100.1, 203.0.113.7"}, {"X-Forwarded-For", "198.51.100.1,203.0.113.7,10.1.2.3"},
		{"X-Forwarded-For", "198.51.100.2", "X-Forwarded-For", "203.0.113.7"}, {"X-Forwarded-For", "10.9.9.9, 203.0.113.7, 10.1.2.3"},
		{"X-Forwarded-For", "garbage, 203.0.113.7"}, {"X-Forwarded-For", "::ffff:203.0.113.7"}, {"X-Forwarded-For", "203.0.113.7:5123"},
		{"X-Forwarded-For", "203.0.113.7", "Forwarded", "for=198.51.100.3"}, {"X-Forwarded-For", "203.0.113.7", "X-Real-Ip", "198.51.100.3"},
	} {
		if got := guessEverywhere(d, c, 1, same...); got != 0 {
			t.Errorf("%q passed for another client", same)
		}
	}
	for _, other := range []string{"203.0.113.8", "203.0.113.7, 203.0.113.9", "2001:db8::1"} {
		if got := guessEverywhere(d, c, 1, "X-Forwarded-For", other); got != 1 {
			t.Errorf("%q is limited by the guesses of another client", other)
		}
	}
	// Whoever holds an IPv6 /64 has all of its addresses.
	for i := range 30 {
		guessEverywhere(d, c, 1, "X-Forwarded-For", fmt.Sprintf("2001:db8:1::%x", i+1))
	}
	if got := guessEverywhere(d, c, 1, "X-Forwarded-For", "2001:db8:1:0:ffff::1"); got != 0 {
		t.Error("another address of the same /64 was not limited")
	}
}

// A flood of logins is told to come again, and does not slow down what needs no password.
func TestALoginFloodIsToldToComeAgain(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) { c.Hasher = users.NewHasher(users.Params{MemoryKiB: 8192, Passes: 8}, 1, 1) })
	c, api := d.client("confidential"), d.api()
	d.user("ada")
	token := d.mustLogin(c, "ada").str("access_token")
	const flood = 24
	answers := make([]answer, flood+1)
	crowd(flood+1, func(i int) {
		if i == flood {
			answers[i] = d.introspect(api, token)
			return
		}
		answers[i] = d.login(c, "ada")
	})
	if answers[flood].json["active"] != true {
		t.Errorf("introspection in the flood: %s", answers[flood].text)
	}
	served := 0
	for _, a := range answers[:flood] {
		if a.status == http.StatusOK {
			served++
			continue
		}
		if a.status == http.StatusTooManyRequests {
			continue // attempts under way count as failures until they turn out to be none
		}
		wantError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
		if a.header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
	if served == 0 || served == flood {
		t.Errorf("%d of %d logins were served, want some", served, flood)
	}
}
