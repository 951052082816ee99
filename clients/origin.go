package clients

import (
	"slices"
	"strings"
)

// AllowsOrigin reports whether a page of an origin (RFC 6454 §6.2) is the client's: one that it is sent back to. As
// with redirect URIs, the port of a loopback address may be any. Applications have no origin, and "null" is
// everybody's.
func (c *Client) AllowsOrigin(origin string) bool {
	if len(origin) > redirectMax {
		return false
	}
	host, rest, loopback := splitLoopback(origin)
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		h, _, ok := splitLoopback(registered)
		if loopback && ok {
			return rest == "" && h == host
		}
		o := originOf(registered)
		return o != "" && o == origin
	})
}

// originOf is the origin of a redirect URI as a browser writes it: without the port that goes without saying. It is
// empty for the schemes of applications.
func originOf(uri string) string {
	scheme, rest, found := strings.Cut(uri, "://")
	defaultPort := map[string]string{"http": ":80", "https": ":443"}[scheme]
	if !found || defaultPort == "" {
		return ""
	}
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	return scheme + "://" + strings.TrimSuffix(rest, defaultPort)
}
