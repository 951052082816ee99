package keys_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// verifier is a resource server that keeps the key set for 300 seconds and never fetches it earlier, also not for a key
// that it does not know.
type verifier struct {
	set     jose.JSONWebKeySet
	fetched time.Time
}

func (v *verifier) verify(t *testing.T, s *keys.Signing, token string, now time.Time) {
	t.Helper()
	if v.fetched.IsZero() || now.Sub(v.fetched) > 300*time.Second {
		body, _ := jwks(t, s)
		v.set = jose.JSONWebKeySet{}
		if err := json.Unmarshal([]byte(body), &v.set); err != nil {
			t.Fatal(err)
		}
		v.fetched = now
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(v.set); err != nil {
		t.Fatalf("at %s: key %s of a set fetched at %s: %v", now, parsed.Signatures[0].Header.KeyID, v.fetched, err)
	}
}

// Over 20 rotations on three processes, a strict verifier never meets a key that it does not know, nor misses one while
// a token of it lives.
func TestStrictVerifierKnowsEveryKeyOverTwentyRotations(t *testing.T) {
	db, c := bolttest.Open(t, noon)
	ring := ringOf(t, keys.NewSecret())
	processes := make([]*keys.Signing, 3)
	for i := range processes {
		processes[i] = keys.NewSigning(keys.SigningConfig{
			Store: db, Changes: store.NewChanges(db), Ring: ring, Algorithms: quick,
			Lifetime: 6 * time.Hour, Ahead: 30 * time.Minute, Keep: 70 * time.Minute,
		})
	}
	const tokenLife = time.Hour
	type issued struct {
		token string
		at    time.Time
	}
	random := rand.New(rand.NewPCG(20, 300))
	strict, signers, live := &verifier{}, map[string]bool{}, []issued(nil)
	for len(signers) < 21*len(quick) {
		now := c.Now()
		process := processes[random.IntN(len(processes))]
		for _, algorithm := range quick {
			token := sign(t, process, algorithm, "", 1)
			signers[keyOf(t, token)] = true
			live = append(live, issued{token, now})
			strict.verify(t, process, token, now)
		}
		for now.Sub(live[0].at) > tokenLife {
			live = live[1:]
		}
		strict.verify(t, process, live[0].token, now)
		accepted(t, processes[0], "a live token", live[0].token)
		if random.IntN(8) == 0 {
			maintain(t, processes[random.IntN(len(processes))])
		}
		c.Advance(time.Duration(random.IntN(400)) * time.Second)
	}
	if n := len(list(t, processes[0])); n > 3*len(quick) {
		t.Errorf("%d keys are left", n)
	}
}
