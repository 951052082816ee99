package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/keys"
)

const (
	browserCookie = "sc-browser"
	browserLife   = 365 * 24 * time.Hour
	browserSize   = 16
)

// knownBrowsers remember, in a cookie, that somebody has logged in with a browser before. It logs nobody in: guesses from
// there are counted apart, so that strangers who guess somebody's password cannot keep him out (OWASP ASVS 6.1.1).
type knownBrowsers struct {
	current keys.ID
	keys    map[keys.ID][]byte
}

func newKnownBrowsers(ring *keys.Ring) knownBrowsers {
	return knownBrowsers{ring.Current(), ring.Subkeys("known-browser")}
}

func (k knownBrowsers) mac(key keys.ID, payload []byte) []byte {
	m := hmac.New(sha256.New, k.keys[key])
	m.Write(payload)
	return m.Sum(nil)
}

// make is the cookie of a browser in which a user has logged in.
func (k knownBrowsers) make(user uuid.UUID) string {
	payload := make([]byte, 0, len(user)+browserSize+sha256.Size)
	payload = append(payload, user[:]...)
	random := make([]byte, browserSize)
	rand.Read(random)
	payload = append(payload, random...)
	return base64.RawURLEncoding.EncodeToString(append(payload, k.mac(k.current, payload)...))
}

// read returns who has logged in with the browser that holds a cookie, and a name for the browser.
func (k knownBrowsers) read(cookie string) (user uuid.UUID, browser string) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil || len(raw) != len(user)+browserSize+sha256.Size {
		return uuid.Nil, ""
	}
	payload, mac := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	for id := range k.keys {
		if hmac.Equal(mac, k.mac(id, payload)) {
			copy(user[:], payload)
			return user, base64.RawURLEncoding.EncodeToString(payload[len(user):])
		}
	}
	return uuid.Nil, ""
}

// knownBrowser is who has logged in with the browser of a request before.
func (s *Server) knownBrowser(r *http.Request) (uuid.UUID, string) {
	return s.browsers.read(s.cookie(r, browserCookie))
}

// rememberBrowser makes the browser known as the user's.
func (s *Server) rememberBrowser(w http.ResponseWriter, r *http.Request, user uuid.UUID) {
	if known, _ := s.knownBrowser(r); known != user {
		s.setCookie(w, browserCookie, s.browsers.make(user), browserLife)
	}
}
