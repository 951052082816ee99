package config

import (
	"strings"
	"time"
)

const (
	envPrefix = "SAFECONDUCT_"
	keySecret = "secrets.text"
)

// key is one line of the table of all that can be configured.
type key struct {
	path     string
	standard string // the default, as one would write it; empty for none
	list     bool
	secret   bool
	// env is the variable's name where it does not follow from the path. A key with one is not read from the file.
	env string
	// set takes a text over into the configuration; for a list, one item of it.
	set func(c *Config, text string) *fault
	// means says what the key is for.
	means string
}

// variable is the name of the key's variable in the environment.
func (k *key) variable() string {
	if k.env != "" {
		return k.env
	}
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.path, ".", "_"))
}

// table returns all keys in the order in which they are shown.
func table() []*key {
	return []*key{
		{path: "issuer", standard: "http://localhost:8080", set: into(parseIssuer, func(c *Config) *string { return &c.Issuer }),
			means: "the one public name of the server; https, but for this machine alone"},
		{path: "data_dir", standard: "/var/lib/safeconduct", set: into(parsePath, func(c *Config) *string { return &c.DataDir }),
			means: "the folder of the data file, the system secrets and the socket for the operator"},

		{path: "server.listen", standard: "127.0.0.1:8080", set: into(parseListen, func(c *Config) *string { return &c.Server.Listen }),
			means: "host:port on which requests are taken"},
		{path: "server.allowed_hosts", list: true, set: addAllowedHost,
			means: "names beside the issuer's under which requests may come"},
		{path: "server.trusted_proxies", list: true, set: addTrustedProxy,
			means: "networks of proxies whose X-Forwarded-For is believed"},
		{path: "server.notify_networks", list: true, set: addNotifyNetwork,
			means: "networks beside the public ones in which apps may be told of a logout"},
		{path: "server.check_networks", list: true, set: addCheckNetwork,
			means: "networks of proxies that may ask /oauth/check without a credential"},
		{path: "server.drain_delay", standard: "5s", set: into(between(0, fiveMinutes), func(c *Config) *duration { return &c.Server.DrainDelay }),
			means: "how long to go on serving, not ready, after the order to stop"},
		{path: "server.tls.cert_file", set: into(parsePath, func(c *Config) *string { return &c.Server.CertFile }),
			means: "certificate chain in PEM, for TLS without a proxy"},
		{path: "server.tls.key_file", set: into(parsePath, func(c *Config) *string { return &c.Server.KeyFile }),
			means: "private key of the certificate in PEM"},

		{path: "store.url", set: into(parseStoreURL, func(c *Config) *string { return &c.Store.URL }),
			means: "bolt:///path/to/data.db, redis://…, redis+sentinel://…/master or redis+cluster://…, rediss for TLS; without it data.db in data_dir"},
		{path: "store.password", secret: true, set: into(parseSecret, func(c *Config) *string { return &c.Store.Password }),
			means: "password of Redis"},
		{path: "store.password_file", set: into(parsePath, func(c *Config) *string { return &c.Store.PasswordFile }),
			means: "file with the password of Redis"},
		{path: "store.prefix", standard: "sc:", set: into(parsePrefix, func(c *Config) *string { return &c.Store.Prefix }),
			means: "beginning of all keys in Redis"},
		{path: "store.sentinel_username", set: into(parseName, func(c *Config) *string { return &c.Store.SentinelUsername }),
			means: "user at the sentinels"},
		{path: "store.sentinel_password", secret: true, set: into(parseSecret, func(c *Config) *string { return &c.Store.SentinelPassword }),
			means: "password of the sentinels"},
		{path: "store.sentinel_password_file", set: into(parsePath, func(c *Config) *string { return &c.Store.SentinelPasswordFile }),
			means: "file with the password of the sentinels"},
		{path: "store.tls.ca_file", set: into(parsePath, func(c *Config) *string { return &c.Store.CAFile }),
			means: "authorities in PEM that Redis's certificate may come from; without it those of the system"},
		{path: "store.tls.cert_file", set: into(parsePath, func(c *Config) *string { return &c.Store.CertFile }),
			means: "certificate chain in PEM for a Redis that asks for one"},
		{path: "store.tls.key_file", set: into(parsePath, func(c *Config) *string { return &c.Store.KeyFile }),
			means: "private key of that certificate in PEM"},
		{path: "store.tls.server_name", set: into(parseName, func(c *Config) *string { return &c.Store.ServerName }),
			means: "name in Redis's certificate; without it the host"},
		{path: "store.pool_size", set: into(count(1, 10_000), func(c *Config) *int { return &c.Store.PoolSize }),
			means: "connections to one node of Redis; without it 10 for each core"},
		{path: "store.timeout", standard: "500ms", set: into(between(100*time.Millisecond, 10*time.Second), func(c *Config) *duration { return &c.Store.Timeout }),
			means: "how long one answer of Redis may take"},
		{path: "store.wait_replicas", standard: "1", set: into(count(0, 5), func(c *Config) *int { return &c.Store.WaitReplicas }),
			means: "replicas of Redis that must have what takes rights away"},

		{path: "secrets.file", set: into(parsePath, func(c *Config) *string { return &c.Secrets.File }),
			means: "file with the system secrets; without it secrets in data_dir"},
		{path: keySecret, secret: true, env: envPrefix + "SECRETS", set: into(parseSecret, func(c *Config) *string { return &c.Secrets.Text }),
			means: "the system secrets themselves, by the environment only"},

		{path: "tokens.access_ttl", standard: "15m", set: into(between(minute, hour), func(c *Config) *duration { return &c.Tokens.Access }),
			means: "life of access tokens, unless their resource says otherwise"},
		{path: "tokens.jwt_ttl", standard: "10m", set: into(between(minute, hour), func(c *Config) *duration { return &c.Tokens.JWT }),
			means: "life of signed access tokens, unless their resource says otherwise"},
		{path: "tokens.refresh_idle_ttl", standard: "14d", set: into(between(minute, 180*day), func(c *Config) *duration { return &c.Tokens.RefreshIdle }),
			means: "life of a grant that nobody refreshes"},
		{path: "tokens.refresh_max_ttl", standard: "90d", set: into(between(minute, 1825*day), func(c *Config) *duration { return &c.Tokens.RefreshMax }),
			means: "life of any grant"},

		{path: "sessions.idle_ttl", standard: "1h", set: into(between(minute, 180*day), func(c *Config) *duration { return &c.Sessions.Idle }),
			means: "how long somebody stays logged in without doing anything"},
		{path: "sessions.max_ttl", standard: "24h", set: into(between(minute, 180*day), func(c *Config) *duration { return &c.Sessions.Max }),
			means: "how long somebody stays logged in at most"},
		{path: "sessions.remember_ttl", standard: "30d", set: into(between(hour, 365*day), func(c *Config) *duration { return &c.Sessions.Remember }),
			means: "the same for who asked to stay logged in"},

		{path: "keys.rotate_every", standard: "90d", set: into(between(hour, 365*day), func(c *Config) *duration { return &c.Keys.RotateEvery }),
			means: "how long a signing key signs"},
		{path: "keys.publish_ahead", standard: "24h", set: into(between(10*minute, 30*day), func(c *Config) *duration { return &c.Keys.PublishAhead }),
			means: "how long a signing key is published before it signs"},

		{path: "ui.name", standard: "Safeconduct", set: into(parseTitle, func(c *Config) *string { return &c.UI.Name }),
			means: "name of the server on its pages"},
		{path: "ui.logo_file", set: into(parsePath, func(c *Config) *string { return &c.UI.LogoFile }),
			means: "PNG, SVG or WebP that stands above the pages in place of the name"},
		{path: "ui.accent", set: into(parseColor, func(c *Config) *string { return &c.UI.Accent }),
			means: "colour of buttons and links, as #1d4ed8"},
		{path: "ui.accent_dark", set: into(parseColor, func(c *Config) *string { return &c.UI.AccentDark }),
			means: "the same on dark ground; without it made of ui.accent"},
		{path: "ui.templates_dir", set: into(parsePath, func(c *Config) *string { return &c.UI.TemplatesDir }),
			means: "folder with pages in place of ours"},

		{path: "passwords.workers", set: into(count(1, 1024), func(c *Config) *int { return &c.Passwords.Workers }),
			means: "passwords hashed at once; without it the number of cores"},
		{path: "passwords.queue", set: into(count(0, 100_000), func(c *Config) *int { return &c.Passwords.Queue }),
			means: "logins that may wait for their hash; without it four times the workers"},
		{path: "passwords.memory", standard: "19MiB", set: into(parseHashMemory, func(c *Config) *uint32 { return &c.Passwords.MemoryKiB }),
			means: "memory of one hash"},
		{path: "passwords.passes", standard: "2", set: into(hashPasses, func(c *Config) *uint32 { return &c.Passwords.Passes }),
			means: "passes of one hash over its memory"},

		{path: "log.level", standard: "info", set: into(oneOf("debug", "info", "warn", "error"), func(c *Config) *string { return &c.Log.Level }),
			means: "debug, info, warn or error"},
		{path: "log.format", standard: "auto", set: into(oneOf("auto", "json", "text"), func(c *Config) *string { return &c.Log.Format }),
			means: "json, text, or auto for text on a terminal"},
	}
}

// into makes a setter of a parser and a field.
func into[T any](parse func(string) (T, *fault), field func(*Config) *T) func(*Config, string) *fault {
	return func(c *Config, text string) *fault {
		value, wrong := parse(text)
		if wrong == nil {
			*field(c) = value
		}
		return wrong
	}
}

// schema is the table by path, with the sections above the keys.
type schema struct {
	keys     []*key
	byPath   map[string]*key
	sections map[string]bool
}

func newSchema() *schema {
	s := &schema{keys: table(), byPath: make(map[string]*key), sections: make(map[string]bool)}
	for _, k := range s.keys {
		s.byPath[k.path] = k
		for i := range len(k.path) {
			if k.path[i] == '.' {
				s.sections[k.path[:i]] = true
			}
		}
	}
	return s
}

// similar finds the key or section that an unknown path most likely means: one spelt alike in the same section, or one
// of the same name in another.
func (s *schema) similar(path string) string {
	section, name := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		section, name = path[:i+1], path[i+1:]
	}
	var siblings, names []string
	byName := make(map[string]string)
	consider := func(full string) {
		if rest, here := strings.CutPrefix(full, section); here && !strings.Contains(rest, ".") {
			siblings = append(siblings, rest)
		}
		last := full[strings.LastIndexByte(full, '.')+1:]
		if _, taken := byName[last]; !taken {
			byName[last] = full
			names = append(names, last)
		}
	}
	for _, k := range s.keys {
		if k.env == "" {
			consider(k.path)
		}
	}
	for section := range s.sections {
		consider(section)
	}
	if found := Nearest(name, siblings); found != "" {
		return section + found
	}
	return byName[Nearest(name, names)]
}
