package main

import (
	"context"
	"net"
	"net/http"
	"net/http/cookiejar"
	"sync/atomic"
	"time"
)

// askPatience bounds one request of a virtual client. It is longer than any promise here.
const askPatience = 10 * time.Second

// newClient makes the HTTP client of one party: it reaches the server by its public name, wherever that is just now. Each
// of its connections comes from another address, because limits are counted by address.
func (in *installation) newClient(target func() string) *http.Client {
	n := len(in.clients)
	var dialed atomic.Int64
	jar, err := cookiejar.New(nil)
	in.s.must(err)
	client := &http.Client{
		Jar: jar, Timeout: askPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 4, DisableCompression: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				from := net.IPv4(127, byte(1+n/250), byte(1+n%250), byte(1+dialed.Add(1)%250))
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
				return dialer.DialContext(ctx, network, target())
			},
		},
	}
	in.clients = append(in.clients, client)
	return client
}

// hangUp closes the connections that nobody uses.
func (in *installation) hangUp() {
	for _, client := range in.clients {
		client.CloseIdleConnections()
	}
}

// inTurn spreads connections over the nodes as a simple load balancer does.
func (in *installation) inTurn(first int) func() string {
	next := first
	return func() string {
		next++
		return in.nodes[next%len(in.nodes)].address
	}
}

// to is always the same node.
func (n *node) to() string { return n.address }
