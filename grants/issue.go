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
	// Session is the session in which the user allows this, or uuid.Nil. A grant that is not Offline ends with it: the
	// caller gives Terms an absolute life that ends no later than the session, and whoever ends the session before
	// calls EndSession.
	Session uuid.UUID
	// Offline lets the grant outlive its session.
	Offline bool
	// Remembered says that the user was not asked, because an earlier answer was remembered (Consent.Remember). It is
	// looked at again when the grant is written.
	Remembered  bool
	Scopes      []uint32
	Resources   []uint32
	Refreshable bool
	AuthTime    time.Time
	Method      Method
	Terms       Terms
}

// NoteMax is the size of the largest note of a code.
const NoteMax = 2048

// Code is what the redemption of an authorization code will be checked against.
type Code struct {
	// Challenge is the S256 code challenge (ParseChallenge), or nil.
	Challenge []byte
	// RedirectURI is the redirect URI that the token request must repeat, empty if it must not name one.
	RedirectURI string
	// Life is how long the code may be redeemed.
	Life time.Duration
	// Note is handed back by the redemption (Tokens.Note) and forgotten then: what the authorization request said and
	// the token's answer must repeat. At most NoteMax bytes.
	Note []byte
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
	out.access, out.narrowed = g.issueAccess(nil, s.placing(d.Terms, g), now)
	if err := s.enter(ctx, g, d, g.expires()); err != nil {
		return Tokens{}, err
	}
	return s.answer(g, out, d.Terms)
}

// IssueCode makes a grant whose tokens wait for the redemption of the code that it returns: generation 0. The id is for
// RepeatCode and the log, and no secret.
func (s *Service) IssueCode(ctx context.Context, d Delegation, c Code) (text string, id uuid.UUID, err error) {
	if len(c.Note) > NoteMax {
		return "", uuid.Nil, fmt.Errorf("the note of a code has %d bytes, at most %d are kept", len(c.Note), NoteMax)
	}
	g := newGrant(d, s.store.Now())
	g.State = approved
	g.Proof = &proof{Challenge: c.Challenge, CodeEnd: inTenths(c.Life), Note: c.Note}
	if c.RedirectURI != "" {
		sum := sha256.Sum256([]byte(c.RedirectURI))
		g.Proof.Redirect = sum[:]
	}
	// Until it is redeemed, the grant does not know how long its access token will live.
	if err := s.enter(ctx, g, d, g.expires().Add(d.Terms.Access(g.Resources))); err != nil {
		return "", uuid.Nil, err
	}
	return s.spellCode(g), g.id, nil
}

// RepeatCode spells the code of a pending grant again: a user who sends a page of consent twice gets to the client
// with the same code. ErrInvalid says that the grant is none that waits for its code. An id proves nothing: the caller
// knows that whoever asks is the one for whom the code was made.
func (s *Service) RepeatCode(ctx context.Context, id uuid.UUID) (string, error) {
	r, _, err := s.record(ctx, id)
	if err != nil {
		return "", err
	}
	g, now := grant{id, r}, s.store.Now()
	if g.State != approved || g.Proof == nil || !now.Before(g.at(min(g.Proof.CodeEnd, g.End))) {
		return "", ErrInvalid
	}
	return s.spellCode(g), nil
}

func (s *Service) spellCode(g grant) string {
	r := reference{kind: code, grant: g.id, expires: wholeSecond(g.at(g.Proof.CodeEnd))}
	return s.mint.write(r, g.Salt, nil)
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
		if d.Session != uuid.Nil {
			g.Session, g.Offline = d.Session[:], d.Offline
		}
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
