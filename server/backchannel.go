package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/store"
)

const (
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// logoutTokenLife is how long an app may take a logout token for good (OpenID Connect Back-Channel Logout §2.4).
	logoutTokenLife = 2 * time.Minute
	noticesWaiting  = 4096
	noticesAtOnce   = 32
	// noticesPerApp is how many of those may go to one app, and noticeRest how long others for it rest meanwhile.
	noticesPerApp = 4
	noticeRest    = 200 * time.Millisecond
	noticeTimeout = 5 * time.Second
)

// noticePauses are how long is waited before each further try to tell an app of a logout.
var noticePauses = []time.Duration{time.Second, 10 * time.Second, time.Minute}

// logoutToken tells an app that a session, or all of a user's, has ended (OpenID Connect Back-Channel Logout §2.4). It
// has no nonce, so that it cannot be taken for an ID token.
type logoutToken struct {
	Issuer   string              `json:"iss"`
	Subject  string              `json:"sub"`
	Audience string              `json:"aud"`
	Issued   int64               `json:"iat"`
	Expires  int64               `json:"exp"`
	ID       string              `json:"jti"`
	Session  string              `json:"sid,omitempty"`
	Events   map[string]struct{} `json:"events"`
}

// notice is what one app is to be told.
type notice struct {
	client  *clients.Client
	user    uuid.UUID
	session uuid.UUID
	tries   int
}

// notices tell apps of logouts. They wait in memory and are sent in the background: a logout does not wait for an app,
// and it has happened whether or not the app learns of it.
type notices struct {
	mu      sync.Mutex
	sending map[uint32]int // by client
	queue   chan notice
	http    *http.Client
	// pauses come before each further try.
	pauses []time.Duration
}

// newNotices makes the sender. Apps are reached under public addresses, and under those of the networks named; a registered
// name that leads into the operator's own network would make us an attacker's hand there.
func newNotices(networks []netip.Prefix) *notices {
	dialer := &net.Dialer{Timeout: noticeTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if addr := to.Addr().Unmap(); !isPublic(addr) && !contains(networks, addr) {
			return fmt.Errorf("%s is not a public address, and in none of the networks of server.notify_networks", addr)
		}
		return nil
	}}
	return &notices{
		sending: make(map[uint32]int),
		queue:   make(chan notice, noticesWaiting), pauses: noticePauses,
		http: &http.Client{
			Timeout:       noticeTimeout,
			Transport:     &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: noticeTimeout},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// isPublic reports whether an address can be of anybody on the internet. Looked at when dialling, after the name was
// resolved, so that a name cannot mean one thing when it is checked and another when it is used.
func isPublic(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !contains(specialNetworks, addr)
}

// specialNetworks are global by their form and not by their use (RFC 6890, RFC 6598, RFC 6052, RFC 3056).
var specialNetworks = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("::ffff:0:0:0/96"), netip.MustParsePrefix("fec0::/10"), netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001:db8::/32"),
}

// tellAfter lets the apps be told that want to know of the end of sessions. It is called when they have ended: an app can
// join a session until then. Should it not be known who is to be told, the logout has happened all the same.
func (s *Server) tellAfter(ctx context.Context, user uuid.UUID, sessions []uuid.UUID) {
	list, err := s.logoutNotices(context.WithoutCancel(ctx), user, sessions)
	if err != nil {
		s.logFailure(ctx, 0, fmt.Errorf("find out who is to be told of a logout: %w", err))
	}
	for _, n := range list {
		s.enqueue(n)
	}
}

// liveSessions are the sessions of a user, as long as that can be known: after everything of the user has ended, no more.
func (s *Server) liveSessions(ctx context.Context, user uuid.UUID) ([]uuid.UUID, error) {
	live, err := s.sessions.List(ctx, user)
	ids := make([]uuid.UUID, len(live))
	for i := range live {
		ids[i] = live[i].ID
	}
	return ids, err
}

func (s *Server) logoutNotices(ctx context.Context, user uuid.UUID, sessions []uuid.UUID) ([]notice, error) {
	var list []notice
	for _, session := range sessions {
		joined, err := s.sessions.Joined(ctx, session)
		if err != nil {
			return nil, err
		}
		for _, number := range joined {
			client, err := s.clients.ByNumber(ctx, number)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if client.BackchannelLogoutURI != "" && !client.Disabled {
				list = append(list, notice{client: client, user: user, session: session})
			}
		}
	}
	return list, nil
}

// endingSessions does what ends every session of a user, and tells the apps that want to know.
func (s *Server) endingSessions(ctx context.Context, user uuid.UUID, act func(context.Context, uuid.UUID) error) error {
	sessions, err := s.liveSessions(ctx, user)
	if err != nil {
		return err
	}
	if err := act(ctx, user); err != nil {
		return err
	}
	s.tellAfter(ctx, user, sessions)
	return nil
}

// enqueue puts a notice in the queue. A queue that is full is an operator's to know; the logout has happened.
func (s *Server) enqueue(n notice) {
	select {
	case s.notices.queue <- n:
	default:
		s.log.Error("an app is not told of a logout: too many are waiting", "client_id", n.client.ID)
	}
}

// notify sends notices until ctx ends.
func (s *Server) notify(ctx context.Context) {
	room := make(chan struct{}, noticesAtOnce)
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-s.notices.queue:
			if !s.notices.begin(n.client.Number) {
				time.AfterFunc(noticeRest, func() { s.enqueue(n) })
				continue
			}
			select {
			case <-ctx.Done():
				return
			case room <- struct{}{}:
			}
			go func() {
				defer func() { <-room }()
				defer s.notices.end(n.client.Number)
				s.tell(ctx, n)
			}()
		}
	}
}

// begin takes one of the places that an app has. Without them an app that hangs would keep all the others waiting.
func (n *notices) begin(client uint32) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sending[client] == noticesPerApp {
		return false
	}
	n.sending[client]++
	return true
}

func (n *notices) end(client uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sending[client]--; n.sending[client] == 0 {
		delete(n.sending, client)
	}
}

// tell tells one app, and lets the notice come again if that fails. While it pauses it takes up no room, so that an app
// that is down keeps no other from being told.
func (s *Server) tell(ctx context.Context, n notice) {
	err := s.tellOnce(ctx, n)
	n.tries++
	level, message := slog.LevelInfo, "app told of a logout"
	if err != nil {
		level, message = slog.LevelWarn, "app could not be told of a logout"
	}
	attrs := []slog.Attr{slog.String("event", "logout.notice"), slog.String("client_id", n.client.ID), slog.String("user_id", n.user.String()), slog.Int("try", n.tries)}
	if err != nil {
		attrs = append(attrs, slog.String("error", plain(err)))
	}
	s.log.LogAttrs(ctx, level, message, attrs...)
	if err != nil && n.tries <= len(s.notices.pauses) && ctx.Err() == nil {
		time.AfterFunc(s.notices.pauses[n.tries-1], func() { s.enqueue(n) })
	}
}

// plain is an error without the URL that net/http puts in front of it: the log names the client.
func plain(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err.Error()
	}
	return err.Error()
}

func (s *Server) tellOnce(ctx context.Context, n notice) error {
	now := s.store.Now()
	token, err := s.signing.Sign(ctx, n.client.IDTokenAlgorithm(), "logout+jwt", logoutToken{
		Issuer: s.issuer, Subject: n.user.String(), Audience: n.client.ID, Issued: now.Unix(), Expires: now.Add(logoutTokenLife).Unix(),
		ID: rand.Text(), Session: n.session.String(), Events: map[string]struct{}{logoutEvent: {}},
	})
	if err != nil {
		return err
	}
	body := url.Values{"logout_token": {token}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.client.BackchannelLogoutURI, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", formMediaType)
	response, err := s.notices.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4<<10))
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the app answered %d", response.StatusCode)
	}
	return nil
}
