package server_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// signedAPI registers an API that verifies its tokens itself.
func (d *deployment) signedAPI(slug string, change ...obj) client {
	d.t.Helper()
	in := obj{"slug": slug, "identifier": "https://" + slug + ".example", "name": "API " + slug, "token_format": "jwt",
		"scopes": []obj{{"name": slug + ":read"}, {"name": slug + ":write", "implies": []string{slug + ":read"}}}}
	for _, c := range change {
		for name, value := range c {
			in[name] = value
		}
	}
	return client{slug, d.mustAdmin(http.MethodPost, "/resources", in).str("secret")}
}

// payload decodes a part of a signed token without looking at its signature.
func payload(t testing.TB, token string, part int) obj {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a signed token: %s", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err != nil {
		t.Fatal(err)
	}
	var out obj
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// RFC 9068 §2: an API that asks for signed tokens gets them, with what verifiers need; they are introspected and revoked
// like all others.
func TestSignedAccessToken(t *testing.T) {
	engines(t, func(t *testing.T, d *deployment) {
		api := d.signedAPI("stock")
		user := d.user("ada")
		app := d.client("confidential", obj{"scopes": []string{"stock:read", "stock:write"}})
		tokens := d.mustLogin(app, "ada", "scope", "stock:write")
		access := tokens.str("access_token")

		header, claims := payload(t, access, 0), payload(t, access, 1)
		if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == nil {
			t.Errorf("header %v", header)
		}
		if claims["iss"] != d.url || claims["aud"] != "https://stock.example" || claims["sub"] != user || claims["client_id"] != app.id ||
			claims["exp"].(float64)-claims["iat"].(float64) > 601 || tokens.json["expires_in"] != 600.0 {
			t.Errorf("claims %v", claims)
		}
		// What a scope implies stands in the token: its verifier does not know what implies what.
		if scope := claims["scope"]; scope != "stock:write stock:read" && scope != "stock:read stock:write" {
			t.Errorf("scope %v", scope)
		}
		d.wantActive(api, access)
		d.wantInactive(d.api(), access) // of another API

		again := d.refresh(app, tokens.str("refresh_token"))
		if next := payload(t, again.str("access_token"), 1); next["sc_grant"] != claims["sc_grant"] {
			t.Errorf("a refresh is of another grant: %v", next)
		}
		wantStatus(t, d.revoke(app, access), http.StatusOK)
		d.wantInactive(api, access)
		d.wantInactive(api, again.str("access_token"))
		feed := d.send(http.MethodGet, "/oauth/revocations", "", "", "Authorization", basic(api.id, api.secret))
		wantStatus(t, feed, http.StatusOK)
		if !strings.Contains(feed.text, claims["sc_grant"].(string)) {
			t.Errorf("the feed does not tell of it: %s", feed.text)
		}
	})
}

// A stream tells of a revocation as it happens, to the API that the token was for and to no other, and goes on where its
// reader left off.
func TestRevocationsAreStreamed(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	stock, other := d.signedAPI("stock"), d.signedAPI("other")
	machine := d.client("service", obj{"scopes": []string{"stock:read", "other:read"}})
	issue := func(scope string) string {
		return d.token(machine, form("grant_type", "client_credentials", "scope", scope)).str("access_token")
	}
	events := func(api client, cursor string) (<-chan [3]string, context.CancelFunc) {
		ctx, cancel := context.WithCancel(context.Background())
		r := d.request(http.MethodGet, "/oauth/revocations", "", "").WithContext(ctx)
		r.SetBasicAuth(api.id, api.secret)
		r.Header.Set("Accept", "text/event-stream")
		if cursor != "" {
			r.Header.Set("Last-Event-ID", cursor)
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("stream: %d %s", response.StatusCode, response.Header.Get("Content-Type"))
		}
		out := make(chan [3]string, 100)
		go func() {
			defer response.Body.Close()
			defer close(out)
			var event [3]string
			for lines := bufio.NewScanner(response.Body); lines.Scan(); {
				name, value, _ := strings.Cut(lines.Text(), ": ")
				switch name {
				case "event":
					event[0] = value
				case "id":
					event[1] = value
				case "data":
					event[2] = value
					out <- event
				}
			}
		}()
		t.Cleanup(cancel)
		return out, cancel
	}
	next := func(from <-chan [3]string) [3]string {
		t.Helper()
		select {
		case e := <-from:
			return e
		case <-time.After(10 * time.Second):
			t.Fatal("nothing came")
		}
		return [3]string{}
	}
	first, stop := events(stock, "")
	if e := next(first); e[0] != "snapshot" || !strings.Contains(e[2], `"entries":[]`) {
		t.Fatalf("got %v, want an empty snapshot", e)
	}
	revoked := issue("stock:read")
	foreign := issue("other:read")
	d.revoke(machine, foreign)
	d.revoke(machine, revoked)
	e := next(first)
	if strings.Contains(e[2], payload(t, foreign, 1)["sc_grant"].(string)) {
		t.Fatalf("it is told of another API's tokens: %v", e)
	}
	if e[0] == "snapshot" {
		if !strings.Contains(e[2], payload(t, revoked, 1)["sc_grant"].(string)) {
			e = next(first)
		}
	}
	if !strings.Contains(e[2], payload(t, revoked, 1)["sc_grant"].(string)) {
		t.Fatalf("got %v, want the revoked grant", e)
	}
	stop()
	// Where it left off.
	while := issue("stock:read")
	d.revoke(machine, while)
	second, _ := events(stock, e[1])
	if e := next(second); e[0] != "revocation" || !strings.Contains(e[2], payload(t, while, 1)["sc_grant"].(string)) {
		t.Errorf("resumed: %v", e)
	}
	// A cursor of no log gets everything.
	third, _ := events(stock, "AAAAAAAAAAAAAAAAAAAAAA")
	if e := next(third); e[0] != "snapshot" || strings.Count(e[2], `"grant"`) != 2 {
		t.Errorf("a foreign cursor: %v", e)
	}
	if e := d.send(http.MethodGet, "/oauth/revocations", "", "", "Authorization", basic(other.id, other.secret)); strings.Count(e.text, `"grant"`) != 1 {
		t.Errorf("the other API sees %s", e.text)
	}
	wantError(t, d.send(http.MethodGet, "/oauth/revocations", "", "", "Authorization", basic(other.id, "wrong")), http.StatusUnauthorized, "invalid_client")
}
