package server_test

import (
	"net/http"
	"testing"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// A revocation that could be told but not done is answered with 503, and repeated it is done; one that could not be told at
// first is told after it was done.
func TestRevocationThatFailsHalfWay(t *testing.T) {
	t.Parallel()
	d, telling := deployTelling(t)
	api := d.signedAPI("stock")
	c := d.client("confidential", obj{"scopes": []string{"stock:read"}})
	d.user("ada")
	for what, test := range map[string]struct {
		tells, deletes, status int
		alive                  bool
		told                   int
	}{
		"not done":            {0, 1, http.StatusServiceUnavailable, true, 1},
		"not told at first":   {1, 0, http.StatusOK, false, 1},
		"neither told":        {2, 0, http.StatusServiceUnavailable, false, 0},
		"nothing can be done": {1, 1, http.StatusServiceUnavailable, true, 0},
	} {
		access := d.mustLogin(c, "ada", "scope", "stock:read").str("access_token")
		telling.fail(test.tells, test.deletes)
		if a := d.revoke(c, access); a.status != test.status {
			t.Errorf("%s: %d %s, want %d", what, a.status, a.text, test.status)
		}
		if got := d.introspect(api, access).text != inactive; got != test.alive {
			t.Errorf("%s: the token is active: %v", what, got)
		}
		if got := d.revokedBy(api, access); got != test.told {
			t.Errorf("%s: told %d times, want %d", what, got, test.told)
		}
		wantStatus(t, d.revoke(c, access), http.StatusOK)
		d.wantInactive(api, access)
		if test.alive && d.revokedBy(api, access) == 0 {
			t.Errorf("%s: repeated, it is not told", what)
		}
	}
}

// A Redis without room still takes rights back from signed tokens, at all who ask.
func TestSignedGrantEndsWhenTheStoreIsFull(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	d := deployRedis(t, redis.URL(), newRing(t))
	api := d.signedAPI("stock")
	c := d.client("confidential", obj{"scopes": []string{"stock:read"}})
	d.user("ada")
	access := d.mustLogin(c, "ada", "scope", "stock:read").str("access_token")
	kept := d.mustLogin(c, "ada", "scope", "stock:read").str("access_token")
	if _, err := redis.Do("CONFIG", "SET", "maxmemory", "1"); err != nil {
		t.Fatal(err)
	}
	a := d.revoke(c, access)
	d.wantInactive(api, access)
	d.wantActive(api, kept)
	if told := d.revokedBy(api, access) == 1; told != (a.status == http.StatusOK) {
		t.Errorf("revoked: %d %s, told: %v; whoever is told 200 may rely on it", a.status, a.text, told)
	}
	if _, err := redis.Do("CONFIG", "SET", "maxmemory", "0"); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, d.revoke(c, kept), http.StatusOK)
	if d.revokedBy(api, kept) != 1 {
		t.Error("with room again a revocation is not told")
	}
}
