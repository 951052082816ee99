package grants

import (
	"context"
	"errors"
	"fmt"

	"github.com/safeconduct/safeconduct/store"
)

// Presenter is the client that presents a token or code: authenticated, or public and identified.
type Presenter struct {
	Client uint32
	Terms  Terms
}

// Refresh answers a refresh token (RFC 6749 §6).
func (s *Service) Refresh(ctx context.Context, token string, by Presenter, ask Ask) (Tokens, error) {
	p, ok := s.mint.read(refreshToken, token)
	if !ok || p.expired(s.store.Now()) {
		return Tokens{}, ErrInvalid
	}
	return s.spend(ctx, p, by, EventWrongClient, func(g grant) (decision, error) {
		narrowing, err := g.narrow(ask)
		if err != nil {
			return decision{}, err
		}
		d := refresh(g, p.number, narrowing, s.placing(by.Terms, g), s.store.Now())
		switch {
		case d.verdict == verdictReused:
			s.report(ctx, EventRefreshReused, g, d.ends)
		case d.verdict == verdictOld:
			s.report(ctx, EventRefreshOld, g, false)
		case p.number > g.Generation:
			s.report(ctx, EventFastForward, g, false)
		}
		return d, nil
	})
}

// Redeem answers an authorization code (RFC 6749 §4.1.3). The ask narrows the access token alone (RFC 8707 §2.2): the
// refresh token covers all that was granted. An ask for more than that leaves the code as it was.
func (s *Service) Redeem(ctx context.Context, token, redirectURI, verifier string, by Presenter, ask Ask) (Tokens, error) {
	p, ok := s.mint.read(code, token)
	if !ok || p.expired(s.store.Now().Add(-replayWatch)) {
		return Tokens{}, ErrInvalid
	}
	return s.spend(ctx, p, by, EventCodeRefused, func(g grant) (decision, error) {
		narrowing, outside := g.narrow(ask)
		d := redeem(g, redemption{redirectURI, verifier, narrowing, s.placing(by.Terms, g)}, s.store.Now())
		switch {
		case d.verdict == verdictRotate && outside != nil:
			// Said only to who passes every other check: nobody else learns what the grant covers.
			return decision{}, outside
		case d.verdict == verdictReused || d.verdict == verdictOld:
			s.report(ctx, EventCodeReplayed, g, d.ends)
		case d.verdict == verdictRefused:
			s.audit(ctx, Event{Kind: EventCodeRefused, Grant: g.id, User: g.user(), Client: g.Client, Ended: d.ends, Reason: d.reason})
		}
		return d, nil
	})
}

// loggedIn reports whether the session lives that a grant hangs on: a code always, tokens unless they are offline. A session
// that lapsed by itself has ended nothing.
func (s *Service) loggedIn(ctx context.Context, g grant) (bool, error) {
	if len(g.Session) == 0 || g.Offline && g.State == active {
		return true, nil
	}
	lives, err := s.parties.Session(ctx, g.user(), g.session())
	if err != nil {
		return false, fmt.Errorf("read the session: %w", err)
	}
	return lives, nil
}

// spend runs a rule over the grant of a presented token until its decision stands: read, check, decide, swap. A conflict
// is never answered; somebody else moved the grant on, so it is read and decided again.
func (s *Service) spend(ctx context.Context, p presented, by Presenter, wrongClient EventKind, rule func(grant) (decision, error)) (Tokens, error) {
	for {
		// 1. The checks that no rule may forget.
		g, stored, _, err := s.read(ctx, p)
		if err != nil {
			return Tokens{}, err
		}
		if g.Client != by.Client {
			// RFC 6749 §6 and §10.4: bound to the client it was issued to. The owner's token stays good.
			s.report(ctx, wrongClient, g, false)
			return Tokens{}, ErrInvalid
		}
		standing, err := s.stands(ctx, g, false)
		if err != nil {
			return Tokens{}, err
		}
		if standing {
			standing, err = s.loggedIn(ctx, g)
		}
		if err != nil {
			return Tokens{}, err
		}
		if !standing {
			return Tokens{}, ErrInvalid
		}
		// 2. The rule.
		d, err := rule(g)
		if err != nil {
			return Tokens{}, err
		}
		// 3. The one write that it asks for.
		switch {
		case d.ends:
			if err := s.end(ctx, g); err != nil {
				return Tokens{}, err
			}
		case d.next != nil:
			next := grant{g.id, d.next}
			writing := ctx
			if g.State != active {
				writing = store.Lasting(ctx) // RFC 6749 §4.1.2: a code must not come back unspent
			}
			err := s.store.Swap(writing, recordKey(g.id), stored, next.encode(), next.expires())
			if errors.Is(err, store.ErrConflict) {
				continue
			}
			if err != nil {
				return Tokens{}, fmt.Errorf("write grant: %w", err)
			}
			g = next
		}
		switch d.verdict {
		case verdictRotate, verdictRepeat, verdictKeep:
			return s.answer(g, d, by.Terms)
		}
		return Tokens{}, ErrInvalid
	}
}
