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
		hop, err := parseHop(strings.TrimSpace(hops[i]))
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

// parseHop reads an address; some gateways write the port as well.
func parseHop(text string) (netip.Addr, error) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr(), nil
	}
	return netip.ParseAddr(text)
}

func (s *Server) trusts(addr netip.Addr) bool { return contains(s.proxies, addr) }

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// networkOf is the network that counts as one: an IPv4 address, or an IPv6 /64, whose holder has all of its addresses.
func networkOf(addr netip.Addr) string {
	if addr.Is6() {
		if prefix, err := addr.WithZone("").Prefix(64); err == nil {
			return prefix.Addr().String()
		}
	}
	return addr.String()
}
