package redis_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// A cluster knows no calls over several keys, so no call may touch two.
func TestEachCallTouchesOneKey(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{URL: server.URL(), Prefix: "p:"})
	ctx, later := t.Context(), s.Now().Add(time.Hour)
	teachScripts(t, s)
	must(t, s.Set(ctx, "k", nil, later))
	old, err := s.Get(ctx, "k")
	must(t, err)
	monitor := server.Monitor()

	for _, test := range []struct {
		name string
		key  string
		call func() error
	}{
		{"Get", "p:\x01k", func() error { _, err := s.Get(ctx, "k"); return err }},
		{"Set", "p:\x01other", func() error { return s.Set(ctx, "other", nil, later) }},
		{"Add", "p:\x01new", func() error { return s.Add(ctx, "new", nil, later) }},
		{"Swap", "p:\x01k", func() error { return s.Swap(ctx, "k", old, nil, later) }},
		{"Delete", "p:\x01k", func() error { return s.Delete(ctx, "k") }},
		{"Increment", "p:\x01c", func() error { _, err := s.Increment(ctx, "c", later); return err }},
		{"Enroll", "p:\x02i", func() error { _, err := s.Enroll(ctx, "i", "name", later); return err }},
		{"Enroll again", "p:\x02i", func() error { _, err := s.Enroll(ctx, "i", "name", later.Add(time.Hour)); return err }},
		{"Members", "p:\x02i", func() error { _, err := s.Members(ctx, "i", "", 10); return err }},
		{"Withdraw", "p:\x02i", func() error { return s.Withdraw(ctx, "i", "name") }},
		{"Append", "p:\x03l", func() error { _, err := s.Append(ctx, "l", nil, later); return err }},
		{"Since", "p:\x03l", func() error { _, err := s.Since(ctx, "l", 0, 10); return err }},
		{"Publish", "p:\x04t", func() error { return s.Publish(ctx, "t") }},
		{"Empty", "p:\x05", func() error { _, err := s.Empty(ctx); return err }},
	} {
		must(t, test.call())
		_, err := server.Do("ECHO", "the end")
		must(t, err)
		keys := touched(t, monitor)
		shown := strings.Trim(strconv.Quote(test.key), `"`) // as MONITOR shows it
		if len(keys) != 1 || !keys[shown] {
			t.Errorf("%s touches %v, want %s alone", test.name, keys, shown)
		}
	}
}

// In a line of MONITOR the key follows the command, or for scripts their name and the number of keys.
var keyInLine = regexp.MustCompile(`\] "(?:(?i:evalsha|eval)" "[^"]*" "1|[A-Za-z]+)" "([^"]*)"`)

// touched collects the keys of the commands up to the one that says "the end".
func touched(t *testing.T, monitor <-chan string) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	for deadline := time.After(10 * time.Second); ; {
		select {
		case line := <-monitor:
			match := keyInLine.FindStringSubmatch(line)
			if match == nil || strings.Contains(line, `] "info"`) {
				continue // what the store asks for at each connect
			}
			if match[1] == "the end" {
				return keys
			}
			keys[match[1]] = true
		case <-deadline:
			t.Fatal("the monitor does not come to an end")
		}
	}
}

// Everything that can grow has an expiry of its own: no janitor comes round.
func TestEveryKeyExpiresWithWhatItHolds(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{URL: server.URL(), Prefix: "p:"})
	ctx, now := t.Context(), s.Now()
	near, far := now.Add(time.Hour), now.Add(2*time.Hour)
	write := map[string]func(expires time.Time) error{
		"p:\x01set": func(e time.Time) error { return s.Set(ctx, "set", nil, e) },
		"p:\x01c":   func(e time.Time) error { _, err := s.Increment(ctx, "c", e); return err },
		"p:\x02i":   func(e time.Time) error { _, err := s.Enroll(ctx, "i", e.String(), e); return err },
		"p:\x03l":   func(e time.Time) error { _, err := s.Append(ctx, "l", nil, e); return err },
	}
	for key, write := range write {
		must(t, write(near))
		lives(t, server, key, near.Sub(now))
		must(t, write(far))
		lives(t, server, key, far.Sub(now))
	}
	// The latest member or entry decides, not the last one written.
	must(t, write["p:\x02i"](near))
	must(t, write["p:\x03l"](near))
	lives(t, server, "p:\x02i", far.Sub(now))
	lives(t, server, "p:\x03l", far.Sub(now))

	for key, write := range write {
		must(t, write(store.Forever))
		lives(t, server, key, 0)
	}
}

// lives checks that a key lives for about want; zero means for ever.
func lives(t *testing.T, server *redistest.Server, key string, want time.Duration) {
	t.Helper()
	answer, err := server.Do("PTTL", key)
	must(t, err)
	left, err := strconv.Atoi(answer)
	must(t, err)
	if want == 0 && left == -1 {
		return
	}
	if got := time.Duration(left) * time.Millisecond; want == 0 || (got-want).Abs() > time.Minute {
		t.Errorf("%s lives for %d ms, want %v", key, left, want)
	}
}

// What has expired leaves an index and a log in small steps, as they are used.
func TestExpiredMembersAndEntriesAreSwept(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{URL: server.URL(), Prefix: "p:"})
	ctx := t.Context()
	soon, later := s.Now().Add(300*time.Millisecond), s.Now().Add(time.Hour)
	const expiring = 100
	for i := range expiring {
		_, err := s.Enroll(ctx, "i", fmt.Sprintf("name %03d", i), soon)
		must(t, err)
		_, err = s.Append(ctx, "l", nil, soon)
		must(t, err)
	}
	_, err := s.Enroll(ctx, "i", "stays", later)
	must(t, err)
	_, err = s.Append(ctx, "l", []byte("stays"), later)
	must(t, err)
	eventually(t, "they expire", func() bool { return s.Now().After(soon) })

	if members, err := s.Members(ctx, "i", "", 1000); err != nil || len(members) != 1 {
		t.Errorf("Members = %v, %v, want the live one", members, err)
	}
	if entries, err := s.Since(ctx, "l", 0, 1); err != nil || len(entries) != 1 || string(entries[0].Value) != "stays" {
		t.Errorf("Since = %v, %v, want the live one", entries, err)
	}
	for range expiring/8 + 1 {
		_, err := s.Enroll(ctx, "i", "stays", later)
		must(t, err)
		_, err = s.Append(ctx, "l", []byte("stays"), later)
		must(t, err)
	}
	if n, err := server.Do("ZCARD", "p:\x02i"); err != nil || n != "1" {
		t.Errorf("the index holds %s members, %v, want 1", n, err)
	}
	if n, err := server.Do("XLEN", "p:\x03l"); err != nil || n != strconv.Itoa(expiring/8+2) {
		t.Errorf("the log holds %s entries, %v, want the live %d", n, err, expiring/8+2)
	}
}

// An index is read in pages, by the store and by its caller, and is complete whatever has expired in between.
func TestMembersOfALargeIndex(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{URL: server.URL()})
	ctx := t.Context()
	soon, later := s.Now().Add(10*time.Millisecond), s.Now().Add(time.Hour)
	const names = 2500
	for i := range names {
		expires := later
		if i%2 == 1 {
			expires = soon
		}
		_, err := s.Enroll(ctx, "i", fmt.Sprintf("%05d", i), expires)
		must(t, err)
	}
	eventually(t, "they expire", func() bool { return s.Now().After(soon) })
	var found []store.Member
	for after := ""; ; after = found[len(found)-1].Name {
		page, err := s.Members(ctx, "i", after, 700)
		must(t, err)
		found = append(found, page...)
		if len(page) < 700 {
			break
		}
	}
	if len(found) != names/2 {
		t.Fatalf("%d members, want %d", len(found), names/2)
	}
	for i, m := range found {
		if want := fmt.Sprintf("%05d", 2*i); m.Name != want || !m.Expires.Equal(later.Truncate(time.Millisecond)) {
			t.Fatalf("member %d = %v, want %s until %v", i, m, want, later)
		}
	}
}

// Readers remember numbers for longer than Redis remembers logs.
func TestNumbersGrowOverTheLossOfALog(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{URL: server.URL()})
	last := uint64(0)
	for range 5 {
		for range 20 {
			seq, err := s.Append(t.Context(), "l", nil, store.Forever)
			must(t, err)
			if seq <= last {
				t.Fatalf("number %d after %d", seq, last)
			}
			last = seq
		}
		_, err := server.Do("FLUSHALL")
		must(t, err)
	}
}
