package config

import "strings"

// redisOnly are the keys that mean nothing for a local file.
func redisOnly() []string {
	return []string{
		"store.password", "store.password_file", "store.prefix", "store.pool_size", "store.timeout", "store.wait_replicas",
		"store.sentinel_username", "store.sentinel_password", "store.sentinel_password_file",
		"store.tls.ca_file", "store.tls.cert_file", "store.tls.key_file", "store.tls.server_name",
	}
}

// storeRules are the rules of what must fit to the URL of the store.
func (l *loader) storeRules(r *Result) []rule {
	url := []string{"store.url"}
	u, _, err := readStoreURL(r.Store.URL)
	if err != nil {
		return nil // it is refused already
	}
	base, kind, _ := strings.Cut(u.Scheme, "+")
	var rules []rule
	for _, path := range redisOnly() {
		given := l.given(r, path)
		rules = append(rules,
			rule{given && !r.IsRedis(), path, url, fault{"is for Redis, but the store is a local file", "Take it away, or set store.url to a Redis"}},
			rule{given && r.IsRedis() && strings.HasPrefix(path, "store.sentinel_") && kind != "sentinel", path, url,
				fault{"is for sentinels, but store.url names none", "Take it away, or write redis+sentinel:// in store.url"}},
			rule{given && r.IsRedis() && strings.HasPrefix(path, "store.tls.") && base != "rediss", path, url,
				fault{"is for TLS, but store.url is without", "Take it away, or write rediss in place of redis in store.url"}})
	}
	password := []string{"store.password", "store.password_file"}
	apart := r.Store.Password+r.Store.PasswordFile != ""
	user := u.User != nil && u.User.Username() != ""
	return append(rules,
		rule{r.IsRedis() && holdsPassword(r.Store.URL) && apart, "store.url", password,
			fault{"holds a password, and store.password gives another", "Keep one of them, better the one in store.password_file"}},
		rule{r.IsRedis() && user && !holdsPassword(r.Store.URL) && !apart, "store.url", password,
			fault{"names a user, but no password", "Add store.password_file"}},
		rule{r.Store.SentinelUsername != "" && r.Store.SentinelPassword+r.Store.SentinelPasswordFile == "", "store.sentinel_username",
			[]string{"store.sentinel_password", "store.sentinel_password_file"}, fault{"names a user, but no password", "Add store.sentinel_password_file"}},
		rule{r.Store.CertFile != "" && r.Store.KeyFile == "", "store.tls.cert_file", []string{"store.tls.key_file"},
			fault{"needs the key of the certificate", "Add store.tls.key_file"}},
		rule{r.Store.KeyFile != "" && r.Store.CertFile == "", "store.tls.key_file", []string{"store.tls.cert_file"},
			fault{"needs the certificate of the key", "Add store.tls.cert_file"}},
	)
}
