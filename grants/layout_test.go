package grants

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
)

// Records are CBOR (RFC 8949) that any library reads: whatever they hold, they are spelled as the library spells them, and
// read back as they were.
func TestRecordsAreSpelledAsTheLibrarySpellsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want := randomRecord(random)
		spelled := want.encode()
		if library := must(encoding.Marshal(want)); !bytes.Equal(spelled, library) {
			t.Fatalf("%+v\n got %x\nwant %x", want, spelled, library)
		}
		got, err := decode(spelled)
		if err != nil {
			t.Fatalf("%x: %v", spelled, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("\n got %+v\nwant %+v", got, want)
		}
	}
}

// A record that lost its end, or has something behind it, or in which any one bit has turned, is refused or is another
// record, which its tag and its checks then judge; it is never read in a second way.
func TestDamagedRecordsHaveNoSecondReading(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		spelled := randomRecord(random).encode()
		if _, err := decode(append(bytes.Clone(spelled), 0xf6)); err == nil {
			t.Error("something behind the end was overlooked")
		}
		for n := range spelled {
			if _, err := decode(spelled[:n]); err == nil {
				t.Fatalf("the first %d of %d bytes passed for a record", n, len(spelled))
			}
			for bit := range 8 {
				turned := bytes.Clone(spelled)
				turned[n] ^= 1 << bit
				if r, err := decode(turned); err == nil && !bytes.Equal(r.encode(), turned) {
					t.Fatalf("%x was read as %x", turned, r.encode())
				}
			}
		}
	}
}

// randomRecord is a record in which every number and length has every form that it can have.
func randomRecord(random *rand.Rand) *record {
	n := func() uint32 { return random.Uint32() >> random.IntN(32) }
	id := func() []byte { return fill(random, 16*random.IntN(2)) }
	blob := func() []byte { return fill(random, random.IntN(300)*random.IntN(2)) }
	numbers := func() []uint32 {
		var list []uint32
		for range random.IntN(30) {
			list = append(list, n())
		}
		return list
	}
	r := &record{
		Version: recordVersion, Salt: fill(random, saltSize), User: id(), UserEpoch: n(), Client: n(), ClientEpoch: n(), State: state(random.IntN(3)),
		Refreshable: random.IntN(2) == 1, Scopes: numbers(), Resources: numbers(), Session: id(), Offline: random.IntN(2) == 1, AuthTime: n(),
		Method: Method(random.IntN(2)), Confirmation: blob(), End: tenths(n()), Idle: tenths(n()), Generation: n(), Rotated: tenths(n()), LastSerial: n(),
	}
	if r.SignedLife = n(); r.signed() {
		r.Status = &StatusPlace{List: random.Uint64() >> random.IntN(64), Index: n()}
	}
	for range random.IntN(rotationsKept) {
		r.Earlier = append(r.Earlier, uint16(n()))
	}
	for range random.IntN(3) {
		r.Narrowed = append(r.Narrowed, narrowed{Serial: n(), Issued: tenths(n()), Life: n(), Scopes: numbers(), Resources: numbers()})
	}
	if random.IntN(2) == 1 {
		r.Plain = &answer{Serial: n(), Issued: tenths(n()), Life: n()}
	}
	if random.IntN(2) == 1 {
		r.Proof = &proof{Challenge: blob(), Redirect: blob(), CodeEnd: tenths(n()), Redeemed: tenths(n()), Note: blob()}
	}
	if random.IntN(2) == 1 {
		r.Key = &keyPart{Label: []string{"", "backup", "Zürich 東京"}[random.IntN(3)], Used: tenths(n())}
	}
	return r
}

// fill returns n random bytes, nil for none.
func fill(random *rand.Rand, n int) []byte {
	var out []byte
	for range n {
		out = append(out, byte(random.Uint32()))
	}
	return out
}
