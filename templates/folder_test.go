package templates_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/templates"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	path := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// A file of an operator's replaces ours of the same name, and only that.
func TestTemplatesCanBeReplaced(t *testing.T) {
	s := newSet(t, templates.Options{Brand: templates.Brand{Name: "Acme"}, Folder: folder(t, map[string]string{
		"login.html":    `{{define "title"}}Hello{{end}}{{define "main"}}<main id="main"><h1>{{lang}} {{server}}: {{text "login.title"}}</h1>{{.Username}}{{if eq lang "de"}}!{{end}}{{if logo}}logo{{else if page}}{{page}}{{end}}</main>{{end}}`,
		"..data":        "left by a volume mount",
		".login.html~1": "{{left by an editor",
	})})
	page := render(t, s, "de", templates.LoginPage{Username: "<ada>"})
	for _, want := range []string{"<h1>de Acme: Anmelden</h1>&lt;ada&gt;!login</main>", "<title>Hello · Acme</title>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %s:\n%s", want, page)
		}
	}
	ours := newSet(t, templates.Options{Brand: templates.Brand{Name: "Acme"}})
	if render(t, s, "de", templates.LogoutPage{}) != render(t, ours, "de", templates.LogoutPage{}) {
		t.Error("another page changed too")
	}
}

// Our own files, printed and put into a folder, are a good folder.
func TestOurTemplatesAreAStart(t *testing.T) {
	files := map[string]string{}
	for _, name := range templates.Names() {
		source, found := templates.Source(name)
		if !found || source == "" {
			t.Fatalf("there is no source of %s", name)
		}
		files[name] = source
	}
	newSet(t, templates.Options{Folder: folder(t, files)})
	if _, found := templates.Source("../page.go"); found {
		t.Error("a file that is no template was given out")
	}
}

// What is wrong with a replaced template is said at the start, by file and line.
func TestBrokenTemplatesAreRefused(t *testing.T) {
	main := func(text string) string {
		return "{{define \"title\"}}x{{end}}\n{{define \"main\"}}" + text + "{{end}}"
	}
	for _, test := range []struct{ name, file, text, want string }{
		{"a name that replaces nothing", "logn.html", "", "logn.html replaces nothing; the templates are layout.html, parts.html, login.html"},
		{"not closed", "login.html", "{{define \"main\"}}\n{{if}}", "login.html:2"},
		{"no such function", "login.html", main("\n{{shout .}}"), "login.html:3"},
		{"no such field", "consent.html", main("\n\n{{.Nobody}}"), "consent.html:4:"},
		{"no such field, in a branch", "problem.html", main("\n{{if eq .Kind \"host\"}}{{if .RequestID}}{{.Nobody}}{{end}}{{end}}"), "problem.html:3:"},
		{"no such field, when a box is not ticked", "apps.html", main("{{range .Apps}}{{if .Offline}}\n{{else}}\n{{.Nobody}}{{end}}{{end}}"), "apps.html:4:"},
		{"no such words", "login.html", main(`{{text "login.nothing"}}`), `login.html:2:19: there are no words "login.nothing" in en`},
		{"no value for a place", "login.html", main(`{{text "login.app"}}`), `need a value for {app}`},
		{"no place for a value", "login.html", main(`{{text "cancel" "app" .App}}`), `have no place for {app}`},
		{"words of nothing", "login.html", main(`{{text}}`), `text is written {{text "key"`},
		{"words inside of something", "login.html", main(`{{if text "cancel"}}x{{end}}`), `words stand alone in their braces`},
		{"no such file", "login.html", main(`{{asset "logo.gif"}}`), `there is no asset`},
		{"where no value is safe", "login.html", main(`<script>{{if .Again}}"{{end}}</script>`), "login.html:2"},
		{"no such count", "login.html", main(`{{count "login" 1}}`), `there are no words "login.one" in en`},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := folder(t, map[string]string{test.file: test.text})
			_, err := templates.New(templates.Options{Folder: path})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("the error is %v, want %q and the folder", err, test.want)
			}
		})
	}
	if _, err := templates.New(templates.Options{Folder: filepath.Join(t.TempDir(), "nowhere")}); err == nil {
		t.Error("a folder that is not there was taken")
	}
}
