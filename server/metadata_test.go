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

// RFC 8414 §2: the metadata says what works, and all of it: each advertised endpoint answers, each advertised grant type
// and method of authentication is served, and nothing is served that is not advertised.
func TestMetadataSaysWhatWorks(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	m := d.call(http.MethodGet, "/.well-known/oauth-authorization-server", "")
	wantStatus(t, m, http.StatusOK)
	if m.str("issuer") != d.url {
		t.Errorf("issuer %q, want %q to the byte", m.str("issuer"), d.url)
	}
	list := func(name string) (out []string) {
		for _, value := range m.json[name].([]any) {
			out = append(out, value.(string))
		}
		return out
	}
	for name, path := range map[string]string{"token_endpoint": "/oauth/token", "introspection_endpoint": "/oauth/introspect", "revocation_endpoint": "/oauth/revoke"} {
		if got := m.str(name); got != d.url+path {
			t.Errorf("%s is %q", name, got)
		}
		if a := d.send(http.MethodPost, strings.TrimPrefix(m.str(name), d.url), formType, ""); a.status == http.StatusNotFound {
			t.Errorf("%s does not exist", name)
		}
	}

	d.user("ada")
	byBasic, byPost, public := d.client("confidential"), d.client("confidential", obj{"auth_method": "client_secret_post"}), d.app()
	forms := tokenForms(d, byBasic, "ada")
	for _, grantType := range list("grant_types_supported") {
		if forms[grantType] == nil {
			t.Errorf("the grant type %s is advertised and not tested", grantType)
			continue
		}
		wantStatus(t, d.send(http.MethodPost, "/oauth/token", formType, encode(forms[grantType]), "Authorization", basic(byBasic.id, byBasic.secret)), http.StatusOK)
	}
	if got := list("grant_types_supported"); len(got) != len(forms) {
		t.Errorf("grant types %v are advertised, want those that work: %d", got, len(forms))
	}
	wantMethods := func(name string, want ...string) {
		t.Helper()
		if got := list(name); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	wantMethods("token_endpoint_auth_methods_supported", "client_secret_basic", "client_secret_post", "none")
	wantMethods("revocation_endpoint_auth_methods_supported", "client_secret_basic", "client_secret_post", "none")
	wantMethods("introspection_endpoint_auth_methods_supported", "client_secret_basic", "client_secret_post")
	api := d.api()
	for _, a := range []answer{
		d.token(byBasic, form("grant_type", "client_credentials")), d.machine([]string{"client_id", byPost.id, "client_secret", byPost.secret}), d.login(public, "ada"),
		d.revoke(byBasic, "x"), d.post("/oauth/revoke", "", "", form("token", "x", "client_id", byPost.id, "client_secret", byPost.secret)), d.revoke(public, "x"),
		d.introspect(api, "x"), d.post("/oauth/introspect", "", "", form("token", "x", "client_id", api.id, "client_secret", api.secret)),
	} {
		wantStatus(t, a, http.StatusOK)
	}
	// There is no authorization endpoint yet, so nothing may point at one, and no response type works.
	if types := list("response_types_supported"); len(types) != 0 {
		t.Errorf("response types %v without an authorization endpoint", types)
	}
	for name := range m.json {
		if slices.Contains([]string{"authorization_endpoint", "registration_endpoint", "device_authorization_endpoint", "jwks_uri", "userinfo_endpoint"}, name) {
			t.Errorf("%s is advertised", name)
		}
	}
	for _, path := range []string{"/oauth/authorize", "/oauth/register", "/oauth/device_authorization", "/.well-known/jwks.json", "/.well-known/openid-configuration"} {
		wantError(t, d.call(http.MethodGet, path, ""), http.StatusNotFound, "not_found")
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
