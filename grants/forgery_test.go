package grants

import (
	"bytes"
	"crypto/rand"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

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
	for _, k := range []kind{refreshToken, code, apiKey} {
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

// Decoding never panics on what a damaged store may hold, and refuses what is not a grant. One record has one spelling.
func FuzzDecodeRefusesDamage(f *testing.F) {
	g := newGrant(Delegation{Client: 1, Scopes: []uint32{1}, Terms: modelTerms()}, time.Now())
	f.Add(g.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := decode(value)
		if err != nil {
			return
		}
		if again := r.encode(); !bytes.Equal(again, value) {
			t.Errorf("%x is also spelled %x", value, again)
		}
		g := grant{newID(time.Unix(1_700_000_000, 0)), r}
		_ = g.seen()
		_ = refresh(g, 1, nil, modelTerms(), time.Unix(1_700_000_000, 0))
		_ = redeem(g, redemption{terms: modelTerms()}, time.Unix(1_700_000_000, 0))
	})
}

func modelTerms() Terms { return (&world{}).terms(true) }

// A typical user's grant is at most 156 bytes with its write id: then Redis spends 288 on it in all. A session adds its
// id and no more.
func TestATypicalGrantFitsItsBudget(t *testing.T) {
	now := time.Now()
	terms := modelTerms()
	const writeID = 8
	machine := newGrant(Delegation{Client: 1200, ClientEpoch: 2, Scopes: []uint32{101, 102}, Resources: []uint32{12}, Terms: terms}, now)
	machine.State, machine.Generation, machine.Idle = active, 1, firstIdle(0, terms)
	machine.issueAccess(nil, terms, now)
	if size := len(machine.encode()) + writeID; size > 80 {
		t.Errorf("a machine's grant: %d bytes, budget 80", size)
	}
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
	size := len(g.encode()) + writeID
	if size > 156 {
		t.Errorf("a user's grant: %d bytes, budget 156", size)
	}
	session := uuid.New()
	g.Session = session[:]
	if more := len(g.encode()) + writeID - size; more != len(session) {
		t.Errorf("a session adds %d bytes, want %d", more, len(session))
	}
	t.Logf("a machine's grant %d, a user's %d bytes with the write id, %d of which are a session's", len(machine.encode())+writeID, len(g.encode())+writeID, len(session))
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

// A record of a layout that this release does not know is an error that says so, and never a grant; neither is a
// tombstone.
func TestAnotherLayoutIsAnError(t *testing.T) {
	g := newGrant(Delegation{Client: 1, Scopes: []uint32{1}, Terms: modelTerms()}, time.Now())
	g.Version++
	for name, value := range map[string][]byte{
		"as many fields": g.encode(),
		"fewer fields":   must(encoding.Marshal([]any{1, g.Salt, nil})),
		"more fields":    must(encoding.Marshal(append([]any{recordVersion + 1}, make([]any, 40)...))),
	} {
		if _, err := decode(value); err == nil || !strings.Contains(err.Error(), "is not known to this release") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, value := range map[string][]byte{"a tombstone": tombstone, "nothing": nil, "an empty list": {0x80}} {
		if _, err := decode(value); err == nil {
			t.Errorf("%s was read as a grant", name)
		}
	}
}

// A redemption that was acknowledged and then lost by the store is made good by the refresh token that it gave. The
// note was handed back then, and is not kept; the code stays spent.
func TestALostRedemptionKeepsNoNote(t *testing.T) {
	now := time.Now()
	g := newGrant(Delegation{Client: 1, Scopes: []uint32{1}, Refreshable: true, Terms: modelTerms()}, now)
	g.State, g.Proof = approved, &proof{CodeEnd: 600, Note: []byte("note")}
	d := refresh(g, 1, nil, modelTerms(), now)
	if d.verdict != verdictRotate || d.next.Proof == nil || d.next.Proof.Note != nil || d.note != nil {
		t.Errorf("got %+v", d)
	}
	if string(g.Proof.Note) != "note" {
		t.Error("the record that was read was changed")
	}
	if again := redeem(grant{g.id, d.next}, redemption{terms: modelTerms()}, now.Add(3*time.Second)); again.verdict != verdictReused {
		t.Errorf("the code again: %v", again.verdict)
	}
}
