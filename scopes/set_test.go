package scopes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// RFC 6749 §3.3: names of visible ASCII except quotation mark and backslash, one space between.
func TestParseSetReadsTheGrammarOfRFC6749(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"nothing is the empty set", "", nil},
		{"one name", "orders:read", []string{"orders:read"}},
		{"order is kept", "b a c", []string{"b", "a", "c"}},
		{"duplicates collapse", "a b a b", []string{"a", "b"}},
		{"case tells names apart", "Read read", []string{"Read", "read"}},
		{"the edges of the character set", "! # [ ] ~", []string{"!", "#", "[", "]", "~"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := scopes.ParseSet(tt.text)
			if err != nil || !slices.Equal(s.Names(), tt.want) || s.Len() != len(tt.want) {
				t.Errorf("got %q, %v; want %q", s.Names(), err, tt.want)
			}
		})
	}
}

// Two readers that split a text differently would grant different things.
func TestParseSetRefusesWhatTheGrammarDoesNotHave(t *testing.T) {
	for _, text := range []string{
		" ", " a", "a ", "a  b", "a\tb", "a\nb", "a\r\nb", "a\x00", "a\x7f", `a"b`, `a\b`, "é", "a\u00a0b", "\xff", "a,b c\v",
	} {
		if s, err := scopes.ParseSet(text); err == nil {
			t.Errorf("%q was read as %q", text, s.Names())
		}
	}
}

// The text comes from strangers and the error goes to logs and answers.
func TestParseSetErrorShowsNothingOfTheText(t *testing.T) {
	_, err := scopes.ParseSet("canary\ncanary")
	if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// Both caps hold to the letter: a limit that is off by one is a limit nobody knows.
func TestParseSetCaps(t *testing.T) {
	if _, err := scopes.ParseSet(strings.Repeat("a", scopes.MaxSetBytes)); err != nil {
		t.Errorf("the longest text: %v", err)
	}
	if _, err := scopes.ParseSet(strings.Repeat("a", scopes.MaxSetBytes+1)); err == nil {
		t.Error("one byte more was read")
	}
	names := numbered(scopes.MaxSetNames + 1)
	if s, err := scopes.ParseSet(strings.Join(names[1:], " ")); err != nil || s.Len() != scopes.MaxSetNames {
		t.Errorf("the most names: %d, %v", s.Len(), err)
	}
	if _, err := scopes.ParseSet(strings.Join(names, " ")); err == nil {
		t.Error("one name more was read")
	}
}

// CVE-2026-4634: a very long scope, sent by anybody, must not cost anything. A thousand refusals of each in a second is a
// thousand times slower than what is expected.
func TestParseSetRefusesHugeTextsAtOnce(t *testing.T) {
	long := strings.Repeat("a", 100<<10)
	many := strings.Join(numbered(10_000), " ")
	start := time.Now()
	for range 1000 {
		for _, text := range []string{long, many} {
			if _, err := scopes.ParseSet(text); err == nil {
				t.Fatal("a huge text was read")
			}
		}
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("2000 refusals took %v", took)
	}
	if _, err := scopes.NewSet(numbered(10_000)...); err == nil {
		t.Error("NewSet took 10,000 names")
	}
}

// NewSet and ParseSet must agree, or a set could be made that its own text form does not give back.
func TestNewSetHasTheRulesOfParseSet(t *testing.T) {
	s, err := scopes.NewSet("b", "a", "b")
	if err != nil || s.String() != "b a" {
		t.Errorf("got %q, %v; want %q", s, err, "b a")
	}
	for _, names := range [][]string{{""}, {"a b"}, {"a", "b\n"}, {strings.Repeat("a", scopes.MaxSetBytes+1)},
		{strings.Repeat("a", scopes.MaxSetBytes-1), "b"}} {
		if _, err := scopes.NewSet(names...); err == nil {
			t.Errorf("NewSet took %.20q", names)
		}
	}
	if s, err := scopes.NewSet(strings.Repeat("a", scopes.MaxSetBytes-2), "b"); err != nil || len(s.String()) != scopes.MaxSetBytes {
		t.Errorf("the longest set: %d bytes, %v", len(s.String()), err)
	}
}

// The same questions to a short set, which is walked, and to a long one, which is looked up.
func TestSetAnswersTheSameShortAndLong(t *testing.T) {
	for _, size := range []int{2, 8, 9, 200} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			names := numbered(size)
			s := mustSet(t, names...)
			for _, name := range names {
				if !s.Has(name) {
					t.Errorf("Has(%q) = false", name)
				}
			}
			for _, name := range []string{"", "s", "S0", "s0 s1", "s0*", "*", "s999"} {
				if s.Has(name) {
					t.Errorf("Has(%q) = true", name)
				}
			}
			if got := s.Missing("x", "s0", "y"); !slices.Equal(got, []string{"x", "y"}) {
				t.Errorf("Missing = %q", got)
			}
			if got := s.Missing(names...); got != nil {
				t.Errorf("Missing = %q, want nil", got)
			}
			if got := s.Intersect(mustSet(t, "s1", "x", "s0")); got.String() != "s0 s1" {
				t.Errorf("Intersect = %q, want the order of the receiver", got)
			}
			if !s.Contains(mustSet(t, "s1", "s0")) || !s.Contains(scopes.Set{}) || s.Contains(mustSet(t, "s0", "x")) {
				t.Error("Contains is wrong")
			}
			slices.Reverse(names)
			if !s.Equal(mustSet(t, names...)) || s.Equal(mustSet(t, names[1:]...)) {
				t.Error("Equal is wrong")
			}
		})
	}
}

// A Set is shared between requests: what one caller does to its names must not reach another.
func TestSetNamesAreACopy(t *testing.T) {
	s := mustSet(t, "orders:read")
	s.Names()[0] = "orders:write"
	if s.Has("orders:write") || !s.Has("orders:read") {
		t.Error("the set changed")
	}
}

// Has and Contains run for every request.
func TestSetLookupsDoNotAllocate(t *testing.T) {
	for _, size := range []int{3, 100} {
		names := numbered(size)
		s, needed := mustSet(t, names...), mustSet(t, names[0], names[size-1])
		if n := testing.AllocsPerRun(100, func() {
			if !s.Has(names[size-1]) || !s.Contains(needed) || s.Missing(names[0]) != nil {
				t.Error("not found")
			}
		}); n != 0 {
			t.Errorf("%d names: %v allocations", size, n)
		}
	}
}

// Whatever a stranger sends, ParseSet either refuses or gives a set whose text form gives the same set.
func FuzzParseSet(f *testing.F) {
	for _, text := range []string{"", " ", "a", "a b a", "a  b", "orders:read orders:write", "é", `"`, `\`, "a\x00b",
		strings.Repeat("a ", 300), strings.Join(numbered(200), " ")} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := scopes.ParseSet(text)
		if err != nil {
			if s.Len() != 0 {
				t.Errorf("a set of %d came with error %v", s.Len(), err)
			}
			return
		}
		again, err := scopes.ParseSet(s.String())
		if err != nil || !slices.Equal(again.Names(), s.Names()) {
			t.Fatalf("%q -> %q -> %q, %v", text, s, again, err)
		}
		made, err := scopes.NewSet(s.Names()...)
		if err != nil || !made.Equal(s) {
			t.Fatalf("NewSet(%q) = %q, %v", s.Names(), made, err)
		}
		for _, name := range s.Names() {
			if !scopes.ValidName(name) || !s.Has(name) {
				t.Fatalf("%q is in the set but not valid or not found", name)
			}
		}
		if text != "" && len(strings.Split(text, " ")) < s.Len() {
			t.Fatalf("%q has more names than parts", text)
		}
	})
}

func mustSet(t testing.TB, names ...string) scopes.Set {
	t.Helper()
	s, err := scopes.NewSet(names...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// numbered returns n names: s0, s1, …
func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("s%d", i)
	}
	return names
}
