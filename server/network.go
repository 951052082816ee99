package server

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddr is the network address that a request comes from: the peer's, or behind trusted proxies the last address
// in X-Forwarded-For that is not a trusted proxy's. Whatever stands further left was written by the client.
func (s *Server) clientAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if !s.trusts(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
		if !s.trusts(addr) {
			break
		}
	}
	return addr
}

func (s *Server) trusts(addr netip.Addr) bool {
	for _, network := range s.proxies {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}
