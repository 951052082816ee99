package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/safeconduct/safeconduct/templates"
)

// skeleton is a page without its words: its elements and the names of their attributes.
func skeleton(document *html.Node) string {
	var out strings.Builder
	for _, n := range elements(document) {
		fmt.Fprintf(&out, "%s", n.Data)
		for _, a := range n.Attr {
			fmt.Fprintf(&out, " %s", a.Key)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// Names come from registrations and from people. Whatever they are, they show as text: a page has the same elements as
// with a plain name, and no link runs anything.
func TestWhateverIsShownIsText(t *testing.T) {
	s := newSet(t, templates.Options{})
	for _, payload := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `{{.}}`, `'-alert(1)-'`, "a\u202eb",
		`</title></textarea><svg onload=alert(1)>`, `" autofocus onfocus="alert(1)`, "data:text/html,<script>alert(1)</script>", "\x00&lt;b&gt;",
	} {
		for _, kind := range kinds() {
			plain := parse(t, render(t, s, "en", filled(kind, func(string) string { return "plain" })))
			document := parse(t, render(t, s, "en", filled(kind, func(string) string { return payload })))
			if got, want := skeleton(document), skeleton(plain); got != want {
				t.Errorf("%s, %q: the page has other elements:\n%s", nameOf(kind), payload, got)
			}
			// The page for the password shows nothing but its forms, and the last one only its own words.
			if strings.HasPrefix(payload, "<") && nameOf(kind) != "PasswordPage" && nameOf(kind) != "SignedOutPage" && !strings.Contains(textOf(document), payload) {
				t.Errorf("%s: %q is not shown as it is", nameOf(kind), payload)
			}
			for _, n := range elements(document) {
				for _, name := range []string{"href", "action", "formaction", "src"} {
					value, _ := attribute(n, name)
					scheme, _, has := strings.Cut(value, ":")
					if has && !strings.ContainsAny(scheme, "/#") && scheme != "http" && scheme != "https" {
						t.Errorf("%s, %q: %s %s is %q", nameOf(kind), payload, n.Data, name, value)
					}
				}
			}
		}
	}
}

// UAX #9: a name that turns the direction of writing around turns itself around, not the sentence that it stands in.
func TestNamesCannotReorderSentences(t *testing.T) {
	const override = "\u202e"
	s := newSet(t, templates.Options{})
	for _, kind := range kinds() {
		document := parse(t, render(t, s, "en", filled(kind, func(string) string { return "a" + override + "b" })))
		for n := range document.Descendants() {
			if n.Type == html.TextNode && strings.Contains(n.Data, override) && !within(n, "bdi") && !isolated(n.Data, override) {
				t.Errorf("%s: the text %q is not kept apart", nameOf(kind), n.Data)
			}
			for _, a := range n.Attr {
				if (a.Key == "aria-label" || a.Key == "title") && strings.Contains(a.Val, override) && !isolated(a.Val, override) {
					t.Errorf("%s: %s is %q", nameOf(kind), a.Key, a.Val)
				}
				if strings.Contains(a.Val, "<bdi") {
					t.Errorf("%s: there is an element in %s: %q; use plain", nameOf(kind), a.Key, a.Val)
				}
			}
		}
	}
}

// isolated reports whether a character stands between a first strong isolate and its end.
func isolated(s, character string) bool {
	before, after, _ := strings.Cut(s, character)
	return strings.Count(before, "\u2068") > strings.Count(before, "\u2069") && strings.Contains(after, "\u2069")
}
