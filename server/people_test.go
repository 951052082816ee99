package server_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// person is somebody with a browser that keeps cookies, follows no redirect by itself and runs no scripts.
type person struct {
	t      testing.TB
	d      *deployment
	client *http.Client
	agent  string
	// origin is what the browser says of where a form came from; empty for the server's own pages.
	origin string
}

func (d *deployment) person() *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return &person{t: d.t, d: d, agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// sight is a page, or a redirect, as a person gets it.
type sight struct {
	status int
	header http.Header
	url    *url.URL
	text   string
	tree   *html.Node
}

func (s sight) location() string { return s.header.Get("Location") }

func (p *person) send(r *http.Request) sight {
	p.t.Helper()
	r.Header.Set("User-Agent", p.agent)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	response, err := p.client.Do(r)
	if err != nil {
		p.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	tree, err := html.Parse(strings.NewReader(string(body)))
	if err != nil {
		p.t.Fatal(err)
	}
	return sight{response.StatusCode, response.Header, r.URL, string(body), tree}
}

// get opens a path, or a whole URL.
func (p *person) get(path string) sight {
	p.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = p.d.url + path
	}
	r, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.send(r)
}

// post sends a form, as a page of the server does.
func (p *person) post(path string, values url.Values) sight {
	p.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = p.d.url + path
	}
	r, err := http.NewRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", formType)
	origin := p.origin
	if origin == "" {
		origin = p.d.url
	}
	r.Header.Set("Origin", origin)
	return p.send(r)
}

// follow goes where redirects lead, as long as they lead to the server itself.
func (p *person) follow(s sight) sight {
	p.t.Helper()
	for range 10 {
		to := s.location()
		if to == "" {
			return s
		}
		target, err := s.url.Parse(to)
		if err != nil {
			p.t.Fatal(err)
		}
		if target.Scheme+"://"+target.Host != p.d.url {
			return s
		}
		if s.status != http.StatusSeeOther {
			p.t.Errorf("redirect with %d, want 303", s.status)
		}
		s = p.get(target.String())
	}
	p.t.Fatal("redirects without end")
	return s
}

func (p *person) open(path string) sight {
	p.t.Helper()
	return p.follow(p.get(path))
}

// submit fills the form of a page whose action begins with a path, and sends it. Boxes that are ticked, hidden fields
// and chosen options are sent as a browser does; changes are names and values in turn. "-name" leaves a field out.
func (p *person) submit(s sight, action string, changes ...string) sight {
	p.t.Helper()
	path, values := s.form(p.t, action)
	for i := 0; i+1 < len(changes); i += 2 {
		name, drop := strings.CutPrefix(changes[i], "-")
		switch {
		case drop && changes[i+1] != "":
			var rest []string
			for _, value := range values[name] {
				if value != changes[i+1] {
					rest = append(rest, value)
				}
			}
			values[name] = rest
		case drop:
			values.Del(name)
		case name == "scope":
			values.Add(name, changes[i+1])
		default:
			values.Set(name, changes[i+1])
		}
	}
	target, err := s.url.Parse(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.follow(p.post(target.String(), values))
}

func walk(n *html.Node, visit func(*html.Node)) {
	visit(n)
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		walk(child, visit)
	}
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// form finds a form by its action, or else by how that begins, and what a browser would send of it without touching it.
func (s sight) form(t testing.TB, action string) (string, url.Values) {
	t.Helper()
	var found, exact *html.Node
	walk(s.tree, func(n *html.Node) {
		to, has := attribute(n, "action")
		if n.Data != "form" || !has {
			return
		}
		if path, _, _ := strings.Cut(to, "?"); path == action && exact == nil {
			exact = n
		}
		if strings.HasPrefix(to, action) && found == nil {
			found = n
		}
	})
	if exact != nil {
		found = exact
	}
	if found == nil {
		t.Fatalf("%s (%d) has no form for %s:\n%s", s.url, s.status, action, s.text)
	}
	to, _ := attribute(found, "action")
	values := url.Values{}
	walk(found, func(n *html.Node) {
		name, named := attribute(n, "name")
		value, _ := attribute(n, "value")
		kind, _ := attribute(n, "type")
		_, disabled := attribute(n, "disabled")
		_, checked := attribute(n, "checked")
		_, selected := attribute(n, "selected")
		switch {
		case n.Data == "option" && selected:
			if list, has := attribute(n.Parent, "name"); has {
				values.Set(list, value)
			}
		case n.Data != "input" || !named || disabled || (kind == "checkbox" || kind == "radio") && !checked:
		default:
			values.Add(name, value)
		}
	})
	return to, values
}

// words is what a person reads of a page.
func (s sight) words() string {
	var out strings.Builder
	walk(s.tree, func(n *html.Node) {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" && n.Parent.Data != "title" {
			out.WriteString(n.Data + " ")
		}
	})
	return strings.Join(strings.Fields(out.String()), " ")
}

func (s sight) wants(t testing.TB, status int, text string) sight {
	t.Helper()
	if s.status != status || !strings.Contains(s.words(), text) {
		t.Fatalf("%s: %d %q\nwant %d with %q (location %q)", s.url, s.status, s.words(), status, text, s.location())
	}
	return s
}

// answered is what an app gets by its redirect URI.
func (s sight) answered(t testing.TB, redirectURI string) url.Values {
	t.Helper()
	to := s.location()
	if s.status != http.StatusSeeOther || !strings.HasPrefix(to, redirectURI) {
		t.Fatalf("%s: %d to %q, want 303 to %s\n%s", s.url, s.status, to, redirectURI, s.words())
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// app is a client that sends people to the server and gets its answer at callback.
type app struct {
	client
	callback string
}

// webApp registers an app of a third party that keeps a secret.
func (d *deployment) webApp(change ...obj) app {
	d.t.Helper()
	in := obj{"grant_types": []string{"authorization_code", "refresh_token"}, "redirect_uris": []string{callback},
		"scopes": []string{"openid", "profile", "email", "offline_access", "orders:read", "orders:write"}, "name": "Acme Invoices"}
	for _, c := range change {
		for name, value := range c {
			in[name] = value
		}
	}
	kind := "confidential"
	if in["type"] != nil {
		kind = in["type"].(string)
	}
	return app{d.client(kind, in), callback}
}

// deviceApp registers an app that runs in people's hands.
func (d *deployment) deviceApp(change ...obj) app {
	d.t.Helper()
	return d.webApp(append([]obj{{"type": "public", "first_party": false, "name": "Pocket Invoices"}}, change...)...)
}

// ask is the path of an authorization request of the app; changes are names and values in turn, an empty value leaves
// the parameter out.
func (a app) ask(changes ...string) string {
	values := url.Values{
		"response_type": {"code"}, "client_id": {a.id}, "redirect_uri": {a.callback}, "scope": {"openid profile orders:read"}, "state": {"state-of-the-app"},
		"nonce": {"nonce-of-the-app"}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == "" {
			values.Del(changes[i])
		} else {
			values.Set(changes[i], changes[i+1])
		}
	}
	return "/oauth/authorize?" + values.Encode()
}

// login fills the login page.
func (p *person) login(s sight, username string, changes ...string) sight {
	p.t.Helper()
	return p.submit(s, "/login", append([]string{"username", username, "password", password}, changes...)...)
}

// allow allows an app what it asks for on the consent page.
func (p *person) allow(s sight, changes ...string) sight {
	p.t.Helper()
	return p.submit(s, "/consent", append([]string{"decision", "allow"}, changes...)...)
}

// goThrough logs in and allows the app everything, and returns the code.
func (p *person) goThrough(a app, username string, changes ...string) string {
	p.t.Helper()
	s := p.open(a.ask(changes...))
	if strings.HasPrefix(s.url.Path, "/login") {
		s = p.login(s, username)
	}
	if s.url.Path == "/consent" {
		s = p.allow(s, "scope", "orders:read")
	}
	code := s.answered(p.t, a.callback).Get("code")
	if code == "" {
		p.t.Fatalf("no code: %s", s.location())
	}
	return code
}
