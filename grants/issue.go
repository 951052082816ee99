package grants

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
)

// Delegation is what a user, or nobody, lets a client do. Who fills it has authenticated both and read their epochs
// together with their credentials.
type Delegation struct {
	User        uuid.UUID // uuid.Nil for a machine's grant
	UserEpoch   uint32
	Client      uint32
	ClientEpoch uint32
	Scopes      []uint32
	Resources   []uint32
	Refreshable bool
	AuthTime    time.Time
	Method      Method
	Terms       Terms
}

// Code is what the redemption of an authorization code will be checked against.
type Code struct {
	// Challenge is the S256 code challenge (ParseChallenge), or nil.
	Challenge []byte
	// RedirectURI is the redirect URI that the token request must repeat, empty if it must not name one.
	RedirectURI string
	// Life is how long the code may be redeemed.
	Life time.Duration
}

// Issue makes a grant and gives out its first tokens.
func (s *Service) Issue(ctx context.Context, d Delegation) (Tokens, error) {
	now := s.store.Now()
	g := newGrant(d, now)
	g.State = active
	g.Generation = 1
	g.Idle = firstIdle(0, d.Terms)
	var out decision
	out.generation = 1
	out.access, out.narrowed = g.issueAccess(nil, d.Terms, now)
	if err := s.enter(ctx, g, g.expires()); err != nil {
		return Tokens{}, err
	}
	return s.answer(g, out), nil
}

// IssueCode makes a grant whose tokens wait for the redemption of the code that it returns: generation 0.
func (s *Service) IssueCode(ctx context.Context, d Delegation, c Code) (string, error) {
	g := newGrant(d, s.store.Now())
	g.State = approved
	g.Proof = &proof{Challenge: c.Challenge, CodeEnd: inTenths(c.Life)}
	if c.RedirectURI != "" {
		sum := sha256.Sum256([]byte(c.RedirectURI))
		g.Proof.Redirect = sum[:]
	}
	// Until it is redeemed, the grant does not know how long its access token will live.
	if err := s.enter(ctx, g, g.expires().Add(d.Terms.Access(g.Resources))); err != nil {
		return "", err
	}
	r := reference{kind: code, grant: g.id, expires: wholeSecond(g.at(g.Proof.CodeEnd))}
	return s.mint.write(r, g.Salt, nil), nil
}

func newGrant(d Delegation, now time.Time) grant {
	g := grant{newID(now), &record{
		Version: recordVersion, Salt: make([]byte, saltSize),
		UserEpoch: d.UserEpoch, Client: d.Client, ClientEpoch: d.ClientEpoch,
		Refreshable: d.Refreshable, Scopes: sortedSet(d.Scopes), Resources: sortedSet(d.Resources),
		Method: d.Method, End: inTenths(d.Terms.Absolute),
	}}
	rand.Read(g.Salt)
	if d.User != uuid.Nil {
		g.User = d.User[:]
	}
	if !d.AuthTime.IsZero() {
		g.AuthTime = uint32(min(max(now.Sub(d.AuthTime), 0)/time.Second, math.MaxUint32))
	}
	return g
}

// newID draws a UUIDv7 with the time of the store's clock: grants sort by their age on every process.
func newID(now time.Time) uuid.UUID {
	id := uuid.New()
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	return id
}

// enter writes a new grant, which lives until ends if nobody refreshes it: index, record, and then another look at the epochs. An act that ends everything of the user
// raises the epoch, lists the index and deletes; whichever way the two interleave, either it finds the grant or the
// grant finds the new epoch. The index comes first, so a crash leaves at most a name without a grant.
func (s *Service) enter(ctx context.Context, g grant, ends time.Time) error {
	if len(g.User) == 0 {
		// A machine's grant is in no index. The client's epoch, which every check compares, ends it.
		if err := s.store.Set(ctx, recordKey(g.id), g.encode(), g.expires()); err != nil {
			return fmt.Errorf("write grant: %w", err)
		}
		return nil
	}
	if g.Refreshable {
		ends = g.at(g.End)
	}
	enrolled, err := s.store.Enroll(ctx, indexOf(g.user()), memberName(g.Client, g.id), ends)
	if err != nil {
		return fmt.Errorf("enter grant in the user's index: %w", err)
	}
	if enrolled > CapPerClient {
		if err := s.endOldest(ctx, g.user(), g.Client); err != nil {
			return err
		}
	}
	if err := s.store.Set(ctx, recordKey(g.id), g.encode(), g.expires()); err != nil {
		return fmt.Errorf("write grant: %w", err)
	}
	standing, err := s.stands(ctx, g, true)
	if err == nil && standing {
		return nil
	}
	if endErr := s.end(ctx, g.user(), g.Client, g.id); endErr != nil {
		return endErr
	}
	if err != nil {
		return err
	}
	return ErrInvalid
}

// endOldest keeps the user's live grants for one client below CapPerClient, so that there is room for one more.
func (s *Service) endOldest(ctx context.Context, user uuid.UUID, client uint32) error {
	live, err := s.liveFor(ctx, user, client)
	if err != nil {
		return err
	}
	for _, id := range live[:max(len(live)-CapPerClient+1, 0)] {
		if err := s.end(ctx, user, client, id); err != nil {
			return err
		}
	}
	return nil
}
