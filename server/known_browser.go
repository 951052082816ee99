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

func (k knownBrowsers) mac(key keys.ID, browser []byte, user uuid.UUID) []byte {
	m := hmac.New(sha256.New, k.keys[key])
	m.Write(browser)
	m.Write(user[:])
	return m.Sum(nil)
}

// make is the cookie of a browser in which a user has logged in. It does not tell who that is.
func (k knownBrowsers) make(user uuid.UUID) string {
	browser := make([]byte, browserSize)
	rand.Read(browser)
	return base64.RawURLEncoding.EncodeToString(append(browser, k.mac(k.current, browser, user)...))
}

// read returns a name for the browser that holds a cookie, if the user has logged in with it.
func (k knownBrowsers) read(cookie string, user uuid.UUID) string {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil || len(raw) != browserSize+sha256.Size {
		return ""
	}
	for id := range k.keys {
		if hmac.Equal(raw[browserSize:], k.mac(id, raw[:browserSize], user)) {
			return base64.RawURLEncoding.EncodeToString(raw[:browserSize])
		}
	}
	return ""
}

// knownBrowser tells whether a user has logged in with the browser of a request before, and names it then.
func (s *Server) knownBrowser(r *http.Request) func(uuid.UUID) string {
	cookie := s.cookie(r, browserCookie)
	return func(user uuid.UUID) string { return s.browsers.read(cookie, user) }
}

// rememberBrowser makes the browser known as the user's.
func (s *Server) rememberBrowser(w http.ResponseWriter, r *http.Request, user uuid.UUID) {
	if s.knownBrowser(r)(user) == "" {
		s.setCookie(w, browserCookie, s.browsers.make(user), browserLife)
	}
}
