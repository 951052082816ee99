package redis

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DefaultPrefix is the prefix of all keys when Options names none.
const DefaultPrefix = "sc:"

const defaultPort = "6379"

// Options says where Redis is and how to use it. Only URL is needed.
type Options struct {
	// URL is redis://[user:password@]host[:port][/database], or rediss:// for TLS.
	URL string
	// Username and Password are for those who keep them out of the URL. They must not be given twice.
	Username, Password string
	// TLS is for rediss:// with a private authority or a client certificate. Nil trusts the system's authorities.
	TLS *tls.Config

	// Prefix begins every key, so that several installations can share one Redis. Empty means DefaultPrefix.
	Prefix string
	// PoolSize is the most connections to one node. Zero means 10 for each core.
	PoolSize int

	// Clock is the local clock, to which the store adds the difference to the clock of Redis. Nil means the machine's.
	Clock func() time.Time
	// Logger gets what go-redis and the store have to say about connections. Nil means nobody.
	Logger *slog.Logger

	uncoalesced bool // each call on its own, for benchmarks
}

// address is a checked Options.URL with what belongs to it.
type address struct {
	host               string // and port
	username, password string
	database           int
	tls                *tls.Config // nil for plain connections
	poolSize           int
}

// errURL does not say what is wrong in the URL: a piece of the password could be in the quoted part.
var errURL = errors.New("the Redis URL cannot be read: write redis://[user:password@]host[:port][/database]," +
	" with rediss:// for TLS, and percent-encode special characters of the password")

func (o Options) address() (address, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return address{}, errURL
	}
	a := address{username: o.Username, password: o.Password, poolSize: o.PoolSize}
	switch u.Scheme {
	case "redis":
		if o.TLS != nil {
			return address{}, errors.New("TLS settings are given for a Redis URL without TLS: write rediss:// instead of redis://")
		}
	case "rediss":
		a.tls = &tls.Config{}
		if o.TLS != nil {
			a.tls = o.TLS.Clone()
		}
		if a.tls.ServerName == "" {
			a.tls.ServerName = u.Hostname()
		}
	default:
		return address{}, errURL
	}

	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	a.host = net.JoinHostPort(u.Hostname(), port)

	if database := strings.Trim(u.Path, "/"); database != "" {
		if a.database, err = strconv.Atoi(database); err != nil || a.database < 0 {
			return address{}, errors.New("the path of the Redis URL must be the number of a database, such as /0")
		}
	}

	if u.User != nil {
		password, _ := u.User.Password()
		if o.Username != "" && u.User.Username() != "" || o.Password != "" && password != "" {
			return address{}, errors.New("the Redis user name or password is given twice, in the URL and apart: take one away")
		}
		if u.User.Username() != "" {
			a.username = u.User.Username()
		}
		if password != "" {
			a.password = password
		}
	}
	if a.username != "" && a.password == "" {
		return address{}, errors.New("a Redis user name is given without a password: add the password")
	}
	return a, nil
}
