package grants

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"
)

const (
	// doubleSend is how long after its redemption a code may come again without harm: honest clients send twice.
	doubleSend = 2 * time.Second
	// replayWatch is how long after its end a code is still recognised as replayed.
	replayWatch = 5 * time.Minute
)

// redemption is what a client presents with a code.
type redemption struct {
	redirectURI string
	verifier    string
	ask         *narrowing
	terms       Terms
}

// redeem is the rule for a code: what it gets from grant g at now. It is a pure function; the caller has checked the
// tag, that the client is the one that the code was made for, and the epochs.
func redeem(g grant, r redemption, now time.Time) decision {
	switch {
	case g.State == unapproved || g.Proof == nil:
		return decision{verdict: verdictRefused}
	case g.State == active:
		return replayed(g, r, now)
	case !now.Before(g.at(g.Proof.CodeEnd)) || !now.Before(g.at(g.End)):
		return decision{verdict: verdictRefused, reason: "it has expired"}
	case !g.Proof.redirectMatches(r.redirectURI):
		return decision{verdict: verdictRefused, reason: "redirect_uri is not that of the authorization request"}
	case !g.Proof.verifierMatches(r.verifier):
		// The right client with a wrong verifier: the code was injected or is being guessed at, so it is spent
		// (RFC 9700 §4.5.3.1, RFC 7636 §4.6).
		return decision{verdict: verdictRefused, ends: true, reason: "code_verifier does not fit code_challenge"}
	}
	next := grant{g.id, g.clone()}
	next.State = active
	next.Generation = 1
	next.Rotated = g.since(now)
	next.Idle = firstIdle(next.Rotated, r.terms)
	spent := *g.Proof
	spent.Redeemed, spent.Note = next.Rotated, nil
	next.Proof = &spent
	d := decision{verdict: verdictRotate, next: next.record, generation: 1, note: g.Proof.Note}
	d.access, d.narrowed = next.issueAccess(r.ask, r.terms, now)
	return d
}

// replayed judges a code that was redeemed before. Only who passes every check of a redemption has shown to hold
// everything that the client holds, and ends the grant (RFC 6749 §4.1.2); anybody else could end grants at will.
func replayed(g grant, r redemption, now time.Time) decision {
	if !g.Proof.redirectMatches(r.redirectURI) || !g.Proof.verifierMatches(r.verifier) {
		return decision{verdict: verdictReused}
	}
	if now.Sub(g.at(g.Proof.Redeemed)) <= doubleSend {
		return decision{verdict: verdictOld}
	}
	return decision{verdict: verdictReused, ends: true}
}

// firstIdle is the first idle end. Where refreshes do not rotate it is longer, so that most of them need no write.
func firstIdle(at tenths, terms Terms) tenths {
	if terms.Rotate {
		return at + inTenths(terms.Idle)
	}
	return at + inTenths(terms.Idle+terms.Idle/16)
}

func (p *proof) redirectMatches(uri string) bool {
	if len(p.Redirect) == 0 {
		return uri == ""
	}
	sum := sha256.Sum256([]byte(uri))
	return subtle.ConstantTimeCompare(sum[:], p.Redirect) == 1
}

// verifierMatches checks a code verifier by S256. A verifier without a challenge is refused like a challenge without a
// verifier: either half alone is a downgrade (RFC 9700 §4.8.2).
func (p *proof) verifierMatches(verifier string) bool {
	if len(p.Challenge) == 0 {
		return verifier == ""
	}
	if !validVerifier(verifier) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare(sum[:], p.Challenge) == 1
}

// validVerifier checks the form of a code verifier (RFC 7636 §4.1).
func validVerifier(verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	for _, c := range []byte(verifier) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}

// ParseChallenge reads an S256 code challenge: exactly 43 characters of base64url (RFC 7636 §4.2).
func ParseChallenge(text string) ([]byte, bool) {
	if len(text) != 43 {
		return nil, false
	}
	challenge, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(challenge) != sha256.Size {
		return nil, false
	}
	return challenge, true
}
