package grants

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

var modelUser, modelSession = uuid.UUID{1}, uuid.UUID{2}

// userGrant is a grant of the one user, from the one session.
func (w *world) userGrant() Delegation {
	return Delegation{
		User: modelUser, Client: modelClient, Session: modelSession, Scopes: []uint32{1}, Resources: []uint32{1},
		Refreshable: true, Terms: w.terms(true),
	}
}

// endings are the acts that end grants of a user, as their callers do them. Those of a client end what was listed, for
// nothing tells a grant that is begun later from one that the user has just allowed anew.
func endings() map[string]struct {
	end        func(w *world) error
	onlyListed bool
} {
	ctx := context.Background()
	return map[string]struct {
		end        func(w *world) error
		onlyListed bool
	}{
		"of a client": {func(w *world) error { _, err := w.service.EndClient(ctx, modelUser, modelClient); return err }, true},
		"of a session": {func(w *world) error {
			w.loggedOut = true
			return w.service.EndSession(ctx, modelUser, modelSession)
		}, false},
		"of a user": {func(w *world) error {
			w.userEpoch++
			return w.service.EndUser(ctx, modelUser)
		}, false},
	}
}

// survivors are the grants that live although they should have been ended. It also checks that every live grant is
// listed: what is not cannot be ended.
func (w *world) survivors(onlyListed bool) []uuid.UUID {
	w.t.Helper()
	var out []uuid.UUID
	for key, r := range w.records {
		if key[0] != 'g' || isTombstone(r) {
			continue
		}
		id := uuid.UUID([]byte(key[1:]))
		name := memberName(modelClient, id)
		if !w.names[name] {
			w.t.Fatalf("path %v: a grant lives that is not listed", w.path.taken)
		}
		if !onlyListed || slices.Contains(w.listed, name) {
			out = append(out, id)
		}
	}
	return out
}

// A code is made and redeemed while the grants of its user, client or session are ended, with writes sent twice: nothing
// that the act had to end works when it is done, and what began after it works.
func TestModelNothingThatIsBeingMadeOutlivesAnEnd(t *testing.T) {
	verifier := string(bytes.Repeat([]byte("v"), 43))
	challenge := sha256.Sum256([]byte(verifier))
	for name, ending := range endings() {
		t.Run(name, func(t *testing.T) {
			explore(t, func(w *world) {
				w.resend = w.chance()
				var made uuid.UUID
				var tokens Tokens
				w.run(map[string]func(){
					"app": func() {
						text, id, err := w.service.IssueCode(context.Background(), w.userGrant(), Code{Challenge: challenge[:], Life: time.Minute})
						if err != nil {
							return
						}
						made = id
						tokens, _ = w.service.Redeem(context.Background(), text, "", verifier, Presenter{modelClient, w.terms(true)}, Ask{})
					},
					"end": func() {
						if err := ending.end(w); err != nil {
							w.t.Fatalf("path %v: %v", w.path.taken, err)
						}
					},
				})
				if left := w.survivors(ending.onlyListed); len(left) > 0 {
					w.t.Fatalf("path %v: a grant outlived its end", w.path.taken)
				}
				if tokens.Access == "" {
					return
				}
				_, err := w.service.Check(context.Background(), tokens.Access)
				if later := ending.onlyListed && !slices.Contains(w.listed, memberName(modelClient, made)); (err == nil) != later {
					w.t.Fatalf("path %v: begun after the end: %v; its token: %v", w.path.taken, later, err)
				}
			})
		})
	}
}
