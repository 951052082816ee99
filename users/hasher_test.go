package users_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/users"
)

// cheap is a cost at which tests can compute thousands of hashes.
var cheap = users.Params{MemoryKiB: 8, Passes: 1, Threads: 1}

func hash(t *testing.T, h *users.Hasher, password string) string {
	t.Helper()
	encoded, err := h.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func verify(t *testing.T, h *users.Hasher, encoded, password string) (matches, stale bool) {
	t.Helper()
	matches, stale, err := h.Verify(t.Context(), encoded, password)
	if err != nil {
		t.Fatal(err)
	}
	return matches, stale
}

// OWASP's first choice for argon2id, with its parameters in the hash.
func TestHasherDefaultsToTheRecommendedCost(t *testing.T) {
	encoded := hash(t, users.NewHasher(users.Params{}, 1, 1), "correct horse")
	if !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s", encoded)
	}
}

func TestHasherVerifiesWhatItHashed(t *testing.T) {
	h := users.NewHasher(cheap, 1, 1)
	encoded := hash(t, h, "correct horse")
	if matches, stale := verify(t, h, encoded, "correct horse"); !matches || stale {
		t.Errorf("got %v, stale %v", matches, stale)
	}
	if matches, _ := verify(t, h, encoded, "Correct horse"); matches {
		t.Error("another password matched")
	}
	if hash(t, h, "correct horse") == encoded {
		t.Error("two hashes of one password are equal: there is no salt")
	}
	dearer := users.NewHasher(users.Params{MemoryKiB: 16, Passes: 1, Threads: 1}, 1, 1)
	if matches, stale := verify(t, dearer, encoded, "correct horse"); !matches || !stale {
		t.Errorf("with other parameters: got %v, stale %v", matches, stale)
	}
}

// Nothing is cut off. bcrypt would take these two for the same password.
func TestHasherUsesTheWholePassword(t *testing.T) {
	h := users.NewHasher(cheap, 1, 1)
	long := strings.Repeat("x", 1023)
	encoded := hash(t, h, long+"a")
	if matches, _ := verify(t, h, encoded, long+"b"); matches {
		t.Error("the last of 1024 bytes does not count")
	}
	if matches, _ := verify(t, h, encoded, long+"a"); !matches {
		t.Error("a password of 1024 bytes does not match itself")
	}
}

// The same characters come in different bytes from different keyboards.
func TestHasherNormalizesOnce(t *testing.T) {
	h := users.NewHasher(cheap, 1, 1)
	if matches, _ := verify(t, h, hash(t, h, "caf\u00e9 au lait"), "cafe\u0301 au lait"); !matches {
		t.Error("composed and decomposed characters differ")
	}
	// Compatibility forms do not: they are other characters.
	if matches, _ := verify(t, h, hash(t, h, "\ufb01ve bottles"), "five bottles"); matches {
		t.Error("a ligature was taken for its letters")
	}
}

func TestHasherRefusesBadPasswordsWithoutHashing(t *testing.T) {
	h := users.NewHasher(cheap, 1, 1)
	valid := hash(t, h, "correct horse")
	before := h.Computed()
	start := time.Now()
	for name, password := range map[string]string{
		"empty":                     "",
		"seven characters":          "1234567",
		"seven characters in bytes": "éééé é\u0301",
		"1025 bytes":                strings.Repeat("x", 1025),
		"a megabyte":                strings.Repeat("x", 1<<20),
		"invalid UTF-8":             "correct \xff horse",
		"a surrogate":               "correct \xed\xa0\x80 horse",
		"NUL":                       "correct\x00horse",
	} {
		_, err := h.Hash(t.Context(), password)
		var invalid *users.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "password" || invalid.Fix == "" {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("%s: the error shows the password", name)
		}
		if matches, _ := verify(t, h, valid, password); matches {
			t.Errorf("%s matched", name)
		}
		if err := users.CheckPassword(password); !errors.As(err, &invalid) || invalid.Field != "password" {
			t.Errorf("%s: checked, got %v", name, err)
		}
	}
	if err := users.CheckPassword("correct horse"); err != nil {
		t.Errorf("a good one: checked, got %v", err)
	}
	if n := h.Computed() - before; n != 0 {
		t.Errorf("%d hashes were computed", n)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
}

// A user without a password has no hash, and no password is his.
func TestEmptyHashMatchesNothingAndCostsTheSame(t *testing.T) {
	h := users.NewHasher(cheap, 1, 1)
	for _, password := range []string{"undefined", "null null", "\t\t\t\t\t\t\t\t"} {
		if matches, _ := verify(t, h, "", password); matches {
			t.Errorf("%q matched", password)
		}
	}
	if n := h.Computed(); n != 3 {
		t.Errorf("%d hashes were computed, want 3", n)
	}
}

// A hash that was not written here must be an error: it is neither a match nor a wrong password, and a damaged
// one must not take the machine's memory.
func TestDamagedHashesAreErrors(t *testing.T) {
	h := users.NewHasher(cheap, 1, 1)
	good := hash(t, h, "correct horse")
	before := h.Computed()
	for _, bad := range []string{
		"x", good[:40], good + "=", strings.ToUpper(good), " " + good,
		strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=8", "m=08", 1),
		strings.Replace(good, "m=8", "m=4294967295", 1),
		strings.Replace(good, "m=8", "m=99999999999", 1),
		strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "t=1", "t=4000000000", 1),
		strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "p=1", "p=1,x=2", 1),
		"$argon2id$v=19$m=8,t=1,p=1$$",
	} {
		if matches, _, err := h.Verify(t.Context(), bad, "correct horse"); err == nil || matches {
			t.Errorf("%q: got %v and %v", bad, matches, err)
		}
	}
	if n := h.Computed() - before; n != 0 {
		t.Errorf("%d hashes were computed", n)
	}
}

// slow is a hasher whose one worker is busy until the returned function is called.
func slow(t *testing.T, queue int) *users.Hasher {
	t.Helper()
	h := users.NewHasher(users.Params{MemoryKiB: 64 * 1024, Passes: 12, Threads: 1}, 1, queue)
	started := h.Computed()
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Hash(context.Background(), "keeps it busy")
	}()
	t.Cleanup(func() { <-done })
	for h.Computed() == started {
		time.Sleep(100 * time.Microsecond)
	}
	return h
}

// Overload is told at once, and memory stays bounded.
func TestFullQueueIsBusy(t *testing.T) {
	h := slow(t, 1)
	waiting := make(chan error, 1)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		err := users.ErrBusy
		for errors.Is(err, users.ErrBusy) { // until the calls below leave the place to it
			_, err = h.Hash(ctx, "waits in the queue")
		}
		waiting <- err
	}()
	// Who finds no place is told so.
	deadline := time.Now().Add(5 * time.Second)
	for {
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, _, err := h.Verify(short, "", "finds no place")
		cancel()
		if errors.Is(err, users.ErrBusy) {
			break
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Now().After(deadline) {
			t.Fatalf("got %v, want ErrBusy", err)
		}
	}
	// Who goes away leaves the place to the next one.
	leave()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := h.Hash(short, "finds the place"); errors.Is(err, users.ErrBusy) {
		t.Errorf("got %v after the other one left", err)
	}
}

// Nobody waits when there is no queue.
func TestNegativeQueueIsNone(t *testing.T) {
	h := slow(t, -1)
	if _, err := h.Hash(t.Context(), "finds no place"); !errors.Is(err, users.ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
}

// Whoever has gone before his turn costs nothing.
func TestEndedContextComputesNothing(t *testing.T) {
	h := users.NewHasher(cheap, 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "correct horse"); !errors.Is(err, context.Canceled) || h.Computed() != 0 {
		t.Errorf("got %v after %d hashes", err, h.Computed())
	}
}
