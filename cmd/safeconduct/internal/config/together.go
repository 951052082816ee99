package config

import (
	"path/filepath"
	"strings"
)

// socketMax is the longest path of a unix socket that every system takes.
const socketMax = 103

// rule is one of several keys.
type rule struct {
	broken   bool
	at       string // the key that the problem is shown at
	involved []string
	fault    fault
}

// checkTogether checks what must fit together. A rule about a key whose value is wrong already is left out.
func (l *loader) checkTogether(r *Result) {
	redis := r.IsRedis()
	socket, _ := filepath.Abs(r.Socket())
	for _, rule := range append(l.storeRules(r), []rule{
		{r.Server.CertFile != "" && r.Server.KeyFile == "", "server.tls.cert_file", []string{"server.tls.key_file"},
			fault{"needs the key of the certificate", "Add server.tls.key_file"}},
		{r.Server.KeyFile != "" && r.Server.CertFile == "", "server.tls.key_file", []string{"server.tls.cert_file"},
			fault{"needs the certificate of the key", "Add server.tls.cert_file"}},
		{r.Server.CertFile != "" && strings.HasPrefix(r.Issuer, "http://"), "issuer", []string{"server.tls.cert_file"},
			fault{"is http, but the server speaks TLS", "Write " + strings.Replace(r.Issuer, "http://", "https://", 1)}},
		{redis && r.Secrets.File == "" && r.Secrets.Text == "", "store.url", []string{"secrets.file", keySecret},
			fault{"is shared by all servers on it, which need the same system secrets", "Add secrets.file, or set SAFECONDUCT_SECRETS_FILE; `openssl rand -base64 32` makes a secret"}},
		{r.Tokens.RefreshIdle > r.Tokens.RefreshMax, "tokens.refresh_idle_ttl", []string{"tokens.refresh_max_ttl"},
			fault{FormatDuration(r.Tokens.RefreshIdle) + " is longer than tokens.refresh_max_ttl, " + FormatDuration(r.Tokens.RefreshMax), "Make it shorter, or the other longer"}},
		{r.Tokens.Access > r.Tokens.RefreshIdle, "tokens.access_ttl", []string{"tokens.refresh_idle_ttl"},
			fault{FormatDuration(r.Tokens.Access) + " is longer than tokens.refresh_idle_ttl, " + FormatDuration(r.Tokens.RefreshIdle), "Make it shorter, or the other longer"}},
		{r.Tokens.JWT > r.Tokens.RefreshIdle, "tokens.jwt_ttl", []string{"tokens.refresh_idle_ttl"},
			fault{FormatDuration(r.Tokens.JWT) + " is longer than tokens.refresh_idle_ttl, " + FormatDuration(r.Tokens.RefreshIdle), "Make it shorter, or the other longer"}},
		{r.Sessions.Idle > r.Sessions.Max, "sessions.idle_ttl", []string{"sessions.max_ttl"},
			fault{FormatDuration(r.Sessions.Idle) + " is longer than sessions.max_ttl, " + FormatDuration(r.Sessions.Max), "Make it shorter, or the other longer"}},
		{r.Sessions.Max > r.Sessions.Remember, "sessions.max_ttl", []string{"sessions.remember_ttl"},
			fault{FormatDuration(r.Sessions.Max) + " is longer than sessions.remember_ttl, " + FormatDuration(r.Sessions.Remember), "Make it shorter, or the other longer"}},
		{r.Keys.PublishAhead > r.Keys.RotateEvery/2, "keys.publish_ahead", []string{"keys.rotate_every"},
			fault{FormatDuration(r.Keys.PublishAhead) + " is more than half of keys.rotate_every, " + FormatDuration(r.Keys.RotateEvery), "Make it shorter, or the other longer"}},
		{len(socket) > socketMax, "data_dir", nil,
			fault{"is too long: the path of the socket in it would have more than 103 characters", "Choose a shorter path"}},
	}...) {
		if !rule.broken || l.anyBroken(append(rule.involved, rule.at)) {
			continue
		}
		l.add(l.at(r, rule.at, rule.involved, rule.fault))
	}
}

func (l *loader) given(r *Result, path string) bool { return r.settings[path] != nil }

func (l *loader) anyBroken(paths []string) bool {
	for _, path := range paths {
		if l.broken[path] {
			return true
		}
	}
	return false
}

// at makes a problem at the place of a key, or of one that is involved if the key has its default.
func (l *loader) at(r *Result, path string, involved []string, f fault) Problem {
	for _, candidate := range append([]string{path}, involved...) {
		if s := r.settings[candidate]; s != nil && len(s.texts) > 0 {
			showValue := !s.key.secret && candidate != "store.url"
			p := s.source.problem(s.texts[0].place, candidate, showValue, f)
			if candidate != path {
				p.Reason = path + " " + f.reason
			}
			return p
		}
	}
	return Problem{Source: "default", Key: path, Reason: f.reason, Fix: f.fix}
}

// refuseSecretsGivenTwice refuses two ways to give one secret in one source: which of them counts must not be luck.
func (l *loader) refuseSecretsGivenTwice(layer map[string]*setting) {
	for _, path := range []string{"store.password", "store.sentinel_password", keySecret} {
		plain, file := layer[path], layer[sameSecret[path]]
		if plain == nil || file == nil {
			continue
		}
		l.add(plain.source.problem(plain.texts[0].place, path, false, fault{
			"is given twice, also by " + strings.TrimPrefix(file.source.name, "env ") + " " + file.key.path, "Keep one of them, better the file"}))
	}
}

// refuseSecretsIn refuses secrets in a file that others than its owner can read.
func (l *loader) refuseSecretsIn(file map[string]*setting) {
	for _, path := range []string{"store.password", "store.sentinel_password", "store.url"} {
		s := file[path]
		if s == nil || path == "store.url" && !holdsPassword(s.texts[0].value) {
			continue
		}
		l.add(s.source.problem(s.texts[0].place, path, false, fault{
			"holds a password in a file that others than its owner can read", "Run chmod 600 " + s.source.name + ", or use " + strings.Replace(path, "url", "password", 1) + "_file"}))
	}
}
