package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// attacks are texts that a page must show as they are.
var attacks = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'><svg onload=alert(1)>`, `<iframe src="javascript:alert(1)"></iframe>`,
	`" autofocus onfocus="alert(1)`, `</title><script src=//evil.example></script>`, `</bdi></main><form action=https://evil.example>`,
	`<a href="https://evil.example">x</a>`, `<meta http-equiv=refresh content="0;url=//evil.example">`, `<base href=//evil.example>`, `<style>*{}</style>`,
	`{{7*7}}{{.Token}}`, `javascript:alert(1)//`, `&lt;script&gt;alert(1)&#60;/script&#62;`, `<!-- x`, "]]>`${alert(1)}`", `</noscript><img src=x>`, `\u003cscript\u003e`,
}

// skeleton is what a page is made of without its texts: its elements, and the attributes that they have.
func (s sight) skeleton() string {
	var out strings.Builder
	walk(s.tree, func(n *html.Node) {
		switch n.Type {
		case html.CommentNode:
			out.WriteString("comment ")
		case html.ElementNode:
			out.WriteString("<" + n.Data)
			for _, a := range n.Attr {
				out.WriteString(" " + a.Key)
				if a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction" {
					path, _, _ := strings.Cut(a.Val, "?")
					out.WriteString("=" + path)
				}
			}
			out.WriteString(">\n")
		}
	})
	return out.String()
}

// tour goes through all pages that show what somebody else wrote. Everything that anybody can write is text; uri is
// the home page of the app. It returns the pages by name, and what each of them must show.
func tour(d *deployment, acme app, text, uri string) (pages map[string]sight, shows map[string][]string) {
	d.t.Helper()
	title, description, resource := "T "+text, "D "+text, "R "+text
	d.mustAdmin(http.MethodPatch, "/clients/"+acme.id, obj{"name": text, "client_uri": uri})
	d.mustAdmin(http.MethodPatch, "/resources/books", obj{"name": resource, "scopes": []obj{{"name": "books:read", "title": title, "description": description, "sensitive": true}}})
	d.mustAdmin(http.MethodPatch, "/users/ada", obj{"name": text})

	pages, shows = map[string]sight{}, map[string][]string{}
	see := func(name string, s sight, texts ...string) sight {
		pages[name], shows[name] = s, texts
		return s
	}
	ada := d.person()
	ask := func(changes ...string) string {
		return acme.ask(append([]string{"scope", "openid books:read", "state", text, "nonce", "n"}, changes...)...)
	}
	login := see("login", ada.open(ask("login_hint", text, "prompt", "select_account")), text)
	see("wrong login", ada.login(login, text), text)
	see("stale login", ada.login(login, text, "form_token", text), text)
	choice := see("choice", ada.login(login, "ada"), text)
	consent := see("consent", ada.submit(choice, "/select", "decision", "continue"), text, title, description, resource)
	nothing := see("nothing ticked", ada.allow(ada.open(acme.ask("scope", "books:read", "prompt", "consent")), "-scope", ""), text, title)
	ada.allow(nothing, "scope", "books:read")
	ada.allow(consent, "scope", "books:read", "remember", "1").answered(d.t, callback)
	see("answer by form", ada.open(ask("response_mode", "form_post", "scope", "openid")))
	see("account", ada.open("/account"))
	sessions := ada.open("/account/sessions")
	see("sessions", ada.submit(sessions, "/account/sessions/name", "name", text), text)
	see("apps", ada.open("/account/apps"), text, title, description, resource)
	see("new token", ada.submit(ada.open("/account/tokens"), "/account/tokens", "name", text, "scope", "books:read"), text, title, description, resource)
	see("a token without scopes", ada.submit(ada.open("/account/tokens"), "/account/tokens", "name", text), text)
	see("tokens", ada.open("/account/tokens"), text)
	see("logout", ada.open(leaving("client_id", acme.id, "post_logout_redirect_uri", farewell, "state", text)), text)
	d.clock.Advance(time.Second)
	see("login again", ada.open(ask("prompt", "login")), text)

	q, stranger := url.QueryEscape(text), d.person()
	for _, path := range []string{"/login?to=", "/signed-out?error=", "/account?done=", "/account/tokens?done=", "/consent?tx=", "/login?tx=", "/oauth/continue?tx=", "/oauth/authorize?client_id=", "/oauth/authorize?client_id=" + acme.id + "&redirect_uri=",

		"/oauth/logout?id_token_hint=", "/oauth/logout?client_id=", "/oauth/logout?post_logout_redirect_uri=", "/login?error_description=", "/oauth/authorize?error=x&error_description="} {
		see(path, stranger.follow(stranger.get(path+q+"&error="+q+"&error_description="+q+"&"+q+"="+q)))
	}
	see("no such page", ada.get("/nowhere/"+url.PathEscape(text)))
	return pages, shows
}

// CVE-2018-1000088, CVE-2019-8400: whatever anybody can write is shown as text on every page: names of apps, people,
// browsers, tokens, scopes and APIs, and all that comes with a link. The page with it is made of the same elements as the
// page without it.
func TestWhatOthersWroteIsShownAsText(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "books", "identifier": "https://books.example", "name": "Books", "scopes": []obj{{"name": "books:read"}}})
	acme := d.webApp(obj{"scopes": []string{"openid", "books:read"}, "post_logout_redirect_uris": []string{farewell}})
	visit := func(text, uri string) (map[string]sight, map[string][]string) {
		d.user("ada")
		defer d.mustAdmin(http.MethodDelete, "/users/ada", nil)
		return tour(d, acme, text, uri)
	}
	want, _ := visit("harmless", "https://www.acme.example/")
	for _, text := range attacks {
		pages, shows := visit(text, "https://www.acme.example/%22%3E%3Cscript%3E'")
		for name, page := range pages {
			if got := page.skeleton(); got != want[name].skeleton() || page.status != want[name].status {
				t.Errorf("%s with %q: %d (want %d) %s\nwant\n%s", name, text, page.status, want[name].status, got, want[name].skeleton())
			}
			if name != "answer by form" {
				page.wantGuardedBut(t, name+" with "+text)
			}
			seen := page.seen()
			for _, shown := range shows[name] {
				if !strings.Contains(seen, strings.Join(strings.Fields(shown), " ")) {
					t.Errorf("%s does not show %q: %s", name, shown, seen)
				}
			}
		}
	}
}

// wantGuardedBut is wantGuarded for a page whatever its forms may lead to.
func (s sight) wantGuardedBut(t testing.TB, what string) {
	t.Helper()
	s.header = s.header.Clone()
	if got := s.header.Get("Content-Security-Policy"); got == policy+" https://app.example" {
		s.header.Set("Content-Security-Policy", policy)
	}
	s.wantGuarded(t, what)
}

// seen is what a person reads of a page, with what stands in its fields.
func (s sight) seen() string {
	out := s.words()
	walk(s.tree, func(n *html.Node) {
		if value, has := attribute(n, "value"); n.Data == "input" && has {
			out += " " + strings.Join(strings.Fields(value), " ")
		}
	})
	return out
}

// Browsers are named by what they say of themselves, which is as much anybody's text.
func TestDevicesAreShownAsText(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	for _, text := range append([]string{"", "x", strings.Repeat("x", 8000), "Mozilla/5.0 (" + strings.Repeat("(", 500), "Firefox/1.0\u202eevil"}, attacks...) {
		for _, agent := range []string{text, text + "/1.0 (" + text + ")", "Mozilla/5.0 (Linux; " + text + ") Firefox/" + text} {
			ada := d.person()
			ada.agent = strings.NewReplacer("\x00", "", "\n", "").Replace(agent)
			ada.enter("ada")
			page := ada.open("/account/sessions").wants(t, http.StatusOK, "Browsers that are signed in")
			page.wantGuarded(t, "sessions with "+agent)
			walk(page.tree, func(n *html.Node) {
				switch n.Data {
				case "img", "svg", "iframe", "style", "base", "object", "embed":
					t.Errorf("%q: <%s>", agent, n.Data)
				case "form":
					if to, _ := attribute(n, "action"); !strings.HasPrefix(to, "/account/") {
						t.Errorf("%q: a form to %q", agent, to)
					}
				}
			})
			if strings.ContainsAny(page.text, "\u202a\u202b\u202d\u202e\u2066\u2067") {
				t.Errorf("%q: the page has characters that turn text around", agent)
			}
			ada.submit(page, "/account/logout")
		}
	}
}

// Unicode TR 36 §2.4: what turns text around is in no name, and a name that is written from right to left stands apart
// from the words around it, so that it cannot make them say something else.
func TestNamesCannotReorderAPage(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "books", "identifier": "https://books.example", "name": "Books", "scopes": []obj{{"name": "books:read"}}})
	acme := d.webApp(obj{"scopes": []string{"openid", "books:read"}, "post_logout_redirect_uris": []string{farewell}})
	d.user("ada")
	for _, control := range "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c" {
		name := "Acme " + string(control) + "x"
		for path, change := range map[string]obj{
			"/clients/" + acme.id: {"name": name}, "/users/ada": {"name": name}, "/resources/books": {"name": name},
			"/resources/books?": {"scopes": []obj{{"name": "books:read", "title": name}}}, "/resources/books?x": {"scopes": []obj{{"name": "books:read", "description": name}}},
		} {
			path, _, _ = strings.Cut(path, "?")
			if a := d.admin(http.MethodPatch, path, change); a.status != http.StatusBadRequest {
				t.Errorf("%s with %+q: %d", path, name, a.status)
			}
		}
	}
	const name = "אקמי(1)"
	pages, _ := tour(d, acme, name, "https://www.acme.example/")
	for what, page := range pages {
		walk(page.tree, func(n *html.Node) {
			for _, a := range n.Attr {
				if a.Key != "value" && strings.Contains(strings.ReplaceAll(a.Val, "\u2068"+name+"\u2069", ""), name) {
					t.Errorf("%s: the attribute %s of <%s> holds the name unguarded: %s", what, a.Key, n.Data, a.Val)
				}
			}
			if n.Type != html.TextNode || !strings.Contains(strings.ReplaceAll(n.Data, "\u2068"+name+"\u2069", ""), name) {
				return
			}
			for up := n.Parent; up != nil; up = up.Parent {
				if up.Data == "bdi" {
					return
				}
			}
			t.Errorf("%s: the name stands unguarded in <%s>: %s", what, n.Parent.Data, n.Data)
		})
	}
}
