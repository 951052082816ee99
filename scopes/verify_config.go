package scopes

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	defaultLeeway    = 10 * time.Second
	maxLeeway        = time.Minute
	defaultFeedGrace = 15 * time.Second
	// leastFeedGrace leaves time for one sign of life, which comes every 10 seconds at least, and some delay.
	leastFeedGrace  = 12 * time.Second
	defaultKeepKeys = 24 * time.Hour
	defaultSeen     = 10_000
)

// FeedLoss is what a Verifier does with tokens while it does not hear the revocation feed.
type FeedLoss int

const (
	// RefuseWithoutFeed answers 503: no token passes that may be revoked.
	RefuseWithoutFeed FeedLoss = iota
	// AcceptWithoutFeed lets tokens pass until they expire, by what is known of revocations. The loss is logged.
	AcceptWithoutFeed
)

// VerifierConfig says whose tokens a Verifier accepts. Issuer and Audience are needed, and either ID and Secret or NoFeed;
// the rest may be left at zero.
type VerifierConfig struct {
	// Issuer is the identifier of the authorization server: https, or http to a loopback address.
	Issuer string
	// Audience is the identifier of this API. A token that does not name it was meant for another one.
	Audience string
	// ID and Secret are the credential of this API at the authorization server, with which it follows the revocations.
	ID, Secret string
	// NoFeed goes without revocations: a token is good until it expires, whatever happens. No credential is needed then.
	NoFeed bool
	// OnFeedLoss says what happens to tokens while the feed is not heard: nobody can say then which are revoked.
	OnFeedLoss FeedLoss
	// FeedGrace is how long the feed may be silent before it counts as lost. 0 stands for 15 seconds, and 12 is the least.
	FeedGrace time.Duration
	// Leeway is how far the clocks may differ: tokens are accepted so much later, and earlier. 0 stands for 10 seconds;
	// a minute is the most.
	Leeway time.Duration
	// KeepKeys is how long the keys of the issuer are used while it cannot be asked for new ones. 0 stands for 24 hours.
	KeepKeys time.Duration
	// CacheSize limits the number of tokens whose signature is remembered. 0 stands for 10,000.
	CacheSize int
	// KeysURL and FeedURL are where the keys and the revocations are. "" stands for /.well-known/jwks.json and
	// /oauth/revocations below the issuer.
	KeysURL, FeedURL string
	// PlainHTTP permits http URLs to addresses other than loopback, such as within a network of containers. Whoever can
	// change what is sent there can make tokens.
	PlainHTTP bool
	// HTTPClient sends the requests; nil stands for one of its own. Its CheckRedirect and Timeout are not used.
	HTTPClient *http.Client
	// Timeout limits each request for keys or for a snapshot of the revocations. 0 stands for 5 seconds.
	Timeout time.Duration
	// Clock tells the time; nil stands for time.Now.
	Clock func() time.Time
}

// complete checks the configuration and fills in what was left at zero.
func (c *VerifierConfig) complete() error {
	base := strings.TrimSuffix(c.Issuer, "/")
	c.KeysURL, c.FeedURL = orElse(c.KeysURL, base+"/.well-known/jwks.json"), orElse(c.FeedURL, base+"/oauth/revocations")
	for _, each := range []struct{ name, url string }{{"issuer", c.Issuer}, {"KeysURL", c.KeysURL}, {"FeedURL", c.FeedURL}} {
		if err := checkEndpoint(each.name, each.url, c.PlainHTTP); err != nil {
			return err
		}
	}
	switch {
	case strings.Contains(c.Issuer, "?"): // RFC 8414 §2
		return errors.New("scopes: the issuer must have no query")
	case c.Audience == "":
		return errors.New("scopes: the verifier needs the audience, which is the identifier of this API")
	case !c.NoFeed && (c.ID == "" || c.Secret == ""):
		return errors.New("scopes: the verifier needs the ID and the secret of this API to hear of revocations; " +
			"NoFeed goes without, and then a revoked token is good until it expires")
	case c.NoFeed && (c.ID != "" || c.Secret != ""):
		return errors.New("scopes: the verifier has a credential for the revocation feed, and NoFeed: choose one")
	case c.OnFeedLoss != RefuseWithoutFeed && c.OnFeedLoss != AcceptWithoutFeed:
		return errors.New("scopes: OnFeedLoss is neither RefuseWithoutFeed nor AcceptWithoutFeed")
	case c.Timeout < 0 || c.CacheSize < 0 || c.KeepKeys < 0:
		return errors.New("scopes: the verifier has a negative time-out, cache size or time to keep keys")
	case c.Leeway < 0 || c.Leeway > maxLeeway:
		return errors.New("scopes: the leeway of the verifier is negative or more than a minute")
	case c.FeedGrace != 0 && c.FeedGrace < leastFeedGrace:
		return errors.New("scopes: FeedGrace is less than 12 seconds, but the server is heard every 10 seconds only")
	}
	c.FeedGrace, c.Leeway, c.KeepKeys = orElse(c.FeedGrace, defaultFeedGrace), orElse(c.Leeway, defaultLeeway), orElse(c.KeepKeys, defaultKeepKeys)
	c.Timeout, c.CacheSize = orElse(c.Timeout, defaultTimeout), orElse(c.CacheSize, defaultSeen)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return nil
}

// orElse returns value, or other when value is zero.
func orElse[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}
