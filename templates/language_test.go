package templates_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/templates"
)

// RFC 9110 §12.5.4, and OpenID Connect Core §3.1.2.1 for what an app asks for by ui_locales.
func TestLanguageIsTheOneAskedFor(t *testing.T) {
	s := newSet(t, templates.Options{})
	for _, test := range []struct {
		name, header string
		preferred    []string
		want         string
	}{
		{"nothing said", "", nil, "en"},
		{"one", "de", nil, "de"},
		{"a country", "de-CH", nil, "de"},
		{"case does not matter", "DE-ch", nil, "de"},
		{"the first of equals", "de,en", nil, "de"},
		{"the heavier", "en;q=0.5, de;q=0.9", nil, "de"},
		{"unknown ones are passed over", "fr-FR,fr;q=0.9,de;q=0.8,en;q=0.7", nil, "de"},
		{"none known", "fr,ja", nil, "en"},
		{"a longer word that begins alike", "deu", nil, "en"},
		{"anything", "*", nil, "en"},
		{"anything but this", "de;q=0, *;q=0.5", nil, "en"},
		{"refused", "de;q=0", nil, "en"},
		{"unreadable weight", "de;q=x, en;q=0.1", nil, "en"},
		{"weight out of bounds", "de;q=7", nil, "en"},
		{"no number", "de;q=NaN", nil, "en"},
		{"garbage", ";;,,=,;q=", nil, "en"},
		{"further than anybody looks", strings.Repeat("fr,", 5000) + "de", nil, "en"},
		{"the app goes first", "en", []string{"de"}, "de"},
		{"the app's order", "de", []string{"fr", "en-GB", "de"}, "en"},
		{"the app's list in one", "en", []string{"fr de"}, "de"},
		{"the app asks for what there is not", "de", []string{"fr"}, "de"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := s.Language(test.header, test.preferred...); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// The languages are a copy, English first; a page in a language that does not exist is in English.
func TestLanguages(t *testing.T) {
	s := newSet(t, templates.Options{})
	s.Languages()[0] = "tlh"
	if got := s.Languages(); !slices.Equal(got, []string{"en", "de"}) {
		t.Errorf("the languages are %v", got)
	}
	if render(t, s, "tlh", templates.LoginPage{}) != render(t, s, "en", templates.LoginPage{}) {
		t.Error("an unknown language is not English")
	}
}
