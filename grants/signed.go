package grants

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Signed is what a signed access token says of its place in its grant (RFC 9068). The caller has verified the signature,
// which takes the place of the tag of our own tokens.
type Signed struct {
	Grant    uuid.UUID
	Serial   uint32
	Expires  time.Time
	Narrowed bool
}

// CheckSigned is Check for a signed access token. A signature alone makes a token good for those who cannot ask; whoever
// asks here learns whether its grant still lives.
func (s *Service) CheckSigned(ctx context.Context, t Signed) (*Token, error) {
	if !s.store.Now().Before(t.Expires) {
		return nil, ErrInvalid
	}
	g, listed, err := s.readSigned(ctx, t)
	if err != nil {
		return nil, err
	}
	if !g.gave(presented{reference: reference{kind: accessToken, number: t.Serial}}) {
		return nil, ErrInvalid
	}
	standing, err := s.stands(ctx, g, false)
	if err != nil {
		return nil, err
	}
	if !standing {
		return nil, ErrInvalid
	}
	checked := &Token{Grant: g.seen(), Serial: t.Serial, Expires: t.Expires}
	if listed != nil {
		checked.Narrowed, checked.Scopes, checked.Resources = true, listed.Scopes, listed.Resources
	}
	return checked, nil
}

func (s *Service) readSigned(ctx context.Context, t Signed) (grant, *narrowed, error) {
	r, _, err := s.record(ctx, t.Grant)
	if err != nil {
		return grant{id: t.Grant}, nil, err
	}
	if !r.signed() {
		return grant{}, nil, ErrInvalid
	}
	if !t.Narrowed {
		return grant{t.Grant, r}, nil, nil
	}
	listed := r.narrowedBySerial(t.Serial)
	if listed == nil {
		return grant{}, nil, ErrInvalid
	}
	return grant{t.Grant, r}, listed, nil
}

// RevokeSigned is Revoke for a signed access token.
func (s *Service) RevokeSigned(ctx context.Context, t Signed, client uint32) error {
	g, err := s.signedGrant(ctx, t)
	if err != nil {
		return err
	}
	return s.endOwn(ctx, g, client)
}

// RevokeAnySigned is RevokeAny for a signed access token.
func (s *Service) RevokeAnySigned(ctx context.Context, t Signed) error {
	g, err := s.signedGrant(ctx, t)
	if err != nil || g == nil {
		return err
	}
	return s.end(ctx, *g)
}

func (s *Service) signedGrant(ctx context.Context, t Signed) (*grant, error) {
	if !s.store.Now().Before(t.Expires) {
		return nil, nil
	}
	g, _, err := s.readSigned(ctx, t)
	return s.unlessEnded(ctx, g, err)
}
