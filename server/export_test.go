package server

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
)

// What the tests reach that no request can.

// CodeOrder says what a code is for.
type CodeOrder struct {
	Client, User, Scope string
	grants.Code
}

// IssueCode makes an authorization code without a browser and outside any session, for tests of the redemption alone.
func (s *Server) IssueCode(ctx context.Context, o CodeOrder) (string, error) {
	client, err := s.clients.Get(ctx, o.Client)
	if err != nil {
		return "", err
	}
	id, err := uuid.Parse(o.User)
	if err != nil {
		return "", err
	}
	user, err := s.users.Fresh(ctx, id)
	if err != nil {
		return "", err
	}
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return "", err
	}
	wanted, err := resolve(catalogue, &tokenCall{form: form{"scope": {o.Scope}}, client: client, user: user})
	if err != nil {
		return "", err
	}
	code, _, err := s.grants.IssueCode(ctx, grants.Delegation{
		User: user.ID, UserEpoch: user.Epoch, Client: client.Number, ClientEpoch: client.Epoch,
		Scopes: wanted.scopes, Resources: wanted.resources, Refreshable: client.Allows("refresh_token"),
		Method: grants.MethodPassword, AuthTime: s.store.Now(), Terms: s.terms(catalogue, client, nil),
	}, o.Code)
	return code, err
}

// HTTPServer is what Serve answers the network with.
func (s *Server) HTTPServer() *http.Server { return s.httpServer(s.Handler()) }

// PauseNotices sets how long is waited before each further try to tell an app of a logout.
func (s *Server) PauseNotices(pauses ...time.Duration) { s.notices.pauses = pauses }

// MaintainKeys looks after the signing keys, as Watch does once a minute.
func (s *Server) MaintainKeys(ctx context.Context) error { return s.signing.Maintain(ctx) }

// RotateKeys stages successors of the signing keys, as the command line does.
func (s *Server) RotateKeys(ctx context.Context) error { return s.signing.Rotate(ctx) }

// SignClaims signs claims as this server signs its own: a token as good as ours, but for what it says.
func (s *Server) SignClaims(ctx context.Context, alg, typ string, claims any) (string, error) {
	return s.signing.Sign(ctx, alg, typ, claims)
}

// Mount adds a route that does what the test wants.
func (s *Server) Mount(path string, handle func()) {
	s.engine.Load().GET(path, func(*gin.Context) { handle() })
}

// MountedRoute is a route that answers, with the scopes that its table demands. Page says that it is in the table of
// pages, FromApps that other sites may send forms there, Local that only the operator of the machine sees it.
type MountedRoute struct {
	Method, Path   string
	Scopes         []string
	Page, FromApps bool
	Local          bool
}

// MountedRoutes lists every route that the router knows, whichever table it came from.
func (s *Server) MountedRoutes() []MountedRoute {
	demanded := make(map[string][]string)
	for prefix, table := range map[string][]route{apiPath: s.apiRoutes(), "/demo": s.demoRoutes()} {
		for _, r := range table {
			demanded[r.method+" "+prefix+r.path] = r.scopes
		}
	}
	for _, r := range s.identityRoutes() {
		demanded[r.method+" "+r.path] = r.scopes
	}
	pages := make(map[string]pageRoute)
	for _, r := range s.pageRoutes() {
		pages[r.method+" "+r.path] = r
	}
	local := make(map[string]bool)
	for _, r := range s.storeRoutes() {
		local[r.method+" "+apiPath+r.path] = true
	}
	var out []MountedRoute
	for _, r := range s.engine.Load().Routes() {
		page, isPage := pages[r.Method+" "+r.Path]
		out = append(out, MountedRoute{r.Method, r.Path, demanded[r.Method+" "+r.Path], isPage, page.fromApps, local[r.Method+" "+r.Path]})
	}
	return out
}
