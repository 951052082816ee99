package grants

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// A record is written and read at each request, so its CBOR (RFC 8949) is spelled by hand: as the library spells it, which
// a test compares, but without a look at types. Every number has its shortest form, what is empty is null, and nothing
// stands behind the end. Writing and reading go through the same list of fields, so they cannot drift apart.

// The major types of RFC 8949 §3.1, and the simple values that we use.
const (
	majorNumber = 0 << 5
	majorBytes  = 2 << 5
	majorText   = 3 << 5
	majorArray  = 4 << 5
	simpleFalse = 0xf4
	simpleTrue  = 0xf5
	simpleNull  = 0xf6
)

const (
	recordFields = 27
	// elementsMax bounds every list of a record.
	elementsMax = 4096
	// usualSize is more than most records need.
	usualSize = 192
)

func (r *record) encode() []byte {
	s := spelling{text: make([]byte, 0, usualSize)}
	s.array(recordFields)
	r.spell(&s)
	return s.text
}

// decode reads a record. Its byte strings stay parts of value.
func decode(value []byte) (*record, error) {
	s := spelling{text: value, reading: true}
	fields := s.head(majorArray)
	if version := s; !s.bad { // another layout may have another number of fields
		var found uint8
		if number(&version, &found); !version.bad && found != recordVersion {
			return nil, unknownLayout(found)
		}
	}
	room := struct { // one allocation for what nearly every record has
		record
		plain answer
	}{}
	r := &room.record
	r.Plain = &room.plain
	s.bad = s.bad || fields != recordFields
	if r.spell(&s); s.bad || len(s.text) > 0 {
		return nil, errors.New("decode grant: the record is damaged")
	}
	if len(r.Salt) != saltSize || !idOrNone(r.User) || !idOrNone(r.Session) {
		return nil, errors.New("decode grant: a field has the wrong size")
	}
	if r.signed() != (r.Status != nil) {
		return nil, errors.New("decode grant: signed tokens and a place in a status list belong together")
	}
	return r, nil
}

func unknownLayout(version uint8) error {
	return fmt.Errorf("decode grant: layout %d is not known to this release", version)
}

func (r *record) spell(s *spelling) {
	number(s, &r.Version)
	s.bytes(&r.Salt)
	s.bytes(&r.User)
	number(s, &r.UserEpoch)
	number(s, &r.Client)
	number(s, &r.ClientEpoch)
	number(s, &r.State)
	s.truth(&r.Refreshable)
	list(s, &r.Scopes, number)
	list(s, &r.Resources, number)
	s.bytes(&r.Session)
	s.truth(&r.Offline)
	number(s, &r.AuthTime)
	number(s, &r.Method)
	s.bytes(&r.Confirmation)
	number(s, &r.End)
	number(s, &r.Idle)
	number(s, &r.Generation)
	number(s, &r.Rotated)
	list(s, &r.Earlier, number)
	number(s, &r.LastSerial)
	optional(s, &r.Plain, func(s *spelling, a *answer) {
		s.array(3)
		number(s, &a.Serial)
		number(s, &a.Issued)
		number(s, &a.Life)
	})
	list(s, &r.Narrowed, func(s *spelling, n *narrowed) {
		s.array(5)
		number(s, &n.Serial)
		number(s, &n.Issued)
		number(s, &n.Life)
		list(s, &n.Scopes, number)
		list(s, &n.Resources, number)
	})
	optional(s, &r.Proof, func(s *spelling, p *proof) {
		s.array(5)
		s.bytes(&p.Challenge)
		s.bytes(&p.Redirect)
		number(s, &p.CodeEnd)
		number(s, &p.Redeemed)
		s.bytes(&p.Note)
	})
	optional(s, &r.Key, func(s *spelling, k *keyPart) {
		s.array(2)
		s.string(&k.Label)
		number(s, &k.Used)
	})
	number(s, &r.SignedLife)
	optional(s, &r.Status, func(s *spelling, p *StatusPlace) {
		s.array(2)
		number(s, &p.List)
		number(s, &p.Index)
	})
}

// spelling is a record that is being written or read.
type spelling struct {
	text    []byte // what has been written, or what is still to be read
	reading bool
	bad     bool // what is being read is no record; the rest of it is read as zeros
}

// head reads the beginning of an item: its type, which must be major, and its number.
func (s *spelling) head(major byte) uint64 {
	if s.bad || len(s.text) == 0 || s.text[0]&0xe0 != major {
		s.bad = true
		return 0
	}
	short := uint64(s.text[0] & 0x1f)
	s.text = s.text[1:]
	if short < 24 {
		return short
	}
	size := 1 << (short - 24) // 1, 2, 4 or 8 bytes
	if size > 8 || len(s.text) < size {
		s.bad = true
		return 0
	}
	var n uint64
	for _, b := range s.text[:size] {
		n = n<<8 | uint64(b)
	}
	s.text = s.text[size:]
	least := uint64(24)
	if size > 1 {
		least = 1 << (4 * size)
	}
	s.bad = n < least // it has a shorter form
	return n
}

// put writes the beginning of an item.
func (s *spelling) put(major byte, n uint64) {
	switch {
	case n < 24:
		s.text = append(s.text, major|byte(n))
	case n <= math.MaxUint8:
		s.text = append(s.text, major|24, byte(n))
	case n <= math.MaxUint16:
		s.text = append(s.text, major|25, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		s.text = binary.BigEndian.AppendUint32(append(s.text, major|26), uint32(n))
	default:
		s.text = binary.BigEndian.AppendUint64(append(s.text, major|27), n)
	}
}

// null writes null where nothing is there, or reads it; it reports whether something follows.
func (s *spelling) null(something bool) (follows bool) {
	if !s.reading {
		if !something {
			s.text = append(s.text, simpleNull)
		}
		return something
	}
	if len(s.text) > 0 && s.text[0] == simpleNull {
		s.text = s.text[1:]
		return false
	}
	return !s.bad
}

func (s *spelling) array(fields uint64) {
	if !s.reading {
		s.put(majorArray, fields)
	} else if s.head(majorArray) != fields {
		s.bad = true
	}
}

func (s *spelling) truth(b *bool) {
	if !s.reading {
		simple := byte(simpleFalse)
		if *b {
			simple = simpleTrue
		}
		s.text = append(s.text, simple)
		return
	}
	if len(s.text) == 0 || s.text[0] != simpleFalse && s.text[0] != simpleTrue {
		s.bad = true
		return
	}
	*b = s.text[0] == simpleTrue
	s.text = s.text[1:]
}

func (s *spelling) bytes(b *[]byte) {
	if !s.null(len(*b) > 0) {
		return
	}
	if !s.reading {
		s.put(majorBytes, uint64(len(*b)))
		s.text = append(s.text, *b...)
		return
	}
	*b = s.take(s.head(majorBytes))
	s.bad = s.bad || len(*b) == 0
}

func (s *spelling) string(text *string) {
	if !s.reading {
		s.put(majorText, uint64(len(*text)))
		s.text = append(s.text, *text...)
		return
	}
	*text = string(s.take(s.head(majorText)))
	s.bad = s.bad || !utf8.ValidString(*text)
}

// take reads the next n bytes.
func (s *spelling) take(n uint64) []byte {
	if s.bad || n > uint64(len(s.text)) {
		s.bad = true
		return nil
	}
	taken := s.text[:n:n]
	s.text = s.text[n:]
	return taken
}

func number[T ~uint8 | ~uint16 | ~uint32 | ~uint64](s *spelling, n *T) {
	if !s.reading {
		s.put(majorNumber, uint64(*n))
		return
	}
	read := s.head(majorNumber)
	*n = T(read)
	s.bad = s.bad || uint64(*n) != read
}

func list[T any](s *spelling, elements *[]T, spell func(*spelling, *T)) {
	if !s.null(len(*elements) > 0) {
		return
	}
	if !s.reading {
		s.put(majorArray, uint64(len(*elements)))
	} else {
		n := s.head(majorArray)
		if s.bad || n == 0 || n > elementsMax || n > uint64(len(s.text)) {
			s.bad = true
			return
		}
		*elements = make([]T, n)
	}
	for i := range *elements {
		spell(s, &(*elements)[i])
	}
}

func optional[T any](s *spelling, p **T, spell func(*spelling, *T)) {
	if !s.null(*p != nil) {
		*p = nil
		return
	}
	if *p == nil {
		*p = new(T)
	}
	spell(s, *p)
}
