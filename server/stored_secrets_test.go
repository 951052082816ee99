package server_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// OWASP ASVS 6.5.2 and 13.3.1: who reads the data file can use nothing of it: no token, code, secret or password stands
// in it, in any spelling, and nothing that stands in it is taken for one at any door.
func TestTheDataFileHoldsNothingThatCanBeUsed(t *testing.T) {
	t.Parallel()
	secret := keys.NewSecret()
	ring, err := keys.NewRing(secret)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "data", "data.db")
	d := deployFile(t, path, ring, bolttest.NewClock(noon))
	s := newScene(d)
	rotated := d.mustRefresh(s.app, s.refresh)
	used := d.code(s.web, s.user)
	redeemed := d.redeem(s.web, used)
	issued := map[string]string{
		"an access token": s.access, "a refresh token": s.refresh, "a rotated access token": rotated.str("access_token"), "a rotated refresh token": rotated.str("refresh_token"),
		"a machine's token": s.machine, "a code": s.code, "a used code": used, "a token by code": redeemed.str("access_token"), "a client secret": s.web.secret,
		"a resource secret": s.api.secret, "a password": password, "the system secret": secret.Text(), "a verifier": verifier,
	}
	dump, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range issued {
		needles := [][]byte{[]byte(text)}
		if body := text[min(4, len(text)):max(len(text)-6, 0)]; len(body) >= 43 {
			if raw, err := base64.RawURLEncoding.DecodeString(body); err == nil {
				needles = append(needles, raw, raw[max(len(raw)-16, 0):]) // what the spelling stands for, and the part that proves it
			}
		}
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			needles = append(needles, raw)
		}
		for _, needle := range needles {
			if bytes.Contains(dump, needle) {
				t.Errorf("%s stands in the data file", what)
			}
		}
	}
	present := func(text string) {
		for what, a := range map[string]answer{
			"bearer": d.handle(withBearer(d.request(http.MethodGet, "/demo/orders", "", ""), text)), "client secret": d.token(client{s.web.id, text}, form("grant_type", "client_credentials")),
			"resource secret": d.introspect(client{s.api.id, text}, "x"), "refresh token": d.refresh(s.app, text), "code": d.redeem(s.web, text),
		} {
			if a.status < 400 {
				t.Errorf("%q of the data file works as %s", text, what)
			}
		}
		if a := d.introspect(s.api, text); a.text != inactive && a.status < 400 {
			t.Errorf("%q of the data file is an active token", text)
		}
	}
	seen := map[string]bool{}
	for _, text := range regexp.MustCompile(`[A-Za-z0-9+/_=-]{20,}`).FindAll(dump, -1) {
		if text := string(text); !seen[text] && len(seen) < 60 {
			seen[text] = true
			present(text)
		}
	}
	if len(seen) == 0 {
		t.Error("no string was found in the data file; the test looks at the wrong one")
	}
}

// withBearer adds a token to a request.
func withBearer(r *http.Request, token string) *http.Request {
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	return r
}
