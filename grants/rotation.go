package grants

import (
	"math"
	"slices"
	"time"
)

// Terms are what the client's registration and the resource say about the life of tokens.
type Terms struct {
	// Access is the life of an access token that is good for these resources.
	Access func(resources []uint32) time.Duration
	// Signs reports whether an access token that is good for these resources is signed, so that they can verify it
	// without asking (RFC 9068), and Sign signs it; nil for never. Sign must not need the store: by the time it is called
	// the code or refresh token is spent.
	Signs func(resources []uint32) bool
	Sign  func(*Token) (string, error)
	// place finds a place in a status list; see Service.placing.
	place func() *StatusPlace
	// Idle is how long a grant lives without a refresh, Absolute how long at most.
	Idle, Absolute time.Duration
	// Window is how long after its rotation a refresh token gets the same answer again, 0 to MaxWindow.
	Window time.Duration
	// Rotate says that each refresh gives a new refresh token (RFC 9700 §4.14.2).
	Rotate bool
	// Authenticated says that the client has proven who it is, so a token that it repeats was not stolen from it.
	Authenticated bool
}

// verdict is what the refresh table says.
type verdict int

const (
	verdictRotate  verdict = iota // the next generation
	verdictRepeat                 // the answer that the rotation gave, or a further access token of the same generation
	verdictKeep                   // no rotation: the refresh token stays as it is
	verdictOld                    // refused; the grant lives, for an honest client may have sent it
	verdictReused                 // refused; a second holder has shown itself
	verdictRefused                // refused for a reason that says nothing about a thief
)

// decision is a verdict with what follows from it.
type decision struct {
	verdict verdict
	// next is the record to be swapped in before anything is answered; nil means that nothing changes.
	next *record
	// reason says for the log why a code was refused; empty where the event says it.
	reason string
	// ends says that the grant is to be deleted.
	ends bool
	// access and its narrowing, if it has one, are what the answer's access token says.
	access   answer
	narrowed *narrowed
	// generation is what the answer's refresh token says.
	generation uint32
	// note is what the code's redemption hands back.
	note []byte
}

// refresh is the refresh table: what a refresh token of generation p gets from grant g at now. It is a pure function.
// The caller has checked the tag, the client, the epochs and that ask is within the grant.
func refresh(g grant, p uint32, ask *narrowing, terms Terms, now time.Time) decision {
	if g.State == unapproved || !g.Refreshable || p == 0 || p == math.MaxUint32 {
		return decision{verdict: verdictRefused}
	}
	if !now.Before(g.at(g.Idle)) && g.State == active || !now.Before(g.at(g.End)) {
		return decision{verdict: verdictRefused}
	}
	// Serials are counted in 32 bits. A grant that has spent them all is over.
	if g.LastSerial == math.MaxUint32 {
		return decision{verdict: verdictRefused}
	}
	switch {
	case p == g.Generation && !terms.Rotate:
		return keep(g, ask, terms, now)
	case p >= g.Generation:
		// p > g: rotations were acknowledged and then lost, in a failover or by a restored backup. The tag proves that
		// this server made p, so it is current, and what the store believed current counts as rotated now.
		return rotate(g, p, ask, terms, now)
	case p == g.Generation-1 && (terms.Authenticated || insideWindow(g, p, terms, now)):
		return repeat(g, ask, terms, now)
	case insideWindow(g, p, terms, now):
		return decision{verdict: verdictOld}
	default:
		// RFC 9700 §4.14.2: a replayed refresh token of a public client revokes its grant. A client that proved who
		// it is only repeats itself.
		return decision{verdict: verdictReused, ends: !terms.Authenticated}
	}
}

// rotate makes p+1 the current generation.
func rotate(g grant, p uint32, ask *narrowing, terms Terms, now time.Time) decision {
	next := grant{g.id, g.clone()}
	at := g.since(now)
	next.State = active
	if !terms.Rotate {
		// Only a lost rotation of a client whose rotation was switched off since leads here: p itself stays current.
		next.markRotations(p-g.Generation, at)
		next.Generation = p
	} else {
		next.markRotations(p-g.Generation+1, at)
		next.Generation = p + 1
	}
	next.Idle = at + inTenths(terms.Idle)
	if next.Proof != nil && now.After(g.at(next.Proof.CodeEnd).Add(replayWatch)) {
		next.Proof = nil // nobody can replay the code any more
	}
	if next.Proof != nil && next.Proof.Note != nil {
		// A redemption was acknowledged and then lost: the note was handed back with it.
		handed := *next.Proof
		handed.Note = nil
		next.Proof = &handed
	}
	d := decision{verdict: verdictRotate, next: next.record, generation: next.Generation}
	d.access, d.narrowed = next.issueAccess(ask, terms, now)
	return d
}

// repeat gives the answer of the latest rotation again, byte for byte. A repetition that asks for something else, or
// that comes when the answer has gone stale, gets a further access token of the same generation.
func repeat(g grant, ask *narrowing, terms Terms, now time.Time) decision {
	d := decision{verdict: verdictRepeat, generation: g.Generation}
	known := g.signed() || !terms.signs(g.record, ask)
	if a, n, ok := g.answered(ask); ok && known && insideWindow(g, g.Generation-1, terms, now) && now.Before(g.accessEnd(a)) {
		d.access, d.narrowed = a, n
		return d
	}
	next := grant{g.id, g.clone()}
	if terms.Authenticated {
		next.Idle = max(next.Idle, g.since(now)+inTenths(terms.Idle))
	}
	d.access, d.narrowed = next.issueAccess(ask, terms, now)
	d.next = next.record
	return d
}

// keep answers without a rotation. It writes only to list a narrowed token or when the idle life must be extended; so
// that most refreshes need not, the idle life is set a sixteenth longer than the terms say.
func keep(g grant, ask *narrowing, terms Terms, now time.Time) decision {
	at := g.since(now)
	d := decision{verdict: verdictKeep, generation: g.Generation}
	life := terms.Access(g.Resources)
	if ask == nil && g.knowsSigned(terms, life) && g.Idle >= at+inTenths(terms.Idle) && g.expires().After(now.Add(life+time.Second)) {
		d.access = answer{Serial: g.LastSerial, Issued: at, Life: g.within(at, life)}
		return d
	}
	next := grant{g.id, g.clone()}
	next.Idle = at + inTenths(terms.Idle+terms.Idle/16)
	d.access, d.narrowed = next.issueAccess(ask, terms, now)
	d.next = next.record
	return d
}

// knowsSigned reports whether the record tells, without being written anew, of a signed token of this life: whoever ends
// the grant must know for how long that must be told.
func (g grant) knowsSigned(terms Terms, life time.Duration) bool {
	return !terms.signs(g.record, nil) || g.signed() && inSeconds(life) <= g.SignedLife
}

// insideWindow reports whether generation p was rotated at most terms.Window before now. A rotation whose time is no
// longer kept was outside.
func insideWindow(g grant, p uint32, terms Terms, now time.Time) bool {
	at, ok := g.rotatedAt(p)
	return ok && now.Sub(g.at(at)) <= min(terms.Window, MaxWindow)
}

// rotatedAt is when generation p was replaced by p+1.
func (g grant) rotatedAt(p uint32) (tenths, bool) {
	behind := g.Generation - 1 - p
	if behind == 0 {
		return g.Rotated, true
	}
	if int64(behind) > int64(len(g.Earlier)) {
		return 0, false
	}
	return g.Rotated - tenths(g.Earlier[behind-1]), true
}

// markRotations enters count rotations at the moment at. What lies further back than MaxWindow decides nothing any more
// and is dropped.
func (g grant) markRotations(count uint32, at tenths) {
	for range min(count, rotationsKept) {
		earlier := make([]uint16, 0, rotationsKept-1)
		gap := at - min(g.Rotated, at)
		for _, before := range append([]uint16{0}, g.Earlier...) {
			age := gap + tenths(before)
			if age > tenths(MaxWindow/tenth)+1 || len(earlier) == rotationsKept-1 || g.Generation <= uint32(len(earlier))+1 {
				break
			}
			earlier = append(earlier, uint16(age))
		}
		g.Earlier, g.Rotated = earlier, at
		g.Generation++
	}
}

// issueAccess enters a further access token into the record. Each has a serial of its own, but one for a part that a
// listed token has already takes over its place and its serial: the same question asked often does not crowd others out.
func (g grant) issueAccess(ask *narrowing, terms Terms, now time.Time) (answer, *narrowed) {
	a := answer{Serial: g.LastSerial + 1, Issued: g.since(now)}
	resources := g.Resources
	if ask != nil {
		resources = ask.resources
	}
	a.Life = g.within(a.Issued, terms.Access(resources))
	if terms.signs(g.record, ask) {
		g.SignedLife = max(g.SignedLife, a.Life)
		if g.Status == nil {
			g.Status = terms.place()
		}
	}
	if ask == nil {
		g.LastSerial, g.Plain = a.Serial, &a
		return a, nil
	}
	g.Narrowed = slices.DeleteFunc(g.Narrowed, func(n narrowed) bool {
		if n.fits(ask) {
			a.Serial = n.Serial
			return true
		}
		return !now.Before(g.accessEnd(n.answer()))
	})
	if len(g.Narrowed) == narrowedKept {
		g.Narrowed = slices.Delete(g.Narrowed, 0, 1)
	}
	g.LastSerial = max(g.LastSerial, a.Serial)
	n := narrowed{Serial: a.Serial, Issued: a.Issued, Life: a.Life, Scopes: ask.scopes, Resources: ask.resources}
	g.Narrowed = append(g.Narrowed, n)
	return a, &n
}

// signs reports whether the access token for an ask is signed.
func (t Terms) signs(r *record, ask *narrowing) bool {
	if t.Signs == nil {
		return false
	}
	if ask == nil {
		return t.Signs(r.Resources)
	}
	return t.Signs(ask.resources)
}

// within is a life in seconds that does not reach beyond the grant's absolute end.
func (g grant) within(issued tenths, life time.Duration) uint32 {
	return inSeconds(min(life, time.Duration(g.End-min(issued, g.End))*tenth))
}

// answered finds the access token that the current generation was given for this ask.
func (g grant) answered(ask *narrowing) (answer, *narrowed, bool) {
	if ask == nil {
		if g.Plain == nil || g.Plain.Issued < g.Rotated {
			return answer{}, nil, false
		}
		return *g.Plain, nil, true
	}
	for i := len(g.Narrowed) - 1; i >= 0; i-- {
		n := g.Narrowed[i]
		if n.Issued >= g.Rotated && n.fits(ask) {
			return n.answer(), &n, true
		}
	}
	return answer{}, nil, false
}

func inTenths(d time.Duration) tenths { return tenths(min(max(d, 0)/tenth, math.MaxUint32/4)) }

func inSeconds(d time.Duration) uint32 { return uint32(min(max(d, 0)/time.Second, math.MaxUint32)) }
