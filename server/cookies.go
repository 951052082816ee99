package server

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// The names of our cookies. Over TLS they carry the prefix __Host-, which keeps other hosts of the same domain from
// setting them (RFC 6265bis §4.1.3.2).
const (
	sessionCookie = "sc-session"
	visitCookie   = "sc-visit" // binds the forms of somebody who has not logged in yet to the browser
	parkCookie    = "sc-tx-"   // followed by the id of a parked request
	hostPrefix    = "__Host-"

	// parkedMost is how many parked requests one browser keeps: their cookies fill the request's header.
	parkedMost = 12
)

func (s *Server) cookieName(name string) string {
	if s.secure() {
		return hostPrefix + name
	}
	return name
}

// secure reports whether people reach us over TLS.
func (s *Server) secure() bool { return strings.HasPrefix(s.issuer, "https://") }

// cookie reads one of our cookies. Two of one name are none: a sibling host may have planted one of them.
func (s *Server) cookie(r *http.Request, name string) string {
	found := r.CookiesNamed(s.cookieName(name))
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// setCookie sets a cookie for life, or until the browser is closed if that is zero. SameSite=Lax: apps send people here
// from their own sites, and their sessions must be seen then.
func (s *Server) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(name), Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: s.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (s *Server) dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(name), Path: "/", MaxAge: -1, Secure: s.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// makeRoom drops the cookies of the oldest parked requests, so that forgotten tabs do not fill the header of every
// request. Their ids sort by age.
func (s *Server) makeRoom(w http.ResponseWriter, r *http.Request) {
	prefix := s.cookieName(parkCookie)
	var parked []string
	for _, cookie := range r.Cookies() {
		if id, is := strings.CutPrefix(cookie.Name, prefix); is {
			parked = append(parked, id)
		}
	}
	slices.Sort(parked)
	for _, id := range parked[:max(len(parked)-parkedMost+1, 0)] {
		s.dropCookie(w, parkCookie+id)
	}
}
