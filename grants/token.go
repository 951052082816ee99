package grants

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/keys"
)

// kind tells what a token is for. Each kind has its own prefix and its own key, so one never passes for another.
type kind string

const (
	accessToken  kind = keys.AccessPrefix
	refreshToken kind = keys.RefreshPrefix
	code         kind = keys.CodePrefix
	apiKey       kind = keys.KeyPrefix
)

// A token is a reference to a grant, 51 bytes before spelling, so that base64 has no unused bits:
//
//	version 1 | key id 1 | grant id 16 | number 4 | expires 4 | flags 1 | filter 8 | tag 16
//
// The filter, an HMAC under the system key of the kind, refuses garbage by arithmetic alone. The tag, an HMAC under
// the same key that also covers the grant's salt, is checked after the grant was read. So neither a system secret
// alone nor a dump of the store alone forges a token.
const (
	tokenVersion = 1
	fieldsSize   = 27
	filterSize   = 8
	tagSize      = 16
	tokenSize    = fieldsSize + filterSize + tagSize
)

// flagNarrowed marks an access token that is good for less than its grant. It must be listed in the record.
const flagNarrowed = 1

// reference is what a token says.
type reference struct {
	kind    kind
	key     keys.ID
	grant   uuid.UUID
	number  uint32 // the generation of a code or refresh token, the serial of an access token, keyNumber
	expires time.Time
	flags   byte
}

func (r reference) narrowed() bool { return r.flags&flagNarrowed != 0 }

func (r reference) expired(now time.Time) bool { return !now.Before(r.expires) }

func (r reference) fields() [fieldsSize]byte {
	var f [fieldsSize]byte
	f[0] = tokenVersion
	f[1] = byte(r.key)
	copy(f[2:18], r.grant[:])
	binary.BigEndian.PutUint32(f[18:22], r.number)
	binary.BigEndian.PutUint32(f[22:26], uint32(min(max(r.expires.Unix(), 0), math.MaxUint32)))
	f[26] = r.flags
	return f
}

// presented is a token as it came in: its filter was right, its tag is not yet checked.
type presented struct {
	reference
	tag [tagSize]byte
}

// mint makes and reads token strings.
type mint struct {
	current keys.ID
	keys    map[kind]map[keys.ID]*macKey
	lists   map[keys.ID]*macKey // for the names of status lists
}

func newMint(ring *keys.Ring) *mint {
	macKeys := func(purpose string) map[keys.ID]*macKey {
		out := make(map[keys.ID]*macKey)
		for id, key := range ring.Subkeys(purpose) {
			out[id] = newMACKey(key)
		}
		return out
	}
	m := &mint{current: ring.Current(), keys: make(map[kind]map[keys.ID]*macKey), lists: macKeys(listPurpose)}
	for _, k := range []kind{accessToken, refreshToken, code, apiKey} {
		m.keys[k] = macKeys("token/" + string(k))
	}
	return m
}

// write spells a token under the current key. covered is what the tag covers beside the fields and the salt.
func (m *mint) write(r reference, salt, covered []byte) string {
	r.key = m.current
	fields := r.fields()
	key := m.keys[r.kind][r.key]
	payload := make([]byte, 0, tokenSize)
	payload = append(payload, fields[:]...)
	filter := key.filter(fields)
	payload = append(payload, filter[:]...)
	tag := key.tag(fields, salt, covered)
	payload = append(payload, tag[:]...)
	return keys.Spell(string(r.kind), payload)
}

// read parses text as a token of the expected kind and checks its filter. It needs no store.
func (m *mint) read(expected kind, text string) (presented, bool) {
	payload, ok := keys.Unspell(string(expected), text, tokenSize)
	if !ok || payload[0] != tokenVersion {
		return presented{}, false
	}
	key, ok := m.keys[expected][keys.ID(payload[1])]
	if !ok {
		return presented{}, false
	}
	filter := key.filter([fieldsSize]byte(payload[:fieldsSize]))
	if !hmac.Equal(filter[:], payload[fieldsSize:fieldsSize+filterSize]) {
		return presented{}, false
	}
	p := presented{reference: reference{
		kind:    expected,
		key:     keys.ID(payload[1]),
		grant:   uuid.UUID(payload[2:18]),
		number:  binary.BigEndian.Uint32(payload[18:22]),
		expires: time.Unix(int64(binary.BigEndian.Uint32(payload[22:26])), 0),
		flags:   payload[26],
	}}
	copy(p.tag[:], payload[fieldsSize+filterSize:])
	return p, true
}

// genuine reports whether the tag is right for a grant with this salt.
func (m *mint) genuine(p presented, salt, covered []byte) bool {
	tag := m.keys[p.kind][p.key].tag(p.fields(), salt, covered)
	return hmac.Equal(tag[:], p.tag[:])
}

// macKey is an HMAC-SHA-256 key whose prepared states are reused, with the room that they need.
type macKey struct{ pool sync.Pool }

type macState struct {
	mac   hash.Hash
	input [1 + fieldsSize + saltSize + 64]byte
	sum   [sha256.Size]byte
}

func newMACKey(key []byte) *macKey {
	return &macKey{pool: sync.Pool{New: func() any { return &macState{mac: hmac.New(sha256.New, key)} }}}
}

// The first byte of each HMAC input keeps the two uses of one key apart.
const (
	inputFilter = 'f'
	inputTag    = 't'
)

func (k *macKey) filter(fields [fieldsSize]byte) (out [filterSize]byte) {
	k.sum(out[:], inputFilter, fields, nil, nil)
	return out
}

// tag covers the fields and the salt, both of fixed size, and then whatever else is covered.
func (k *macKey) tag(fields [fieldsSize]byte, salt, covered []byte) (out [tagSize]byte) {
	k.sum(out[:], inputTag, fields, salt, covered)
	return out
}

func (k *macKey) sum(out []byte, use byte, fields [fieldsSize]byte, salt, covered []byte) {
	state := k.pool.Get().(*macState)
	input := append(state.input[:0], use)
	input = append(input, fields[:]...)
	input = append(input, salt...)
	input = append(input, covered...)
	state.mac.Reset()
	state.mac.Write(input)
	copy(out, state.mac.Sum(state.sum[:0]))
	k.pool.Put(state)
}
