// Package grants issues, rotates, checks and ends grants. A grant is one act of delegation: this user, or nobody, let
// this client use these scopes of these resources. It is one record under one key. Tokens are not stored: each is an
// authenticated reference to a grant, works once where the RFC says once, and dies with its grant. Nothing that is
// stored can be presented, and nothing can be presented that this package did not make.
//
// A grant may hang on the session in which its user allowed it, and then ends with it; an API key is a grant too, whose
// one token its user keeps. What a user lets a client have without being asked again is remembered here as well
// (Consent), apart from the grants.
//
// The server calls it, with clients and users that have been authenticated. It knows nothing of HTTP, takes the time
// from the store alone, and every function that gives out access and refresh tokens ends in the same one (answer).
package grants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

var (
	// ErrInvalid is the answer to a token or code that gives no right: unknown, expired, spent, revoked, or of another
	// client (invalid_grant).
	ErrInvalid = errors.New("grants: the token or code is invalid, expired, revoked or belongs to another client")
	// errAbsent is the ErrInvalid of a token whose grant is not there at all.
	errAbsent = fmt.Errorf("%w: there is no such grant", ErrInvalid)
	// ErrScope is the answer to a request for more than was granted (invalid_scope).
	ErrScope = errors.New("grants: the request asks for more than was granted")
	// ErrResource is the answer to a request for a resource that the grant does not cover (invalid_target).
	ErrResource = errors.New("grants: the grant does not cover the resource")
	// ErrTooMany is the answer to an owner who has as many API keys as one may have.
	ErrTooMany = errors.New("grants: the owner has as many API keys as one may have")
)

// CapPerClient is how many grants of one user may be live for one client. One more ends the oldest.
const CapPerClient = 25

// Method is how a user was authenticated.
type Method uint8

// The methods of authentication; the numbers are stored.
const (
	MethodNone     Method = 0
	MethodPassword Method = 1
)

// Standing is how a user or client stands. The zero value is that of one who does not exist.
type Standing struct {
	// Epoch is raised to end everything that was issued before.
	Epoch uint32
	// Enabled is false for who is disabled or deleted.
	Enabled bool
}

// Parties tells how users, clients and sessions stand. Who does not exist has the zero Standing and no error.
type Parties interface {
	// User reads the standing of a user. An answer may be a second old unless fresh is asked for.
	User(ctx context.Context, id uuid.UUID, fresh bool) (Standing, error)
	// Client reads the standing of a client by its number. An answer may be a second old.
	Client(ctx context.Context, number uint32) (Standing, error)
	// Session reads whether a session of a user still lives, from the store and never from a cache.
	Session(ctx context.Context, user, id uuid.UUID) (bool, error)
}

// EventKind names what happened to a grant that an operator should know of.
type EventKind string

// The events.
const (
	EventRefreshReused EventKind = "refresh_token.reused"  // an old refresh token came outside the window
	EventRefreshOld    EventKind = "refresh_token.old"     // an older one came inside the window; the grant lives
	EventCodeReplayed  EventKind = "code.replayed"         // a code came again
	EventCodeRefused   EventKind = "code.refused"          // a code came with a wrong verifier, redirect URI or client
	EventWrongClient   EventKind = "token.wrong_client"    // a client presented another client's refresh token
	EventFastForward   EventKind = "refresh_token.forward" // a refresh token came that the store had lost
)

// Event is one entry for the audit log. It names a grant and never a token.
type Event struct {
	Kind   EventKind
	Grant  uuid.UUID
	User   uuid.UUID
	Client uint32
	// Ended says that the event ended the grant.
	Ended bool
	// Reason says what was wrong, where the kind does not.
	Reason string
}

// Config is what a Service needs. All fields are required.
type Config struct {
	Store   store.Store
	Keys    *keys.Ring
	Parties Parties
	// Audit receives events. It must not block.
	Audit func(context.Context, Event)
}

// Service is the grants of one store. It keeps nothing in memory but keys, the status lists that it fills, and when
// to try again to note a use.
type Service struct {
	store   store.Store
	mint    *mint
	parties Parties
	audit   func(context.Context, Event)
	notes   pause
	lists   statusLists
	Ender
}

// New makes a Service.
func New(c Config) *Service {
	return &Service{store: c.Store, mint: newMint(c.Keys), parties: c.Parties, audit: c.Audit, Ender: Ender{c.Store}}
}

// Tokens is a successful answer.
type Tokens struct {
	// Access is the access token. It lives until Expires; Life is how long that was when it was first given out, and
	// is the same in a repeated answer.
	Access  string
	Expires time.Time
	Life    time.Duration
	// Refresh is the refresh token, empty when the grant has none.
	Refresh string
	// Granted are the scopes of the whole grant, of which the access token may have fewer.
	Granted []uint32
	// Note is that of the code (Code.Note), in the answer to its redemption and in no other.
	Note  []byte
	Grant Grant
}

// Grant is a grant as others may see it.
type Grant struct {
	ID                uuid.UUID
	User              uuid.UUID // uuid.Nil for a machine's grant
	Client            uint32    // 0 for an API key of a user's own
	Session           uuid.UUID // the session in which it was allowed, or uuid.Nil
	Offline           bool      // it outlives its session
	Scopes            []uint32  // of the token at hand; of the grant in lists
	Resources         []uint32
	Method            Method
	AuthTime, Created time.Time
	// Ends is when the grant ends unless it is refreshed.
	Ends        time.Time
	Refreshable bool
	// Key says that the grant is an API key. Label is how its user named it.
	Key   bool
	Label string
	// LastUsed is when a key was last used, to about a minute, or when the refresh token was last rotated. The zero time
	// says that it never was, or that it is not known: refreshes that rotate nothing leave no trace.
	LastUsed time.Time
}

func recordKey(id uuid.UUID) string { return "g" + string(id[:]) }

// read gets the grant that a token refers to and checks the token's tag. ErrInvalid covers every way of not being good.
func (s *Service) read(ctx context.Context, p presented) (grant, store.Record, *narrowed, error) {
	r, stored, err := s.record(ctx, p.grant)
	if err != nil {
		return grant{id: p.grant}, store.Record{}, nil, err
	}
	var listed *narrowed
	var covered []byte
	if p.kind == accessToken && p.narrowed() {
		if listed = r.narrowedBySerial(p.number); listed == nil {
			return grant{}, store.Record{}, nil, ErrInvalid
		}
		covered = listed.covered()
	}
	if !s.mint.genuine(p, r.Salt, covered) {
		return grant{}, store.Record{}, nil, ErrInvalid
	}
	return grant{p.grant, r}, stored, listed, nil
}

// record reads a grant by its id. ErrInvalid says that there is none.
func (e Ender) record(ctx context.Context, id uuid.UUID) (*record, store.Record, error) {
	stored, err := e.store.Get(ctx, recordKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, store.Record{}, errAbsent
	}
	if err == nil && isTombstone(stored) {
		return nil, store.Record{}, ErrInvalid
	}
	if err != nil {
		return nil, store.Record{}, fmt.Errorf("read grant: %w", err)
	}
	r, err := decode(stored.Value)
	return r, stored, err
}

func (r *record) narrowedBySerial(serial uint32) *narrowed {
	for i := range r.Narrowed {
		if r.Narrowed[i].Serial == serial {
			return &r.Narrowed[i]
		}
	}
	return nil
}

// stands reports whether the grant's user and client are enabled and of the epochs in which it was made. A user's own
// API key has no client that could stand or fall.
func (s *Service) stands(ctx context.Context, g grant, fresh bool) (bool, error) {
	if !g.ownKey() {
		client, err := s.parties.Client(ctx, g.Client)
		if err != nil {
			return false, fmt.Errorf("read the client's standing: %w", err)
		}
		if !client.Enabled || client.Epoch != g.ClientEpoch {
			return false, nil
		}
	}
	if len(g.User) == 0 {
		return true, nil
	}
	user, err := s.parties.User(ctx, g.user(), fresh)
	if err != nil {
		return false, fmt.Errorf("read the user's standing: %w", err)
	}
	return user.Enabled && user.Epoch == g.UserEpoch, nil
}

// answer spells the tokens of a decision. It is the only function that gives out access and refresh tokens.
func (s *Service) answer(g grant, d decision, terms Terms) (Tokens, error) {
	access := reference{kind: accessToken, grant: g.id, number: d.access.Serial, expires: g.accessEnd(d.access)}
	out := Tokens{Expires: access.expires, Life: time.Duration(d.access.Life) * time.Second, Granted: g.Scopes, Note: d.note, Grant: g.seen()}
	var covered []byte
	if d.narrowed != nil {
		access.flags |= flagNarrowed
		covered = d.narrowed.covered()
		out.Grant.Scopes, out.Grant.Resources = d.narrowed.Scopes, d.narrowed.Resources
	}
	if terms.Signs != nil && terms.Signs(out.Grant.Resources) {
		t := Token{Grant: out.Grant, Serial: d.access.Serial, Issued: g.at(d.access.Issued), Expires: access.expires, Narrowed: d.narrowed != nil,
			Epoch: g.epoch(), Status: s.mint.spellList(StatusList{g.epoch(), g.record.Status.List}), StatusIndex: g.record.Status.Index}
		signed, err := terms.Sign(&t)
		if err != nil {
			return Tokens{}, fmt.Errorf("sign an access token: %w", err)
		}
		out.Access = signed
	} else {
		out.Access = s.mint.write(access, g.Salt, covered)
	}
	if g.Refreshable {
		refresh := reference{kind: refreshToken, grant: g.id, number: d.generation, expires: wholeSecond(g.at(g.End))}
		out.Refresh = s.mint.write(refresh, g.Salt, nil)
	}
	return out, nil
}

func (g grant) seen() Grant {
	created := g.created()
	out := Grant{
		ID: g.id, User: g.user(), Client: g.Client, Session: g.session(), Offline: g.Offline,
		Scopes: g.Scopes, Resources: g.Resources, Method: g.Method,
		AuthTime: created.Add(-time.Duration(g.AuthTime) * time.Second), Created: created, Ends: g.expires(),
		Refreshable: g.Refreshable,
	}
	if g.Generation > 1 {
		out.LastUsed = g.at(g.Rotated)
	}
	if g.Key != nil {
		out.Key, out.Label = true, g.Key.Label
		if g.Key.Used > 0 {
			out.LastUsed = g.at(g.Key.Used)
		}
	}
	return out
}

func (s *Service) report(ctx context.Context, kind EventKind, g grant, ended bool) {
	s.audit(ctx, Event{Kind: kind, Grant: g.id, User: g.user(), Client: g.Client, Ended: ended})
}
