package scopes

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	defaultTimeout   = 5 * time.Second
	defaultCacheSize = 4096
	connectionsKept  = 64
)

// IntrospectorConfig says whom an Introspector asks, and as whom. URL, ID and Secret are needed, and Audience should be
// set; the rest may be left at zero.
type IntrospectorConfig struct {
	// URL is the introspection endpoint of the authorization server: https, or http to a loopback address.
	URL string
	// ID and Secret are the credential of this API at the authorization server, sent by HTTP Basic.
	ID, Secret string
	// Audience is the identifier of this API. A token that does not name it in its audience is refused, as one that was
	// meant for another API. With "" the authorization server alone decides which tokens this API may use.
	Audience string
	// PlainHTTP permits an http URL to an address other than loopback, such as within a network of containers. Whoever
	// reads along there gets the secret and every token.
	PlainHTTP bool
	// HTTPClient sends the requests; nil stands for one that keeps up to 64 idle connections. Its CheckRedirect is not used:
	// redirects are never followed.
	HTTPClient *http.Client
	// Timeout limits each question, answer included. 0 stands for 5 seconds.
	Timeout time.Duration
	// CacheFor is how long a token that was found valid is taken as valid without asking again, at most to its expiry.
	// A revoked token may still pass for that time. 0 asks about every request.
	CacheFor time.Duration
	// CacheSize limits the number of tokens in the cache. 0 stands for 4096.
	CacheSize int
	// Clock tells the time; nil stands for time.Now.
	Clock func() time.Time
}

// complete checks the configuration and fills in what was left at zero.
func (c *IntrospectorConfig) complete() error {
	if err := checkEndpoint("introspection URL", c.URL, c.PlainHTTP); err != nil {
		return err
	}
	if c.ID == "" || c.Secret == "" {
		return errors.New("scopes: the introspector needs the ID and the secret of this API")
	}
	if c.Timeout < 0 || c.CacheFor < 0 || c.CacheSize < 0 {
		return errors.New("scopes: the introspector has a negative time-out, cache time or cache size")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCacheSize
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.HTTPClient = withoutRedirects(c.HTTPClient)
	return nil
}

// withoutRedirects returns a copy of client that never carries the secret and the token elsewhere.
func withoutRedirects(client *http.Client) *http.Client {
	var own http.Client
	if client != nil {
		own = *client
	} else if transport, ok := http.DefaultTransport.(*http.Transport); ok {
		// The default of two kept connections makes every busy API dial anew for most requests.
		transport = transport.Clone()
		transport.MaxIdleConnsPerHost = connectionsKept
		own.Transport = transport
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// checkEndpoint says what is wrong with the URL of an endpoint, which the error calls by the given name.
func checkEndpoint(name, raw string, plainHTTP bool) error {
	u, err := url.Parse(raw)
	// The text of url.Parse's error is not passed on: it would repeat a password in the URL.
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return errors.New("scopes: the " + name + " must be an absolute URL without user and fragment, which begins as https://auth.example.com")
	}
	if u.Scheme == "https" || u.Scheme == "http" && (plainHTTP || loopback(u.Hostname())) {
		return nil
	}
	return errors.New("scopes: the " + name + " must be https; http is for loopback addresses, " +
		"and for private networks when PlainHTTP is set")
}

// loopback reports whether a host can only be this machine. Names under .localhost are (RFC 6761 section 6.3).
func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback() || strings.HasSuffix("."+strings.ToLower(host), ".localhost")
}
