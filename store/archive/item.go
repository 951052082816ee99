package archive

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// kindGone marks, in a backup, a record that was told before and had ended when the backup was done.
const kindGone store.Kind = 'x'

var errItem = errors.New("an item in it cannot be read")

// appendItem spells an item out: its kind, its name, when it expires, and what its kind has.
func appendItem(to []byte, i store.Item) []byte {
	to = append(to, byte(i.Kind))
	to = appendBytes(to, i.Name)
	if i.Kind == kindGone {
		return to
	}
	to = binary.BigEndian.AppendUint64(to, uint64(i.Expires.UnixMilli()))
	switch i.Kind {
	case store.KindRecord:
		to = append(to, i.ID[:]...)
		to = append(to, i.Value...)
	case store.KindCounter:
		to = binary.BigEndian.AppendUint64(to, uint64(i.Count))
	case store.KindMember:
		to = append(to, i.Member...)
	case store.KindEntry:
		to = binary.BigEndian.AppendUint64(to, i.Seq)
		to = append(to, i.Value...)
	}
	return to
}

func appendBytes(to []byte, text string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

// parseItem is the inverse of appendItem. The value stays part of raw.
func parseItem(raw []byte) (store.Item, error) {
	if len(raw) == 0 {
		return store.Item{}, errItem
	}
	i := store.Item{Kind: store.Kind(raw[0])}
	size, n := binary.Uvarint(raw[1:])
	if n <= 0 || size > uint64(len(raw)-1-n) {
		return store.Item{}, errItem
	}
	raw = raw[1+n:]
	i.Name, raw = string(raw[:size]), raw[size:]
	if i.Kind == kindGone {
		if len(raw) > 0 {
			return store.Item{}, errItem
		}
		return i, nil
	}
	if len(raw) < 8 {
		return store.Item{}, errItem
	}
	i.Expires = time.UnixMilli(int64(binary.BigEndian.Uint64(raw))).UTC()
	return parseRest(i, raw[8:])
}

// parseRest reads what an item's kind has.
func parseRest(i store.Item, raw []byte) (store.Item, error) {
	switch {
	case i.Kind == store.KindRecord && len(raw) >= len(i.ID):
		i.ID, i.Value = store.WriteID(raw[:len(i.ID)]), raw[len(i.ID):]
	case i.Kind == store.KindCounter && len(raw) == 8:
		i.Count = int64(binary.BigEndian.Uint64(raw))
	case i.Kind == store.KindMember && len(raw) > 0:
		i.Member = string(raw)
	case i.Kind == store.KindEntry && len(raw) >= 8:
		i.Seq, i.Value = binary.BigEndian.Uint64(raw), raw[8:]
	default:
		return store.Item{}, errItem
	}
	return i, nil
}
