package keys_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/keys"
)

// Secret scanners and people find a token by its prefix, and a form, a header and a URL must carry it unescaped.
func TestSpellingNeedsNoEscaping(t *testing.T) {
	text := keys.Spell(keys.AccessPrefix, []byte{0, 1, 0xfb, 0xff, 0xfe})
	if !strings.HasPrefix(text, "sca_") {
		t.Errorf("got %q, want prefix sca_", text)
	}
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if rest := strings.Trim(text, plain); rest != "" {
		t.Errorf("%q contains %q", text, rest)
	}
}

func TestUnspellReadsWhatSpellWrote(t *testing.T) {
	for size := range 70 {
		payload := bytes.Repeat([]byte{0xa5}, size)
		got, ok := keys.Unspell(keys.CodePrefix, keys.Spell(keys.CodePrefix, payload), size)
		if !ok || !bytes.Equal(got, payload) {
			t.Errorf("payload of %d bytes: got %x, %v", size, got, ok)
		}
	}
}

// One token, one spelling: a second one would pass every list of revoked or replayed tokens that is kept by text.
func TestUnspellRefusesEveryOtherSpelling(t *testing.T) {
	payload := []byte("sixteen bytes...sixteen bytes..!") // 32 bytes: the last character has unused bits
	text := keys.Spell(keys.RefreshPrefix, payload)
	refused := map[string]string{
		"empty":                 "",
		"prefix alone":          "scr_",
		"cut":                   text[:len(text)-1],
		"longer":                text + "A",
		"blank before":          " " + text,
		"blank after":           text + " ",
		"line break after":      text + "\n",
		"line break inside":     text[:10] + "\n" + text[10:len(text)-1],
		"padded":                text[:len(text)-6] + "=" + text[len(text)-6:],
		"upper-case prefix":     "SCR_" + text[4:],
		"prefix of another":     keys.Spell(keys.AccessPrefix, payload),
		"other size":            keys.Spell(keys.RefreshPrefix, payload[:31]),
		"standard alphabet":     strings.Replace(text, text[6:7], "+", 1),
		"checksum of lower":     text[:len(text)-6] + strings.ToLower(text[len(text)-6:]) + "",
		"line breaks in plenty": text[:len(text)-10] + "\r\n\r\n" + text[len(text)-6:],
	}
	for name, other := range refused {
		if other == text {
			continue // the checksum had no capital letters
		}
		if _, ok := keys.Unspell(keys.RefreshPrefix, other, len(payload)); ok {
			t.Errorf("%s: %q was accepted", name, other)
		}
	}
}

// Any single changed character is found before anything is decoded or looked up.
func TestUnspellFindsEveryChangedCharacter(t *testing.T) {
	payload := []byte("some payload of a token")
	text := keys.Spell(keys.AccessPrefix, payload)
	for i := range len(text) {
		for _, c := range []byte("Aa0-_.~+/= \n\x00\xff") {
			if text[i] == c {
				continue
			}
			changed := text[:i] + string([]byte{c}) + text[i+1:]
			if _, ok := keys.Unspell(keys.AccessPrefix, changed, len(payload)); ok {
				t.Errorf("character %d changed to %q was accepted", i, c)
			}
		}
	}
}

// Whatever is accepted is exactly what Spell would have written.
func FuzzUnspellAcceptsOneSpelling(f *testing.F) {
	for size := range 5 {
		f.Add(keys.Spell(keys.AccessPrefix, bytes.Repeat([]byte{0xff}, size)), size)
	}
	f.Add("sca_\n\n\n\n000000", 3)
	f.Fuzz(func(t *testing.T, text string, size int) {
		if size < 0 || size > 100 {
			return
		}
		payload, ok := keys.Unspell(keys.AccessPrefix, text, size)
		if !ok {
			return
		}
		if len(payload) != size {
			t.Errorf("%q: %d bytes, want %d", text, len(payload), size)
		}
		if again := keys.Spell(keys.AccessPrefix, payload); again != text {
			t.Errorf("%q was accepted, its spelling is %q", text, again)
		}
	})
}
