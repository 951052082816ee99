package server

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/scopes"
)

// adminPrefix begins the scopes of administration. They are for administrators, and for clients that an administrator
// trusts as our own; no third party is ever given one in somebody's name.
const adminPrefix = "admin:"

// grantAccess is what a token request asks for, in the numbers of the catalogue.
type grantAccess struct{ scopes, resources []uint32 }

// resolve turns what a request for a new grant asks for into numbers.
func resolve(catalogue *resources.Catalogue, call *tokenCall) (grantAccess, error) {
	names, _, err := asked(catalogue, call)
	if err != nil {
		return grantAccess{}, err
	}
	var out grantAccess
	for _, name := range names {
		scope, resource, _ := catalogue.Scope(name)
		out.add(scope.Number, resource)
	}
	return out, nil
}

// logDeprecated tells the operator, once per request, which scopes an app still asks for that it should do without.
func (s *Server) logDeprecated(ctx context.Context, catalogue *resources.Catalogue, numbers []uint32) {
	var names []string
	for _, number := range numbers {
		if scope, _, known := catalogue.ScopeByNumber(number); known && scope.Deprecated {
			names = append(names, scope.Name)
		}
	}
	if len(names) > 0 {
		n := noteOf(ctx)
		s.log.LogAttrs(ctx, slog.LevelInfo, "deprecated scope asked for", slog.String("scope", strings.Join(names, " ")),
			slog.String("client_id", n.clientID), slog.String("request_id", n.id))
	}
}

// asked reads the scope and resource parameters of a request for a new grant, and refuses what the client may not have.
// The audience follows from the scopes; resource (RFC 8707) narrows it.
func asked(catalogue *resources.Catalogue, call *tokenCall) (names []string, targets []uint32, err error) {
	wanted, err := parseScope(call.form)
	if err != nil {
		return nil, nil, err
	}
	if targets, err = targetsOf(catalogue, call.form["resource"]); err != nil {
		return nil, nil, err
	}
	names = wanted.Names()
	if wanted.Len() == 0 {
		names = defaultScopes(catalogue, call, targets)
	}
	for _, name := range names {
		_, resource, known := catalogue.Scope(name)
		if !known || !call.client.AllowsScope(name) || !mayAdminister(name, call) || isIdentity(resource) && call.machine() {
			// One answer for all: whether a scope exists is not told to those who may not have it.
			return nil, nil, invalidScope(name)
		}
		if !fits(resource, targets) {
			return nil, nil, misfit(name)
		}
	}
	if len(names) == 0 {
		return nil, nil, &failure{status: http.StatusBadRequest, code: codeInvalidScope, description: "no scope was asked for, and the client has none by default; admin: scopes and those of families must be asked for by name"}
	}
	return names, targets, nil
}

// machine reports whether the call acts for nobody.
func (call *tokenCall) machine() bool {
	return call.form.get("grant_type") == clients.ClientCredentials
}

// isIdentity reports whether a resource is ours for identity: the userinfo endpoint with its scopes.
func isIdentity(r *resources.Resource) bool { return r.BuiltIn && r.Slug == identitySlug }

// fits reports whether scopes of a resource may be asked for together with these targets. Those of OpenID Connect always
// may: they are about who the person is, whatever API the token is for.
func fits(r *resources.Resource, targets []uint32) bool {
	return len(targets) == 0 || slices.Contains(targets, r.Number) || isIdentity(r)
}

// resolveAsk turns the parameters of a refresh into an ask. Whether it is within the grant is decided by grants; what the
// client has lost since is refused here.
func resolveAsk(catalogue *resources.Catalogue, call *tokenCall) (grants.Ask, error) {
	wanted, err := parseScope(call.form)
	if err != nil {
		return grants.Ask{}, err
	}
	var ask grants.Ask
	if ask.Resources, err = targetsOf(catalogue, call.form["resource"]); err != nil {
		return grants.Ask{}, err
	}
	for _, name := range wanted.Names() {
		scope, resource, known := catalogue.Scope(name)
		if !known || !call.client.AllowsScope(name) {
			return grants.Ask{}, invalidScope(name)
		}
		if len(ask.Resources) > 0 && !slices.Contains(ask.Resources, resource.Number) {
			return grants.Ask{}, misfit(name)
		}
		ask.Scopes = append(ask.Scopes, scope.Number)
	}
	return ask, nil
}

func parseScope(f form) (scopes.Set, error) {
	set, err := scopes.ParseSet(f.get("scope"))
	if err != nil {
		return set, &failure{status: http.StatusBadRequest, code: codeInvalidScope, description: "the scope parameter is malformed", cause: err}
	}
	return set, nil
}

func invalidScope(name string) *failure {
	return &failure{status: http.StatusBadRequest, code: codeInvalidScope, description: "a scope does not exist or is not allowed to this client", detail: name}
}

func misfit(name string) *failure {
	return &failure{status: http.StatusBadRequest, code: codeInvalidTarget, description: "the scope " + name + " does not belong to the requested resource"}
}

// targetsOf finds the resources that a request names (RFC 8707 §2).
func targetsOf(catalogue *resources.Catalogue, identifiers []string) ([]uint32, error) {
	var targets []uint32
	for _, identifier := range identifiers {
		resource, known := catalogue.ByID(identifier)
		if !known || resource.Disabled {
			return nil, &failure{status: http.StatusBadRequest, code: codeInvalidTarget, description: "the requested resource is not known here"}
		}
		targets = append(targets, resource.Number)
	}
	return targets, nil
}

// defaultScopes are what a client gets that names no scope (RFC 6749 §3.3): all that it is registered for by name but
// administration and identity. These, and what it is registered for by the family, must be asked for by name.
func defaultScopes(catalogue *resources.Catalogue, call *tokenCall, targets []uint32) []string {
	var names []string
	for _, name := range call.client.Scopes {
		_, resource, known := catalogue.Scope(name)
		if !known || strings.HasPrefix(name, adminPrefix) || isIdentity(resource) || !fits(resource, targets) {
			continue
		}
		names = append(names, name)
	}
	return names
}

// mayAdminister lets a scope of administration pass only for a client of our own, and in a user's name only for an
// administrator.
func mayAdminister(name string, call *tokenCall) bool {
	if !strings.HasPrefix(name, adminPrefix) {
		return true
	}
	return call.client.FirstParty && (call.user == nil || call.user.Admin)
}

func (a *grantAccess) add(scope uint32, resource *resources.Resource) {
	a.scopes = append(a.scopes, scope)
	if !slices.Contains(a.resources, resource.Number) {
		a.resources = append(a.resources, resource.Number)
	}
}

// accessLife is the life of an access token for these resources: the shortest that one of them demands.
func (s *Server) accessLife(catalogue *resources.Catalogue, numbers []uint32) time.Duration {
	var life time.Duration
	for _, number := range numbers {
		own := s.lifetimes.Access
		resource, known := catalogue.Resource(number)
		if known && resource.Format == resources.FormatJWT {
			own = s.lifetimes.SignedAccess
		}
		if known && resource.AccessLifetime > 0 {
			own = resource.AccessLifetime
		}
		if life == 0 || own < life {
			life = own
		}
	}
	return life
}

// terms are what the client's registration, the resources and the server's configuration say about tokens. signer may be
// nil where nothing is signed.
func (s *Server) terms(catalogue *resources.Catalogue, client *clients.Client, signer *keys.Signer) grants.Terms {
	return grants.Terms{
		Access: func(resources []uint32) time.Duration { return s.accessLife(catalogue, resources) },
		Signs:  func(resources []uint32) bool { return signingOf(catalogue, client, resources) != "" },
		Sign:   func(t *grants.Token) (string, error) { return s.spell(catalogue, client, signer, t) },
		Idle:   s.lifetimes.RefreshIdle, Absolute: s.lifetimes.RefreshMax,
		Window: client.Window(), Rotate: client.Rotates(), Authenticated: client.Confidential(),
	}
}

// access is what a token gives, in names.
type access struct {
	// granted is what was given by name, and is shown to people and in the answer of the token endpoint. scopes is that
	// with all that it implies, and is what checks go by.
	granted, scopes scopes.Set
	audiences       []string
}

// holder is who may use scopes: a client that is registered for them.
type holder interface{ AllowsScope(name string) bool }

// ownKeys holds what people give to their own API keys: no registration bounds that but the person himself.
var ownKeys holder = everyScope{}

type everyScope struct{}

func (everyScope) AllowsScope(string) bool { return true }

// describe is the one place where the numbers in a token become names. A scope counts only while it exists, its client
// may have it, and its resource is enabled and among the token's audiences; an audience only while one of its scopes is
// left. What a scope implies comes with it while it counts, and is asked of nobody: whoever defines that writing
// includes reading says so for every client that may write.
func describe(catalogue *resources.Catalogue, client holder, g grants.Grant) access {
	var out access
	var names []string
	counts := make([]uint32, 0, len(g.Scopes))
	for _, number := range g.Scopes {
		scope, resource, known := catalogue.ScopeByNumber(number)
		if !known || resource.Disabled || !slices.Contains(g.Resources, resource.Number) || !client.AllowsScope(scope.Name) {
			continue
		}
		names, counts = append(names, scope.Name), append(counts, number)
		if !slices.Contains(out.audiences, resource.ID) {
			out.audiences = append(out.audiences, resource.ID)
		}
	}
	out.granted, _ = scopes.NewSet(names...) // the names come from the registry, which checked them
	out.scopes = out.granted
	if all := catalogue.Expand(counts); len(all) > len(counts) {
		for _, number := range all[len(counts):] {
			scope, _, _ := catalogue.ScopeByNumber(number)
			names = append(names, scope.Name)
		}
		out.scopes, _ = scopes.NewSet(names...)
	}
	return out
}
