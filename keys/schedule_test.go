package keys_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
)

const day = 24 * time.Hour

// life is a list of signing keys on its way through time.
type life struct {
	t        *testing.T
	schedule keys.Schedule
	keys     []keys.SigningKey
	now      time.Time
	made     int
	signed   map[string]time.Time // by key: when it was last the signer
	first    map[string]bool      // the first keys of their algorithms
}

const (
	lifetime = 90 * day
	ahead    = day
	stays    = 25 * time.Hour
)

func newLife(t *testing.T, algorithms ...string) *life {
	l := &life{t: t, schedule: keys.NewSchedule(lifetime, ahead, stays, algorithms...), now: noon, signed: map[string]time.Time{}, first: map[string]bool{}}
	l.maintain()
	for _, k := range l.keys {
		l.first[k.ID] = true
	}
	return l
}

func (l *life) maintain() {
	l.keys = l.schedule.Maintain(l.keys, l.now, func() string { l.made++; return strconv.Itoa(l.made) })
}

// sign notes who signs, and holds it against the rules.
func (l *life) sign(algorithm string) keys.SigningKey {
	l.t.Helper()
	signer := l.schedule.Signer(l.keys, algorithm, l.now)
	if !l.first[signer.ID] && l.now.Sub(signer.Created) < ahead {
		l.t.Fatalf("at %s key %s signs, published since %s", l.now, signer.ID, signer.Created)
	}
	l.signed[signer.ID] = l.now
	for id, last := range l.signed {
		if l.now.Before(last.Add(stays)) && !l.published(id) {
			l.t.Fatalf("at %s key %s is not published, it signed until %s", l.now, id, last)
		}
	}
	return signer
}

func (l *life) published(id string) bool {
	for _, k := range l.keys {
		if k.ID == id {
			return k.Published(l.now)
		}
	}
	return false
}

// A verifier that fetches the key set once a day may never meet a key that it does not know, nor miss one of which a
// token may live: however irregularly the keys are looked after, and however far the clock jumps.
func TestNoKeySignsUnannouncedHoweverTheClockJumps(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		l := newLife(t, "a", "b")
		for range 300 {
			span := []time.Duration{time.Minute, time.Hour, day, 10 * day, 200 * day}[random.IntN(5)]
			l.now = l.now.Add(time.Duration(random.Int64N(int64(span))))
			l.sign("a")
			l.sign("b")
			if random.IntN(3) == 0 {
				l.maintain()
				l.sign("a")
			}
		}
		if l.made < 4 {
			t.Errorf("seed %d: only %d keys were made", seed, l.made)
		}
	}
}

// With Maintain called now and then, no key signs for longer than its lifetime, and no more keys are kept than are used.
func TestEachKeySignsForItsLifetime(t *testing.T) {
	l := newLife(t, "a")
	signers := map[string]int{}
	const step = 6 * time.Hour
	for range 10 * int(lifetime/step) {
		signers[l.sign("a").ID]++
		l.now = l.now.Add(step)
		l.maintain()
		if len(l.keys) > 2 {
			t.Fatalf("at %s there are %d keys", l.now, len(l.keys))
		}
	}
	if len(signers) < 9 || len(signers) > 11 {
		t.Errorf("%d keys signed in ten lifetimes", len(signers))
	}
	for id, n := range signers {
		if age := time.Duration(n) * step; age > lifetime+step {
			t.Errorf("key %s signed for %s", id, age)
		}
	}
}

// A machine slept for 200 days: the successor is late, is published now, and until its time the old key goes on.
func TestLateSuccessorWaitsItsTime(t *testing.T) {
	l := newLife(t, "a")
	old := l.sign("a")
	l.now = l.now.Add(200 * day)
	l.maintain()
	if len(l.keys) != 2 {
		t.Fatalf("there are %d keys, want the old one and its successor", len(l.keys))
	}
	woke := l.now
	for _, test := range []struct {
		after time.Duration
		id    string
	}{{0, old.ID}, {ahead - 1, old.ID}, {ahead, l.keys[1].ID}} {
		l.now = woke.Add(test.after)
		if got := l.sign("a"); got.ID != test.id {
			t.Errorf("%s after waking key %s signs, want %s", test.after, got.ID, test.id)
		}
	}
	if until := l.keys[0].PublishedUntil; !until.Equal(woke.Add(ahead + stays)) {
		t.Errorf("the old key is published until %s", until)
	}
}

// A clock that was years ahead made a key. Set right again, it must not keep everybody waiting for that key's time.
func TestKeyOfAWrongClockIsPassedOver(t *testing.T) {
	l := newLife(t, "a")
	real := l.now
	l.now = real.Add(3650 * day)
	l.maintain()
	astray := l.keys[len(l.keys)-1]
	l.now = real.Add(lifetime)
	l.maintain()
	next := l.keys[len(l.keys)-1]
	if next.ID == astray.ID {
		t.Fatal("no successor was made")
	}
	l.now = l.now.Add(ahead)
	if got := l.sign("a"); got.ID != next.ID {
		t.Errorf("key %s signs, want %s", got.ID, next.ID)
	}
	l.now = l.now.Add(stays)
	l.maintain()
	if l.published(astray.ID) {
		t.Error("the key that will never sign is still published")
	}
}

// Another process, whose clock is a little ahead, made the first key: it signs here too.
func TestFirstKeySignsForAClockThatIsBehind(t *testing.T) {
	l := newLife(t, "a")
	l.now = l.now.Add(-5 * time.Millisecond)
	if got := l.sign("a"); got.ID != l.keys[0].ID {
		t.Errorf("key %s signs", got.ID)
	}
}

// With a shorter span set since, a newer key may have its time before an older one. The newer one stays the signer: a
// key may only be replaced by a newer one, for that one is there because of a leak, perhaps.
func TestOvertakenKeyNeverSigns(t *testing.T) {
	l := newLife(t, "a")
	at := func(id string, created, from time.Duration) keys.SigningKey {
		return keys.SigningKey{ID: id, Algorithm: "a", Created: noon.Add(created), SignsFrom: noon.Add(from)}
	}
	l.keys = []keys.SigningKey{at("first", 0, 0), at("slow", day, 9*day), at("fast", 2*day, 3*day), at("last", 2*day, 4*day)}
	l.now = noon.Add(2 * day)
	l.maintain()
	for _, k := range l.keys[:2] {
		if !k.SignsUntil.Equal(noon.Add(3*day)) || !k.PublishedUntil.Equal(noon.Add(3*day+stays)) {
			t.Errorf("got %+v", k)
		}
	}
	for after, want := range map[time.Duration]string{2 * day: "first", 3 * day: "fast", 9 * day: "last"} {
		if got := l.schedule.Signer(l.keys, "a", noon.Add(after)); got.ID != want {
			t.Errorf("after %s key %s signs, want %s", after, got.ID, want)
		}
	}
}

// An algorithm that is no longer wanted ends when its key would have been replaced and what it signed has lapsed.
func TestAlgorithmOutOfUseLapses(t *testing.T) {
	l := newLife(t, "a", "b")
	l.schedule = keys.NewSchedule(lifetime, ahead, stays, "a")
	for _, test := range []struct {
		at   time.Duration
		want bool
	}{{0, true}, {lifetime, true}, {lifetime + stays - 1, true}, {lifetime + stays, false}} {
		l.now = noon.Add(test.at)
		l.maintain()
		if got := l.published("2"); got != test.want {
			t.Errorf("after %s: published %v, want %v", test.at, got, test.want)
		}
	}
	if !l.published("1") {
		t.Error("the other algorithm lost its key")
	}
}
