package scopes_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"github.com/safeconduct/safeconduct/scopes"
)

// RFC 9068 §2.2: what the token tells reaches the handler, as introspection would tell it.
func TestVerifierReportsTheFacts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		v := newVerifier(t, newIssuer(t, es()).feedless(t))
		c := good(1).with("aud", `["https://other.example.com","https://orders.example.com"]`, "scope", `"orders:read orders:write"`,
			"status", `{"status_list":{"idx":7,"uri":"https://id.example.com/status/1"}}`, "acr", `"2"`, "act", `{"sub":"x"}`)
		for _, how := range []string{"first", "again"} {
			got, err := v.Check(t.Context(), es().token(c))
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject != "u1" || got.ClientID != "shop" || got.Issuer != issuerURL || got.ID != "t1" || got.TokenType != "Bearer" ||
				got.Scopes.String() != "orders:read orders:write" || len(got.Audience) != 2 || got.Username != "" {
				t.Errorf("%s: got %+v", how, got)
			}
			if got.IssuedAt.Unix() != time.Now().Unix() || got.Expires.Unix() != time.Now().Unix()+600 {
				t.Errorf("%s: issued at %v, expires %v", how, got.IssuedAt, got.Expires)
			}
			if len(got.Extra) != 2 || string(got.Extra["acr"]) != `"2"` || string(got.Extra["act"]) != `{"sub":"x"}` {
				t.Errorf("%s: extra %s", how, got.Extra)
			}
			got.Audience[0], got.Extra["acr"][1] = "changed", '!' // must not reach the next
		}
	})
}

// RFC 7518 §3.1, RFC 8037: tokens that another library signed verify, with each algorithm.
func TestVerifierUnderstandsOtherLibraries(t *testing.T) {
	rs()
	ed()
	inBubble(t, func(t *testing.T) {
		v := newVerifier(t, newIssuer(t, es(), rs(), ed()).feedless(t))
		for _, key := range []signingKey{es(), rs(), ed()} {
			options := (&jose.SignerOptions{}).WithType("application/at+jwt").WithHeader("kid", key.id)
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.algorithm), Key: key.signer}, options)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := signer.Sign([]byte(good(1).String()))
			if err != nil {
				t.Fatal(err)
			}
			token, err := signed.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			wants(t, v, key.algorithm, token, nil)
		}
	})
}

// RFC 9068 §4, RFC 7519 §4.1: each claim that is not as it must be is refused, next to one that is.
func TestVerifierRefusesClaims(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		v := newVerifier(t, newIssuer(t, es()).config(t))
		at := func(offset int64) string { return fmt.Sprint(time.Now().Unix() + offset) }
		for _, tt := range []struct {
			name        string
			claim, text string // "" leaves the claim out
			good        bool
		}{
			{"good", "acr", `"1"`, true},
			{"another issuer", "iss", `"https://evil.example.com"`, false},
			{"an issuer with a slash more", "iss", `"http://localhost/"`, false},
			{"an issuer in capitals", "iss", `"http://LOCALHOST"`, false},
			{"a list of issuers", "iss", `["http://localhost"]`, false},
			{"no issuer", "iss", "", false},
			{"one of several audiences", "aud", `["x","https://orders.example.com"]`, true},
			{"another audience", "aud", `"https://other.example.com"`, false},
			{"an audience that begins alike", "aud", `"https://orders.example.com/"`, false},
			{"an empty list of audiences", "aud", "[]", false},
			{"an audience in an object", "aud", `{"https://orders.example.com":1}`, false},
			{"audience null", "aud", "null", false},
			{"no audience", "aud", "", false},
			{"no subject", "sub", "", false},
			{"an empty subject", "sub", `""`, false},
			{"a number as subject", "sub", "5", false},
			{"no client", "client_id", "", false},
			{"no identifier", "jti", "", false},
			{"identifier null", "jti", "null", false},
			{"no scope", "scope", "", true},
			{"an empty scope", "scope", `""`, true},
			{"a list of scopes", "scope", `["orders:read"]`, false},
			{"a tab between scopes", "scope", `"orders:read\torders:write"`, false},
			{"scope null", "scope", "null", false},
			{"a moment before its end and the leeway", "exp", at(-9), true},
			{"expired beyond the leeway", "exp", at(-10), false},
			{"expiry as a string", "exp", strconv.Quote(at(600)), false},
			{"expiry with a fraction", "exp", at(600) + ".5", false},
			{"expiry with an exponent", "exp", "4e9", false},
			{"expiry 1e400", "exp", "1e400", false},
			{"expiry of 40 digits", "exp", strings.Repeat("9", 40), false},
			{"a negative expiry", "exp", "-1", false},
			{"expiry beyond the year 9999", "exp", "253402300800", false},
			{"expiry null", "exp", "null", false},
			{"expiry true", "exp", "true", false},
			{"no expiry", "exp", "", false},
			{"issued a little in the future", "iat", at(10), true},
			{"issued in the future beyond the leeway", "iat", at(11), false},
			{"time of issue as a string", "iat", strconv.Quote(at(0)), false},
			{"time of issue with a fraction", "iat", at(0) + ".0", false},
			{"time of issue 1e400", "iat", "1e400", false},
			{"a negative time of issue", "iat", "-5", false},
			{"no time of issue", "iat", "", false},
			{"good from now on", "nbf", at(0), true},
			{"good from soon on, within the leeway", "nbf", at(10), true},
			{"good from later on", "nbf", at(11), false},
			{"not-before as a string", "nbf", strconv.Quote(at(0)), false},
			{"not-before with a fraction", "nbf", at(0) + ".5", false},
			{"not-before null", "nbf", "null", false},
			{"a negative not-before", "nbf", "-1", false},
			{"bound to a key", "cnf", `{"jkt":"x"}`, false},
			{"bound to null", "cnf", "null", false},
			{"no grant", "sc_grant", "", false},
			{"a grant that is no UUID", "sc_grant", `"7"`, false},
			{"a grant with its hyphens elsewhere", "sc_grant", `"0123456-701234-7000-8000-000000000001"`, false},
			{"a grant that is a number", "sc_grant", "7", false},
			{"grant null", "sc_grant", "null", false},
			{"no epoch", "sc_epoch", "", false},
			{"an empty epoch", "sc_epoch", `""`, false},
			{"an epoch that is a number", "sc_epoch", "7.1", false},
		} {
			c := good(1).with(tt.claim, tt.text)
			if want := map[bool]error{false: scopes.ErrInactive}[tt.good]; true {
				wants(t, v, tt.name, es().token(c), want)
			}
		}
		c := strings.TrimSuffix(good(1).String(), "}")
		for name, payload := range map[string]string{
			"a member twice":               c + `,"jti":"t2"}`,
			"a member twice, once escaped": c + `,"\u006ati":"t2"}`,
			"expiry twice":                 c + `,"exp":` + at(900) + `}`,
			"a list":                       "[" + c + "}]",
			"null":                         "null",
			"nothing":                      "",
			"half an object":               c,
			"something behind":             c + "}{}",
			"not UTF-8":                    c + ",\"x\":\"\xff\"}",
			"100 nested lists":             c + `,"x":` + strings.Repeat("[", 100),
			"a comment":                    c + "/**/}",
			"claims in other capitals":     strings.ReplaceAll(c, `"exp"`, `"EXP"`) + "}",
		} {
			wants(t, v, name, es().sign(es().header(), payload), scopes.ErrInactive)
		}
		wants(t, v, "and still a good one", es().sign(es().header(), c+"}"), nil)
	})
}

// The leeway is for clocks that differ. It is what was configured, and for tokens seen before as well.
func TestVerifierKeepsToItsLeeway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		config := newIssuer(t, es()).feedless(t)
		config.Leeway = time.Minute
		v := newVerifier(t, config)
		token := es().token(good(1))
		wants(t, v, "fresh", token, nil)
		time.Sleep(659 * time.Second)
		wants(t, v, "within the leeway", token, nil)
		time.Sleep(time.Second)
		wants(t, v, "beyond the leeway", token, scopes.ErrInactive)
		wants(t, v, "issued a minute ahead", es().token(good(2).with("iat", fmt.Sprint(time.Now().Unix()+60))), nil)
		wants(t, v, "issued more ahead", es().token(good(2).with("iat", fmt.Sprint(time.Now().Unix()+61))), scopes.ErrInactive)
	})
}

// Without the feed nobody needs the grant.
func TestVerifierWithoutFeedNeedsNoGrant(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		v := newVerifier(t, newIssuer(t, es()).feedless(t))
		wants(t, v, "no grant", es().token(good(1).with("sc_grant", "")), nil)
		wants(t, v, "a broken grant", es().token(good(1).with("sc_grant", `"x"`)), scopes.ErrInactive)
	})
}

// RFC 6750 §3: the guard answers for a Verifier as for every Checker.
func TestRequireWithVerifier(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		guard := scopes.Guard{Checker: newVerifier(t, is.config(t)), Refused: func(_ *http.Request, f *scopes.Refusal) {
			if strings.Contains(f.Error(), "eyJ") {
				t.Errorf("the error shows the token: %v", f)
			}
		}}
		ask := func(token string, scope string) int {
			w := httptest.NewRecorder()
			guard.Require(scope)(http.HandlerFunc(whoami)).ServeHTTP(w, withHeader("Bearer "+token))
			return w.Code
		}
		token := es().token(good(1))
		for _, tt := range []struct {
			token, scope string
			status       int
		}{{token, "orders:read", 200}, {token, "orders:write", 403}, {token + "x", "orders:read", 401}, {"sca_abc", "orders:read", 401}} {
			if got := ask(tt.token, tt.scope); got != tt.status {
				t.Errorf("%.10s for %s: got %d, want %d", tt.token, tt.scope, got, tt.status)
			}
		}
		is.listener.leave(true)
		time.Sleep(16 * time.Second)
		if got := ask(token, "orders:read"); got != 503 {
			t.Errorf("without the feed: got %d, want 503", got)
		}
	})
}

// What ends with Close is everything, and nothing passes afterwards.
func TestVerifierCloses(t *testing.T) {
	inBubble(t, func(t *testing.T) { // which fails when a goroutine stays
		is := newIssuer(t, es())
		unused := newVerifier(t, is.config(t))
		unused.Close()
		v := newVerifier(t, is.config(t))
		token := es().token(good(1))
		wants(t, v, "open", token, nil)
		v.Close()
		wants(t, v, "closed", token, scopes.ErrUnavailable)
		if _, err := v.Check(t.Context(), token); errors.Is(err, scopes.ErrInactive) {
			t.Errorf("a closed Verifier calls the token bad: %v", err)
		}
		v.Close() // does no harm
	})
}

// The same with the Verifier's own client and real connections: none stays open.
func TestVerifierClosesItsConnections(t *testing.T) {
	server := httptest.NewServer(newIssuer(t, es()))
	defer server.Close()
	before := goleak.IgnoreCurrent()
	c := good(1).with("iss", strconv.Quote(server.URL))
	v := newVerifier(t, scopes.VerifierConfig{Issuer: server.URL, Audience: audience, ID: apiID, Secret: apiSecret})
	wants(t, v, "good", es().token(c), nil)
	v.Close()
	goleak.VerifyNone(t, before)
}
