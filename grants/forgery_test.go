package grants

import (
	"crypto/rand"
	"math"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
)

func testMint(t testing.TB) *mint {
	t.Helper()
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return newMint(ring)
}

// The system secret alone forges nothing: without the grant's salt the filter is right and the tag is not.
func TestASystemSecretAloneForgesNothing(t *testing.T) {
	m := testMint(t)
	salt, guessed := make([]byte, saltSize), make([]byte, saltSize)
	rand.Read(salt)
	rand.Read(guessed)
	r := reference{kind: refreshToken, grant: newID(time.Now()), number: 3, expires: time.Unix(2_000_000_000, 0)}
	forged, ok := m.read(refreshToken, m.write(r, guessed, nil))
	if !ok {
		t.Fatal("the filter refused what the secret made")
	}
	if m.genuine(forged, salt, nil) {
		t.Error("a token made without the salt is genuine")
	}
}

// A narrowed token fits the list entry that it was made for, and no other under the same serial.
func TestANarrowedTokenIsBoundToWhatItWasNarrowedTo(t *testing.T) {
	m := testMint(t)
	salt := make([]byte, saltSize)
	one, other := narrowed{Serial: 2, Scopes: []uint32{1}}, narrowed{Serial: 2, Scopes: []uint32{1, 2}}
	p, ok := m.read(accessToken, m.write(reference{kind: accessToken, number: 2, flags: flagNarrowed}, salt, one.covered()))
	if !ok || !m.genuine(p, salt, one.covered()) {
		t.Fatal("the token does not fit its own entry")
	}
	if m.genuine(p, salt, other.covered()) || m.genuine(p, salt, nil) {
		t.Error("the token fits another entry")
	}
}

// One key never passes for another's: every kind has its own, though the fields are the same.
func TestEveryKindHasItsOwnKey(t *testing.T) {
	m := testMint(t)
	r := reference{kind: accessToken, number: 1, expires: time.Unix(2_000_000_000, 0)}
	text := m.write(r, make([]byte, saltSize), nil)
	payload, ok := keys.Unspell(string(accessToken), text, tokenSize)
	if !ok {
		t.Fatal("cannot read the token")
	}
	for _, k := range []kind{refreshToken, code} {
		if _, ok := m.read(k, keys.Spell(string(k), payload)); ok {
			t.Errorf("the payload of an access token passed as %q", k)
		}
	}
}

// Reading a token never panics, and what is read is written the same way: one token has one spelling.
func FuzzTokensHaveOneSpelling(f *testing.F) {
	m := testMint(f)
	f.Add(m.write(reference{kind: accessToken, number: 1, expires: time.Unix(2_000_000_000, 0)}, make([]byte, saltSize), nil))
	f.Add("sca_")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := m.read(accessToken, text)
		if !ok {
			return
		}
		fields := p.fields()
		filter := m.keys[accessToken][p.key].filter(fields)
		payload := append(append(fields[:], filter[:]...), p.tag[:]...)
		if again := keys.Spell(string(accessToken), payload); again != text {
			t.Errorf("%q is also spelled %q", text, again)
		}
	})
}

// Decoding never panics on what a damaged store may hold, and refuses what is not a grant.
func FuzzDecodeRefusesDamage(f *testing.F) {
	g := newGrant(Delegation{Client: 1, Scopes: []uint32{1}, Terms: modelTerms()}, time.Now())
	f.Add(g.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := decode(value)
		if err != nil {
			return
		}
		g := grant{newID(time.Unix(1_700_000_000, 0)), r}
		_ = g.seen()
		_ = refresh(g, 1, nil, modelTerms(), time.Unix(1_700_000_000, 0))
		_ = redeem(g, redemption{terms: modelTerms()}, time.Unix(1_700_000_000, 0))
	})
}

func modelTerms() Terms { return (&world{}).terms(true) }

// A typical user's grant is at most 156 bytes with its write id: then Redis spends 288 on it in all.
func TestATypicalGrantFitsItsBudget(t *testing.T) {
	now := time.Now()
	terms := modelTerms()
	g := newGrant(Delegation{
		User: [16]byte{1}, UserEpoch: 3, Client: 1200, ClientEpoch: 2, Scopes: []uint32{101, 102, 103}, Resources: []uint32{12},
		Refreshable: true, AuthTime: now, Method: MethodPassword, Terms: terms,
	}, now)
	g.State, g.Generation, g.Idle = active, 1, firstIdle(0, terms)
	g.issueAccess(nil, terms, now)
	for i := range 40 { // a month and more of refreshes
		d := refresh(g, g.Generation, nil, terms, now.Add(time.Duration(i)*24*time.Hour))
		if d.next == nil {
			t.Fatalf("refresh %d refused", i)
		}
		g = grant{g.id, d.next}
	}
	const writeID = 8
	if size := len(g.encode()) + writeID; size > 156 {
		t.Errorf("%d bytes, budget 156", size)
	}
}

// Serials and generations are counted in 32 bits; a grant that has spent them is over, and never starts again at 0.
func TestCountersDoNotWrap(t *testing.T) {
	terms := modelTerms()
	now := time.Now()
	g := newGrant(Delegation{Client: 1, Scopes: []uint32{1}, Refreshable: true, Terms: terms}, now)
	g.State, g.Generation, g.Idle, g.LastSerial = active, 5, firstIdle(0, terms), math.MaxUint32
	if d := refresh(g, 5, nil, terms, now); d.verdict != verdictRefused {
		t.Errorf("serials wrapped: %v", d.verdict)
	}
	g.LastSerial, g.Generation = 5, math.MaxUint32
	if d := refresh(g, math.MaxUint32, nil, terms, now); d.verdict != verdictRefused {
		t.Errorf("generations wrapped: %v", d.verdict)
	}
}
