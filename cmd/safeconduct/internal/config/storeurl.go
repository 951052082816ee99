package config

import (
	"errors"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

const storeExample = "Write bolt:///var/lib/safeconduct/data.db, redis://host:6379 or rediss://host:6379"

// parseStoreURL reads the URL of the store. What is wrong is said without repeating it: it may hold a password.
func parseStoreURL(text string) (string, *fault) {
	u, err := url.Parse(text)
	if err != nil {
		return "", &fault{"is not a URL", storeExample + "; special characters of a password are percent-encoded"}
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", &fault{"has a query or a fragment", storeExample}
	}
	switch u.Scheme {
	case "bolt":
		if u.User != nil || u.Host != "" || u.Opaque != "" || !filepath.IsAbs(u.Path) || strings.HasSuffix(u.Path, "/") {
			return "", &fault{"is not the path of a data file", "Write it with three slashes and in full, such as bolt:///var/lib/safeconduct/data.db"}
		}
	case "redis", "rediss":
		return text, redisProblem(u)
	case "":
		return "", &fault{"has no scheme", storeExample}
	default:
		fix := storeExample
		if near := Nearest(u.Scheme, []string{"bolt", "redis", "rediss"}); near != "" {
			fix = "Did you mean " + near + "://?"
		}
		return "", &fault{"has a scheme that is not supported: " + quote(u.Scheme), fix}
	}
	return text, nil
}

// ParseStore reads the URL of a store beside the one in effect. bolt:data.db names a file from the working directory.
func ParseStore(text string) (Store, error) {
	if path, ok := strings.CutPrefix(text, "bolt:"); ok && path != "" && !strings.HasPrefix(path, "//") {
		full, err := filepath.Abs(path)
		if err != nil {
			return Store{}, err
		}
		text = "bolt://" + (&url.URL{Path: full}).EscapedPath()
	}
	read, wrong := parseStoreURL(text)
	if wrong != nil {
		return Store{}, errors.New(wrong.reason + ": " + wrong.fix)
	}
	return Store{URL: read}, nil
}

func redisProblem(u *url.URL) *fault {
	if u.Hostname() == "" || u.Opaque != "" || strings.HasSuffix(u.Host, ":") {
		return &fault{"names no host", "Write redis://host:6379, or rediss://host:6379 with TLS"}
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return &fault{"has no valid port", "Write a number from 1 to 65535 behind the host"}
		}
	}
	if database := strings.TrimPrefix(u.Path, "/"); database != "" {
		if _, err := strconv.ParseUint(database, 10, 16); err != nil {
			return &fault{"has a path that is not the number of a database", "Write it as in redis://host:6379/0, or leave it out"}
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
	u, err := url.Parse(text)
	if err != nil {
		return masked
	}
	return u.Redacted()
}

// holdsPassword reports whether a URL has a password in it.
func holdsPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return false
	}
	_, found := u.User.Password()
	return found
}
