package server

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/scopes"
)

const (
	tokenPath      = "/oauth/token"
	introspectPath = "/oauth/introspect"
	revokePath     = "/oauth/revoke"
	apiPath        = "/api/v1"
)

// The scopes of our own API.
const (
	scopeAccountRead    = "account:read"
	scopeAccountManage  = "account:manage"
	scopeAdminClients   = "admin:clients"
	scopeAdminUsers     = "admin:users"
	scopeAdminResources = "admin:resources"
	scopeAdminTokens    = "admin:tokens"
	scopeAdminKeys      = "admin:keys"
)

// apiDefinition is our own API as a protected resource like any other.
func apiDefinition(issuer string) resources.Definition {
	return resources.Definition{
		ID: issuer + apiPath, Slug: "safeconduct", Name: "Safeconduct",
		Scopes: []resources.Scope{
			{Name: scopeAccountRead, Title: "See your account", Description: "Your name, and which apps have access."},
			{Name: scopeAccountManage, Title: "Manage your account", Description: "Change your password and end the access of apps.", Sensitive: true},
			{Name: scopeAdminClients, Title: "Administer clients", Description: "Register, change and disable clients.", Sensitive: true},
			{Name: scopeAdminUsers, Title: "Administer users", Description: "Create, change and disable users and end their grants.", Sensitive: true},
			{Name: scopeAdminResources, Title: "Administer resources", Description: "Define protected APIs and their scopes.", Sensitive: true},
			{Name: scopeAdminTokens, Title: "Administer tokens", Description: "Inspect and revoke any token.", Sensitive: true},
			{Name: scopeAdminKeys, Title: "Administer signing keys", Description: "See and replace the keys that sign tokens.", Sensitive: true},
		},
	}
}

// route is one line of a table: what is served, to whom. A route without scopes is public and says so.
type route struct {
	method, path string
	scopes       []string
	handler      gin.HandlerFunc
}

// protocolRoutes authenticate their callers themselves, by the rules of the protocol.
func (s *Server) protocolRoutes() []route {
	api, identity := s.metadataOf(s.api, "header"), s.metadataOf(s.identity, "header", "body")
	return []route{
		{http.MethodPost, tokenPath, nil, s.token},
		{http.MethodPost, introspectPath, nil, s.introspect},
		{http.MethodPost, revokePath, nil, s.revoke},
		{http.MethodGet, revocationsPath, nil, s.revocations},
		{http.MethodGet, statusPath + "/:alg/:list", nil, s.statusList},
		{http.MethodGet, api.Path(), nil, s.describeResource(api)},
		{http.MethodGet, identity.Path(), nil, s.describeResource(identity)},
		{http.MethodGet, metadataPath, nil, s.discover},
		{http.MethodGet, discoveryPath, nil, s.discover},
		{http.MethodGet, jwksPath, nil, s.jwks},
		{http.MethodGet, livePath, nil, s.live},
		{http.MethodGet, readyPath, nil, s.ready},
	}
}

// identityRoutes are the userinfo endpoint (OpenID Connect Core §5.3).
func (s *Server) identityRoutes() []route {
	openID := []string{scopeOpenID}
	return []route{
		{http.MethodGet, userinfoPath, openID, s.userinfo},
		{http.MethodPost, userinfoPath, openID, s.userinfo},
	}
}

// apiRoutes are our own protected API. The command line uses nothing else.
func (s *Server) apiRoutes() []route {
	read, manage := []string{scopeAccountRead}, []string{scopeAccountManage}
	clients, users := []string{scopeAdminClients}, []string{scopeAdminUsers}
	resources, tokens, signing := []string{scopeAdminResources}, []string{scopeAdminTokens}, []string{scopeAdminKeys}
	return []route{
		{http.MethodGet, "/me", read, s.showMe},
		{http.MethodGet, "/me/grants", read, s.listMyGrants},
		{http.MethodDelete, "/me/grants/:grant", manage, s.endMyGrant},
		{http.MethodPost, "/me/logout-everywhere", manage, s.endAllMine},
		{http.MethodPut, "/me/password", manage, s.changeMyPassword},
		{http.MethodGet, "/me/tokens", read, s.listMyTokens},
		{http.MethodPost, "/me/tokens", manage, s.createMyToken},
		{http.MethodDelete, "/me/tokens/:token", manage, s.endMyToken},
		{http.MethodGet, "/me/sessions", read, s.listMySessions},
		{http.MethodPatch, "/me/sessions/:session", manage, s.nameMySession},
		{http.MethodDelete, "/me/sessions/:session", manage, s.endMySession},
		{http.MethodDelete, "/me/apps/:client", manage, s.removeMyApp},

		{http.MethodGet, "/clients", clients, s.listClients},
		{http.MethodPost, "/clients", clients, s.createClient},
		{http.MethodGet, "/clients/:client", clients, s.showClient},
		{http.MethodPatch, "/clients/:client", clients, s.editClient},
		{http.MethodDelete, "/clients/:client", clients, s.deleteClient},
		{http.MethodPost, "/clients/:client/secrets", clients, s.addClientSecret},
		{http.MethodDelete, "/clients/:client/secrets/:secret", clients, s.revokeClientSecret},
		{http.MethodGet, "/clients/:client/keys", clients, s.listClientKeys},
		{http.MethodPost, "/clients/:client/keys", clients, s.createClientKey},
		{http.MethodDelete, "/clients/:client/keys/:key", clients, s.endClientKey},

		{http.MethodGet, "/users", users, s.listUsers},
		{http.MethodPost, "/users", users, s.createUser},
		{http.MethodPost, "/users/import", users, s.importUsers},
		{http.MethodGet, "/users/:user", users, s.showUser},
		{http.MethodPatch, "/users/:user", users, s.editUser},
		{http.MethodDelete, "/users/:user", users, s.deleteUser},
		{http.MethodPut, "/users/:user/password", users, s.setUserPassword},
		{http.MethodPost, "/users/:user/logout-everywhere", users, s.endAllOfUser},
		{http.MethodGet, "/users/:user/grants", users, s.listUserGrants},
		{http.MethodDelete, "/users/:user/grants/:grant", users, s.endUserGrant},
		{http.MethodGet, "/users/:user/tokens", users, s.listUserTokens},
		{http.MethodPost, "/users/:user/tokens", users, s.createUserToken},
		{http.MethodDelete, "/users/:user/tokens/:token", users, s.endUserToken},

		{http.MethodGet, "/resources", resources, s.listResources},
		{http.MethodPost, "/resources", resources, s.createResource},
		{http.MethodGet, "/resources/:resource", resources, s.showResource},
		{http.MethodPatch, "/resources/:resource", resources, s.editResource},
		{http.MethodDelete, "/resources/:resource", resources, s.deleteResource},
		{http.MethodPost, "/resources/:resource/secrets", resources, s.addResourceSecret},
		{http.MethodDelete, "/resources/:resource/secrets/:secret", resources, s.revokeResourceSecret},

		{http.MethodPost, "/tokens/introspect", tokens, s.inspectToken},
		{http.MethodPost, "/tokens/revoke", tokens, s.revokeAnyToken},

		{http.MethodGet, "/keys", signing, s.listSigningKeys},
		{http.MethodPost, "/keys/rotate", signing, s.rotateSigningKeys},
		{http.MethodPost, "/keys/discard", signing, s.discardSigningKeys},
	}
}

// newBareEngine is an engine with what holds for every request, and no routes.
func (s *Server) newBareEngine() (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	// Gin's defaults are wrong here: it would believe any X-Forwarded-For, and answer POST /oauth/token/ with a
	// redirect that makes clients send their secrets once more.
	if err := engine.SetTrustedProxies(nil); err != nil {
		return nil, err
	}
	engine.RedirectTrailingSlash = false
	engine.RedirectFixedPath = false
	engine.RemoveExtraSlash = false
	engine.HandleMethodNotAllowed = true
	engine.Use(s.begin, s.checkHost, s.checkSpelling)
	return engine, nil
}

func (s *Server) newEngine() (*gin.Engine, error) {
	engine, err := s.newBareEngine()
	if err != nil {
		return nil, err
	}
	engine.NoRoute(func(c *gin.Context) { s.fail(c, notFound("this path")) })
	engine.NoMethod(func(c *gin.Context) {
		s.fail(c, &failure{status: http.StatusMethodNotAllowed, code: codeInvalidRequest, description: "this method does not work here; the Allow header names those that do"})
	})
	for _, r := range s.protocolRoutes() {
		engine.Handle(r.method, r.path, r.handler)
	}
	// A proxy asks by the method of the request that it is about to let through.
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		engine.Handle(method, checkPath, s.forwardAuth)
		engine.Handle(method, checkAnyPath, s.forwardAuth)
	}
	for _, path := range corsPaths {
		engine.OPTIONS(path, s.preflight)
	}
	s.protect(engine.Group("", s.tokenFromBody), s.identity, s.identityRoutes())
	s.protect(engine.Group(apiPath), s.api, s.apiRoutes())
	local := engine.Group(apiPath, s.localOnly)
	for _, r := range s.storeRoutes() {
		local.Handle(r.method, r.path, r.handler)
	}
	s.mountPages(engine)
	return engine, nil
}

// protect mounts routes behind the guard of a resource, each with its own scopes.
func (s *Server) protect(group *gin.RouterGroup, resource *resources.Resource, routes []route) {
	guard := scopes.Guard{Checker: s.checker(resource), Realm: resource.Slug, ResourceMetadata: s.metadataURL(resource),
		Refused: func(*http.Request, *scopes.Refusal) {}} // fail logs it
	for _, r := range routes {
		group.Handle(r.method, r.path, s.require(guard, r.scopes), r.handler)
	}
}

// require lets in who has a token with the scopes, and the operator, who needs none.
func (s *Server) require(guard scopes.Guard, required []string) gin.HandlerFunc {
	rule := guard.Rule(slices.Clone(required)...)
	return func(c *gin.Context) {
		if isLocal(c.Request.Context()) {
			c.Request = c.Request.WithContext(scopes.WithToken(c.Request.Context(), s.operator()))
			return
		}
		admitted, refusal := rule.Admit(c.Request)
		if refusal != nil {
			refusal.SetHeaders(c.Writer.Header())
			s.allowRefusedOrigin(c, refusal)
			s.fail(c, &failure{status: refusal.Status, code: refusal.Code, description: refusal.Description, cause: refusal.Cause})
			return
		}
		c.Request = admitted
		s.allowTokenOrigin(c)
	}
}
