package users_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/users"
)

const (
	horse   = "correct horse battery"
	letters = "pässwörd ünïcode ☃"
)

var long = strings.Repeat("x", 72) + "tail"

// django are hashes that Django 5.2 made itself, at a small cost.
var django = []struct{ name, password, encoded string }{
	{"pbkdf2_sha256", horse, "pbkdf2_sha256$1000$pLyDlBl5ah627dkJGQlIjK$8xEM3/aZDi9f/jyPKU6NLnkekugXuBtadNEvVZd+b3M="},
	{"pbkdf2_sha256", letters, "pbkdf2_sha256$1000$rprLJUR2IMAkmTUMPzZrHL$cbM48hMTfqkH4bBw6IxQEe4EsVrZ0U/w5eJKQfPPoVI="},
	{"pbkdf2_sha256", long, "pbkdf2_sha256$1000$VHkGC2NktHUiTJjbk1nZ7o$1km00TJJVak+kGmvZ6d0s6vXOCIrTG4E1p2boegc1rw="},
	{"pbkdf2_sha1", horse, "pbkdf2_sha1$1000$c567rIdqoknTdm4eTBV3Km$ZyT2h7gCXyeMn5k8vf71bTfGwq4="},
	{"pbkdf2_sha1", letters, "pbkdf2_sha1$1000$5PQpsZWnjtKJEQ4ARpL1IG$OwMu2+m9lm5OCEOT9nVC0/e+8c4="},
	{"argon2", horse, "argon2$argon2id$v=19$m=64,t=1,p=2$TE9qR1hUV3VwVHFFUTJDdWxINmRZMg$O/qhqOiwLES5brxJX7C+gJJrdTXdOrPdHJetxmMbbEE"},
	{"argon2", letters, "argon2$argon2id$v=19$m=64,t=1,p=2$a1JwZmwwMWJhUnFhSFhKTWNLb2g0aw$kTN8RHcGxXvfFvLRGGefJy/WCPXViALgVQPyoGdjGoA"},
	{"argon2, before Django 3", horse, "argon2$argon2i$v=19$m=64,t=1,p=2$oSGI0D4/fo7q2lyLIXHjng$ayIrXHR1PQ07lvGHAJwzJ6sKJQIeJpVVKvGozwJz70o"},
	{"bcrypt_sha256", horse, "bcrypt_sha256$$2b$04$bk.6zjjn2W.mc1HCwhvRLeLTwl8KJj6iTRhrgeGONgqHpcuBX4rR."},
	{"bcrypt_sha256", long, "bcrypt_sha256$$2b$04$61lGvw/BH25oRaJWosWw/ezWb4yPp58NiKV3tXdg5ZvBCc1Z5otL."},
	{"bcrypt", horse, "bcrypt$$2b$04$oBUW2VkA/yjRQu0q4ekg1enCThG5xNz07UtbhrPlAjxtEkB93Kf8y"},
	{"bcrypt", letters, "bcrypt$$2b$04$pJ9gvAECbsZfGRdC.9FICuc6LBjXqnrjCHhdd.vYBk9m3UQ1ErUSa"},
	{"scrypt", horse, "scrypt$1024$9qjEsqIMBEcHlxiuM8vpYw$8$1$0oo4MuI/LKuZm1Hm6GgmXS+qLOpWqBPc6JCWYUR7ckaCPjMm0fGm82OC2Qc+QxS+TA/DOygacYC8GMkTHgm6Mw=="},
	{"scrypt", letters, "scrypt$1024$agSBoI1I3JjIboK59otsfp$8$1$1yRGtLq1j3LzmUK8D2P+4+iWaCLxE49KF4nCjH8Uld7dve2lfOuDjK1pM4+HbsMRdC72C2XnQD8jKtIRbFrdTg=="},
	{"scrypt", long, "scrypt$1024$kEjp4uo4KvHV2g7VphuaFT$8$1$s4apknhNRnSghm2aPjX7U9z1TZdtRUZgNq0HQw62sN7+Gn03/HkDpf1fn3ei8lbOxdNroMMg7mnwvsp6TKRFmw=="},
}

// The same password, as Django 5.2 hashes it when nobody has set anything.
var djangoDefaults = []string{
	"pbkdf2_sha256$1000000$15yvJFthsh0Yx5LTypN55Z$bztlXWi3caGXccP/r7T8v3Ci+ZypCG7KYScBJAB7W6Y=",
	"pbkdf2_sha1$1000000$yAVBgXGepDOFvAF59FCZNN$+vFB5zII+HwMa5cGoqMuuRbeRck=",
	"argon2$argon2id$v=19$m=102400,t=2,p=8$MFZuS0o3cUJSVFo4cW9ndVllV0EwUg$Z/VqOGSHF2AIDxVZZG0ShzKYLaTrMZODAUkRi0/caow",
	"bcrypt_sha256$$2b$12$lHRZ4P6pb5wlK9ZbtIwtquxEjdaawNcJGycuDXAo812VO5IftFw4K",
	"bcrypt$$2b$12$2BUH6p3/x1I/LT2kixyo5edAvcd7cRc79XYUqTLBZKkIzwq6v/m/6",
	"scrypt$16384$tZy1nrSbIFbXvAaSAAlNEA$8$5$pb5IBh5M9BrEikyFxn3QcWbCPh7RGOr2eyH4oMDuiIc7VMf3gtnpPQrs8QfoIN+ISV92KOGVJpMIOXiMy35Lxw==",
}

// Who comes from Django keeps the password.
func TestHashesOfDjangoAreVerified(t *testing.T) {
	h := users.NewHasher(cheap, 1, 1)
	for _, v := range django {
		if matches, stale := verify(t, h, v.encoded, v.password); !matches || !stale {
			t.Errorf("%s of %q: matches %v, stale %v", v.name, v.password, matches, stale)
		}
		for _, wrong := range []string{v.password + " ", v.password[1:], strings.ToUpper(v.password), "another password"} {
			if matches, _ := verify(t, h, v.encoded, wrong); matches {
				t.Errorf("%s of %q: %q matches", v.name, v.password, wrong)
			}
		}
	}
	if matches, _ := verify(t, h, djangoDefaults[0], horse); !matches {
		t.Errorf("%s does not match", djangoDefaults[0])
	}
	r := open(t)
	for _, encoded := range djangoDefaults {
		if err := r.Check(t.Context(), users.NewUser{Username: "ada", PasswordHash: encoded}); err != nil {
			t.Errorf("%s: %v", encoded, err)
		}
	}
}

// Django hashes what was typed, byte for byte.
func TestHashesOfDjangoAreOfThePasswordAsTyped(t *testing.T) {
	h := users.NewHasher(cheap, 1, 1)
	const decomposed = "pbkdf2_sha256$1000$EH6aNmMzNcygD2DulIS4gP$cm5SfzZKym4OfgKVnXeItems/PWwUXTPxLTUpAFFCwg="
	if matches, _ := verify(t, h, decomposed, "cafe\u0301 au lait"); !matches {
		t.Error("as it was typed, it does not match")
	}
	if matches, _ := verify(t, h, decomposed, "caf\u00e9 au lait"); matches {
		t.Error("in other bytes, it matches")
	}
}

// Django with bcrypt and without SHA-256 took 72 bytes for the whole password, and who has such a one must get in.
func TestPlainBcryptOfDjangoEndsAt72Bytes(t *testing.T) {
	h := users.NewHasher(cheap, 1, 1)
	const of72 = "bcrypt$$2b$04$.SZ1jTR5FjR93WwswlFftOu6pnvUmZCDzUIjPsmL3dpAP./edcDS6"
	if matches, _ := verify(t, h, of72, long); !matches {
		t.Error("a longer password that begins with the 72 bytes does not match")
	}
	if matches, _ := verify(t, h, of72, long[:71]); matches {
		t.Error("71 bytes match")
	}
}

// A hash that nobody here can verify, that takes a machine for itself, or that has two spellings is refused, and what
// refuses it shows nothing of it.
func TestBadForeignHashesAreRefused(t *testing.T) {
	r := open(t)
	const tag, salt = "8xEM3/aZDi9f/jyPKU6NLnkekugXuBtadNEvVZd+b3M=", "pLyDlBl5ah627dkJGQlIjK"
	const tail = "$TE9qR1hUV3VwVHFFUTJDdWxINmRZMg$O/qhqOiwLES5brxJX7C+gJJrdTXdOrPdHJetxmMbbEE"
	const bcryptTail = "oBUW2VkA/yjRQu0q4ekg1enCThG5xNz07UtbhrPlAjxtEkB93Kf8y"
	const scryptTag = "0oo4MuI/LKuZm1Hm6GgmXS+qLOpWqBPc6JCWYUR7ckaCPjMm0fGm82OC2Qc+QxS+TA/DOygacYC8GMkTHgm6Mw=="
	for name, encoded := range map[string]string{
		"a password":              horse,
		"a hash of ours":          hash(t, users.NewHasher(cheap, 1, 1), horse),
		"another format":          "pbkdf2_sha512$1000$" + salt + "$" + tag,
		"md5":                     "md5$FG8d9v4888UhOFPB3agmt2$425d269c41a377afb2512c8f5a7748ce",
		"sha1":                    "sha1$abc$425d269c41a377afb2512c8f5a7748ce425d269c",
		"a name alone":            "pbkdf2_sha256",
		"a megabyte":              "pbkdf2_sha256$1000$" + strings.Repeat("a", 1<<20) + "$" + tag,
		"no iterations":           "pbkdf2_sha256$0$" + salt + "$" + tag,
		"too many iterations":     "pbkdf2_sha256$5000001$" + salt + "$" + tag,
		"many more":               "pbkdf2_sha256$99999999999999999999$" + salt + "$" + tag,
		"less than no iterations": "pbkdf2_sha256$-1$" + salt + "$" + tag,
		"a leading zero":          "pbkdf2_sha256$01000$" + salt + "$" + tag,
		"a plus":                  "pbkdf2_sha256$+1000$" + salt + "$" + tag,
		"no salt":                 "pbkdf2_sha256$1000$$" + tag,
		"a blank in the salt":     "pbkdf2_sha256$1000$a b$" + tag,
		"a part too many":         "pbkdf2_sha256$1000$" + salt + "$" + tag + "$",
		"no tag":                  "pbkdf2_sha256$1000$" + salt + "$",
		"a short tag":             "pbkdf2_sha256$1000$" + salt + "$8xEM3/aZDi9f",
		"sha1's tag":              "pbkdf2_sha256$1000$" + salt + "$ZyT2h7gCXyeMn5k8vf71bTfGwq4=",
		"no padding":              "pbkdf2_sha256$1000$" + salt + "$" + strings.TrimSuffix(tag, "="),
		"bits left over":          "pbkdf2_sha256$1000$" + salt + "$" + strings.TrimSuffix(tag, "M=") + "N=",
		"a line end":              "pbkdf2_sha256$1000$" + salt + "$" + tag + "\n",
		"argon2d":                 "argon2$argon2d$v=19$m=64,t=1,p=2" + tail,
		"an older argon2":         "argon2$argon2id$v=16$m=64,t=1,p=2" + tail,
		"argon2 of much memory":   "argon2$argon2id$v=19$m=262145,t=1,p=2" + tail,
		"argon2 of much work":     "argon2$argon2id$v=19$m=102400,t=6,p=2" + tail,
		"argon2 of many lanes":    "argon2$argon2id$v=19$m=64,t=1,p=9" + tail,
		"argon2 of 65 lanes":      "argon2$argon2id$v=19$m=102400,t=1,p=65" + tail,
		"argon2 without passes":   "argon2$argon2id$v=19$m=64,t=0,p=2" + tail,
		"bcrypt of much work":     "bcrypt$$2b$15$" + bcryptTail,
		"bcrypt of 31":            "bcrypt_sha256$$2b$31$" + bcryptTail,
		"bcrypt of too little":    "bcrypt$$2b$03$" + bcryptTail,
		"bcrypt of a bad kind":    "bcrypt$$2x$04$" + bcryptTail,
		"bcrypt cut off":          "bcrypt$$2b$04$" + bcryptTail[1:],
		"bcrypt of other letters": "bcrypt$$2b$04$" + strings.Replace(bcryptTail, "o", "=", 1),
		"bcrypt without a dollar": "bcrypt$2b$04$" + bcryptTail,
		"scrypt of much memory":   "scrypt$524288$" + salt + "$8$1$" + scryptTag,
		"scrypt of much work":     "scrypt$131072$" + salt + "$8$5$" + scryptTag,
		"scrypt of no power":      "scrypt$1000$" + salt + "$8$1$" + scryptTag,
		"scrypt of 1":             "scrypt$1$" + salt + "$8$1$" + scryptTag,
		"scrypt of wide blocks":   "scrypt$2$" + salt + "$33$1$" + scryptTag,
		"scrypt of a short tag":   "scrypt$1024$" + salt + "$8$1$" + tag,
	} {
		for what, err := range map[string]error{
			"create": func() error {
				_, err := r.Create(t.Context(), users.NewUser{Username: "ada", PasswordHash: encoded})
				return err
			}(),
			"check": r.Check(t.Context(), users.NewUser{Username: "ada", PasswordHash: encoded}),
		} {
			var invalid *users.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != "password_hash" || invalid.Fix == "" {
				t.Errorf("%s, %s: got %v", name, what, err)
				continue
			}
			for _, part := range append(strings.Split(encoded, "$"), encoded) {
				if len(part) > 13 && strings.Contains(err.Error(), part) {
					t.Errorf("%s, %s: the error shows %s", name, what, part)
				}
			}
		}
	}
	if n := r.hasher.Computed(); n != 0 {
		t.Errorf("%d hashes were computed", n)
	}
	_, err := r.Create(t.Context(), users.NewUser{Username: "ada", PasswordHash: django[0].encoded, Password: horse})
	var invalid *users.InvalidError
	if !errors.As(err, &invalid) || invalid.Field != "password_hash" {
		t.Errorf("a hash beside a password: got %v", err)
	}
}

// After one login nothing is left of the hash that another system made, and nothing that was granted ends by that.
func TestLoginReplacesTheHashOfDjango(t *testing.T) {
	for _, v := range django {
		if v.password != horse {
			continue
		}
		r := open(t)
		u, err := r.Create(t.Context(), users.NewUser{Username: "ada", PasswordHash: v.encoded})
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		if u.Hash != v.encoded || u.PasswordChanged.IsZero() {
			t.Errorf("%s: made with %q, password of %v", v.name, u.Hash, u.PasswordChanged)
		}
		wantErr(t, v.name, r.try(t, "ada", "wrong horse battery"), users.ErrCredentials)
		now, err := r.Fresh(t.Context(), u.ID)
		if err != nil || now.Hash != v.encoded {
			t.Errorf("%s: a wrong password changed the hash: %v", v.name, err)
		}
		wantErr(t, v.name, r.try(t, "ada", horse), nil)
		if now, err = r.Fresh(t.Context(), u.ID); err != nil || !strings.HasPrefix(now.Hash, "$argon2id$v=19$m=8,t=1,p=1$") {
			t.Errorf("%s: the hash is %q, %v", v.name, now.Hash, err)
		}
		if now.Epoch != u.Epoch || !now.PasswordChanged.Equal(u.PasswordChanged) || len(r.ender.ended(u.ID)) != 0 {
			t.Errorf("%s: the login ended something", v.name)
		}
		wantErr(t, v.name, r.try(t, "ada", horse), nil)
		wantErr(t, v.name, r.try(t, "ada", "wrong horse battery"), users.ErrCredentials)
	}
}

// Who could not log in at Django cannot log in here.
func TestUnusablePasswordsOfDjangoOpenNothing(t *testing.T) {
	r := open(t)
	for username, mark := range map[string]string{"ada": "!I9qGCrgNJXXl3RyJQ0Nh3U5KLSA2Z0Dl2LdHHXem", "bob": "!"} {
		u, err := r.Create(t.Context(), users.NewUser{Username: username, PasswordHash: mark})
		if err != nil || u.Hash != "" || !u.PasswordChanged.IsZero() {
			t.Fatalf("got %+v, %v", u, err)
		}
		for _, guess := range []string{mark, strings.TrimPrefix(mark, "!"), "!!!!!!!!", horse} {
			wantErr(t, guess, r.try(t, username, guess), users.ErrCredentials)
		}
	}
}

// Who is disabled gets the same answer after the same work as who mistypes, also with a hash from elsewhere.
func TestFailuresWithForeignHashesLookTheSame(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	c := &counting{Store: s}
	r := on(c, users.NewHasher(cheap, 1, 1), users.Limits{})
	for _, username := range []string{"ada", "disabled"} {
		u, err := r.Create(t.Context(), users.NewUser{Username: username, PasswordHash: django[0].encoded, Disabled: username == "disabled"})
		if err != nil || u.Disabled != (username == "disabled") {
			t.Fatalf("got %+v, %v", u, err)
		}
	}
	for _, attempt := range [][2]string{{"ada", "wrong horse battery"}, {"disabled", horse}, {"disabled", "wrong horse battery"}, {"nobody", horse}} {
		hashes, reads, writes := r.hasher.Computed(), c.reads.Load(), c.writes.Load()
		wantErr(t, attempt[0], r.try(t, attempt[0], attempt[1]), users.ErrCredentials)
		hashes, reads, writes = r.hasher.Computed()-hashes, c.reads.Load()-reads, c.writes.Load()-writes
		if hashes != 1 || reads != 4 || writes != 2 {
			t.Errorf("%s: %d hashes, %d reads and %d writes, want 1, 4 and 2", attempt[0], hashes, reads, writes)
		}
	}
}

// A hash from elsewhere waits its turn like any other: nobody takes the machine by logging in.
func TestForeignHashesAreComputedInTheSameQueue(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	free := on(s, users.NewHasher(cheap, 1, 1), users.Limits{})
	if _, err := free.Create(t.Context(), users.NewUser{Username: "ada", PasswordHash: django[0].encoded}); err != nil {
		t.Fatal(err)
	}
	full := on(s, slow(t, -1), users.Limits{})
	wantErr(t, "a full queue", full.try(t, "ada", horse), users.ErrBusy)
	wantErr(t, "afterwards", free.try(t, "ada", horse), nil)
}

// Check says what Create would, and makes nothing.
func TestCheckSaysWhatCreateWould(t *testing.T) {
	r := open(t)
	r.create(t, "taken")
	for _, n := range []users.NewUser{
		{Username: "ada"}, {Username: "TAKEN"}, {Username: "a da"}, {Username: "ada", Email: "x"}, {Username: "ada", Password: "short"},
		{Username: "ada", Password: horse}, {Username: "ada", PasswordHash: django[0].encoded}, {Username: "ada", PasswordHash: "!"},
	} {
		checked := r.Check(t.Context(), n)
		again := r.Check(t.Context(), n)
		u, made := r.Create(t.Context(), n)
		if (checked == nil) != (made == nil) || (again == nil) != (made == nil) || checked != nil && checked.Error() != made.Error() {
			t.Errorf("%+v: checked %v, then %v, made %v", n, checked, again, made)
		}
		if made == nil {
			if err := r.Delete(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
}
