package grants

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
)

// recordVersion is the layout of a record. No earlier one was ever released.
const recordVersion = 4

const (
	saltSize = 16
	// rotationsKept counts the rotation times of a record: that of the current generation and those before it.
	rotationsKept = 8
	// narrowedKept bounds the narrowed access tokens of one grant that are live at once. One more ends the oldest.
	narrowedKept = 16
	// MaxWindow is the longest window within which a rotated refresh token may be presented again.
	MaxWindow = 300 * time.Second
)

// state tells how far a grant has come.
type state uint8

const (
	unapproved state = iota // a device code that nobody has allowed yet
	approved                // allowed; its code has not been redeemed
	active                  // tokens are out
)

// tenths are tenths of a second since the grant was created; moments that need no date of their own are kept so.
type tenths uint32

const tenth = 100 * time.Millisecond

// record is a grant as it is stored: CBOR, one array (layout.go). Clients, scopes and resources stand in it by number.
type record struct {
	_            struct{} `cbor:",toarray"`
	Version      uint8
	Salt         []byte
	User         []byte // 16 bytes, or none for a machine's grant
	UserEpoch    uint32
	Client       uint32
	ClientEpoch  uint32
	State        state
	Refreshable  bool
	Scopes       []uint32
	Resources    []uint32
	Session      []byte // 16 bytes, or none for a grant that was allowed in no session
	Offline      bool   // the grant outlives its session
	AuthTime     uint32 // seconds before the grant was created
	Method       Method
	Confirmation []byte // SHA-256 thumbprint of the key that the tokens are bound to (RFC 7638), or none
	End          tenths // the absolute end
	Idle         tenths // the end unless a refresh comes before
	Generation   uint32
	Rotated      tenths   // when Generation was reached
	Earlier      []uint16 // tenths of a second from the earlier rotations to Rotated, the latest first
	LastSerial   uint32
	Plain        *answer // the latest access token for everything that is granted
	Narrowed     []narrowed
	Proof        *proof
	Key          *keyPart
	SignedLife   uint32       // seconds; the longest of any access token that others verify without asking (RFC 9068), 0 for none
	Status       *StatusPlace // nil until the first signed token
}

// answer is what must be known of an access token to give the same answer again.
type answer struct {
	_      struct{} `cbor:",toarray"`
	Serial uint32
	Issued tenths
	Life   uint32 // seconds
}

// narrowed is an access token for a part of the grant.
type narrowed struct {
	_         struct{} `cbor:",toarray"`
	Serial    uint32
	Issued    tenths
	Life      uint32
	Scopes    []uint32
	Resources []uint32
}

func (n narrowed) answer() answer { return answer{Serial: n.Serial, Issued: n.Issued, Life: n.Life} }

// fits reports whether the token is for exactly what is asked for.
func (n narrowed) fits(ask *narrowing) bool {
	return slices.Equal(n.Scopes, ask.scopes) && slices.Equal(n.Resources, ask.resources)
}

// covered is what the tag of a narrowed token covers: a serial that a failover made free and that was given out again
// for other scopes does not fit the old token.
func (n narrowed) covered() []byte {
	out := make([]byte, 0, 8+4*(len(n.Scopes)+len(n.Resources)))
	for _, list := range [][]uint32{n.Scopes, n.Resources} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(list)))
		for _, number := range list {
			out = binary.BigEndian.AppendUint32(out, number)
		}
	}
	return out
}

// proof is what a code's redemption is checked against. It stays after the redemption, to know a replay.
type proof struct {
	_         struct{} `cbor:",toarray"`
	Challenge []byte   // SHA-256 of the code verifier (RFC 7636 §4.2), or none
	Redirect  []byte   // SHA-256 of the redirect URI that the token request must repeat, or none
	CodeEnd   tenths
	Redeemed  tenths
	Note      []byte // for who redeems the code; none afterwards
}

// keyPart is what only an API key's record has.
type keyPart struct {
	_     struct{} `cbor:",toarray"`
	Label string
	Used  tenths // the last use, 0 for never
}

var (
	encoding = must(cbor.EncOptions{}.EncMode())
	decoding = must(cbor.DecOptions{ExtraReturnErrors: cbor.ExtraDecErrorUnknownField, MaxArrayElements: elementsMax}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("grants: " + err.Error())
	}
	return v
}

func idOrNone(b []byte) bool { return len(b) == 0 || len(b) == len(uuid.UUID{}) }

// clone copies what the rules change, so that the record that was read stays as it was.
func (r *record) clone() *record {
	next := *r
	next.Earlier = slices.Clone(r.Earlier)
	next.Narrowed = slices.Clone(r.Narrowed)
	return &next
}

func (r *record) user() uuid.UUID {
	if len(r.User) == 0 {
		return uuid.Nil
	}
	return uuid.UUID(r.User)
}

func (r *record) session() uuid.UUID {
	if len(r.Session) == 0 {
		return uuid.Nil
	}
	return uuid.UUID(r.Session)
}

// listed reports whether the grant is in an index: its user's, or that of its client's own API keys.
func (r *record) listed() bool { return len(r.User) > 0 || r.Key != nil }

// ownKey reports whether the grant is an API key that a user keeps himself: no client acts by it.
func (r *record) ownKey() bool { return r.Key != nil && r.Client == 0 }

// grant is a record under its name.
type grant struct {
	id uuid.UUID
	*record
}

// created is the moment in the id (RFC 9562 §5.7), to the millisecond.
func (g grant) created() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(g.id[:8]) >> 16))
}

func (g grant) epoch() ClientEpoch { return ClientEpoch{g.Client, g.ClientEpoch} }

// at is the moment m of the grant's own calendar.
func (g grant) at(m tenths) time.Time { return g.created().Add(time.Duration(m) * tenth) }

// since is t in the grant's own calendar, rounded down.
func (g grant) since(t time.Time) tenths { return tenths(max(t.Sub(g.created()), 0) / tenth) }

// accessEnd is the end of an access token, on a whole second as tokens spell it.
func (g grant) accessEnd(a answer) time.Time {
	end := g.at(a.Issued).Add(time.Duration(a.Life) * time.Second)
	if absolute := g.at(g.End); end.After(absolute) {
		end = absolute
	}
	return wholeSecond(end)
}

// keyEnd is the end of an API key, on a whole second as its token spells it.
func (g grant) keyEnd() time.Time { return wholeSecond(g.at(g.End)) }

// wholeSecond rounds up: nothing ends before it was said to end.
func wholeSecond(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) }

// expires is when the store may forget the record: when nothing that was given out depends on it any more.
func (g grant) expires() time.Time {
	end := g.created()
	extend := func(t time.Time) {
		if t.After(end) {
			end = t
		}
	}
	if g.Refreshable && g.State == active {
		extend(g.at(min(g.Idle, g.End)))
	}
	if g.Plain != nil {
		extend(g.accessEnd(*g.Plain))
	}
	for _, n := range g.Narrowed {
		extend(g.accessEnd(n.answer()))
	}
	if g.Proof != nil {
		extend(g.at(g.Proof.CodeEnd).Add(replayWatch))
	}
	if g.Key != nil {
		extend(g.keyEnd())
	}
	return end
}
