package resources_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// implying is a resource whose scopes are written as "name" or "name>implied,implied".
func implying(slug string, scopes ...string) resources.Definition {
	d := define(slug)
	for _, text := range scopes {
		name, implied, _ := strings.Cut(text, ">")
		s := resources.Scope{Name: name}
		if implied != "" {
			s.Implies = strings.Split(implied, ",")
		}
		d.Scopes = append(d.Scopes, s)
	}
	return d
}

// expanded is what scopes are worth at a catalogue, by their names.
func expanded(t *testing.T, c *resources.Catalogue, names ...string) string {
	t.Helper()
	var numbers []uint32
	for _, name := range names {
		scope, _, found := c.Scope(name)
		if !found {
			t.Fatalf("there is no %s", name)
		}
		numbers = append(numbers, scope.Number)
	}
	given := slices.Clone(numbers)
	var out []string
	for _, number := range c.Expand(numbers) {
		scope, _, found := c.ScopeByNumber(number)
		if !found {
			t.Fatalf("%v leads to the number %d, which nobody has", names, number)
		}
		out = append(out, scope.Name)
	}
	if !slices.Equal(given, numbers) {
		t.Error("the given list was changed")
	}
	return strings.Join(out, " ")
}

// A scope brings along what it implies, and what that implies; nothing else, and each only once.
func TestExpandIsTransitive(t *testing.T) {
	r, _ := open(t)
	create(t, r, implying("orders", "o:admin>o:write,o:cancel", "o:write>o:read", "o:cancel>o:read", "o:read", "o:alone"))
	create(t, r, define("stock", "stock:read"))
	c := catalogue(t, r)
	for given, want := range map[string]string{
		"o:read":                     "o:read",
		"o:alone stock:read":         "o:alone stock:read",
		"o:write":                    "o:write o:read",
		"o:admin":                    "o:admin o:write o:cancel o:read",
		"o:read o:write":             "o:read o:write",
		"o:write stock:read o:admin": "o:write stock:read o:admin o:read o:cancel",
	} {
		if got := expanded(t, c, strings.Fields(given)...); got != want {
			t.Errorf("%s expands to %s, want %s", given, got, want)
		}
	}
	if got := c.Expand(nil); len(got) != 0 {
		t.Errorf("nothing expands to %v", got)
	}
	if got := c.Expand([]uint32{4711}); !slices.Equal(got, []uint32{4711}) {
		t.Errorf("a number that nobody has expands to %v", got)
	}
	// Two who expand one list must not write into its spare room.
	alone, _, _ := c.Scope("o:alone")
	write, _, _ := c.Scope("o:write")
	room := append(make([]uint32, 0, 8), alone.Number, write.Number)
	c.Expand(room)
	if room[:3][2] != 0 {
		t.Error("the room behind the given list was written to")
	}
}

// What implies nothing costs nothing: every check of a token asks.
func TestExpandOfPlainScopesDoesNotAllocate(t *testing.T) {
	r, _ := open(t)
	orders, _ := create(t, r, define("orders", "orders:read", "orders:write"))
	c := catalogue(t, r)
	numbers := []uint32{orders.Scopes[0].Number, orders.Scopes[1].Number}
	if n := testing.AllocsPerRun(100, func() { c.Expand(numbers) }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

// A disabled resource gives nothing, by implication neither.
func TestDisabledResourceImpliesNothing(t *testing.T) {
	r, _ := open(t)
	orders, _ := create(t, r, implying("orders", "o:write>o:read", "o:read"))
	_, err := r.Update(t.Context(), "orders", func(resource *resources.Resource) error {
		resource.Disabled = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	given := []uint32{orders.Scopes[0].Number}
	if got := catalogue(t, r).Expand(given); !slices.Equal(got, given) {
		t.Errorf("it expands to %v", got)
	}
}

// An implication must lead somewhere else in the same resource, and never back.
func TestBadImplicationsAreRefused(t *testing.T) {
	r, _ := open(t)
	create(t, r, define("stock", "stock:read"))
	for name, test := range map[string]struct {
		scopes []string
		field  string
	}{
		"itself":             {[]string{"a", "b>b"}, "scopes[1].implies"},
		"nothing":            {[]string{"a>b"}, "scopes[0].implies"},
		"another resource's": {[]string{"a>stock:read"}, "scopes[0].implies"},
		"twice":              {[]string{"a>b,b", "b"}, "scopes[0].implies"},
		"a circle of two":    {[]string{"a>b", "b>a"}, "scopes[0].implies"},
		"a circle of three":  {[]string{"x>a", "a>b", "b>c", "c>a"}, "scopes[0].implies"},
		"a circle aside":     {[]string{"a", "b>a,c", "c>a,d", "d>a,c"}, "scopes[1].implies"},
		"in capitals":        {[]string{"a>B", "b"}, "scopes[0].implies"},
	} {
		_, _, err := r.Create(t.Context(), implying("orders", test.scopes...))
		wantInvalid(t, name, err, test.field)
	}
	create(t, r, implying("orders", "a>b,c", "b>d", "c>d", "d"))
	_, err := r.Update(t.Context(), "orders", func(resource *resources.Resource) error {
		resource.Scopes[3].Implies = []string{"a"}
		return nil
	})
	wantInvalid(t, "a circle closed later", err, "scopes[0].implies")
	_, err = r.Update(t.Context(), "orders", func(resource *resources.Resource) error {
		resource.Scopes = resource.Scopes[:3]
		return nil
	})
	wantInvalid(t, "a list without what it implies", err, "scopes[1].implies")
}

// Taking a scope away never waits for those that imply it, and it does not come back to them under its old name.
func TestRemovedScopeIsImpliedByNothing(t *testing.T) {
	r, _ := open(t)
	before, _ := create(t, r, implying("orders", "o:admin>o:write,o:read", "o:write>o:read", "o:read"))
	change := func(change func(*resources.Resource)) *resources.Resource {
		after, err := r.Update(t.Context(), "orders", func(resource *resources.Resource) error {
			change(resource)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return after
	}
	change(func(resource *resources.Resource) {
		if unknown := resource.RemoveScopes("o:read", "o:none"); unknown != "o:none" || len(resource.Scopes) != 3 {
			t.Errorf("%q is unknown, and %d scopes are left", unknown, len(resource.Scopes))
		}
	})
	after := change(func(resource *resources.Resource) {
		if unknown := resource.RemoveScopes("o:read"); unknown != "" {
			t.Errorf("%q is unknown", unknown)
		}
	})
	if len(after.Scopes) != 2 || after.Scopes[0].Number != before.Scopes[0].Number || after.Scopes[1].Number != before.Scopes[1].Number {
		t.Errorf("left are %+v of %+v", after.Scopes, before.Scopes)
	}
	change(func(resource *resources.Resource) {
		resource.Scopes = append(resource.Scopes, resources.Scope{Name: "o:read"})
	})
	if got := expanded(t, catalogue(t, r), "o:admin"); got != "o:admin o:write" {
		t.Errorf("o:admin expands to %s", got)
	}
}

// What a scope implies is stored, and a change of it holds at every process within a second.
func TestImplicationsHoldAtEveryProcess(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	here, there := running(t, s), running(t, s)
	create(t, here, define("orders", "o:write", "o:read"))
	bolttest.WithinASecond(t, "the scopes are unknown", func() bool {
		_, _, found := catalogue(t, there).Scope("o:read")
		return found
	})
	implies := func(names ...string) {
		t.Helper()
		_, err := here.Update(t.Context(), "orders", func(resource *resources.Resource) error {
			resource.Scopes[0].Implies, resource.Scopes[0].Deprecated = names, len(names) > 0
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	implies("o:read")
	bolttest.WithinASecond(t, "o:write does not imply o:read, or is not deprecated", func() bool {
		scope, _, _ := catalogue(t, there).Scope("o:write")
		return expanded(t, catalogue(t, there), "o:write") == "o:write o:read" && scope.Deprecated
	})
	implies()
	bolttest.WithinASecond(t, "o:write still implies o:read", func() bool { return expanded(t, catalogue(t, there), "o:write") == "o:write" })
}

// A release that brings another implication or format of a built-in resource brings it to its record.
func TestEnsureFollowsImplicationsAndFormat(t *testing.T) {
	r, _ := open(t)
	d := define("safeconduct", "admin:users", "admin:all")
	first, err := r.Ensure(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	d.Format, d.Alg = resources.FormatJWT, "RS256"
	d.Scopes[1].Implies = []string{"admin:users"}
	d.Scopes[0].Deprecated = true
	second, err := r.Ensure(t.Context(), d)
	if err != nil || second.Format != resources.FormatJWT || second.Alg != "RS256" || !second.Scopes[0].Deprecated || second.Scopes[1].Number != first.Scopes[1].Number {
		t.Fatalf("got %+v and %v", second, err)
	}
	if got := expanded(t, catalogue(t, r), "admin:all"); got != "admin:all admin:users" {
		t.Errorf("admin:all expands to %s", got)
	}
}

// An algorithm is for tokens that are signed, and no scope may look like a family of them.
func TestFormatsAndFamilies(t *testing.T) {
	r, _ := open(t)
	for name, test := range map[string]struct {
		format, alg, field string
	}{
		"unknown format":              {"saml", "", "token_format"},
		"in capitals":                 {"JWT", "", "token_format"},
		"an algorithm without JWT":    {"", "ES256", "signing_alg"},
		"none":                        {"jwt", "none", "signing_alg"},
		"a secret shared with others": {"jwt", "HS256", "signing_alg"},
	} {
		d := define("orders", "orders:read")
		d.Format, d.Alg = test.format, test.alg
		_, _, err := r.Create(t.Context(), d)
		wantInvalid(t, name, err, test.field)
	}
	for _, scope := range []string{"orders:*", ":*", "https://api.example.org/orders:*"} {
		_, _, err := r.Create(t.Context(), define("orders", scope))
		wantInvalid(t, scope, err, "scopes[0].name")
	}
	for _, alg := range []string{"", "ES256", "RS256", "EdDSA"} {
		d := define("orders", "orders:*x", "orders*", "*")
		d.Format, d.Alg = resources.FormatJWT, alg
		create(t, r, d)
		got, err := r.Get(t.Context(), "orders")
		if err != nil || got.Format != resources.FormatJWT || got.Alg != alg {
			t.Errorf("stored %+v: %v", got, err)
		}
		if err := r.Delete(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Get(t.Context(), "orders")
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
