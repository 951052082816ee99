package grants

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"

	"github.com/safeconduct/safeconduct/keys"
)

// A status list tells in one bit for each grant whether its signed tokens were revoked before their time (Token Status
// List, draft-ietf-oauth-status-list §4). It is stored nowhere: it follows from the revocations that are told, and from
// how its client stands. A list belongs to one client in one epoch, so what ends a client ends its lists, though
// nobody knows which machines' grants are in them.

// StatusListSize is how many grants have their place in one list.
const StatusListSize = 1 << 16

// openListsMax bounds the lists that a process fills at once. Beyond that it begins new ones: ids are not scarce.
const openListsMax = 10_000

// StatusPlace is the place of one grant in a status list.
type StatusPlace struct {
	_     struct{} `cbor:",toarray"`
	List  uint64
	Index uint32
}

// statusLists gives out places. A list's id is drawn at random by the process that fills it, so no two processes meet in
// one, and giving out a place asks nobody and writes nothing.
type statusLists struct {
	mu   sync.Mutex
	open map[uint32]openList // by the number of the client
}

type openList struct {
	epoch uint32
	id    uint64
	used  uint32
}

// place returns a place that no other grant has.
func (l *statusLists) place(client, epoch uint32) *StatusPlace {
	l.mu.Lock()
	defer l.mu.Unlock()
	list, known := l.open[client]
	if !known || list.epoch != epoch || list.used == StatusListSize {
		if l.open == nil || len(l.open) == openListsMax {
			l.open = make(map[uint32]openList)
		}
		list = openList{epoch: epoch, id: rand.Uint64()}
	}
	index := list.used
	list.used++
	l.open[client] = list
	return &StatusPlace{List: list.id, Index: index}
}

// placing lets an access token that is signed for the first time find a place for its grant.
func (s *Service) placing(t Terms, g grant) Terms {
	t.place = func() *StatusPlace { return s.lists.place(g.Client, g.ClientEpoch) }
	return t
}

// StatusList names a status list.
type StatusList struct {
	epoch ClientEpoch
	id    uint64
}

// A list is named by 27 bytes before spelling, so that base64 has no unused bits:
//
//	version 1 | key id 1 | client 4 | client's epoch 4 | id 8 | zero 1 | filter 8
//
// The filter refuses names that were never given out by arithmetic alone: the lists are everybody's to read.
const (
	listVersion    = 1
	listFieldsSize = 19
	listPurpose    = "status list"
)

func (l StatusList) fields(key keys.ID) (f [fieldsSize]byte) {
	f[0], f[1] = listVersion, byte(key)
	binary.BigEndian.PutUint32(f[2:], l.epoch.Client)
	binary.BigEndian.PutUint32(f[6:], l.epoch.Number)
	binary.BigEndian.PutUint64(f[10:], l.id)
	return f
}

func (m *mint) spellList(l StatusList) string {
	fields := l.fields(m.current)
	filter := m.lists[m.current].filter(fields)
	return base64.RawURLEncoding.EncodeToString(append(fields[:listFieldsSize], filter[:]...))
}

// ParseStatusList reads the name of a status list as Token.Status spells it. What it returns true for is the name of a
// list that tokens refer to.
func (s *Service) ParseStatusList(text string) (StatusList, bool) {
	name, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(name) != listFieldsSize+filterSize {
		return StatusList{}, false
	}
	epoch := ClientEpoch{binary.BigEndian.Uint32(name[2:]), binary.BigEndian.Uint32(name[6:])}
	l, id := StatusList{epoch, binary.BigEndian.Uint64(name[10:])}, keys.ID(name[1])
	key, known := s.mint.lists[id]
	if !known {
		return StatusList{}, false
	}
	fields := l.fields(id)
	filter := key.filter(fields)
	good := hmac.Equal(append(fields[:listFieldsSize], filter[:]...), name)
	return l, good
}

// StatusBits is the content of a list: a bit for each place, the lowest of the first byte for index 0, set for a grant that
// was ended. told are the revocations that can still bite. When the client is gone, disabled, or has had all its grants
// ended since the list was begun, all bits are set.
func (s *Service) StatusBits(ctx context.Context, l StatusList, told iter.Seq[Revocation]) ([]byte, error) {
	bits := make([]byte, StatusListSize/8)
	client, err := s.parties.Client(ctx, l.epoch.Client)
	if err != nil {
		return nil, fmt.Errorf("read the client's standing: %w", err)
	}
	if !client.Enabled || client.Epoch != l.epoch.Number {
		for i := range bits {
			bits[i] = 0xff
		}
		return bits, nil
	}
	for revocation := range told {
		for _, place := range revocation.Places {
			if place.List == l.id && place.Index < StatusListSize {
				bits[place.Index/8] |= 1 << (place.Index % 8)
			}
		}
	}
	return bits, nil
}
