package server_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// metadata is the server's description of itself.
type metadata struct {
	t testing.TB
	answer
}

func (d *deployment) metadata(t testing.TB) metadata {
	t.Helper()
	a := d.call(http.MethodGet, "/.well-known/oauth-authorization-server", "")
	wantStatus(t, a, http.StatusOK)
	if a.str("issuer") != d.url {
		t.Errorf("issuer %q, want %q to the byte", a.str("issuer"), d.url)
	}
	// OpenID Connect Discovery §3: the two documents are one.
	if other := d.call(http.MethodGet, "/.well-known/openid-configuration", ""); other.text != a.text {
		t.Errorf("discovery says %s, want the same as for OAuth", other.text)
	}
	return metadata{t, a}
}

func (m metadata) list(name string) (out []string) {
	m.t.Helper()
	values, _ := m.json[name].([]any)
	for _, value := range values {
		out = append(out, value.(string))
	}
	slices.Sort(out)
	return out
}

// wants checks that a list is exactly this one.
func (m metadata) wants(name string, want ...string) {
	m.t.Helper()
	if got := m.list(name); !slices.Equal(got, want) {
		m.t.Errorf("%s is %v, want %v", name, got, want)
	}
}

// RFC 8414 §2: the metadata says what works, and all of it: each advertised endpoint answers, each advertised grant type
// and method of authentication is served, and nothing is served that is not advertised.
func TestMetadataSaysWhatWorks(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	m := d.metadata(t)
	endpoints := map[string]string{
		"authorization_endpoint": "/oauth/authorize", "token_endpoint": "/oauth/token", "userinfo_endpoint": "/oauth/userinfo", "jwks_uri": "/.well-known/jwks.json",
		"introspection_endpoint": "/oauth/introspect", "revocation_endpoint": "/oauth/revoke", "end_session_endpoint": "/oauth/logout",
	}
	for name := range m.json {
		if strings.HasSuffix(name, "_endpoint") && endpoints[name] == "" {
			t.Errorf("%s is advertised", name)
		}
	}
	for name, path := range endpoints {
		if got := m.str(name); got != d.url+path {
			t.Errorf("%s is %q", name, got)
		}
		method := http.MethodPost
		if name == "jwks_uri" {
			method = http.MethodGet
		}
		if a := d.send(method, path, formType, ""); a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed {
			t.Errorf("%s does not exist: %d", name, a.status)
		}
	}
	for _, path := range []string{"/oauth/register", "/oauth/device_authorization", "/oauth/par", "/oauth/backchannel", "/.well-known/webfinger"} {
		wantError(t, d.call(http.MethodGet, path, ""), http.StatusNotFound, "not_found")
	}

	ada := d.user("ada")
	byBasic, byPost, public := d.client("confidential"), d.client("confidential", obj{"auth_method": "client_secret_post"}), d.app()
	forms := tokenForms(d, byBasic, "ada")
	for _, grantType := range m.list("grant_types_supported") {
		if grantType == "authorization_code" {
			web := d.web()
			wantStatus(t, d.redeem(web, d.code(web, ada)), http.StatusOK)
			continue
		}
		if forms[grantType] == nil {
			t.Errorf("the grant type %s is advertised and not tested", grantType)
			continue
		}
		wantStatus(t, d.send(http.MethodPost, "/oauth/token", formType, encode(forms[grantType]), "Authorization", basic(byBasic.id, byBasic.secret)), http.StatusOK)
	}
	m.wants("grant_types_supported", "authorization_code", "client_credentials", "password", "refresh_token")
	for _, grantType := range []string{"implicit", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"} {
		wantError(t, d.token(byBasic, form("grant_type", grantType)), http.StatusBadRequest, "unsupported_grant_type")
	}
	m.wants("token_endpoint_auth_methods_supported", "client_secret_basic", "client_secret_post", "none")
	m.wants("revocation_endpoint_auth_methods_supported", "client_secret_basic", "client_secret_post", "none")
	m.wants("introspection_endpoint_auth_methods_supported", "client_secret_basic", "client_secret_post")
	api := d.api()
	for _, a := range []answer{
		d.token(byBasic, form("grant_type", "client_credentials")), d.machine([]string{"client_id", byPost.id, "client_secret", byPost.secret}), d.login(public, "ada"),
		d.revoke(byBasic, "x"), d.post("/oauth/revoke", "", "", form("token", "x", "client_id", byPost.id, "client_secret", byPost.secret)), d.revoke(public, "x"),
		d.introspect(api, "x"), d.post("/oauth/introspect", "", "", form("token", "x", "client_id", api.id, "client_secret", api.secret)),
	} {
		wantStatus(t, a, http.StatusOK)
	}
}

// The client library of the Go project works as it comes: it finds out the method of authentication by itself, reads the
// answers, and refreshes in time.
func TestGoOAuth2ClientWorks(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	ctx := context.Background()
	d.user("ada")
	for name, c := range map[string]client{
		"basic": d.client("confidential"), "in the body": d.client("confidential", obj{"auth_method": "client_secret_post"}), "public": d.app(),
		"rotating": d.client("confidential", obj{"rotation": "always"}),
	} {
		config := oauth2.Config{ClientID: c.id, ClientSecret: c.secret, Endpoint: oauth2.Endpoint{TokenURL: d.url + "/oauth/token"}, Scopes: []string{"orders:read"}}
		token, err := config.PasswordCredentialsToken(ctx, "ada", password)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if token.TokenType != "Bearer" || token.RefreshToken == "" || token.ExpiresIn != 900 || token.Extra("scope") != "orders:read" {
			t.Errorf("%s: %+v", name, token)
		}
		get := func(source oauth2.TokenSource) {
			t.Helper()
			response, err := oauth2.NewClient(ctx, source).Get(d.url + "/demo/orders")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("%s: the API answers %d", name, response.StatusCode)
			}
		}
		get(config.TokenSource(ctx, token))
		stale := *token
		stale.Expiry = stale.Expiry.AddDate(-1, 0, 0)
		source := config.TokenSource(ctx, &stale)
		fresh, err := source.Token()
		if err != nil {
			t.Fatalf("%s: refresh: %v", name, err)
		}
		if fresh.AccessToken == "" || fresh.RefreshToken == "" || fresh.Expiry.Before(stale.Expiry) {
			t.Errorf("%s: the refresh gave %+v", name, fresh)
		}
		get(source)

		if c.secret == "" {
			continue
		}
		machine := clientcredentials.Config{ClientID: c.id, ClientSecret: c.secret, TokenURL: d.url + "/oauth/token"}
		get(machine.TokenSource(ctx))
		machine.ClientSecret = "wrong"
		var refused *oauth2.RetrieveError
		if _, err := machine.Token(ctx); !errors.As(err, &refused) || refused.ErrorCode != "invalid_client" {
			t.Errorf("%s: with a wrong secret: %v", name, err)
		}
	}
	web := d.web()
	config := oauth2.Config{ClientID: web.id, ClientSecret: web.secret, RedirectURL: callback, Endpoint: oauth2.Endpoint{TokenURL: d.url + "/oauth/token"}}
	d.mustAdmin(http.MethodPatch, "/clients/"+web.id, obj{"auth_method": "client_secret_post"})
	// It tries Basic first with the code, which must not cost it the code.
	token, err := config.Exchange(ctx, d.code(web, d.user("bob")), oauth2.VerifierOption(verifier))
	if err != nil || token.RefreshToken == "" {
		t.Errorf("exchange: %v %+v", err, token)
	}
}
