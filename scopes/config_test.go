package scopes_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// introspects makes the issuer answer about one reference, and reports about which tokens it was asked.
func (is *issuer) introspects(reference string) (asked func() []string) {
	var all []string
	is.HandleFunc("POST /oauth/introspect", func(w http.ResponseWriter, r *http.Request) {
		is.mu.Lock()
		defer is.mu.Unlock()
		token := r.PostFormValue("token")
		all = append(all, strings.SplitN(token, ".", 2)[0])
		w.Header().Set("Content-Type", "application/json")
		if token != reference && !strings.HasPrefix(token, "eyJ") {
			io.WriteString(w, `{"active":false}`)
			return
		}
		fmt.Fprintf(w, `{"active":true,"sub":"u1","scope":"orders:read","aud":%q}`, audience)
	})
	return func() []string {
		is.mu.Lock()
		defer is.mu.Unlock()
		return all
	}
}

// Each mode asks about the tokens that it should, and verifies the others itself.
func TestCheckerOfEachMode(t *testing.T) {
	for _, tt := range []struct {
		mode           scopes.Mode
		reference, jwt error
		asked          string
	}{
		{scopes.Either, nil, nil, "[sca_good sck_bad sca_bad sck_eyJhbGciOiJub25lIn0]"},
		{scopes.Introspection, nil, nil, "[sca_good eyJ sck_bad sca_bad garbage sck_eyJhbGciOiJub25lIn0]"},
		{scopes.Local, scopes.ErrInactive, nil, "[]"},
	} {
		t.Run(fmt.Sprint(tt.mode), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				is := newIssuer(t, es())
				asked := is.introspects("sca_good")
				c, err := scopes.NewChecker(scopes.Config{Issuer: issuerURL, Audience: audience, ID: apiID, Secret: apiSecret, Mode: tt.mode,
					HTTPClient: is.client(t)})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				wants(t, c, "a reference", "sca_good", tt.reference)
				wants(t, c, "a JWT", es().token(good(1)), tt.jwt)
				for _, bad := range []string{"sck_bad", "sca_bad", "garbage", "sck_eyJhbGciOiJub25lIn0.e30."} {
					wants(t, c, bad, bad, scopes.ErrInactive)
				}
				var got []string
				for _, token := range asked() {
					if strings.HasPrefix(token, "eyJ") {
						token = "eyJ"
					}
					got = append(got, token)
				}
				if fmt.Sprint(got) != tt.asked {
					t.Errorf("asked about %v, want %s", got, tt.asked)
				}
				if strings.Contains(fmt.Sprintf("%+v %#v", c, c), apiSecret) {
					t.Error("printing it shows the secret")
				}
			})
		})
	}
}

// Either follows the revocations of JWTs, or goes without them where the program says so.
func TestCheckerWithoutFeed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		is.revoke(revokeGrant(time.Now(), 1, time.Hour))
		for _, noFeed := range []bool{false, true} {
			c, err := scopes.NewChecker(scopes.Config{Issuer: issuerURL, Audience: audience, ID: apiID, Secret: apiSecret, NoFeed: noFeed, HTTPClient: is.client(t)})
			if err != nil {
				t.Fatal(err)
			}
			wants(t, c, fmt.Sprint("revoked, without feed ", noFeed), es().token(good(1)), map[bool]error{false: scopes.ErrInactive}[noFeed])
			c.Close()
		}
	})
}

// A mistake in the configuration must show at the start.
func TestNewCheckerRefusesBadConfigurations(t *testing.T) {
	good := scopes.Config{Issuer: "https://id.example.com", Audience: audience, ID: "a", Secret: "canary"}
	for name, change := range map[string]func(*scopes.Config){
		"no issuer":            func(c *scopes.Config) { c.Issuer = "" },
		"a plain issuer":       func(c *scopes.Config) { c.Issuer = "http://id.example.com" },
		"no audience":          func(c *scopes.Config) { c.Audience = "" },
		"no secret":            func(c *scopes.Config) { c.Secret = "" },
		"no ID":                func(c *scopes.Config) { c.ID = "" },
		"no feed for nothing":  func(c *scopes.Config) { c.Mode, c.NoFeed = scopes.Local, true },
		"an unknown mode":      func(c *scopes.Config) { c.Mode = 7 },
		"an unknown loss":      func(c *scopes.Config) { c.OnFeedLoss = 7 },
		"a negative time":      func(c *scopes.Config) { c.Mode, c.CacheFor = scopes.Introspection, -1 },
		"no secret for a feed": func(c *scopes.Config) { c.Mode, c.ID, c.Secret = scopes.Local, "", "" },
	} {
		config := good
		change(&config)
		if c, err := scopes.NewChecker(config); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v and %v", name, c, err)
		}
	}
	local := good
	local.Mode, local.NoFeed, local.ID, local.Secret = scopes.Local, true, "", ""
	slash := good
	slash.Issuer += "/"
	for _, config := range []scopes.Config{good, local, slash} {
		c, err := scopes.NewChecker(config)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// The same for the longer form.
func TestNewVerifierRefusesBadConfigurations(t *testing.T) {
	good := scopes.VerifierConfig{Issuer: "https://id.example.com", Audience: audience, ID: "a", Secret: "canary"}
	for name, change := range map[string]func(*scopes.VerifierConfig){
		"no issuer":             func(c *scopes.VerifierConfig) { c.Issuer = "" },
		"a password in it":      func(c *scopes.VerifierConfig) { c.Issuer = "https://u:canary@id.example.com" },
		"a query":               func(c *scopes.VerifierConfig) { c.Issuer += "?x" },
		"plain keys":            func(c *scopes.VerifierConfig) { c.KeysURL = "http://id.example.com/jwks" },
		"a plain feed":          func(c *scopes.VerifierConfig) { c.FeedURL = "http://id.example.com/feed" },
		"no audience":           func(c *scopes.VerifierConfig) { c.Audience = "" },
		"no credential":         func(c *scopes.VerifierConfig) { c.ID, c.Secret = "", "" },
		"no secret":             func(c *scopes.VerifierConfig) { c.Secret = "" },
		"a credential, no feed": func(c *scopes.VerifierConfig) { c.NoFeed = true },
		"a negative leeway":     func(c *scopes.VerifierConfig) { c.Leeway = -1 },
		"a leeway too large":    func(c *scopes.VerifierConfig) { c.Leeway = time.Minute + 1 },
		"a grace too short":     func(c *scopes.VerifierConfig) { c.FeedGrace = 12*time.Second - 1 },
		"a negative grace":      func(c *scopes.VerifierConfig) { c.FeedGrace = -1 },
		"a negative cache":      func(c *scopes.VerifierConfig) { c.CacheSize = -1 },
		"a negative time-out":   func(c *scopes.VerifierConfig) { c.Timeout = -1 },
		"negative keys":         func(c *scopes.VerifierConfig) { c.KeepKeys = -1 },
		"an unknown loss":       func(c *scopes.VerifierConfig) { c.OnFeedLoss = -1 },
	} {
		config := good
		change(&config)
		if _, err := scopes.NewVerifier(config); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	v := newVerifier(t, good)
	if shown := fmt.Sprintf("%+v %#v", v, v); strings.Contains(shown, "canary") {
		t.Errorf("printed: %s", shown)
	}
	plain := good
	plain.Issuer, plain.PlainHTTP = "http://id.internal:8080", true
	newVerifier(t, plain)
}
