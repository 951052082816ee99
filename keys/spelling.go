package keys

import (
	"encoding/base64"
	"hash/crc32"
)

// The prefixes of everything that Safeconduct hands out as a bearer of rights. They let secret scanners find leaks, and
// keep one kind from being taken for another.
const (
	AccessPrefix         = "sca_"
	RefreshPrefix        = "scr_"
	CodePrefix           = "scc_"
	KeyPrefix            = "sck_"
	ClientSecretPrefix   = "scs_"
	ResourceSecretPrefix = "scx_"
)

const checksumLen = 6

// base62 spells the checksum; its characters need no escaping in a form, a header or a URL.
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Spell writes payload as prefix, base64url without padding, and six characters of CRC-32. The checksum is for secret
// scanners and typing errors; it protects nothing.
func Spell(prefix string, payload []byte) string {
	text := make([]byte, 0, len(prefix)+base64.RawURLEncoding.EncodedLen(len(payload))+checksumLen)
	text = append(text, prefix...)
	text = base64.RawURLEncoding.AppendEncode(text, payload)
	return string(appendChecksum(text))
}

// Unspell returns the payload of text if text is the one spelling of a payload of size bytes under prefix.
func Unspell(prefix, text string, size int) ([]byte, bool) {
	bodyLen := base64.RawURLEncoding.EncodedLen(size)
	if len(text) != len(prefix)+bodyLen+checksumLen || text[:len(prefix)] != prefix {
		return nil, false
	}
	end := len(prefix) + bodyLen
	var usual [128]byte // longer than any token of ours: it need not be allocated
	body := append(usual[:0], text[:end]...)
	var sum [checksumLen]byte
	if string(appendCRC(sum[:0], crc32.ChecksumIEEE(body))) != text[end:] {
		return nil, false
	}
	payload := make([]byte, size)
	// Strict: the unused bits of the last character must be zero, and line breaks, which the decoder would skip,
	// make the count come out short.
	n, err := strictBase64.Decode(payload, body[len(prefix):])
	if err != nil || n != size {
		return nil, false
	}
	return payload, true
}

var strictBase64 = base64.RawURLEncoding.Strict()

func appendChecksum(text []byte) []byte {
	return appendCRC(text, crc32.ChecksumIEEE(text))
}

func appendCRC(dst []byte, sum uint32) []byte {
	var digits [checksumLen]byte
	for i := checksumLen - 1; i >= 0; i-- {
		digits[i] = base62[sum%62]
		sum /= 62
	}
	return append(dst, digits[:]...)
}
