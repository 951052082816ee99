package main

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// keptEach is how many delegations one party keeps alive: well below the server's cap for one person and app.
	keptEach = 8
	// settlers is how many look things up at once at the end.
	settlers = 16
	// definitely is how long a party repeats a request that got no definite answer.
	definitely = 30 * time.Second
)

// delegation is what one person allowed one app, with the latest tokens of it.
type delegation struct {
	number          int64
	party           *party
	access, refresh string
	ended           bool
}

// load is a crowd of virtual clients. Each walks in a circle: code, tokens, introspection, refreshes, and for some
// delegations the end.
type load struct {
	s       *scene
	in      *installation
	ledger  *ledger
	last    atomic.Int64 // the last delegation's number
	stopped atomic.Bool
	pace    time.Duration // between the rounds of one party, 0 for as fast as it goes
	done    sync.WaitGroup

	mu  sync.Mutex
	all []*delegation
}

// newLoad opens a ledger.
func (in *installation) newLoad() *load {
	l, err := newLedger(in.s.TempDir() + "/ledger")
	in.s.must(err)
	return &load{s: in.s, in: in, ledger: l}
}

// begin lets parties go, half of them with an app that keeps a secret, and as many machines. Each is somebody else.
func (l *load) begin(machines int, target func(i int) func() string) {
	for i, person := range l.in.people {
		app := l.in.site
		if i%2 == 1 {
			app = l.in.app
		}
		p := l.in.newParty(l.ledger, person, app, target(i))
		l.done.Go(func() { l.walk(p, rand.New(rand.NewPCG(uint64(i), 1))) })
	}
	for i := range machines {
		p := l.in.newParty(l.ledger, "", credential{}, target(i))
		l.done.Go(func() { l.toil(p) })
	}
	l.s.Cleanup(l.stop) // when the scene ends early
}

// warmUp waits until everybody is signed in and at work, so that what the process takes then is its normal measure.
func (l *load) warmUp() {
	l.s.await(startPatience, "everybody is at work", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		working := make(map[string]bool)
		for _, d := range l.all {
			working[d.party.person] = true
		}
		delete(working, "") // machines
		return len(working) == len(l.in.people)
	})
}

// stop lets everybody end what he has begun.
func (l *load) stop() {
	l.stopped.Store(true)
	l.done.Wait()
}

// over reports whether a party shall go home.
func (l *load) over() bool { return l.stopped.Load() || l.s.ctx.Err() != nil }

func (l *load) walk(p *party, random *rand.Rand) {
	var kept []*delegation
	for !l.over() {
		d := l.delegate(p)
		if d == nil {
			continue
		}
		p.introspect(d.number, d.access)
		for range random.IntN(4) {
			l.refresh(d)
			if random.IntN(2) == 0 {
				p.introspect(d.number, d.access)
			}
		}
		if random.IntN(2) == 0 {
			l.end(d)
			p.introspect(d.number, d.access)
		} else if kept = append(kept, d); len(kept) > keptEach {
			l.end(kept[0])
			kept = kept[1:]
		}
		time.Sleep(l.pace)
	}
}

// toil is the day of a machine, which gets itself tokens.
func (l *load) toil(p *party) {
	for !l.over() {
		e := l.issue(p)
		if e.Access == "" {
			l.breathe(e)
			continue
		}
		p.introspect(e.Delegation, e.Access)
		time.Sleep(l.pace)
	}
}

// issue gets a machine a token, which is looked up in the end.
func (l *load) issue(p *party) entry {
	d := &delegation{number: l.last.Add(1), party: p}
	e := p.issue(d.number)
	if d.access = e.Access; d.access != "" {
		l.keep(d)
	}
	return e
}

func (l *load) keep(d *delegation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

// breathe waits a moment after a request that failed, as clients do.
func (l *load) breathe(e entry) {
	if e.Unknown || e.Status == 503 {
		time.Sleep(20 * time.Millisecond)
	}
}

// definite repeats a request until its answer is one to rely on.
func (l *load) definite(ask func() entry) entry {
	e := ask()
	for deadline := time.Now().Add(definitely); (e.Unknown || e.Status == 503) && time.Now().Before(deadline) && l.s.ctx.Err() == nil; {
		l.breathe(e)
		e = ask()
	}
	return e
}

// delegate leads a person through the pages and redeems the code. It is nil when that failed, which the ledger knows.
func (l *load) delegate(p *party) *delegation {
	d := &delegation{number: l.last.Add(1), party: p}
	e := p.authorize(d.number)
	if e.Code == "" {
		l.breathe(e)
		return nil
	}
	if e = l.definite(func() entry { return p.redeem(d.number, e.Code) }); e.Access == "" {
		return nil
	}
	d.access, d.refresh = e.Access, e.Refresh
	l.keep(d)
	return d
}

// refresh takes the next tokens of a delegation.
func (l *load) refresh(d *delegation) {
	if e := l.definite(func() entry { return d.party.refresh(refresh, d.number, d.refresh) }); e.Access != "" {
		d.access, d.refresh = e.Access, e.Refresh
	}
}

// end ends a delegation, by its access token or its refresh token.
func (l *load) end(d *delegation) {
	token := d.refresh
	if d.number%2 == 0 || token == "" {
		token = d.access
	}
	d.ended = true
	l.definite(func() entry { return d.party.revoke(d.number, token) })
}

// settle stops everybody, looks up all that was ever acknowledged, and reads the ledger.
func (l *load) settle() []entry {
	l.stop()
	l.ledger.mark(markSettled)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range settlers {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(l.all) || l.s.ctx.Err() != nil {
					return
				}
				l.lookUp(l.all[i])
			}
		})
	}
	wait.Wait()
	l.in.hangUp()
	entries, err := l.ledger.close()
	l.s.must(err)
	return entries
}

func (l *load) lookUp(d *delegation) {
	d.party.introspect(d.number, d.access)
	if d.refresh == "" {
		return
	}
	if e := d.party.refresh(refresh, d.number, d.refresh); e.Access != "" {
		d.party.introspect(d.number, e.Access)
	}
}

// judge settles and holds the ledger against the invariants. The scene gets what is broken, and the counts.
func (l *load) judge(p promise) findings {
	f := check(l.settle(), p)
	const most = 5
	for i, v := range f.violations {
		if i == most {
			l.s.Errorf("and %d more", len(f.violations)-most)
			break
		}
		l.s.Errorf("%v", v)
	}
	if f.delegations == 0 {
		l.s.Errorf("nothing was acknowledged: nothing was shown")
	}
	return f
}
