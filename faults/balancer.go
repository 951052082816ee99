package main

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// probeEvery is how often the balancer asks its nodes whether they are ready.
const probeEvery = 50 * time.Millisecond

// balancer is the least that stands before several nodes: it sends requests in turn to those whose /readyz says 200.
type balancer struct {
	in      *installation
	address string
	ready   []atomic.Bool
	turn    atomic.Uint64
}

// balance starts a balancer that knows all nodes of the installation.
func (in *installation) balance() *balancer {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	in.s.must(err)
	b := &balancer{in: in, address: listener.Addr().String(), ready: make([]atomic.Bool, len(in.nodes))}
	proxy := &httputil.ReverseProxy{
		Rewrite:   b.rewrite,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			// What a client would see of a node that dropped the connection.
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	server := &http.Server{Handler: proxy}
	stop := make(chan struct{})
	go func() { _ = server.Serve(listener) }()
	for i, n := range in.nodes {
		b.ready[i].Store(n.ready())
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(probeEvery):
					b.ready[i].Store(n.ready())
				}
			}
		}()
	}
	in.s.Cleanup(func() {
		close(stop)
		_ = server.Close()
	})
	return b
}

func (b *balancer) rewrite(r *httputil.ProxyRequest) {
	first := b.turn.Add(1)
	chosen := b.in.nodes[first%uint64(len(b.in.nodes))]
	for i := range b.in.nodes {
		at := (first + uint64(i)) % uint64(len(b.in.nodes))
		if b.ready[at].Load() {
			chosen = b.in.nodes[at]
			break
		}
	}
	r.SetURL(&url.URL{Scheme: "http", Host: chosen.address})
	r.Out.Host = r.In.Host
	r.SetXForwarded()
}

// to is where clients find the balancer.
func (b *balancer) to() string { return b.address }
