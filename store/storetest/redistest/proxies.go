package redistest

import (
	"strings"
	"testing"
)

// Proxies stand before all servers of a group, and put themselves in the place of these wherever a server tells the
// address of another.
type Proxies struct {
	all []*Proxy
	url string
}

func newProxies(t testing.TB, servers []*Server, url func(addresses []string) string) *Proxies {
	t.Helper()
	p := &Proxies{}
	var addresses, rewrites []string
	for _, s := range servers {
		proxy := NewProxy(t, s.Addr())
		p.all = append(p.all, proxy)
		addresses = append(addresses, proxy.Addr())
		_, port, _ := strings.Cut(proxy.Addr(), ":")
		if len(port) != len(s.port) {
			t.Fatalf("the ports %s and %s differ in length, so one cannot stand for the other", s.port, port)
		}
		for _, before := range []string{":", "\n"} { // a number or the end of an address, and a text of its own
			rewrites = append(rewrites, before+s.port+"\r\n", before+port+"\r\n")
		}
	}
	for _, proxy := range p.all {
		proxy.mu.Lock()
		proxy.addresses = strings.NewReplacer(rewrites...)
		proxy.mu.Unlock()
	}
	p.url = url(addresses)
	return p
}

// URL is the address of the group for redis.Options, through the proxies and without a password.
func (p *Proxies) URL() string { return p.url }

// Refuse closes all connections and refuses new ones.
func (p *Proxies) Refuse() {
	for _, proxy := range p.all {
		proxy.Refuse()
	}
}

// Pass ends every mischief.
func (p *Proxies) Pass() {
	for _, proxy := range p.all {
		proxy.Pass()
	}
}

// DropReplies loses the replies of the next n commands to any of the servers for which match is true; nil matches all.
func (p *Proxies) DropReplies(n int, loss Loss, match func(command []string) bool) {
	d := newDrop(n, loss, match)
	for _, proxy := range p.all {
		proxy.obey(d)
	}
}
