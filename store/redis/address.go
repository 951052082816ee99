package redis

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"
)

// address is a checked Options.URL with what belongs to it.
type address struct {
	hosts              []string // and ports: of the node, the sentinels, or some nodes of the cluster
	cluster            bool
	master             string // what the sentinels call the master; empty without sentinels
	username, password string
	database           int
	tls                *tls.Config // nil for plain connections
}

// errURL does not say what is wrong in the URL: a piece of the password could be in the quoted part.
var errURL = errors.New("the Redis URL cannot be read: write redis://[user:password@]host[:port][/database]," +
	" redis+sentinel://host,host,host/master or redis+cluster://host,host,host," +
	" with rediss for TLS, and percent-encode special characters of the password")

func (o Options) address() (address, error) {
	first, others := splitHosts(o.URL)
	u, err := url.Parse(first)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return address{}, errURL
	}
	a := address{username: o.Username, password: o.Password}
	base, kind, _ := strings.Cut(u.Scheme, "+")
	switch base {
	case "redis":
		if o.TLS != nil {
			return address{}, errors.New("TLS settings are given for a Redis URL without TLS: write rediss:// instead of redis://")
		}
	case "rediss":
		a.tls = &tls.Config{}
		if o.TLS != nil {
			a.tls = o.TLS.Clone()
		}
	default:
		return address{}, errURL
	}
	if err := a.readPath(kind, strings.Trim(u.Path, "/")); err != nil {
		return address{}, err
	}
	if len(others) > 0 && kind == "" {
		return address{}, errors.New("the Redis URL names several hosts: write redis+sentinel:// or redis+cluster://")
	}
	if err := a.readHosts(u.Host, others); err != nil {
		return address{}, err
	}
	return a, a.readUser(u.User)
}

// splitHosts takes the hosts after the first out of a URL: package url knows of one only.
func splitHosts(text string) (first string, others []string) {
	scheme, rest, _ := strings.Cut(text, "://")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	hosts := strings.Split(rest[at:end], ",")
	return scheme + "://" + rest[:at] + hosts[0] + rest[end:], hosts[1:]
}

// readPath reads what stands behind the hosts.
func (a *address) readPath(kind, path string) error {
	database := path
	switch kind {
	case "":
	case "sentinel":
		a.master, database, _ = strings.Cut(path, "/")
		if a.master == "" {
			return errors.New("the Redis URL names no master: write redis+sentinel://host,host,host/master, as the sentinels call it")
		}
	case "cluster":
		a.cluster = true
		if path != "" {
			return errors.New("the Redis URL has a path, but a cluster has no databases: leave it out")
		}
	default:
		return errURL
	}
	if database == "" {
		return nil
	}
	var err error
	if a.database, err = strconv.Atoi(database); err != nil || a.database < 0 {
		return errors.New("the path of the Redis URL must be the number of a database, such as /0")
	}
	return nil
}

func (a *address) readHosts(first string, others []string) error {
	port := defaultPort
	if a.master != "" {
		port = defaultSentinelPort
	}
	for _, host := range append([]string{first}, others...) {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || u.Host != host {
			return errURL
		}
		a.hosts = append(a.hosts, net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)))
	}
	return nil
}

func (a *address) readUser(user *url.Userinfo) error {
	password, _ := user.Password()
	if a.username != "" && user.Username() != "" || a.password != "" && password != "" {
		return errors.New("the Redis user name or password is given twice, in the URL and apart: take one away")
	}
	a.username = cmp.Or(user.Username(), a.username)
	a.password = cmp.Or(password, a.password)
	if a.username != "" && a.password == "" {
		return errors.New("a Redis user name is given without a password: add the password")
	}
	return nil
}

// tlsTo are the settings for a connection to host, or nil. A certificate is checked against the name that was given,
// or else the host's.
func (a *address) tlsTo(host string) *tls.Config {
	if a.tls == nil || a.tls.ServerName != "" {
		return a.tls
	}
	settings := a.tls.Clone()
	settings.ServerName, _, _ = net.SplitHostPort(host)
	return settings
}
