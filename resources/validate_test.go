package resources_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/resources"
)

// RFC 6749 §3.3 and appendix A.4: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ).
func TestScopeGrammar(t *testing.T) {
	r, _ := open(t)
	good := []string{"a", "orders:read", "https://api.example.org/orders.read", "!#[]~", "a/b+c=d&e", strings.Repeat("s", 128)}
	create(t, r, define("good", good...))
	for c := range 256 {
		d := define("tried", "a"+string([]byte{byte(c)})+"b")
		_, _, err := r.Create(t.Context(), d)
		if valid := c == 0x21 || c >= 0x23 && c <= 0x5b || c >= 0x5d && c <= 0x7e; valid != (err == nil) {
			t.Errorf("character %#x: got %v", c, err)
		}
		if err != nil {
			wantInvalid(t, fmt.Sprintf("character %#x", c), err, "scopes[0].name")
		}
		if err := r.Delete(t.Context(), "tried"); err != nil {
			t.Fatal(err)
		}
	}
	for name, scope := range map[string]string{"empty": "", "blank": " ", "two": "a b", "too long": strings.Repeat("s", 129), "not ASCII": "lésen"} {
		_, _, err := r.Create(t.Context(), define("tried", scope))
		wantInvalid(t, name, err, "scopes[0].name")
	}
}

func TestBadDefinitionsAreRefused(t *testing.T) {
	r, _ := open(t)
	with := func(change func(*resources.Definition)) resources.Definition {
		d := define("orders", "orders:read")
		change(&d)
		return d
	}
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprint("s", i)
	}
	for name, test := range map[string]struct {
		d     resources.Definition
		field string
	}{
		"no slug":                   {with(func(d *resources.Definition) { d.Slug = "" }), "slug"},
		"slug in capitals":          {with(func(d *resources.Definition) { d.Slug = "Orders" }), "slug"},
		"slug with colon":           {with(func(d *resources.Definition) { d.Slug = "a:b" }), "slug"},
		"endless slug":              {with(func(d *resources.Definition) { d.Slug = strings.Repeat("a", 65) }), "slug"},
		"no identifier":             {with(func(d *resources.Definition) { d.ID = "" }), "id"},
		"relative identifier":       {with(func(d *resources.Definition) { d.ID = "/orders" }), "id"},
		"identifier without scheme": {with(func(d *resources.Definition) { d.ID = "api.example.org" }), "id"},
		"identifier with fragment":  {with(func(d *resources.Definition) { d.ID += "#a" }), "id"},
		"with empty fragment":       {with(func(d *resources.Definition) { d.ID += "#" }), "id"},
		"identifier with user":      {with(func(d *resources.Definition) { d.ID = "https://user@api.example.org/" }), "id"},
		"identifier with blank":     {with(func(d *resources.Definition) { d.ID += " " }), "id"},
		"identifier with newline":   {with(func(d *resources.Definition) { d.ID += "\n" }), "id"},
		"identifier without host":   {with(func(d *resources.Definition) { d.ID = "https:///orders" }), "id"},
		"scheme alone":              {with(func(d *resources.Definition) { d.ID = "urn:" }), "id"},
		"identifier outside ASCII":  {with(func(d *resources.Definition) { d.ID += "é" }), "id"},
		"endless identifier":        {with(func(d *resources.Definition) { d.ID += strings.Repeat("x", 2048) }), "id"},
		"no name":                   {with(func(d *resources.Definition) { d.Name = "" }), "name"},
		"name with line break":      {with(func(d *resources.Definition) { d.Name = "a\nb" }), "name"},
		"name with bidi override":   {with(func(d *resources.Definition) { d.Name = "a\u202eb" }), "name"},
		"title with line break":     {with(func(d *resources.Definition) { d.Scopes[0].Title = "a\nb" }), "scopes[0].title"},
		"endless title":             {with(func(d *resources.Definition) { d.Scopes[0].Title = strings.Repeat("t", 201) }), "scopes[0].title"},
		"description of bad UTF-8":  {with(func(d *resources.Definition) { d.Scopes[0].Description = "\xff" }), "scopes[0].description"},
		"scope twice":               {define("orders", "a", "b", "a"), "scopes[2].name"},
		"our scope":                 {define("orders", "admin:users"), "scopes[0].name"},
		"a scope of OpenID Connect": {define("orders", "a", "openid"), "scopes[1].name"},
		"offline_access":            {define("orders", "offline_access"), "scopes[0].name"},
		"201 scopes":                {define("orders", many...), "scopes"},
		"a second":                  {with(func(d *resources.Definition) { d.AccessLifetime = time.Second }), "access_lifetime"},
		"a day":                     {with(func(d *resources.Definition) { d.AccessLifetime = 24 * time.Hour }), "access_lifetime"},
		"negative":                  {with(func(d *resources.Definition) { d.AccessLifetime = -time.Minute }), "access_lifetime"},
		"half a second":             {with(func(d *resources.Definition) { d.AccessLifetime = 90*time.Second + time.Millisecond }), "access_lifetime"},
	} {
		_, secret, err := r.Create(t.Context(), test.d)
		wantInvalid(t, name, err, test.field)
		if secret != "" {
			t.Errorf("%s: a secret was handed out", name)
		}
	}
	for _, id := range []string{"urn:example:orders", "https://api.example.org:8443/orders?v=1", "http://localhost:8080", "api://orders"} {
		d := define("good", "good:read")
		d.ID, d.AccessLifetime = id, time.Hour
		if got, _ := create(t, r, d); got.AccessLifetime != time.Hour {
			t.Errorf("got %v", got.AccessLifetime)
		}
		if err := r.Delete(t.Context(), "good"); err != nil {
			t.Fatal(err)
		}
	}
}
