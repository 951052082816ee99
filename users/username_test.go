package users_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/users"
)

// What looks like another name, or cannot be seen, is no name.
func TestBadUsernamesAreRefused(t *testing.T) {
	r := open(t)
	for name, username := range map[string]string{
		"empty":                   "",
		"a blank":                 " ",
		"blank before":            " alice",
		"blank after":             "alice ",
		"blank inside":            "al ice",
		"no-break space":          "al\u00a0ice",
		"ideographic space":       "al\u3000ice",
		"tab":                     "al\tice",
		"line break":              "alice\n",
		"NUL":                     "alice\x00",
		"escape":                  "\x1b[31malice",
		"invalid UTF-8":           "al\xffice",
		"65 characters":           strings.Repeat("a", 65),
		"65 after folding":        strings.Repeat("a", 63) + "ß",
		"a megabyte":              strings.Repeat("a", 1<<20),
		"long compatibility form": "\ufdfa\ufdfa\ufdfa\ufdfa",
		"zero-width space":        "al\u200bice",
		"zero-width joiner":       "al\u200dice",
		"soft hyphen":             "al\u00adice",
		"right-to-left override":  "al\u202eice",
		"byte order mark":         "\ufeffalice",
		"Hangul filler":           "alice\u3164",
		"variation selector":      "alice\ufe0f",
		"grapheme joiner":         "al\u034fice",
		"tag characters":          "alice\U000e0061",
		"private use":             "alice\ue000",
		"unassigned":              "alice\u0378",
		"mark in front":           "\u0301alice",
		"Cyrillic a":              "\u0430lice",
		"Greek omicron":           "b\u03bfb",
		"Greek and Cyrillic":      "\u03b1\u0431",
	} {
		_, err := r.Create(t.Context(), users.NewUser{Username: username, Password: password})
		var invalid *users.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "username" || invalid.Problem == "" || invalid.Fix == "" {
			t.Errorf("%s: got %v", name, err)
		}
		if err := r.try(t, username, password); !errors.Is(err, users.ErrCredentials) {
			t.Errorf("%s: a login gave %v", name, err)
		}
	}
	for _, good := range []string{"a", "alice@example.org", "o'neil", "李雷", "Αλέξης", "алиса", "عمر", "x_y-z.9", "ñandú", strings.Repeat("b", 64)} {
		r.create(t, good)
	}
}

// There is one form of a name: bringing it there twice changes nothing, or two accounts could share one.
func FuzzCanonicalIsStable(f *testing.F) {
	for _, seed := range []string{"alice", "Ａlice", "ß", "\u0345", "ﬁ", "\u1e9e", "İ", "\u03d2\u0301", "Ǆ", "\u0390"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, username string) {
		canonical, err := users.Canonical(username)
		if err != nil {
			return
		}
		again, err := users.Canonical(canonical)
		if err != nil || again != canonical {
			t.Errorf("%q became %q, which became %q and %v", username, canonical, again, err)
		}
		upper, err := users.Canonical(strings.ToUpper(canonical))
		if err == nil && upper != canonical && !strings.ContainsAny(canonical, "ıſ") {
			// Some letters have no way back from their capital; then it is another name and never the same.
			if back, _ := users.Canonical(strings.ToLower(strings.ToUpper(canonical))); back != upper {
				t.Errorf("%q and its capitals have the forms %q and %q", canonical, upper, back)
			}
		}
	})
}

func TestBadFieldsAreRefused(t *testing.T) {
	r := open(t)
	for name, test := range map[string]struct {
		user  users.NewUser
		field string
	}{
		"short password":        {users.NewUser{Username: "a", Password: "short"}, "password"},
		"name with line break":  {users.NewUser{Username: "a", Name: "A\nB"}, "name"},
		"name with bidi marks":  {users.NewUser{Username: "a", Name: "A\u202eB"}, "name"},
		"name with invalid":     {users.NewUser{Username: "a", Name: "A\xff"}, "name"},
		"name of a novel":       {users.NewUser{Username: "a", Name: strings.Repeat("n", 201)}, "name"},
		"name with blank":       {users.NewUser{Username: "a", Name: " A"}, "name"},
		"email without at":      {users.NewUser{Username: "a", Email: "example.org"}, "email"},
		"email with name":       {users.NewUser{Username: "a", Email: "A <a@example.org>"}, "email"},
		"email with line break": {users.NewUser{Username: "a", Email: "a@example.org\r\nBcc: b@example.org"}, "email"},
		"two emails":            {users.NewUser{Username: "a", Email: "a@example.org,b@example.org"}, "email"},
		"endless email":         {users.NewUser{Username: "a", Email: strings.Repeat("e", 300) + "@example.org"}, "email"},
	} {
		_, err := r.Create(t.Context(), test.user)
		var invalid *users.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != test.field {
			t.Errorf("%s: got %v, want a refusal of %s", name, err, test.field)
		}
	}
	if _, err := r.ByName(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v: a refused user was stored", err)
	}
	u, err := r.Create(t.Context(), users.NewUser{Username: "a", Name: "Zoe\u0308 Ä. 李", Email: "zoe+x@example.org"})
	if err != nil || u.Name != "Zoë Ä. 李" {
		t.Errorf("got %+v and %v", u, err)
	}
}
