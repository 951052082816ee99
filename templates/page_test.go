package templates_test

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/safeconduct/safeconduct/templates"
)

// A screen reader announces the language, the title and the heading; a keyboard gets to the content at once.
func TestEveryPageSaysWhatItIs(t *testing.T) {
	everything(t, func(t *testing.T, _ string, document *html.Node) {
		root := elements(document, "html")[0]
		if language, _ := attribute(root, "lang"); !strings.HasPrefix(t.Name(), "TestEveryPageSaysWhatItIs/"+language+"_") {
			t.Errorf("lang is %q", language)
		}
		if direction, _ := attribute(root, "dir"); direction != "ltr" {
			t.Errorf("dir is %q", direction)
		}
		for _, name := range []string{"h1", "main", "title"} {
			if found := elements(document, name); len(found) != 1 || textOf(found[0]) == "" {
				t.Errorf("there are %d %s with or without text, want one with text", len(found), name)
			}
		}
		if title := textOf(elements(document, "title")[0]); !strings.HasSuffix(title, " · Safeconduct") {
			t.Errorf("the title is %q, without the name of the server", title)
		}
		if skip := elements(document, "a")[0]; skip.Attr[1].Val != "#main" {
			t.Errorf("the first link leads to %q, not to the content", skip.Attr[1].Val)
		}
	})
}

// WCAG 2.2, 1.3.1 and 4.1.2: every control has a name, and what a page refers to is there once.
func TestEveryControlHasALabel(t *testing.T) {
	everything(t, func(t *testing.T, _ string, document *html.Node) {
		ids, labelled := map[string]int{}, map[string]bool{}
		for _, n := range elements(document) {
			if id, has := attribute(n, "id"); has {
				ids[id]++
			}
			if id, has := attribute(n, "for"); has {
				labelled[id] = true
			}
		}
		for _, n := range elements(document, "input", "select", "textarea") {
			kind, _ := attribute(n, "type")
			id, _ := attribute(n, "id")
			if _, named := attribute(n, "aria-label"); kind != "hidden" && !named && !labelled[id] && !within(n, "label") {
				t.Errorf("the control %v has no label", n.Attr)
			}
		}
		for _, n := range elements(document, "button", "a", "summary", "legend", "label", "h2", "h3") {
			if label, _ := attribute(n, "aria-label"); textOf(n) == "" && label == "" {
				t.Errorf("the %s %v says nothing", n.Data, n.Attr)
			}
		}
		for id, times := range ids {
			if times > 1 {
				t.Errorf("the id %q is there %d times", id, times)
			}
		}
		for _, n := range elements(document) {
			for _, name := range []string{"for", "aria-describedby", "aria-labelledby", "data-copy", "data-show"} {
				value, _ := attribute(n, name)
				for id := range strings.FieldsSeq(value) {
					if ids[id] != 1 {
						t.Errorf("%s refers to %q, which is not there", name, id)
					}
				}
			}
		}
	})
}

// The pages are served with a policy of no inline style or script, and they ask no other host for anything.
func TestEveryPageKeepsThePolicy(t *testing.T) {
	everything(t, func(t *testing.T, page string, document *html.Node) {
		if strings.Contains(page, "://") {
			t.Error("there is an absolute URL")
		}
		for _, n := range elements(document) {
			if n.Data == "style" || n.Data == "iframe" || n.Data == "script" && n.FirstChild != nil {
				t.Errorf("there is an inline %s", n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s has an attribute %s", n.Data, a.Key)
				}
				if (a.Key == "src" || n.Data == "link") && strings.Contains(a.Val, "/") && !strings.HasPrefix(a.Val, "/assets/") && a.Key != "type" {
					t.Errorf("%s loads %s", n.Data, a.Val)
				}
			}
		}
		if strings.Contains(page, "<no value>") || strings.Contains(page, "%!") || strings.Contains(page, "ZgotmplZ") {
			t.Errorf("something went wrong in the page:\n%s", page)
		}
	})
}

// Every kind of problem and every thing that can be done has words of its own.
func TestEveryProblemIsExplained(t *testing.T) {
	source, err := os.ReadFile("page.go")
	if err != nil {
		t.Fatal(err)
	}
	s := newSet(t, templates.Options{})
	shows := map[string]func(value string) templates.Page{
		"LoginProblem": func(v string) templates.Page { return templates.LoginPage{Problem: templates.LoginProblem(v)} },
		"Problem":      func(v string) templates.Page { return templates.ProblemPage{Kind: templates.Problem(v)} },
		"Done": func(v string) templates.Page {
			return templates.AppsPage{Account: templates.Account{Done: templates.Done(v)}}
		},
		"AccountProblem": func(v string) templates.Page {
			return templates.AppsPage{Account: templates.Account{Problem: templates.AccountProblem(v)}}
		},
	}
	seen := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^\t\w+ +(\w+) += "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		for _, language := range s.Languages() {
			name := match[1] + " " + match[2]
			page := render(t, s, language, shows[match[1]](match[2]))
			if other, same := seen[page]; same {
				t.Errorf("in %s, %s looks like %s", language, name, other)
			}
			seen[page] = name
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d pages were looked at", len(seen))
	}
}

// A page that fails writes nothing: half a page could have a form without its other half.
func TestRenderWritesAllOrNothing(t *testing.T) {
	s := newSet(t, templates.Options{})
	writes := 0
	w := writer(func(p []byte) (int, error) { writes++; return len(p), nil })
	if err := s.Render(w, "en", templates.LoginPage{}); err != nil || writes != 1 {
		t.Errorf("a page was written in %d parts, error %v", writes, err)
	}
	if err := s.Render(writer(func([]byte) (int, error) { return 0, io.ErrClosedPipe }), "en", templates.LoginPage{}); err == nil {
		t.Error("an error of the writer was swallowed")
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// Whoever comes by telephone loads this first.
func TestPagesAreSmall(t *testing.T) {
	total := 0
	for _, pattern := range []string{"html", "assets"} {
		entries, err := os.ReadDir(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if err != nil {
				t.Fatal(err)
			}
			total += int(info.Size())
		}
	}
	if total > 60_000 {
		t.Errorf("pages, style and script have %d bytes, want less than 60000", total)
	}
}

func BenchmarkLoginPage(b *testing.B) {
	s := newSet(b, templates.Options{})
	page := templates.LoginPage{
		Form: templates.Form{Action: "/login", Token: strings.Repeat("t", 60)}, App: &templates.App{Name: "Acme Invoices"},
		RememberFor: 720 * time.Hour, Cancel: "/login/cancel",
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Render(io.Discard, "de", page); err != nil {
			b.Fatal(err)
		}
	}
}
