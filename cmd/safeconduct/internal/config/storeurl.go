package config

import (
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const storeExample = "Write bolt:///var/lib/safeconduct/data.db, redis://host:6379, redis+sentinel://host,host,host/master or redis+cluster://host,host,host"

// storeSchemes are the kinds of store, those with TLS among them.
func storeSchemes() []string {
	return []string{"bolt", "redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}
}

// readStoreURL is url.Parse for URLs that may name several hosts, divided by commas. They stand in the URL's Host as they
// were given.
func readStoreURL(text string) (u *url.URL, hosts []string, err error) {
	scheme, rest, _ := strings.Cut(text, "://")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	hosts = strings.Split(rest[at:end], ",")
	if len(hosts) == 1 {
		u, err = url.Parse(text)
		return u, hosts, err
	}
	if u, err = url.Parse(scheme + "://" + rest[:at] + hosts[0] + rest[end:]); err == nil {
		u.Host = rest[at:end]
	}
	return u, hosts, err
}

// parseStoreURL reads the URL of the store. What is wrong is said without repeating it: it may hold a password.
func parseStoreURL(text string) (string, *fault) {
	u, hosts, err := readStoreURL(text)
	if err != nil {
		return "", &fault{"is not a URL", storeExample + "; special characters of a password are percent-encoded"}
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", &fault{"has a query or a fragment", storeExample}
	}
	switch {
	case u.Scheme == "bolt":
		if u.User != nil || u.Host != "" || u.Opaque != "" || !filepath.IsAbs(u.Path) || strings.HasSuffix(u.Path, "/") {
			return "", &fault{"is not the path of a data file", "Write it with three slashes and in full, such as bolt:///var/lib/safeconduct/data.db"}
		}
	case slices.Contains(storeSchemes(), u.Scheme):
		return text, redisProblem(u, hosts)
	case u.Scheme == "":
		return "", &fault{"has no scheme", storeExample}
	default:
		fix := storeExample
		if near := Nearest(u.Scheme, storeSchemes()); near != "" {
			fix = "Did you mean " + near + "://?"
		}
		return "", &fault{"has a scheme that is not supported: " + quote(u.Scheme), fix}
	}
	return text, nil
}

// ParseStoreURL reads the URL of a store beside the one in effect. bolt:data.db names a file from the working directory.
func ParseStoreURL(text string) (string, error) {
	if path, ok := strings.CutPrefix(text, "bolt:"); ok && path != "" && !strings.HasPrefix(path, "//") {
		full, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		text = "bolt://" + (&url.URL{Path: full}).EscapedPath()
	}
	read, wrong := parseStoreURL(text)
	if wrong != nil {
		return "", errors.New(wrong.reason + ": " + wrong.fix)
	}
	return read, nil
}

func redisProblem(u *url.URL, hosts []string) *fault {
	_, kind, _ := strings.Cut(u.Scheme, "+")
	if u.Opaque != "" {
		return &fault{"names no host", "Write redis://host:6379, or rediss://host:6379 with TLS"}
	}
	if kind == "" && len(hosts) > 1 {
		return &fault{"names several hosts, but one Redis", "Write redis+sentinel:// or redis+cluster://"}
	}
	for _, host := range hosts {
		if wrong := hostProblem(host); wrong != nil {
			return wrong
		}
	}
	database := strings.TrimPrefix(u.Path, "/")
	switch kind {
	case "cluster":
		if database != "" {
			return &fault{"has a path, but a cluster has no databases", "Leave out what stands behind the hosts"}
		}
	case "sentinel":
		master, rest, _ := strings.Cut(database, "/")
		if master == "" {
			return &fault{"names no master", "Write what the sentinels call it behind the hosts: redis+sentinel://host,host,host/master"}
		}
		database = rest
	}
	if database != "" {
		if _, err := strconv.ParseUint(database, 10, 16); err != nil {
			return &fault{"has a path that is not the number of a database", "Write it as in redis://host:6379/0, or leave it out"}
		}
	}
	return nil
}

func hostProblem(host string) *fault {
	u, err := url.Parse("redis://" + host)
	if err != nil {
		return &fault{"has a host that cannot be read", "Write host:port, and commas between several"}
	}
	if u.Hostname() == "" || strings.HasSuffix(u.Host, ":") {
		return &fault{"names no host", "Write redis://host:6379, or rediss://host:6379 with TLS"}
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return &fault{"has no valid port", "Write a number from 1 to 65535 behind the host"}
		}
	}
	return nil
}

// boltPath is the data file that a URL names.
func boltPath(storeURL string) (path string, ok bool) {
	u, err := url.Parse(storeURL)
	if err != nil || u.Scheme != "bolt" {
		return "", false
	}
	return u.Path, true
}

// IsRedis reports whether the records are in Redis.
func (c *Config) IsRedis() bool { return c.Store.URL != "" && c.DataFile() == "" }

// StoreName names the store without its password.
func (c *Config) StoreName() string {
	if c.Store.URL == "" {
		return "bolt://" + c.DataFile()
	}
	return maskURL(c.Store.URL)
}

// maskURL hides the password of a URL, and all of what is not one.
func maskURL(text string) string {
	u, _, err := readStoreURL(text)
	if err != nil {
		return masked
	}
	return u.Redacted()
}

// holdsPassword reports whether a URL has a password in it.
func holdsPassword(text string) bool {
	u, _, err := readStoreURL(text)
	if err != nil || u.User == nil {
		return false
	}
	_, found := u.User.Password()
	return found
}
