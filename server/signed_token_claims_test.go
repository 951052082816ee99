package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// RFC 9068 §4, RFC 8725 §3.9, §3.11: our own signature makes a token good for what it is and says, and for nothing else.
func TestSignedTokenThatSaysOtherThingsOpensNothing(t *testing.T) {
	t.Parallel()
	s := newSignedScene(t)
	good := s.good.str("access_token")
	_, claims := s.signed(good)
	sign := func(typ string, claims any) string {
		t.Helper()
		token, err := s.server.SignClaims(context.Background(), "ES256", typ, claims)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	says := func(change obj) string { return sign("at+jwt", changed(claims, change)) }
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	grant, jti, exp := claims["sc_grant"].(string), claims["jti"].(string), int64(claims["exp"].(float64))
	another := payload(t, s.mustLogin(s.app, "ada", "scope", "stock:read").str("access_token"), 1)
	s.wantOpens(t, "the good token", good)
	s.wantOpens(t, "the same, signed once more", says(nil))

	wrong := map[string]string{
		"typ JWT":                         sign("JWT", claims),
		"no typ":                          sign("", claims),
		"the type of a logout token":      sign("logout+jwt", claims),
		"the type of an answer":           sign("token-introspection+jwt", claims),
		"the type in capitals":            sign("AT+JWT", claims),
		"another server's issuer":         says(obj{"iss": "https://id.example"}),
		"our issuer with a slash":         says(obj{"iss": s.url + "/"}),
		"no issuer":                       says(obj{"iss": nil}),
		"a list of issuers":               says(obj{"iss": []string{s.url}}),
		"the jti of another grant":        says(obj{"jti": another["jti"]}),
		"the sc_grant of another grant":   says(obj{"sc_grant": another["sc_grant"]}),
		"no jti":                          says(obj{"jti": nil}),
		"no sc_grant":                     says(obj{"sc_grant": nil}),
		"sc_grant in capitals":            says(obj{"sc_grant": strings.ToUpper(grant)}),
		"a grant that never was":          says(obj{"sc_grant": "0196cf00-0000-7000-8000-000000000000", "jti": fmt.Sprintf("0196cf00-0000-7000-8000-000000000000.1.%d", exp)}),
		"a jti as a number":               says(obj{"jti": 1}),
		"a jti of one part":               says(obj{"jti": grant}),
		"a jti of five parts":             says(obj{"jti": jti + ".n.n"}),
		"a jti that is narrowed":          says(obj{"jti": jti + ".n"}),
		"a jti with another mark":         says(obj{"jti": jti + ".x"}),
		"a serial beyond 32 bits":         says(obj{"jti": fmt.Sprintf("%s.4294967297.%d", grant, exp)}),
		"a serial below zero":             says(obj{"jti": fmt.Sprintf("%s.-1.%d", grant, exp)}),
		"an end that is not the jti's":    says(obj{"exp": exp + 3600}),
		"an end in the past":              says(obj{"exp": noon.Unix() - 1, "jti": fmt.Sprintf("%s.1.%d", grant, noon.Unix()-1)}),
		"an end this very second":         says(obj{"exp": noon.Unix(), "jti": fmt.Sprintf("%s.1.%d", grant, noon.Unix())}),
		"scopes as a list":                says(obj{"scope": []string{"stock:read"}}),
		"a list":                          sign("at+jwt", []obj{claims}),
		"a string":                        sign("at+jwt", "claims"),
		"null":                            sign("at+jwt", nil),
		"a claim in other letters":        says(obj{"exp": nil, "EXP": "x"}),
		"an answer of introspection":      s.send(http.MethodPost, "/oauth/introspect", formType, form("token", good).Encode(), "Authorization", basic(s.stock.id, s.stock.secret), "Accept", "application/token-introspection+jwt").text,
		"a logout token":                  sign("logout+jwt", obj{"iss": s.url, "aud": s.app.id, "iat": noon.Unix(), "exp": exp, "jti": jti, "sub": claims["sub"], "events": obj{"http://schemas.openid.net/event/backchannel-logout": obj{}}}),
		"a logout token called at+jwt":    sign("at+jwt", obj{"iss": s.url, "aud": s.app.id, "iat": noon.Unix(), "exp": exp, "jti": "x", "sub": claims["sub"]}),
		"an ID token's claims as at+jwt":  sign("at+jwt", obj{"iss": s.url, "aud": s.app.id, "iat": noon.Unix(), "exp": exp, "sub": claims["sub"], "nonce": "n"}),
		"claims with something behind":    strings.Replace(good, ".", ".e30", 1),
		"an issue date that is no number": says(obj{"iat": "x"}),
	}
	for _, claim := range []string{"iat", "exp"} {
		for what, value := range map[string]any{
			"a string": raw(fmt.Sprintf(`"%d"`, exp)), "a fraction": raw(fmt.Sprintf("%d.5", exp)), "below zero": -1, "1e400": raw("1e400"), "1e18": raw("1e18"),
			"beyond 64 bits": raw("9223372036854775808"), "missing": nil, "null": raw("null"), "a list": []int64{exp}, "true": true, "zero": 0,
		} {
			wrong[claim+" is "+what] = says(obj{claim: value})
		}
	}
	for _, end := range []string{"-1", "0"} {
		wrong["exp and jti say "+end] = says(obj{"exp": raw(end), "jti": grant + ".1." + end})
	}
	for what, token := range wrong {
		s.wantOpensNothing(t, what, token)
	}
	// Of the right grant, and good for nothing. (Its client may revoke it.)
	for what, token := range map[string]string{
		"a serial that was never given": says(obj{"jti": fmt.Sprintf("%s.4000000000.%d", grant, exp)}),
		"scopes that were not granted":  says(obj{"scope": "stock:write"}),
		"scopes that do not exist":      says(obj{"scope": "none:such"}),
		"malformed scopes":              says(obj{"scope": "stock:read\torders:read"}),
		"no scopes":                     says(obj{"scope": nil}),
	} {
		s.wantShut(t, what, token)
	}
	s.wantOpens(t, "the good token after all that", good)

	ada := s.person()
	acme := s.webApp(obj{"first_party": true, "scopes": strings.Fields("openid profile orders:read stock:read account:read")})
	tokens := ada.identify(acme, "ada", "scope", openedByAll)
	s.wantOpens(t, "the token of a login in the browser", tokens.str("access_token"))
	s.wantOpensNothing(t, "its ID token", tokens.str("id_token"))

	s.clock.Advance(time.Duration(exp)*time.Second - time.Duration(noon.Unix())*time.Second - time.Second)
	s.wantOpens(t, "the good token in its last second", good)
	s.clock.Advance(time.Second)
	s.wantOpensNothing(t, "the good token when it has expired", good)
	wantStatus(t, s.refresh(s.app, s.good.str("refresh_token")), http.StatusOK) // its revocation had no effect
}

// RFC 9068 §4, CVE-2026-37979: a signed token is inactive to every API but those that it is for.
func TestSignedTokenIsForItsAudience(t *testing.T) {
	t.Parallel()
	s := newSignedScene(t)
	other := s.signedAPI("other")
	app := s.client("confidential", obj{"scopes": []string{"other:read", "stock:read"}})
	theirs := s.mustLogin(app, "ada", "scope", "other:read").str("access_token")
	if aud := payload(t, theirs, 1)["aud"]; aud != "https://other.example" {
		t.Errorf("aud is %v", aud)
	}
	s.wantActive(other, theirs)
	s.wantShut(t, "a token for another API", theirs)
	both := s.mustLogin(app, "ada", "scope", "other:read stock:read").str("access_token")
	for api, scope := range map[client]string{other: "other:read", s.stock: "stock:read"} {
		if got := s.introspect(api, both); got.str("scope") != scope || got.str("aud") != "https://"+api.id+".example" {
			t.Errorf("to %s the token of both is %s", api.id, got.text)
		}
	}
}

// RFC 7519 §4.1.7: the clock is no part of what tells tokens apart: two that are issued in one and the same millisecond
// have ids of their own, to one client and to two, from one grant and from two.
func TestTokensOfOneMillisecondHaveIDsOfTheirOwn(t *testing.T) {
	t.Parallel()
	d := deployBolt(t) // its clock stands still
	d.signedAPI("stock")
	c, other := d.client("confidential", obj{"scopes": []string{"stock:read", "stock:write"}}), d.client("service", obj{"scopes": []string{"stock:read"}})
	d.user("ada")
	first := d.mustLogin(c, "ada", "scope", "stock:read stock:write")
	machine := func(c client) string {
		return d.token(c, form("grant_type", "client_credentials", "scope", "stock:read")).str("access_token")
	}
	seen := map[any]int{}
	for i, token := range []string{
		first.str("access_token"), d.mustRefresh(c, first.str("refresh_token"), "scope", "stock:read").str("access_token"),
		d.mustLogin(c, "ada", "scope", "stock:read stock:write").str("access_token"), machine(c), machine(c), machine(other),
	} {
		claims := payload(t, token, 1)
		if claims["iat"] != float64(noon.Unix()) {
			t.Fatalf("token %d is of %v", i, claims["iat"])
		}
		if before, taken := seen[claims["jti"]]; taken || claims["jti"] == "" {
			t.Errorf("tokens %d and %d have the id %v", before, i, claims["jti"])
		}
		seen[claims["jti"]] = i
	}
}
