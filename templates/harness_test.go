package templates_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/safeconduct/safeconduct/templates"
)

func kinds() []templates.Page {
	return []templates.Page{
		templates.LoginPage{}, templates.SelectPage{}, templates.ConsentPage{}, templates.FormPostPage{}, templates.ProblemPage{},
		templates.LogoutPage{}, templates.SignedOutPage{}, templates.AccountPage{}, templates.PasswordPage{}, templates.SessionsPage{},
		templates.AppsPage{}, templates.KeysPage{},
	}
}

func nameOf(p templates.Page) string { return reflect.TypeOf(p).Name() }

func newSet(t testing.TB, o templates.Options) *templates.Set {
	t.Helper()
	s, err := templates.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func render(t testing.TB, s *templates.Set, language string, p templates.Page) string {
	t.Helper()
	var out bytes.Buffer
	if err := s.Render(&out, language, p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// filled is a page with every field set: strings to what they are given, boxes ticked, two of everything there can be
// several of.
func filled(kind templates.Page, text func(field string) string) templates.Page {
	page := reflect.New(reflect.TypeOf(kind)).Elem()
	fill(page, "", text)
	return page.Interface().(templates.Page)
}

func fill(v reflect.Value, field string, text func(string) string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text(field))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(30)
	case reflect.Int64:
		v.SetInt(int64(90 * time.Second))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), field, text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), field, text)
		}
		if v.Type().Elem() == reflect.TypeFor[templates.SessionRow]() {
			v.Index(1).FieldByName("ID").SetString(text("OtherID"))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 11, 22, 15, 4, 0, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name, text)
		}
	}
}

// everything shows every page in every language: empty, and filled.
func everything(t *testing.T, check func(t *testing.T, page string, document *html.Node)) {
	s := newSet(t, templates.Options{})
	for _, language := range s.Languages() {
		for _, kind := range kinds() {
			for name, p := range map[string]templates.Page{"empty": kind, "filled": filled(kind, func(field string) string { return "x" + field })} {
				t.Run(language+" "+nameOf(kind)+" "+name, func(t *testing.T) {
					page := render(t, s, language, p)
					check(t, page, parse(t, page))
				})
			}
		}
	}
}

func parse(t testing.TB, page string) *html.Node {
	t.Helper()
	document, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func elements(document *html.Node, names ...string) []*html.Node {
	var found []*html.Node
	for n := range document.Descendants() {
		if n.Type == html.ElementNode && (len(names) == 0 || strings.Contains(" "+strings.Join(names, " ")+" ", " "+n.Data+" ")) {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func textOf(n *html.Node) string {
	var out strings.Builder
	for child := range n.Descendants() {
		if child.Type == html.TextNode {
			out.WriteString(child.Data)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

func within(n *html.Node, name string) bool {
	for parent := range n.Ancestors() {
		if parent.Data == name {
			return true
		}
	}
	return false
}
