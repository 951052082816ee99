// Package server is everything of Safeconduct that speaks HTTP: the protocol endpoints, discovery, health, the pages that
// people see, and our own protected API. It translates: a request into a call of the rooms below (grants, clients, users, resources), and what
// they answer into a response. It decides nothing that they could decide, and keeps nothing between two requests but
// caches.
//
// cmd makes a Server and gives it listeners; nothing else imports it.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	oauth2server "github.com/go-oauth2/oauth2/v4/server"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/scopes"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
	"github.com/safeconduct/safeconduct/users"
)

// Config is what a Server needs.
type Config struct {
	// Issuer is the one public name of the server (RFC 8414 §2): a URL without query, fragment and trailing slash, https but for
	// this machine.
	Issuer string
	Store  store.Store
	Keys   *keys.Ring
	Log    *slog.Logger
	// Lifetimes of what is issued; zero fields get the defaults.
	Lifetimes Lifetimes
	// Hasher hashes passwords in a bounded pool.
	Hasher *users.Hasher
	// TrustedProxies are the networks whose X-Forwarded-For is believed. Usually none.
	TrustedProxies []netip.Prefix
	// AllowedHosts are names beside the issuer's under which requests may come, such as the name inside a cluster.
	AllowedHosts []string
	// DrainDelay is how long the server goes on serving, not ready, after it was told to stop, so that load balancers
	// notice.
	DrainDelay time.Duration
	// Pages are the pages that people see; nil for those of the package templates as they are.
	Pages *templates.Set
	// Sessions bound how long people stay logged in; zero fields get the defaults.
	Sessions users.SessionLimits
	// SigningKeys say how long a key signs and how long it is published before; zero for the defaults.
	SigningKeys SigningKeys
	// NotifyNetworks are networks beside the public ones in which apps may be told of a logout. Usually none.
	NotifyNetworks []netip.Prefix
	// CheckNetworks are the networks of proxies that may ask whether to let a request through. Usually none.
	CheckNetworks []netip.Prefix
	// WorkDir is where a backup is put together before it is sent; empty for the system's folder of temporary files.
	WorkDir string
	// Demo adds the demo API under /demo. Only the dev command sets it.
	Demo bool
	// Unprepared leaves it to the caller to call Prepare, for a store that cannot be reached yet.
	Unprepared bool
}

// Lifetimes bound what is issued.
type Lifetimes struct {
	Access time.Duration // of opaque access tokens, unless their resource says otherwise
	// SignedAccess is that of signed access tokens: shorter, because not everybody who verifies one hears of its end.
	SignedAccess time.Duration
	RefreshIdle  time.Duration // of a grant that nobody refreshes
	RefreshMax   time.Duration // of any grant
	Code         time.Duration // of authorization codes
	IDToken      time.Duration // of ID tokens
}

// SigningKeys say how signing keys follow each other.
type SigningKeys struct {
	Lifetime time.Duration // how long one signs
	Ahead    time.Duration // how long one is published before it signs
}

// The default lifetimes.
const (
	DefaultAccess      = 15 * time.Minute
	DefaultSigned      = 10 * time.Minute
	DefaultRefreshIdle = 14 * 24 * time.Hour
	DefaultRefreshMax  = 90 * 24 * time.Hour
	DefaultCode        = time.Minute
	DefaultIDToken     = 10 * time.Minute // it says who logged in just now, and is no credential
)

func (l Lifetimes) withDefaults() Lifetimes {
	if l.Access == 0 {
		l.Access = DefaultAccess
	}
	if l.SignedAccess == 0 {
		l.SignedAccess = min(DefaultSigned, l.Access)
	}
	if l.RefreshIdle == 0 {
		l.RefreshIdle = DefaultRefreshIdle
	}
	if l.RefreshMax == 0 {
		l.RefreshMax = DefaultRefreshMax
	}
	if l.Code == 0 {
		l.Code = DefaultCode
	}
	if l.IDToken == 0 {
		l.IDToken = DefaultIDToken
	}
	return l
}

// Server answers requests. Make one with New.
type Server struct {
	issuer    string
	hosts     map[string]bool
	store     store.Store
	log       *slog.Logger
	lifetimes Lifetimes
	proxies   []netip.Prefix
	// checkNetworks may ask /oauth/check without a credential.
	checkNetworks []netip.Prefix
	drain         time.Duration
	workDir       string

	changes   *store.Changes
	grants    *grants.Service
	clients   *clients.Registry
	users     *users.Registry
	sessions  *users.Sessions
	resources *resources.Registry
	signing   *keys.Signing
	library   *oauth2server.Server
	api       *resources.Resource
	identity  *resources.Resource

	pages       *templates.Set
	plainLogins plainLogins
	// Headers of every answer, of those with tokens, of public documents and of pages.
	everyHeader, tokenHeader, publicHeader, pageHeader sharedHeader
	forms                                              formTokens
	browsers                                           knownBrowsers
	crossOrigin                                        *http.CrossOriginProtection
	notices                                            *notices
	lastKeys                                           atomic.Pointer[keySet]
	feed                                               *feed
	// stopping is closed when the server was told to stop, so that streams end.
	stopping    chan struct{}
	statusLists statusLists

	metadata []byte
	health   health
	demo     bool
	waiting  *gin.Engine // answers until engine is there
	engine   atomic.Pointer[gin.Engine]
}

// New wires a server. It prepares the store, which must be reachable for that, unless the configuration says otherwise.
func New(ctx context.Context, c Config) (*Server, error) {
	issuer, err := url.Parse(c.Issuer)
	if err != nil || issuer.Host == "" || (issuer.Path != "") || issuer.RawQuery != "" || issuer.Fragment != "" || issuer.User != nil {
		return nil, fmt.Errorf("issuer %q: want scheme and host alone, such as https://id.example.com", c.Issuer)
	}
	if err := (scopes.Metadata{Resource: c.Issuer, AuthorizationServers: []string{c.Issuer}}).Check(); err != nil {
		return nil, fmt.Errorf("issuer %q: %w", c.Issuer, err)
	}
	s := &Server{
		issuer: c.Issuer, hosts: map[string]bool{hostName(issuer.Host, c.Issuer): true}, store: c.Store, log: c.Log,
		lifetimes: c.Lifetimes.withDefaults(), proxies: c.TrustedProxies, checkNetworks: c.CheckNetworks, drain: c.DrainDelay,
		workDir: c.WorkDir,
	}
	for _, host := range c.AllowedHosts {
		s.hosts[hostName(host, c.Issuer)] = true
	}
	s.changes = store.NewChanges(c.Store)
	s.clients = clients.New(c.Store, s.changes)
	s.resources = resources.New(c.Store, s.changes)
	ender := grants.NewEnder(c.Store)
	s.users = users.New(users.Config{Store: c.Store, Changes: s.changes, Grants: ender, Hasher: c.Hasher})
	s.sessions = users.NewSessions(users.SessionsConfig{Store: c.Store, Users: s.users, Grants: ender, Limits: c.Sessions})
	s.grants = grants.New(grants.Config{Store: c.Store, Keys: c.Keys, Parties: parties{s.users, s.clients, s.sessions}, Audit: s.auditGrant})
	s.signing = keys.NewSigning(keys.SigningConfig{
		Store: c.Store, Changes: s.changes, Ring: c.Keys, Lifetime: c.SigningKeys.Lifetime, Ahead: c.SigningKeys.Ahead,
		Keep: s.sessions.Limits().Remember + time.Hour, // an ID token comes back as a hint for as long as a session lives
	})
	s.clients.TellEnds(s.clientEnded)
	s.forms, s.browsers = newFormTokens(c.Keys), newKnownBrowsers(c.Keys)
	s.everyHeader, s.tokenHeader, s.publicHeader, s.pageHeader = everyHeader(s.secure()), tokenHeader(), publicHeader(), pageHeader()
	s.notices = newNotices(c.NotifyNetworks)
	s.feed, s.stopping = newFeed(c.Store), make(chan struct{})
	s.crossOrigin = http.NewCrossOriginProtection()
	if err := s.crossOrigin.AddTrustedOrigin(s.issuer); err != nil {
		return nil, fmt.Errorf("issuer %q: %w", c.Issuer, err)
	}
	if s.pages = c.Pages; s.pages == nil {
		if s.pages, err = templates.New(templates.Options{}); err != nil {
			return nil, fmt.Errorf("load the pages: %w", err)
		}
	}
	s.library = s.newLibrary()
	s.metadata = s.buildMetadata()
	s.demo = c.Demo
	if s.waiting, err = s.newWaitingEngine(); err != nil {
		return nil, err
	}
	if c.Unprepared {
		return s, nil
	}
	if err := s.Prepare(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// parties tells the grants how their users, sessions and clients stand.
type parties struct {
	users    *users.Registry
	clients  *clients.Registry
	sessions *users.Sessions
}

func (p parties) Session(ctx context.Context, user, id uuid.UUID) (bool, error) {
	return p.sessions.Use(ctx, user, id)
}

func (p parties) User(ctx context.Context, id uuid.UUID, fresh bool) (grants.Standing, error) {
	read := p.users.Get
	if fresh {
		read = p.users.Fresh
	}
	user, err := read(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return grants.Standing{}, nil
	}
	if err != nil {
		return grants.Standing{}, err
	}
	if call, is := ctx.Value(tokenCallKey{}).(*tokenCall); is {
		call.owner = user // so that the answer need not read it again
	}
	return grants.Standing{Epoch: user.Epoch, Enabled: !user.Disabled}, nil
}

func (p parties) Client(ctx context.Context, number uint32) (grants.Standing, error) {
	client, err := p.clients.ByNumber(ctx, number)
	if errors.Is(err, store.ErrNotFound) {
		return grants.Standing{}, nil
	}
	if err != nil {
		return grants.Standing{}, err
	}
	return grants.Standing{Epoch: client.Epoch, Enabled: !client.Disabled}, nil
}
