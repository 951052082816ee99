package templates_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/templates"
)

// fromCode are the words that no template names: those of dates, and of our own scopes and resources.
var fromCode = regexp.MustCompile(`^(months|date|duration\.(seconds|minutes|hours|days)\.(one|other)|scope(_text)?\..+|resource\.(identity|own))$`)

func wordsOf(t *testing.T, language string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("words", language+".json"))
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]string{}
	if err := json.Unmarshal(text, &words); err != nil {
		t.Fatal(err)
	}
	return words
}

// used are the words that the templates name.
func used() map[string]bool {
	found := map[string]bool{}
	for _, name := range templates.Names() {
		source, _ := templates.Source(name)
		for _, match := range regexp.MustCompile(`[{(]\s*(text|plain|count) "([^"]+)"`).FindAllStringSubmatch(source, -1) {
			if match[1] == "count" {
				found[match[2]+".one"], found[match[2]+".other"] = true, true
				continue
			}
			found[match[2]] = true
		}
	}
	return found
}

// Every word is there in every language, with the same places for what is put in, and every word is used.
func TestWordsAreComplete(t *testing.T) {
	templateWords := used()
	for _, language := range newSet(t, templates.Options{}).Languages() {
		words := wordsOf(t, language)
		english := wordsOf(t, "en")
		for key := range templateWords {
			if words[key] == "" {
				t.Errorf("%s: a template uses %q, which is not there", language, key)
			}
		}
		for key, text := range words {
			if !templateWords[key] && !fromCode.MatchString(key) {
				t.Errorf("%s: nothing uses %q", language, key)
			}
			if text == "" || text != strings.TrimSpace(text) {
				t.Errorf("%s: %q is %q", language, key, text)
			}
			if _, there := english[key]; !there {
				t.Errorf("%s: %q is not there in English", language, key)
			}
			if got, want := placeholders(text), placeholders(english[key]); !slices.Equal(got, want) {
				t.Errorf("%s: %q has the placeholders %v, in English %v", language, key, got, want)
			}
		}
		for key := range english {
			if words[key] == "" {
				t.Errorf("%s: %q is missing", language, key)
			}
		}
		if months := strings.Fields(words["months"]); len(months) != 12 {
			t.Errorf("%s: there are %d months", language, len(months))
		}
	}
}

func placeholders(text string) []string {
	found := regexp.MustCompile(`\{[^}]*\}`).FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// Times are for machines and for people, spans of time are rounded up to what people say.
func TestTimesAndSpans(t *testing.T) {
	s := newSet(t, templates.Options{})
	at := time.Date(2026, 3, 5, 1, 4, 59, 0, time.FixedZone("", -7200))
	for language, want := range map[string]string{
		"en": `<time datetime="2026-03-05T03:04:59Z">5 Mar 2026, 03:04 UTC</time>`,
		"de": `<time datetime="2026-03-05T03:04:59Z">5. März 2026, 03:04 UTC</time>`,
	} {
		if page := render(t, s, language, templates.AccountPage{Created: at}); !strings.Contains(page, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	for _, test := range []struct {
		span            time.Duration
		english, german string
	}{
		{time.Millisecond, "1 second", "1 Sekunde"},
		{45 * time.Second, "45 seconds", "45 Sekunden"},
		{time.Minute, "1 minute", "1 Minute"},
		{100 * time.Second, "100 seconds", "100 Sekunden"},
		{181 * time.Second, "4 minutes", "4 Minuten"},
		{90 * time.Minute, "90 minutes", "90 Minuten"},
		{time.Hour, "1 hour", "1 Stunde"},
		{24 * time.Hour, "1 day", "1 Tag"},
		{36 * time.Hour, "36 hours", "36 Stunden"},
		{30 * 24 * time.Hour, "30 days", "30 Tage"},
	} {
		for language, want := range map[string]string{"en": "wait " + test.english + " and", "de": "Sie " + test.german + " und"} {
			page := render(t, s, language, templates.LoginPage{Problem: templates.LoginLimited, RetryAfter: test.span})
			if !strings.Contains(page, want) {
				t.Errorf("%v does not show as %q", test.span, want)
			}
		}
	}
}

// Our own scopes and resources speak the reader's language; others say what their owner wrote, or their name.
func TestScopesInWords(t *testing.T) {
	s := newSet(t, templates.Options{})
	page := textOf(parse(t, render(t, s, "de", templates.ConsentPage{Groups: []templates.ConsentGroup{
		{Resource: "Your identity", Scopes: []templates.ConsentScope{{Name: "email", Title: "Email", Description: "Email"}}},
		{Resource: "Safeconduct", Scopes: []templates.ConsentScope{{Name: "admin:users"}}},
		{Resource: "Orders", Scopes: []templates.ConsentScope{{Name: "orders:read", Title: "Read orders", Description: "All of them"}, {Name: "orders:write"}}},
	}})))
	for _, want := range []string{
		"Was sie darf: Ihre Identität Ihre E-Mail-Adresse sehen Und ob sie bestätigt wurde email",
		"Was sie darf: Konto und Verwaltung Benutzer verwalten",
		"Was sie darf: Orders Read orders All of them orders:read orders:write",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
}
