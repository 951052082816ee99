package server_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"
)

// shop is an app with an origin of its own, on another site than the server: it is at localhost, the server at 127.0.0.1.
// It speaks OAuth by golang.org/x/oauth2.
type shop struct {
	url     string
	oauth   oauth2.Config
	options []oauth2.AuthCodeOption // of its authorization requests
	redeem  bool                    // codes for tokens, as soon as they come
	slow    atomic.Bool             // the next answer is taken, and nothing is shown until the browser gives up or goOn is closed
	goOn    chan struct{}

	mu      sync.Mutex
	asked   int
	answers []url.Values  // in the order in which they came
	token   *oauth2.Token // the last one
}

// shop opens a shop, as a client of a kind that asks for scopes.
func (d *deployment) shop(t testing.TB, kind string, change ...obj) *shop {
	t.Helper()
	s := &shop{goOn: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		showShop(w, http.StatusOK, `<a id="sign-in" href="/sign-in">Sign in</a>`)
	})
	mux.HandleFunc("GET /sign-in", s.signIn)
	mux.HandleFunc("/callback", s.callback)
	running := httptest.NewServer(mux)
	t.Cleanup(running.Close)
	s.url = strings.Replace(running.URL, "127.0.0.1", "localhost", 1)

	in := obj{"redirect_uris": []string{s.url + "/callback"}, "client_uri": "https://shop.example/", "name": "Corner Shop"}
	var registered app
	if kind == "public" {
		registered = d.deviceApp(append([]obj{in}, change...)...)
	} else {
		registered = d.webApp(append([]obj{in}, change...)...)
	}
	s.oauth = oauth2.Config{ClientID: registered.id, ClientSecret: registered.secret, RedirectURL: s.url + "/callback",
		Endpoint: oauth2.Endpoint{AuthURL: d.url + "/oauth/authorize", TokenURL: d.url + "/oauth/token"},
		Scopes:   []string{"openid", "profile", "orders:read"}}
	return s
}

func showShop(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Corner Shop</title><link rel="icon" href="data:,"><h1>Corner Shop</h1>%s</html>`, body)
}

func (s *shop) signIn(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked++
	state := fmt.Sprintf("order-%d", s.asked)
	s.mu.Unlock()
	options := append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}, s.options...)
	http.Redirect(w, r, s.oauth.AuthCodeURL(state, options...), http.StatusSeeOther)
}

func (s *shop) callback(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		showShop(w, http.StatusBadRequest, err.Error())
		return
	}
	if s.take(r.Form); s.slow.CompareAndSwap(true, false) {
		select {
		case <-r.Context().Done():
			return
		case <-s.goOn:
		}
	}
	said := "got a code"
	switch {
	case r.Form.Get("error") != "":
		said = "was told " + r.Form.Get("error")
	case s.redeem:
		token, err := s.oauth.Exchange(context.WithoutCancel(r.Context()), r.Form.Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			showShop(w, http.StatusBadGateway, html.EscapeString(err.Error()))
			return
		}
		said = "got a token"
		s.mu.Lock()
		s.token = token
		s.mu.Unlock()
	}
	showShop(w, http.StatusOK, `<p>The shop `+html.EscapeString(said)+` for `+html.EscapeString(r.Form.Get("state"))+`.</p>`)
}

func (s *shop) take(answer url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, answer)
}

// all returns the answers that came so far.
func (s *shop) all() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]url.Values(nil), s.answers...)
}

// codes returns the different codes that came so far.
func (s *shop) codes() map[string]bool {
	codes := make(map[string]bool)
	for _, answer := range s.all() {
		if code := answer.Get("code"); code != "" {
			codes[code] = true
		}
	}
	return codes
}

// visit opens the shop and asks to sign in.
func (s *shop) visit(b *tab) {
	b.t.Helper()
	b.open(s.url + "/")
	b.click("#sign-in")
}

// sent counts the requests for a route that the server has answered.
func (d *deployment) sent(method, route string) int {
	return strings.Count(d.log.String(), fmt.Sprintf(`"method":%q,"route":%q`, method, route))
}
