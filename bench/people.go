package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/users"
)

// flowsEach is how often one person is sent to the server by an app: below the cap of grants.
const flowsEach = grants.CapPerClient - 1

// The client ids of the sites. The ID tokens of the one are signed by ES256, those of the other by RS256.
const (
	siteID    = "bench-site"
	siteRSAID = "bench-site-rsa"
)

// siteURI is where the sites get their codes. Nobody listens there: the generator reads the code from the redirect.
const siteURI = "https://site.example.com/callback"

// siteScopes are what people have allowed the sites.
var siteScopes = []string{"openid", "profile", "orders:read", "orders:write"}

// registerPeople makes two sites, which differ in the signature of their ID tokens, and people who are logged in and have
// allowed both of them everything, with the box ticked not to be asked again. Logins and consents have prices of
// their own, so they are not made by HTTP.
func (f *fixture) registerPeople(ctx context.Context, s store.Store, ring *keys.Ring, changes *store.Changes, n int) error {
	// 1. What a server makes at its start: the scopes of OpenID Connect, and keys to sign with.
	if _, err := server.New(ctx, server.Config{Issuer: "http://127.0.0.1", Store: s, Keys: ring, Log: slog.New(slog.DiscardHandler), Hasher: users.NewHasher(cheapHash, 0, 0)}); err != nil {
		return err
	}
	if err := keys.NewSigning(keys.SigningConfig{Store: s, Changes: changes, Ring: ring}).Maintain(ctx); err != nil {
		return err
	}
	catalogue, err := resources.New(s, changes).Catalogue(ctx)
	if err != nil {
		return err
	}
	var scopes []uint32
	for _, name := range siteScopes {
		scope, _, known := catalogue.Scope(name)
		if !known {
			return fmt.Errorf("no scope %s", name)
		}
		scopes = append(scopes, scope.Number)
	}
	// 2. The sites.
	var consents []grants.Consent
	for id, site := range map[string]*credential{siteID: &f.site, siteRSAID: &f.siteRSA} {
		registration := clients.Registration{
			ID: id, Name: id, Type: clients.Confidential, GrantTypes: []string{clients.AuthorizationCode, clients.RefreshToken},
			Scopes: siteScopes, RedirectURIs: []string{siteURI}, IDTokenAlg: keys.ES256,
		}
		if site == &f.siteRSA {
			registration.IDTokenAlg = keys.RS256
		}
		client, secret, err := clients.New(s, changes).Create(ctx, registration)
		if err != nil {
			return err
		}
		*site = credential{id, secret}
		consents = append(consents, grants.Consent{Client: client.Number, ClientEpoch: client.Epoch, Asked: scopes, Granted: scopes, Remember: true})
	}
	// 3. The people.
	ender, service := grants.NewEnder(s), newService(s, ring)
	registry := users.New(users.Config{Store: s, Changes: changes, Grants: ender, Hasher: users.NewHasher(cheapHash, 0, seedWorkers)})
	sessions := users.NewSessions(users.SessionsConfig{Store: s, Users: registry, Grants: ender})
	f.sessions = make([]string, n)
	return parallel(n, func(i int) error {
		user, err := registry.Create(ctx, users.NewUser{Username: fmt.Sprintf("person%d", i), Name: "Grace Hopper", Email: fmt.Sprintf("person%d@example.com", i)})
		if err != nil {
			return err
		}
		if f.sessions[i], _, err = sessions.Start(ctx, users.NewSession{User: user, Remember: true, Device: "Firefox on Linux", Network: "127.0.0.1"}); err != nil {
			return err
		}
		for _, consent := range consents {
			if err := service.SaveConsent(ctx, user.ID, consent); err != nil {
				return err
			}
		}
		return nil
	})
}
