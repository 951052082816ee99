package templates_test

import (
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/templates"
)

func asset(t *testing.T, s *templates.Set, page, prefix string) (templates.Asset, string) {
	t.Helper()
	_, rest, found := strings.Cut(page, `"/assets/`+prefix)
	if !found {
		return templates.Asset{}, ""
	}
	end, _, _ := strings.Cut(rest, `"`)
	a, found := s.Asset(prefix + end)
	if !found {
		t.Fatalf("the page loads %s, which is not there", prefix+end)
	}
	return a, prefix + end
}

// What a page loads is there, by a name that changes with it, and of the type that browsers demand beside nosniff.
func TestAssets(t *testing.T) {
	s := newSet(t, templates.Options{})
	page := render(t, s, "en", templates.LoginPage{})
	for prefix, want := range map[string]string{"style.": "text/css; charset=utf-8", "app.": "text/javascript; charset=utf-8", "icon.": "image/svg+xml"} {
		if a, name := asset(t, s, page, prefix); a.Type != want || len(a.Body) == 0 {
			t.Errorf("%s has the type %q and %d bytes", name, a.Type, len(a.Body))
		}
	}
	if _, found := s.Asset("style.css"); found {
		t.Error("a file is there without a hash in its name")
	}
	if strings.Contains(page, "theme.") {
		t.Error("there is a theme without colours")
	}
}

// WCAG 2.2, 1.4.3: an operator's colours are used if people can read them, with black or white on them as fits.
func TestAccentColours(t *testing.T) {
	for _, test := range []struct{ accent, dark, want string }{
		{"#1d4ed8", "", ":root{--accent:#1d4ed8;--on-accent:#ffffff}\n@media (prefers-color-scheme:dark){:root{--accent:#"},
		{"#1d4ed8", "#8ab4ff", ":root{--accent:#1d4ed8;--on-accent:#ffffff}\n@media (prefers-color-scheme:dark){:root{--accent:#8ab4ff;--on-accent:#000000}}\n"},
		{"#000000", "#FFFFFF", ":root{--accent:#000000;--on-accent:#ffffff}\n@media (prefers-color-scheme:dark){:root{--accent:#ffffff;--on-accent:#000000}}\n"},
		{"", "#ffd479", "@media (prefers-color-scheme:dark){:root{--accent:#ffd479;--on-accent:#000000}}\n"},
	} {
		s := newSet(t, templates.Options{Brand: templates.Brand{Accent: test.accent, AccentDark: test.dark}})
		theme, _ := asset(t, s, render(t, s, "en", templates.LoginPage{}), "theme.")
		if got := string(theme.Body); !strings.HasPrefix(got, test.want) {
			t.Errorf("accent %q and %q: the theme is %q, want %q", test.accent, test.dark, got, test.want)
		}
	}
	for _, test := range []struct{ accent, dark, want string }{
		{"blue", "", "the accent \"blue\" is not a colour: write it as # and six hexadecimal digits"},
		{"#12345", "", "is not a colour"},
		{"#12345g", "", "is not a colour"},
		{"#+12345", "", "is not a colour"},
		{"1d4ed8#", "", "is not a colour"},
		{"#1d4ed8;}", "", "is not a colour"},
		{"#ffcc00", "", "the accent #ffcc00 cannot be read well: its contrast with the light background (#ffffff) is 1.5:1 and must be at least 4.5:1; #"},
		{"#1d4ed8", "#1d4ed8", "the dark accent #1d4ed8 cannot be read well: its contrast with the dark background (#171b21) is 2."},
	} {
		_, err := templates.New(templates.Options{Brand: templates.Brand{Accent: test.accent, AccentDark: test.dark}})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("accent %q and %q: the error is %v, want %q", test.accent, test.dark, err, test.want)
		}
	}
	_, err := templates.New(templates.Options{Brand: templates.Brand{Accent: "#ffcc00"}})
	_, rest, _ := strings.Cut(err.Error(), "; ")
	suggested, _, _ := strings.Cut(rest, " ")
	newSet(t, templates.Options{Brand: templates.Brand{Accent: suggested}})
}

// The name and the logo of an operator are on every page.
func TestNameAndLogo(t *testing.T) {
	picture := []byte(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><path id="a"/><use xlink:href="#a"/></svg>`)
	s := newSet(t, templates.Options{Brand: templates.Brand{Name: `A & "B" <C>`, Logo: picture, LogoType: "image/svg+xml"}})
	page := render(t, s, "en", templates.LoginPage{})
	document := parse(t, page)
	if title := textOf(elements(document, "title")[0]); title != `Sign in · A & "B" <C>` {
		t.Errorf("the title is %q", title)
	}
	if alt, _ := attribute(elements(document, "img")[0], "alt"); alt != `A & "B" <C>` {
		t.Errorf("the logo is described as %q", alt)
	}
	if a, name := asset(t, s, page, "logo."); a.Type != "image/svg+xml" || !strings.HasSuffix(name, ".svg") {
		t.Errorf("the logo %s has the type %q", name, a.Type)
	}
}

func TestLogoIsAPicture(t *testing.T) {
	png, webp := "\x89PNG\r\n\x1a\n0000", "RIFF0000WEBPVP8 "
	for _, test := range []struct{ name, logo, kind, want string }{
		{"PNG", png, "image/png", ""},
		{"WebP, found out", webp, "", ""},
		{"SVG with a prologue", "\ufeff<?xml version=\"1.0\"?>\n<!-- made by hand -->\n<svg/>", "", ""},
		{"not a picture", "hello", "", "must be a PNG, SVG or WebP picture"},
		{"GIF", "GIF89a", "image/gif", "must be a PNG, SVG or WebP picture"},
		{"not what it says", png, "image/svg+xml", "must say which"},
		{"too large", png + strings.Repeat("0", 256<<10), "", "the logo has 257 KB; at most 256 KB are allowed"},
		{"HTML", "<html></html>", "", "its first element is html"},
		{"broken", "<svg><path></svg>", "", "no well-formed SVG"},
		{"cut off", "<svg>", "", "no well-formed SVG"},
		{"script", "<svg><script>alert(1)</script></svg>", "", `an element "script"`},
		{"page inside", "<svg><foreignObject/></svg>", "", `an element "foreignObject"`},
		{"handler", `<svg onload="alert(1)"/>`, "", `an attribute "onload"`},
		{"link", `<svg><a href="javascript:alert(1)"/></svg>`, "", `an attribute "href"`},
		{"loads from elsewhere", `<svg><image href="https://example.com/x.png"/></svg>`, "", `an attribute "href"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := templates.New(templates.Options{Brand: templates.Brand{Logo: []byte(test.logo), LogoType: test.kind}})
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("the error is %v, want %q", err, test.want)
			}
		})
	}
}
