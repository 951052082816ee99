package redistest

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Loss is what a proxy does with the connection whose reply it has dropped.
type Loss int

const (
	// Close ends the connection.
	Close Loss = iota
	// Silence keeps it open and lets no further reply through.
	Silence
)

// Proxy passes Redis commands on to a server, until a test tells it to do worse. Its methods may be called at any time.
type Proxy struct {
	t      testing.TB
	target string
	addr   string

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	links    map[*link]struct{}
	drops    []*drop
	dropped  int
	delay    time.Duration
	hole     bool
	old, new []byte // what replies say, and what they shall say instead

	addresses *strings.Replacer // puts proxies in the place of their servers; nil for none
}

// drop is an order to lose the replies of the next commands that match. Several proxies may share one.
type drop struct {
	left  atomic.Int64
	loss  Loss
	match func(command []string) bool
}

// NewProxy starts a proxy for the server at the address target.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, target: target, addr: "127.0.0.1:0", links: map[*link]struct{}{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listen()
	if p.listener == nil {
		t.FailNow()
	}
	p.addr = p.listener.Addr().String()
	t.Cleanup(p.Refuse)
	return p
}

// Addr is the proxy's address, host and port.
func (p *Proxy) Addr() string { return p.addr }

// URL is the proxy's address for redis.Options, without a password.
func (p *Proxy) URL() string { return "redis://" + p.addr + "/0" }

// Pass ends every mischief. Connections that lost something on the way are closed.
func (p *Proxy) Pass() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drops, p.delay, p.old, p.new = nil, 0, nil, nil
	if p.hole {
		p.cut()
	}
	p.hole = false
	if p.listener == nil {
		p.listen()
	}
}

// DropReplies loses the replies of the next n commands for which match is true; nil matches all. The server carries
// the commands out.
func (p *Proxy) DropReplies(n int, loss Loss, match func(command []string) bool) {
	p.obey(newDrop(n, loss, match))
}

func newDrop(n int, loss Loss, match func([]string) bool) *drop {
	if match == nil {
		match = func([]string) bool { return true }
	}
	d := &drop{loss: loss, match: match}
	d.left.Store(int64(n))
	return d
}

func (p *Proxy) obey(d *drop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drops = append(p.drops, d)
}

// Dropped is the number of replies lost so far by order of DropReplies.
func (p *Proxy) Dropped() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// Delay lets every reply arrive later by d.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// BlackHole accepts connections and commands, and lets nothing through in either direction.
func (p *Proxy) BlackHole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = true
}

// Rewrite replaces old by new, of the same length, in every reply.
func (p *Proxy) Rewrite(old, new string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(old) != len(new) {
		p.t.Errorf("proxy: %q and %q differ in length", old, new)
		return
	}
	p.old, p.new = []byte(old), []byte(new)
}

// Refuse closes all connections and refuses new ones.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.cut()
}

// Cut closes all connections; new ones are welcome.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut()
}

func (p *Proxy) cut() {
	for l := range p.links {
		l.close()
	}
	clear(p.links)
}

// listen opens the proxy's port, the same one each time.
func (p *Proxy) listen() {
	listener, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Errorf("proxy: %v", err)
		return
	}
	p.listener = listener
	go p.accept(listener)
}

func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := newLink(p, client, server)
		p.mu.Lock()
		current := p.listener == listener
		if current {
			p.links[l] = struct{}{}
		}
		p.mu.Unlock()
		if !current {
			l.close()
			return
		}
		l.run()
	}
}

// fate decides about the reply of a command that goes by.
func (p *Proxy) fate(command []string) (lost bool, loss Loss) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.drops {
		if d.left.Load() > 0 && d.match(command) && d.left.Add(-1) >= 0 {
			return true, d.loss
		}
	}
	return false, 0
}

func (p *Proxy) countDrop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropped++
}

// mood is what the proxy does just now with all that goes by.
func (p *Proxy) mood() (delay time.Duration, hole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay, p.hole
}

// rewritten is the reply as the client shall see it.
func (p *Proxy) rewritten(reply []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.old != nil {
		reply = bytes.ReplaceAll(reply, p.old, p.new)
	}
	if p.addresses != nil {
		reply = []byte(p.addresses.Replace(string(reply)))
	}
	return reply
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
